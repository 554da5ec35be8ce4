import keras
import numpy as np
import pytest

from kgen.errors import InvalidArgument
from kgen.layers import ResizeConvolution


@pytest.mark.parametrize("size", [2, 4, 6])
def test_it_is_a_convolution_of_repeated_pixels(size):
    """Exactly, by Keras's own layers."""
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype("float32")
    drawn = keras.initializers.RandomNormal(seed=1)
    transposed = keras.layers.Conv2DTranspose(
        4,
        size,
        strides=2,
        padding="same",
        use_bias=False,
        kernel_initializer=ResizeConvolution(drawn),
    )
    plain = keras.layers.Conv2D(4, size - 1, padding="same", use_bias=False)
    repeated = keras.layers.UpSampling2D(2)(x)
    plain.build(repeated.shape)
    # Transposed convolutions apply a kernel the other way round.
    kernel = drawn(plain.kernel.shape)[::-1, ::-1]
    plain.set_weights([kernel])
    expected = plain(repeated)
    np.testing.assert_allclose(transposed(x), expected, rtol=1e-4, atol=1e-5)


def test_its_config():
    given = ResizeConvolution("he_normal")
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(given)
    )
    assert type(copy) is ResizeConvolution
    assert copy.get_config() == given.get_config()
    assert type(copy.initializer) is keras.initializers.HeNormal
    with pytest.raises(InvalidArgument, match="initializer"):
        ResizeConvolution("no such one")
