"""Penalties now and then, LeCam and augmentation, in the steps of models."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from scipy.special import expit

import kgen
from kgen.errors import InvalidArgument
from tests.models import contract
from tests.models.contract import EAGERLY, X
from tests.models.test_gan import RATE, A, B, line, next_z, slopes, tiny

ROWS = np.random.default_rng(0).normal(size=(6, 1)) * 2 + 1


def square(weight):
    """D(x) = b x^2, whose gradient is 2 b x."""
    x = keras.Input((1,))
    layer = keras.layers.Dense(
        1,
        use_bias=False,
        kernel_initializer=keras.initializers.Constant(weight),
    )
    return keras.Model(x, layer(keras.layers.Multiply()([x, x])))


def weight_of(network):
    return float(network.get_weights()[0][0, 0])


@pytest.mark.parametrize("eagerly", [True, False])
def test_a_step_of_r3gan_by_hand(eagerly):
    """Paired logits, and E|2 b x|^2 / 2 at real and at generated examples."""
    gan = kgen.GAN(line(A, "a"), square(B), seed=0)
    gan.compile(
        f"sgd:{RATE}",
        f"sgd:{RATE}",
        loss="relativistic_paired",
        penalty=["r1:0.5", "r2:0.3"],
        ema_decay=None,
        run_eagerly=eagerly,
    )
    (z, other), x = next_z(gan, 6, 2), ROWS
    f = A * z
    slope = -np.mean(expit(B * f**2 - B * x**2) * (x**2 - f**2))
    slope += 4 * B * (0.5 * np.mean(x**2) + 0.3 * np.mean(f**2))
    b = B - RATE * slope
    f = A * other
    # -log s(f - r) by a, with r held.
    slope = -np.mean(expit(b * x**2 - b * f**2) * 2 * b * f * other)
    gan.train_on_batch(x.astype("float32"))
    assert weight_of(gan.discriminator) == pytest.approx(b, rel=1e-5)
    assert weight_of(gan.generator) == pytest.approx(A - RATE * slope, rel=1e-5)


def followed(gan, steps, penalty):
    """b after each step of D(x) = b x against a generator that stands still.

    Args:
        gan: `tiny`, with `optimizer="sgd:0"`.
        steps: How many.
        penalty: Function of the number of the step, b and the two kinds of
            examples, to the slope of the penalty.
    """
    b, expected, found = B, [], []
    for number in range(steps):
        f = A * next_z(gan, 6, 1)[0]
        by_real, by_fake, _ = slopes("non_saturating", b * ROWS, b * f)
        slope = float(np.sum(by_real * ROWS + by_fake * f))
        b = b - RATE * (slope + penalty(number, b, ROWS, f))
        expected.append(b)
        gan.train_on_batch(ROWS.astype("float32"))
        found.append(weight_of(gan.discriminator))
    return expected, found


def still(**options):
    gan = kgen.GAN(line(A, "a"), line(B, "b"), seed=0)
    gan.compile("sgd:0", f"sgd:{RATE}", ema_decay=None, **options)
    return gan


@pytest.mark.parametrize("eagerly", [True, False])
@pytest.mark.parametrize("penalty", ["r1:0.4", "r2:0.4", ["r1:.1", "r2:.3"]])
def test_a_lazy_penalty_is_as_strong_over_its_steps(penalty, eagerly):
    """Of steps 0, 3 and 6, three times."""
    gan = still(penalty=penalty, penalty_every=3, run_eagerly=eagerly)
    expected, found = followed(
        gan, 8, lambda number, b, *_: (number % 3 == 0) * 3 * 0.4 * b
    )
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_in_validation_a_lazy_penalty_is_the_plain_one():
    gan = tiny(penalty="r1:0.5", penalty_every=16)
    for _ in range(2):
        gan.train_on_batch(ROWS.astype("float32"))
    logs = gan.evaluate(ROWS.astype("float32"), verbose=0, return_dict=True)
    b = weight_of(gan.discriminator)
    assert logs["penalty"] == pytest.approx(0.25 * b**2, rel=1e-5)


def test_a_step_without_its_lazy_penalty_does_not_compute_it():
    """The discriminator runs once more, with the points, where it is due."""
    runs = []

    class Noting(keras.layers.Layer):
        def call(self, x):
            runs.append(1)
            return x

    x = keras.Input((1,))
    discriminator = keras.Model(x, line(B, "b")(Noting()(x)))
    gan = kgen.GAN(line(A, "a"), discriminator, seed=0)
    gan.compile(penalty="gradient_penalty", penalty_every=3, **EAGERLY)
    counts = []
    for _ in range(6):
        runs.clear()
        gan.train_on_batch(ROWS.astype("float32"))
        counts.append(len(runs))
    assert counts == [4, 3, 3, 4, 3, 3]


def test_a_lazy_penalty_draws_its_points_in_every_step():
    """So that several devices, which always compute it, draw the same."""
    streams = []
    for every in (1, 3):
        gan = tiny(penalty="dragan", penalty_every=every, **EAGERLY)
        for _ in range(2):
            gan.train_on_batch(ROWS.astype("float32"))
        streams.append(gan.seed_generator.state.numpy())
    np.testing.assert_array_equal(*streams)


@pytest.mark.parametrize("eagerly", [True, False])
def test_lecam_by_hand(eagerly):
    """w (E[(r - F)^2] + E[(f - R)^2]), with averages that start from 0."""
    gan = still(penalty=None, lecam_weight=0.2, run_eagerly=eagerly)
    of_real, of_fake, seen = 0.0, 0.0, []

    def slope(_, b, x, f):
        nonlocal of_real, of_fake
        slope = np.mean(2 * (b * x - of_fake) * x)
        slope += np.mean(2 * (b * f - of_real) * f)
        of_real = 0.99 * of_real + 0.01 * np.mean(b * x)
        of_fake = 0.99 * of_fake + 0.01 * np.mean(b * f)
        seen.append((of_real, of_fake))
        return 0.2 * slope

    expected, found = followed(gan, 8, slope)
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)
    averages = gan.lecam.averages.numpy()
    np.testing.assert_allclose(averages, seen[-1], rtol=1e-4)
    logs = gan.evaluate(ROWS.astype("float32"), verbose=0, return_dict=True)
    assert logs["penalty"] > 0
    np.testing.assert_array_equal(averages, gan.lecam.averages.numpy())


LITTLE = {
    "loss": "relativistic_paired",
    "penalty": ["r1:1", "r2:1"],
    "penalty_every": 2,
    "lecam_weight": 0.1,
    "augmentation": kgen.layers.AdaptiveAugment(
        ["flip", "affine", "translation", "color", "cutout"],
        target=0.01,
        examples=2000,
    ),
}


def half_strong(name, **training):
    """A model whose augmentation has a strength that can go either way."""
    model = contract.small_model(name, training={**LITTLE, **training})
    model.augmentation.strength.assign(0.4)
    return model


@pytest.mark.parametrize(
    "name", ["gan", pytest.param("vaegan", marks=pytest.mark.slow)]
)
def test_contract(name, tmp_path):
    """Saved and resumed bit for bit, the strength and the averages among it."""
    build = functools.partial(half_strong, name)
    model = contract.seeded(build)
    with contract.put_back(model):
        contract.check_training_moves_all_weights(model)
    contract.check_save_and_resume(model, tmp_path)
    strength = float(model.augmentation.strength.value)
    assert 0.2 < strength < 0.6 and strength != np.float32(0.4)
    assert np.all(model.lecam.averages.numpy() != 0)
    state = set(map(id, contract.variables_of(model)))
    parts = [*model.augmentation.weights, *model.lecam.weights]
    assert len(parts) == 3 and state.issuperset(map(id, parts))
    # A file of weights, of checkpoints; and what lacks the state, or has more.
    model.save_weights(tmp_path / "with.weights.h5")
    other, plain = build(), contract.small_model(name)
    other.load_weights(tmp_path / "with.weights.h5")
    contract.assert_same_state(model, other)
    plain.load_weights(tmp_path / "with.weights.h5")
    plain.save_weights(tmp_path / "without.weights.h5")
    other.load_weights(tmp_path / "without.weights.h5")
    assert kgen.load_model(tmp_path / "model.keras", compile=False)


def test_the_trajectory_of_the_strength_goes_on_bit_for_bit(tmp_path):
    def trajectory(model, steps):
        found = []
        for number in steps:
            model.train_on_batch(X[number : number + 16])
            state = model.augmentation
            found.append([float(state.strength.value), *state.sums.numpy()])
        return found

    model = contract.seeded(
        functools.partial(
            half_strong,
            "gan",
            augmentation="adaptive:flip,color:0:2000",
            **EAGERLY,
        )
    )
    model.save(tmp_path / "start.keras")
    whole = trajectory(model, range(26))
    model = kgen.load_model(tmp_path / "start.keras")
    half = trajectory(model, range(13))
    model.save(tmp_path / "half.keras")
    model = kgen.load_model(tmp_path / "half.keras")
    assert whole == half + trajectory(model, range(13, 26))
    assert len({strength for strength, *_ in whole}) > 4


def gray(**training):
    return contract.small_model("gan", training={**training, **EAGERLY})


class Noted(kgen.layers.DiffAugment):
    """Keeps the draws and the pictures before it."""

    def __init__(self, policy=("color", "translation"), **kwargs):
        super().__init__(policy, **kwargs)
        self.seen = []

    def augment(self, x, draws):
        self.seen.append((x.numpy(), draws.numpy()))
        return super().augment(x, draws)


def test_real_and_generated_pictures_get_draws_of_the_same_law():
    """But not the same ones; the generator's update has others."""
    model = gray(augmentation=Noted(), loss="relativistic_paired")
    x = np.tile(X, (20, 1, 1, 1))
    model.train_on_batch(x)
    kinds = {"real": [], "fake": []}
    for pictures, draws in model.augmentation.seen:
        kind = "real" if np.array_equal(pictures, x) else "fake"
        kinds[kind].append(draws)
    assert [len(found) for found in kinds.values()] == [2, 2]
    every = [draws for found in kinds.values() for draws in found]
    for draws in every:
        for column in draws.T:
            assert stats.kstest(column, "uniform").pvalue > 1e-4
    for number, draws in enumerate(every):
        for other in every[:number]:
            assert not np.any(draws[0] == other[0])


