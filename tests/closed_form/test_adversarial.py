"""Adversarial losses, penalties and the best discriminator, worked out."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, log_expit

import kgen
from kgen.errors import InvalidArgument
from kgen.losses import adversarial, penalties

R, F = np.array([[1.0], [-2.0]]), np.array([[0.5], [3.0]])


def expected(name):
    """Both losses, from the papers' own formulas."""
    is_real, is_fake = log_expit, lambda logits: log_expit(-logits)
    if name == "minimax":
        value = is_real(R).mean() + is_fake(F).mean()
        return -value, is_fake(F).mean()
    if name == "non_saturating":
        value = is_real(R).mean() + is_fake(F).mean()
        return -value, -is_real(F).mean()
    if name == "least_squares":
        return ((R - 1) ** 2).mean() / 2 + (F**2).mean() / 2, (
            (F - 1) ** 2
        ).mean() / 2
    if name == "hinge":
        return (
            np.maximum(0, 1 - R).mean() + np.maximum(0, 1 + F).mean(),
            -F.mean(),
        )
    if name == "wasserstein":
        return F.mean() - R.mean(), -F.mean()
    if name == "relativistic_paired":
        return -is_real(R - F).mean(), -is_real(F - R).mean()
    real, fake = R - F.mean(), F - R.mean()
    return (
        -is_real(real).mean() - is_fake(fake).mean(),
        -is_real(fake).mean() - is_fake(real).mean(),
    )


@pytest.mark.parametrize("name", adversarial.LOSSES)
def test_losses(name):
    loss = adversarial.get(name)
    real, fake = (tf.constant(logits, "float32") for logits in (R, F))
    got = (
        float(loss.discriminator_loss(real, fake)),
        float(loss.generator_loss(fake, real)),
    )
    assert got == pytest.approx(expected(name), rel=1e-5)
    config = keras.saving.serialize_keras_object(loss)
    assert type(keras.saving.deserialize_keras_object(config)) is type(loss)


