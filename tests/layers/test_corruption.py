import keras
import numpy as np
import pytest
import tensorflow as tf

from kgen.errors import InvalidArgument
from kgen.layers import (
    GaussianCorruption,
    MaskingCorruption,
    SaltAndPepperCorruption,
    corruption,
)

GREY = np.full((200, 10, 10, 3), 0.5, "float32")
COUNT = GREY[..., 0].size  # pixels


def test_gaussian_noise_has_its_standard_deviation_and_is_not_clipped():
    noise = GaussianCorruption(0.4, seed=0)(GREY, training=True) - GREY
    count = noise.numpy().size
    assert abs(np.mean(noise)) < 4.5 * 0.4 / count**0.5
    assert np.std(noise) == pytest.approx(
        0.4, abs=4.5 * 0.4 / (2 * count) ** 0.5
    )
    assert np.abs(noise).max() > 0.5


def test_a_level_for_each_example():
    layer = GaussianCorruption((0.1, 0.9), seed=0)
    noise = layer(GREY, training=True) - GREY
    levels = np.std(noise, axis=(1, 2, 3))
    assert levels.min() > 0.08 and levels.max() < 1.0
    # Uniform between the two: mean 0.5, standard deviation 0.8 / sqrt(12).
    error = 0.8 / np.sqrt(12 * len(levels))
    assert np.mean(levels) == pytest.approx(0.5, abs=4.5 * error)
    assert np.std(levels) == pytest.approx(0.8 / np.sqrt(12), rel=0.15)


def test_masking_sets_a_share_of_pixels_to_0_in_all_channels():
    out = MaskingCorruption(0.3, seed=0)(GREY, training=True).numpy()
    masked = (out == 0).all(axis=-1)
    assert ((out == 0.5).all(axis=-1) | masked).all()
    assert masked.mean() == pytest.approx(0.3, abs=4.5 * (0.21 / COUNT) ** 0.5)


def test_salt_and_pepper_are_as_likely():
    out = SaltAndPepperCorruption(0.3, seed=0)(GREY, training=True).numpy()
    assert set(np.unique(out)) == {0.0, 0.5, 1.0}
    for value in (0.0, 1.0):
        share = (out == value).all(axis=-1).mean()
        assert share == pytest.approx(0.15, abs=4.5 * (0.1275 / COUNT) ** 0.5)


@pytest.mark.parametrize(
    "layer",
    [
        GaussianCorruption(0.5),
        MaskingCorruption([0.1, 0.5]),
        SaltAndPepperCorruption(1.0),
    ],
)
def test_every_corruption(layer):
    x = tf.constant(GREY[:4])
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer(x, training=False), x)
    one, two = layer(x, training=True), layer(x, training=True)
    assert one.shape == x.shape
    if layer.level != 1.0:
        assert not np.array_equal(one, two)
    vectors = layer(tf.fill((5, 40), 0.5), training=True)
    assert vectors.shape == (5, 40) and not np.all(vectors == 0.5)
    config = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == layer.get_config()


def test_names():
    layer = corruption.get("gaussian:0.05:0.6", "owner")
    assert isinstance(layer, GaussianCorruption)
    assert layer.level == [0.05, 0.6]
    assert corruption.get("masking:0.3", "owner").level == 0.3
    assert corruption.get(layer, "owner") is layer
    dropout = keras.layers.Dropout(0.2)
    assert corruption.get(dropout, "owner") is dropout


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ("gausian:0.1", "did you mean 'gaussian'"),
        ("gaussian", '"gaussian:LEVEL"'),
        ("gaussian:0.1:0.2:0.3", '"gaussian:LEVEL"'),
        ("gaussian:0", "a number above 0 and"),
        ("gaussian:-1", "a finite number of at least 0"),
        ("gaussian:inf", "a finite number"),
        ("gaussian:much", "a finite number"),
        ("gaussian:0.6:0.1", "(low, high)"),
        ("masking:1.5", "above 0 and at most 1"),
        ("salt_and_pepper:0.5:1.5", "at most 1"),
        (None, "one of 'gaussian'"),
        ("gaussian:1e300", "a finite number"),
        ("gaussian:1e7", "at most 1e+06"),
    ],
)
def test_what_is_out_of_range_is_refused(identifier, message):
    with pytest.raises(InvalidArgument) as error:
        corruption.get(identifier, "DenoisingAutoencoder")
    assert message in str(error.value)


@pytest.mark.parametrize(
    "level", [(0.3,), [], (0.1, 0.2, 0.3), True, (0.2, 0.1), "much", None]
)
def test_levels_that_are_none(level):
    with pytest.raises(InvalidArgument, match="level"):
        GaussianCorruption(level)


def test_an_array_of_bounds():
    assert GaussianCorruption(np.array([0.1, 0.5])).level == [0.1, 0.5]


def test_half_precision_is_left_to_the_networks():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = GaussianCorruption(0.1)
    finally:
        keras.config.set_dtype_policy("float32")
    assert layer(tf.constant(GREY[:1]), training=True).dtype == tf.float32
