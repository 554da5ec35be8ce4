"""Augmentation: what it does to pictures, its gradient, and its strength."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage, stats

from kgen.errors import InvalidArgument
from kgen.layers import AdaptiveAugment, DiffAugment, augmentation
from kgen.layers.transformations import TRANSFORMATIONS

RNG = np.random.default_rng(0)
SHAPES = [(6, 9, 1), (7, 5, 3), (1, 2, 4)]


def changed(name, x, *draws):
    """Pictures after a transformation by given draws, one for each or all."""
    draws = [
        tf.constant(np.broadcast_to(draw, len(x)), "float32") for draw in draws
    ]
    draws = [draw[:, None, None, None] for draw in draws]
    return TRANSFORMATIONS[name].apply(tf.constant(x), draws).numpy()


def pictures(shape, count=5):
    return RNG.uniform(size=(count, *shape)).astype("float32")


@pytest.mark.parametrize("shape", SHAPES)
def test_translation(shape):
    """All shifts, each as often as the others, and gray comes in."""
    most = [int(side / 8 + 0.5) for side in shape[:2]]
    x = pictures(shape, 1)[0]
    for down in range(-most[0], most[0] + 1):
        for right in range(-most[1], most[1] + 1):
            draws = [
                (shift + m + 0.5) / (2 * m + 1)
                for shift, m in zip((-down, -right), most)
            ]
            expected = ndimage.shift(
                x, (down, right, 0), order=0, mode="constant", cval=0.5
            )
            found = changed("translation", x[None], *draws)[0]
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_cutout(shape):
    """A hole of half the sides, whose middle is each pixel once."""
    x = pictures(shape, 1)
    for axis in (0, 1):
        side, hole = shape[axis], (shape[axis] + 1) // 2
        places = side + 1 - hole % 2
        for place in range(places):
            # The other axis: in the middle.
            draws = [0.5, 0.5]
            draws[axis] = (place + 0.5) / places
            is_hole = np.any(
                changed("cutout", x, *draws)[0] == 0.5, axis=(1 - axis, 2)
            )
            first = place - hole // 2
            expected = [first <= p < first + hole for p in range(side)]
            np.testing.assert_array_equal(is_hole, expected)


def test_color():
    x = pictures((4, 4, 3))
    u = RNG.random((3, 5)).astype("float32")
    brightness, saturation, contrast = u[..., None, None, None]
    y = x + (brightness - 0.5) / 2
    mean = y.mean(axis=3, keepdims=True)
    y = mean + 2 * saturation * (y - mean)
    mean = y.mean(axis=(1, 2, 3), keepdims=True)
    y = mean + (contrast + 0.5) * (y - mean)
    np.testing.assert_allclose(changed("color", x, *u), y, atol=1e-6)
    gray = x[..., :1]  # has no saturation
    found = [changed("color", gray, 0.5, draw, 0.5) for draw in (0.1, 0.9)]
    for each in found:
        np.testing.assert_allclose(each, gray, atol=1e-6)


def test_color_leaves_the_opacity():
    x = np.linspace(0, 1, 64, dtype="float32").reshape(1, 4, 4, 4)
    found = changed("color", x, 0.9, 0.1, 0.2)
    np.testing.assert_array_equal(found[..., 3], x[..., 3])
    colours = changed("color", x[..., :3], 0.9, 0.1, 0.2)
    np.testing.assert_array_equal(found[..., :3], colours)


@pytest.mark.parametrize("shape", SHAPES)
def test_affine(shape):
    """By the resampling of SciPy, channel by channel."""
    x = pictures(shape)
    turn, size = RNG.random((2, 5)).astype("float32")
    found = changed("affine", x, turn, size)
    middle = (np.array(shape[:2]) - 1) / 2
    for picture, one, angle, draw in zip(
        x, found, 2 * np.pi * turn, 1.25 ** (2 * size - 1)
    ):
        matrix = np.array(
            [
                [np.cos(angle), -np.sin(angle)],
                [np.sin(angle), np.cos(angle)],
            ]
        )
        matrix = matrix / draw
        for channel in range(shape[2]):
            expected = ndimage.affine_transform(
                np.pad(picture[..., channel], 9, constant_values=0.5),
                matrix,
                middle + 9 - matrix @ (middle + 9),
                order=1,
                mode="nearest",
            )[9:-9, 9:-9]
            np.testing.assert_allclose(one[..., channel], expected, atol=1e-5)
    np.testing.assert_allclose(changed("affine", x, 0.0, 0.5), x, atol=1e-6)
    half = changed("affine", x, 0.5, 0.5)
    np.testing.assert_allclose(half, x[:, ::-1, ::-1], atol=1e-5)


def test_flip():
    x = pictures((3, 4, 2), 2)
    found = changed("flip", x, [0.2, 0.7])
    np.testing.assert_array_equal(found[0], x[0])
    np.testing.assert_array_equal(found[1], x[1, :, ::-1])


ALL = list(TRANSFORMATIONS)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_is_that_of_finite_differences(shape):
    """By twenty numbers: given the draws, all are linear in the pictures."""
    layer = AdaptiveAugment(ALL)
    layer.strength.assign(0.7)
    x = tf.constant(pictures(shape, 3))
    draws = layer.draw(3, keras.random.SeedGenerator(3))
    weights = tf.constant(pictures(shape, 3))

    def value(x):
        return tf.reduce_sum(weights * layer.augment(x, draws))

    with tf.GradientTape() as tape:
        tape.watch(x)
        total = value(x)
    gradient = tape.gradient(total, x).numpy()
    assert np.abs(gradient).max() > 0.1
    places = list(np.ndindex(*x.shape))
    places = [places[n] for n in RNG.permutation(len(places))[:20]]
    for place in places:
        step = np.zeros(x.shape, "float32")
        step[place] = 0.5
        difference = float(value(x + step) - value(x - step))
        assert gradient[place] == pytest.approx(difference, abs=1e-4)


@pytest.mark.parametrize("compiled", [False, True])
def test_in_a_graph_it_is_what_it_is_outside(compiled):
    """Also by XLA, and of a batch whose size is not known."""
    layer = DiffAugment(ALL)
    x = tf.constant(pictures((6, 7, 3)))
    draws = layer.draw(5, keras.random.SeedGenerator(3))
    spec = tf.TensorSpec((None, *x.shape[1:]))
    graph = tf.function(
        layer.augment,
        input_signature=[spec, tf.TensorSpec((None, None))],
        jit_compile=compiled,
    )
    np.testing.assert_allclose(
        graph(x, draws), layer.augment(x, draws), atol=1e-5
    )


def test_every_picture_and_every_transformation_has_its_own_draws():
    layer = AdaptiveAugment(["flip", "color"])
    draws = layer.draw(2000, keras.random.SeedGenerator(0)).numpy()
    assert draws.shape == (2000, 2 + 4)  # one more for each: whether it is
    for column in draws.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
    correlation = np.corrcoef(draws.T) - np.eye(6)
    assert np.abs(correlation).max() < 4.5 / 2000**0.5


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.8])
def test_the_strength_is_the_probability_of_each_change(strength):
    layer = AdaptiveAugment(["color", "translation"])
    layer.strength.assign(strength)
    count = 4000
    x = np.broadcast_to(pictures((8, 8, 1), 1), (count, 8, 8, 1))
    draws = layer.draw(count, keras.random.SeedGenerator(0))
    y = layer.augment(tf.constant(x), draws).numpy()
    same = np.mean(np.all(y == x, axis=(1, 2, 3)))
    # One shift of nine is none.
    expected = (1 - strength) * (1 - strength * 8 / 9)
    spread = 4.5 * (expected * (1 - expected) / count) ** 0.5
    assert same == pytest.approx(expected, abs=spread + 1e-9)


def test_the_strength_follows_the_overfitting():
    """Every four updates, by the mean sign of the examples since."""
    layer = AdaptiveAugment(target=0.5, examples=1000, highest=0.2)
    rates = RNG.uniform(0.2, 1.0, size=60).round(2)
    rates[40:] = 0.1
    sizes = RNG.integers(5, 30, size=60)
    expected, found, strength = [], [], 0.0
    for number, (rate, size) in enumerate(zip(rates, sizes), 1):
        layer.follow(tf.constant(rate, "float32"), tf.constant(float(size)))
        found.append(float(layer.strength.value))
        if number % 4 == 0:
            part = slice(number - 4, number)
            mean = np.average(rates[part], weights=sizes[part])
            step = np.sign(mean - 0.5) * sizes[part].sum() / 1000
            strength = np.clip(strength + step, 0, 0.2)
        expected.append(strength)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert max(found) == pytest.approx(0.2) and found[-1] == 0.0


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("diffaugment", ("color", "translation", "cutout")),
        ("diffaugment:flip", ("flip",)),
        ("adaptive", ("flip", "affine", "translation", "color")),
        ("adaptive:color,cutout:0.7:1000", ("color", "cutout")),
    ],
)
def test_names(name, policy):
    layer = augmentation.get(name, (8, 8, 1))
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    for one in (layer, again):
        assert one.policy == policy
        if "0.7" in name:
            assert (one.target, one.examples) == (0.7, 1000)
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: augmentation.get("difaugment", (8, 8, 1)), "'diffaugment'?"),
        (lambda: augmentation.get("diffaugment:flp", (8, 8, 1)), "'flip'?"),
        (lambda: augmentation.get("diffaugment:", (8, 8, 1)), "Expected one"),
        (lambda: augmentation.get("diffaugment:flip:1", (8, 8, 1)), ":POLICY"),
        (lambda: augmentation.get("adaptive:flip:2", (8, 8, 1)), "from 0 to 1"),
        (
            lambda: augmentation.get("adaptive:flip:.6:x", (8, 8, 1)),
            "a positive integer",
        ),
        (
            lambda: augmentation.get("adaptive", (12,)),
            "examples of shape (12,): augmentation is for pictures",
        ),
        (lambda: DiffAugment([]), "at least one transformation"),
        (lambda: DiffAugment("flip"), "names of transformations, of flip"),
        (lambda: AdaptiveAugment(highest=1.5), "from 0 to 1"),
    ],
)
def test_what_can_not_be_is_told_in_words(call, message):
    with pytest.raises(InvalidArgument) as error:
        call()
    assert message in str(error.value)