@pytest.mark.parametrize("name", adversarial.LOSSES)
def test_kinds_of_generated_examples_add_up(name):
    """As in a VAE-GAN: -log D(x) - log(1 - D(x1)) - log(1 - D(x2)).

    Wasserstein's critic takes their mean, so that a shift of all logits, by which
    its loss could fall without end, changes nothing.
    """
    loss = adversarial.get(name)
    other = np.array([[-1.0], [0.25]])
    real, one, two = (tf.constant(v, "float32") for v in (R, F, other))
    got = float(loss.discriminator_loss(real, one, two))
    if name == "relativistic":
        level = (F.mean() + other.mean()) / 2
        by_fakes = (log_expit(R.mean() - v).mean() for v in (F, other))
        total = -log_expit(R - level).mean() - sum(by_fakes)
    elif name == "wasserstein":
        total = (F.mean() + other.mean()) / 2 - R.mean()
        shifted = loss.discriminator_loss(real - 9.0, one - 9.0, two - 9.0)
        assert float(shifted) == pytest.approx(total, rel=1e-5)
    else:
        by_real = loss.discriminator_loss(real)
        total = sum(loss.discriminator_loss(real, v) for v in (one, two))
        total -= by_real
    assert got == pytest.approx(float(total), rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("kinds", [1, 2])
@pytest.mark.parametrize(
    "name", ["minimax", "non_saturating", "least_squares", "hinge"]
)
def test_the_level_is_the_best_logit_of_all_examples(name, kinds, smoothing):
    loss = adversarial.get(name, "GAN", smoothing if name != "hinge" else 0.0)

    def value(logit):
        logits = tf.constant([[logit]], "float32")
        return float(loss.discriminator_loss(logits, *[logits] * kinds))

    best = min(map(value, np.linspace(-2.0, 2.0, 401)))
    assert value(loss.level(kinds)) <= best + 1e-6


@pytest.mark.parametrize("name", adversarial.LOSSES)
def test_each_player_pushes_its_own_way(name):
    """A real logit up and a fake one down; the generator's, up."""
    loss = adversarial.get(name)
    real, fake = tf.zeros((1, 1)), tf.zeros((1, 1))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        d = loss.discriminator_loss(real, fake)
        g = loss.generator_loss(fake, real)
    by_real, by_fake = tape.gradient(
        d, [real, fake], unconnected_gradients="zero"
    )
    # Two of one logit each: the relativistic loss has both in each part.
    if name != "least_squares":
        assert float(by_fake[0, 0]) > 0
    assert float(by_real[0, 0]) < 0
    assert float(tape.gradient(g, fake)[0, 0]) < 0


@pytest.mark.parametrize(
    "name",
    [
        "minimax",
        "non_saturating",
        "relativistic",
        "relativistic_paired",
    ],
)
def test_label_smoothing(name):
    """A target of 0.9 for real examples: 0.9 log s(r) + 0.1 log(1 - s(r))."""
    real, fake = (tf.constant(logits, "float32") for logits in (R, F))
    plain, smooth = (
        adversarial.get(name),
        adversarial.get(name, label_smoothing=0.1),
    )
    level = {"relativistic": F.mean(), "relativistic_paired": F}
    logits = R - level.get(name, 0.0)
    change = 0.1 * (log_expit(logits) - log_expit(-logits)).mean()
    got = smooth.discriminator_loss(real, fake) - plain.discriminator_loss(
        real, fake
    )
    assert float(got) == pytest.approx(change, rel=1e-4)


def linear(x):
    """A discriminator with the gradient (3, 4) everywhere."""
    return x @ tf.constant([[3.0], [4.0]])


def quadratic(x):
    """One with the gradient 2x."""
    return tf.reduce_sum(x**2, axis=1, keepdims=True)


def value(penalty, function, real, fake):
    """A penalty of a function from examples to logits."""
    penalty = penalties.get(penalty)
    points = penalty.points(real, fake, keras.random.SeedGenerator(0))
    with tf.GradientTape() as tape:
        tape.watch(points)
        total = tf.reduce_sum(function(points))
    return penalty(tape.gradient(total, points))


def test_penalties():
    real = tf.constant([[1.0, 0.0], [0.0, 2.0]])
    fake = tf.zeros((2, 2))
    for name, expected in (
        ("gradient_penalty", 10 * (5 - 1) ** 2),
        ("dragan:2", 2 * (5 - 1) ** 2),
    ):
        got = float(value(name, linear, real, fake))
        assert got == pytest.approx(expected)
    # |2x|^2 is 4 and 16; half their mean is 5.
    assert float(value("r1:3", quadratic, real, fake)) == pytest.approx(15.0)
    # R2 is the same at generated examples, wherever the real ones are.
    assert float(value("r2:3", quadratic, fake, real)) == pytest.approx(15.0)


@pytest.mark.parametrize(
    ("shape", "penalty", "weight"),
    [((8, 8, 1), penalties.R1, 1.0), ((2,), penalties.GradientPenalty, 0.1)],
)
def test_the_penalty_by_the_examples(shape, penalty, weight):
    found = penalties.get("auto", shape=shape)
    assert (type(found), found.weight) == (penalty, weight)


def test_a_list_of_penalties():
    found = penalties.get(["r1:2", penalties.R2(3)])
    assert [(type(one), one.weight) for one in found] == [
        (penalties.R1, 2.0),
        (penalties.R2, 3.0),
    ]
    assert penalties.listed(found) == found
    assert penalties.listed(None) == []


def test_gradient_penalty_is_between_the_two():
    """At u x, with u uniform for each example, |2 u x| = 2 u |x|."""
    count = 40_000
    real = tf.repeat(tf.constant([[3.0, 4.0]]), count, axis=0)
    got = value("gradient_penalty:1", quadratic, real, tf.zeros_like(real))
    u = np.random.default_rng(0).uniform(size=count)
    values = (10 * u - 1) ** 2
    exact = 100 / 3 - 10 + 1
    assert float(got) == pytest.approx(
        exact, abs=4.5 * values.std() / count**0.5
    )


def test_dragan_is_around_the_real_examples():
    """x + d with d of half the standard deviation of all of the batch."""
    real = tf.random.stateless_normal((100_000, 2), [0, 1]) * 3.0 + 5.0
    seed = keras.random.SeedGenerator(0)
    noise = (penalties.get("dragan").points(real, None, seed) - real).numpy()
    count = noise.size
    assert noise.mean() == pytest.approx(0.0, abs=4.5 * 1.5 / count**0.5)
    assert noise.std() == pytest.approx(1.5, rel=0.01)


def test_a_gradient_of_zero_has_a_penalty_with_a_derivative():
    kernel = tf.Variable(tf.zeros((2, 1)))
    real = tf.ones((3, 2))
    with tf.GradientTape() as tape:
        got = value("gradient_penalty", lambda x: x @ kernel, real, real)
    assert np.isfinite(tape.gradient(got, kernel)).all()


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (adversarial.get, ("hingee",), "did you mean 'hinge'"),
        (adversarial.get, ("hinge", "GAN", 0.1), "no target to smooth"),
        (adversarial.get, ("minimax", "GAN", 1.0), "[0, 1)"),
        (penalties.get, ("dragn",), "did you mean 'dragan'"),
        (penalties.get, ("r1:-1",), "at least 0"),
        (penalties.get, ([],), "a list of some, or None"),
        (penalties.get, (["r1", "r3"],), "'r1', 'r2'"),
        (penalties.get, (["r1", None],), "penalty=None"),
        (penalties.get, ("auto",), "'gradient_penalty', 'r1'"),
        (penalties.get, ("auto:2", "GAN", (8, 8, 1)), 'Expected "auto"'),
    ],
)
def test_bad_names(function, arguments, message):
    with pytest.raises(InvalidArgument) as error:
        function(*arguments)
    assert message in str(error.value)