def test_a_reconstruction_gets_the_draws_of_its_picture():
    model = contract.small_model(
        "vaegan", training={"augmentation": Noted(), **EAGERLY}
    )
    model.train_on_batch(X)
    (x, draws), (_, of_x1), (_, of_x2) = model.augmentation.seen
    np.testing.assert_array_equal(x, X)
    assert np.array_equal(draws, of_x1) and not np.any(draws == of_x2)


def test_outside_of_training_steps_there_is_none():
    model = gray(augmentation=Noted())
    model.fit(X, verbose=0)
    model.augmentation.seen.clear()
    logs = model.evaluate(X, verbose=0, return_dict=True)
    model.sample(3), model.discriminate(X)
    assert not model.augmentation.seen
    real = expit(model.discriminate(X)).mean()
    assert logs["real_probability"] == pytest.approx(real, abs=1e-5)


def test_the_generator_learns_through_the_augmentation():
    """Its gradient is that of the discriminator behind the augmentation."""
    model = contract.small_model(
        "gan",
        optimizer=f"sgd:{RATE}",
        training={
            "discriminator_optimizer": "sgd:0",
            "augmentation": "diffaugment",
            "penalty": None,
            **EAGERLY,
        },
    )
    seed, count = model.seed_generator, len(X)
    state = seed.state.numpy()
    # The discriminator's update, then the generator's.
    model.augmentation.draw(count, seed)
    keras.random.normal((count, 3), seed=seed)
    model.augmentation.draw(count, seed)
    z = keras.random.normal((count, 3), seed=seed)
    draws = model.augmentation.draw(count, seed)
    seed.state.assign(state)
    variables = model.generator.trainable_variables
    with tf.GradientTape() as tape:
        pictures = model.augmentation.augment(model.generator(z), draws)
        logits = model.discriminator(pictures)
        loss = tf.reduce_mean(tf.nn.softplus(-logits))
    gradients = tape.gradient(loss, [v.value for v in variables])
    before = [v.numpy() for v in variables]
    model.train_on_batch(X)
    for old, gradient, variable in zip(before, gradients, variables):
        assert np.abs(gradient).max() > 0
        np.testing.assert_allclose(
            variable.numpy(), old - RATE * gradient, atol=1e-6
        )


