import keras
import numpy as np
import pytest

from kgen.errors import InvalidArgument
from kgen.layers import NoCheckerboard, ResizeConvolution


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


def phase_sums(kernel):
    """Of the weights that make the four pixels of a cell."""
    return np.array(
        [kernel[i::2, j::2].sum(axis=(0, 1)) for i in (0, 1) for j in (0, 1)]
    )


@pytest.mark.parametrize("size", [(2, 2), (4, 6)])
def test_the_nearest_kernel_of_equal_sums(size):
    drawn = np.random.default_rng(0).normal(size=(*size, 3, 2))
    nearest = np.array(NoCheckerboard()(drawn))
    sums = phase_sums(nearest)
    np.testing.assert_allclose(sums, np.broadcast_to(sums[0], sums.shape))
    np.testing.assert_allclose(sums.sum(axis=0), drawn.sum(axis=(0, 1)))
    np.testing.assert_allclose(NoCheckerboard()(nearest), nearest)
    # What was taken away is at right angles to all kernels of equal sums.
    other = NoCheckerboard()(np.random.default_rng(1).normal(size=drawn.shape))
    product = np.sum((drawn - nearest) * np.array(other), axis=(0, 1))
    np.testing.assert_allclose(product, 0.0, atol=1e-12)


def test_a_resized_map_has_equal_sums():
    kernel = ResizeConvolution()((4, 4, 3, 2))
    np.testing.assert_allclose(NoCheckerboard()(kernel), kernel, atol=1e-6)