@pytest.mark.parametrize(("mean", "value"), [(1.0, -1.16345), (2.0, -0.71263)])
def test_the_best_discriminator(mean, value):
    """Against a frozen N(m, 1) its logit is log p - log g = m^2/2 - m x."""
    keras.utils.set_random_seed(0)
    z = keras.Input((1,))
    shift = keras.layers.Dense(
        1,
        kernel_initializer="ones",
        bias_initializer=keras.initializers.Constant(mean),
    )
    generator = keras.Model(z, shift(z))
    x = keras.Input((1,))
    discriminator = keras.Model(x, keras.layers.Dense(1)(x))
    gan = kgen.GAN(generator, discriminator, seed=0)
    steps = 1500
    rate = keras.optimizers.schedules.CosineDecay(0.05, steps, alpha=1e-3)
    gan.compile(
        optimizer="sgd:0",
        discriminator_optimizer=kgen.optimizers.Adam(rate),
        loss="minimax",
        penalty=None,
        ema_decay=None,
    )
    real = np.random.default_rng(0).normal(size=(steps * 1024, 1))
    gan.fit(real.astype("float32"), batch_size=1024, verbose=0)
    assert float(shift.kernel[0, 0]) == 1.0  # no step moved it
    points = np.linspace(mean / 2 - 2, mean / 2 + 2, 9, dtype="float32")
    logits = gan.discriminate(points[:, None])
    np.testing.assert_allclose(logits, mean**2 / 2 - mean * points, atol=0.06)
    # V(D) by quadrature.
    grid = np.linspace(-12, 12, 4001)
    d = expit(gan.discriminate(grid[:, None].astype("float32")))
    d = np.clip(d.astype("float64"), 1e-300, 1 - 1e-16)
    p = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    g = np.exp(-((grid - mean) ** 2) / 2) / np.sqrt(2 * np.pi)
    v = np.trapezoid(p * np.log(d) + g * np.log1p(-d), grid)
    assert v == pytest.approx(value, abs=0.01)