@pytest.mark.parametrize(
    ("loss", "level"),
    [
        ("non_saturating", 0.0),
        ("least_squares", 0.5),
        ("relativistic_paired", None),
    ],
)
def test_the_sign_of_real_logits(loss, level):
    model = gray(loss=loss, augmentation="adaptive", penalty=None)
    losses = model._discriminator_losses(tf.constant(X))
    real, fake, sign = losses.levels.numpy()
    logits = model.discriminate(X)  # the strength is 0: no change yet
    middle = (real + fake) / 2 if level is None else level
    assert real == pytest.approx(logits.mean(), rel=1e-4)
    expected = np.sign(logits - middle).mean()
    assert sign == pytest.approx(expected, abs=1e-5)


def test_each_model_has_a_strength_of_its_own():
    layer = kgen.layers.AdaptiveAugment()
    one, other = (gray(augmentation=layer) for _ in range(2))
    assert one.augmentation is not other.augmentation is not layer
    mine = one.augmentation
    one.compile(augmentation=mine, **EAGERLY)  # goes on
    assert one.augmentation is mine
    count = len(one.weights)
    one.compile(**EAGERLY)
    assert one.augmentation is None and len(one.weights) == count - 2


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 5, 3)])
def test_gray_and_coloured_pictures_of_any_size(shape):
    model = kgen.create_model("gan", input_shape=shape, latent_dim=2, filters=4)
    x = np.random.default_rng(0).random((8, *shape), "float32")
    for name in ("diffaugment", "adaptive"):
        model.compile(augmentation=name, **EAGERLY)
        logs = model.fit(x, verbose=0).history
        assert np.isfinite(logs["loss"]).all()


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"augmentation": "difaugment"}, "did you mean 'diffaugment'"),
        ({"augmentation": 3}, "Expected one of 'diffaugment', 'adaptive'"),
        ({"penalty": []}, "a penalty, a list of some, or None"),
        ({"penalty_every": 0}, "penalty_every=0"),
        ({"lecam_weight": -1}, "at least 0"),
        ({"loss": "relativistic_pair"}, "mean 'relativistic_paired'"),
    ],
)
def test_bad_training_is_told_in_words(training, message):
    for name in ("gan", "vaegan"):
        with pytest.raises(InvalidArgument) as error:
            contract.small_model(name, training=training)
        assert message in str(error.value)


def test_augmentation_is_for_pictures():
    with pytest.raises(InvalidArgument, match=r"of shape \(1,\): augment"):
        tiny(augmentation="diffaugment")
