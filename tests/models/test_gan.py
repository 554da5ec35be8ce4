import functools
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit

import kgen
from kgen.errors import InvalidArgument
from kgen.losses import adversarial
from kgen.priors.base import standard_normal
from tests.models import contract
from tests.models.contract import CLASSES, EAGERLY, X, Y

build = functools.partial(contract.small_model, "gan")


def test_contract(tmp_path, server):
    training = {
        "penalty": "dragan:1",
        "instance_noise": 0.1,
        "label_smoothing": 0.1,
    }
    contract.check_model(
        functools.partial(build, training=training), tmp_path, server
    )


@pytest.mark.parametrize(
    "options",
    [
        {
            "network": "conv",
            "spectral_normalization": True,
            "training": {
                "loss": "least_squares",
                "penalty": None,
                "discriminator_steps": 3,
            },
        },
        {
            "network": "resnet",
            "attention": 4,
            "training": {"penalty": "r1"},
        },
        {
            "pack": 2,
            "kernel_constraint": kgen.layers.WeightClip(0.5),
            "training": {
                "penalty": "gradient_penalty",
                "ema_decay": None,
            },
        },
    ],
    ids=["conv", "resnet", "packed"],
)
def test_contract_of_networks(options, tmp_path, server):
    model = contract.check_network(
        functools.partial(build, **options), tmp_path
    )
    contract.check_export(model, tmp_path, server)


@pytest.mark.parametrize("network", ["dense", "conv", "resnet"])
def test_contract_of_labels(network, tmp_path, server):
    contract.check_labels(
        functools.partial(build, network=network), tmp_path, server
    )


def test_bad_data():
    contract.check_bad_data(build)


@pytest.mark.parametrize(
    "policy, spectral",
    [
        ("mixed_bfloat16", True),
        ("mixed_float16", True),
        ("mixed_float16", False),
    ],
)
def test_mixed_precision(policy, spectral):
    contract.check_mixed_precision(
        functools.partial(
            build, network="conv", spectral_normalization=spectral
        ),
        policy,
    )


def test_both_players_losses_are_scaled():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        gan = build()
    finally:
        keras.config.set_dtype_policy("float32")
    for optimizer in (gan.optimizer, gan.discriminator_optimizer):
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


# One weight for each player: G(z) = a z and D(x) = b x.
A, B, RATE = 0.7, -0.4, 0.1


def line(weight, name, regularizer=None):
    x = keras.Input((1,))
    layer = keras.layers.Dense(
        1,
        use_bias=False,
        kernel_regularizer=regularizer,
        kernel_initializer=keras.initializers.Constant(weight),
        name=name,
    )
    return keras.Model(x, layer(x))


def tiny(**options):
    gan = kgen.GAN(line(A, "a"), line(B, "b"), seed=0)
    options = {"penalty": None, "ema_decay": None, **options}
    gan.compile(f"sgd:{RATE}", f"sgd:{RATE}", **options)
    return gan


def next_z(gan, count, draws):
    """The next draws of z."""
    state = gan.seed_generator.state
    kept = state.numpy()
    found = [
        keras.random.normal((count, 1), seed=gan.seed_generator).numpy()
        for _ in range(draws)
    ]
    state.assign(kept)
    return found


def slopes(name, r, f):
    """d(discriminator's loss)/dr and /df, and d(generator's loss)/df."""
    n = len(r)
    if name in ("minimax", "non_saturating"):
        of_generator = -expit(f) if name == "minimax" else -expit(-f)
        return -expit(-r) / n, expit(f) / n, of_generator / n
    if name == "least_squares":
        return (r - 1) / n, f / n, (f - 1) / n
    if name == "hinge":
        return -1.0 * (r < 1) / n, (f > -1) / n, -np.ones_like(f) / n
    if name == "relativistic":
        return relative_slopes(r, f)
    if name == "relativistic_paired":
        return -expit(f - r) / n, expit(f - r) / n, -expit(r - f) / n
    return -np.ones_like(r) / n, np.ones_like(f) / n, -np.ones_like(f) / n


def relative_slopes(r, f):
    """Of -log s(r') - log s(-f'), with r' = r - E[f] and f' = f - E[r]."""
    n = len(r)
    by_real, by_fake = -expit(f.mean() - r) / n, expit(f - r.mean()) / n
    discriminator = by_real - by_fake.sum() / n, by_fake - by_real.sum() / n
    # The generator's: the parts of the two exchanged.
    by_real, by_fake = expit(r - f.mean()) / n, -expit(r.mean() - f) / n
    return *discriminator, by_fake - by_real.sum() / n


@pytest.mark.parametrize("name", adversarial.LOSSES)
@pytest.mark.parametrize("steps", [1, 3])
def test_one_step_by_hand(name, steps):
    """K updates of b on fresh data and fresh z, then one of a."""
    gan = tiny(loss=name, discriminator_steps=steps)
    x = np.random.default_rng(0).normal(size=(6 * steps, 1)) * 2 + 1
    zs = next_z(gan, 6, steps + 1)
    a, b = A, B
    for part, z in zip(np.split(x, steps), zs):
        by_real, by_fake, _ = slopes(name, b * part, b * a * z)
        b = b - RATE * float(np.sum(by_real * part + by_fake * a * z))
    z = zs[-1]
    _, _, by_fake = slopes(name, b * x[-6:], b * a * z)
    a = a - RATE * float(np.sum(by_fake * b * z))
    gan.train_on_batch(x.astype("float32"))
    got = [
        float(w[0, 0])
        for w in (*gan.generator.weights, *gan.discriminator.weights)
    ]
    assert got == pytest.approx([a, b], rel=1e-5)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_no_gradient_of_one_player_reaches_the_other(player):
    gan = kgen.GAN(line(A, "a"), line(B, "b"), seed=0)
    still = {
        "generator": ("sgd:0", "sgd:0.1"),
        "discriminator": ("sgd:0.1", "sgd:0"),
    }
    gan.compile(*still[player], penalty="gradient_penalty")
    x = np.random.default_rng(0).normal(size=(40, 1)).astype("float32")
    gan.fit(x, batch_size=8, verbose=0)
    weights = {
        name: float(getattr(gan, name).weights[0][0, 0])
        for name in ("generator", "discriminator")
    }
    start = {"generator": A, "discriminator": B}
    for name, weight in weights.items():
        assert (weight == np.float32(start[name])) == (name == player)


def after_one_step(gan):
    x = np.random.default_rng(0).normal(size=(6, 1)) * 2 + 1
    (z, other), a, b = next_z(gan, 6, 2), A, B
    by_real, by_fake, _ = slopes("non_saturating", b * x, b * a * z)
    by_b = float(np.sum(by_real * x + by_fake * a * z))
    gan.train_on_batch(x.astype("float32"))
    weights = (*gan.generator.weights, *gan.discriminator.weights)
    return by_b, other, [float(weight[0, 0]) for weight in weights]


def test_one_step_with_a_penalty_and_regularizers():
    """R1 of D(x) = b x is gamma / 2 b^2; L2 of a weight w has slope 2 l w."""
    generator = line(A, "a", keras.regularizers.L2(0.2))
    gan = kgen.GAN(generator, line(B, "b", keras.regularizers.L2(0.3)), seed=0)
    gan.compile(f"sgd:{RATE}", f"sgd:{RATE}", penalty="r1:0.5", ema_decay=None)
    by_b, z, got = after_one_step(gan)
    b = B - RATE * (by_b + 0.5 * B + 0.6 * B)
    _, _, by_fake = slopes("non_saturating", z, b * A * z)
    a = A - RATE * (float(np.sum(by_fake * b * z)) + 0.4 * A)
    assert got == pytest.approx([a, b], rel=1e-5)


def test_activities_count_of_real_and_of_generated_examples():
    """D adds |x|, which is 4 for real examples and 0 for generated ones."""
    z, x = keras.Input((1,)), keras.Input((4,))
    generator = keras.Model(
        z, keras.layers.Dense(4, kernel_initializer="zeros")(z)
    )
    kept = keras.layers.ActivityRegularization(l1=1.0)(x)
    gan = kgen.GAN(generator, keras.Model(x, keras.layers.Dense(1)(kept)))
    gan.compile(penalty=None)
    ones = np.ones((8, 4), "float32")
    logs = gan.evaluate(ones, verbose=0, return_dict=True)
    assert logs["regularization_loss"] == pytest.approx(2.0)


def test_a_scaled_loss_gives_the_same_step():
    plain = after_one_step(tiny())
    scaled = kgen.GAN(line(A, "a"), line(B, "b"), seed=0)
    scaled.compile(
        *(
            keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(RATE))
            for _ in range(2)
        ),
        penalty=None,
        ema_decay=None,
    )
    assert after_one_step(scaled)[2] == pytest.approx(plain[2], rel=1e-5)


def test_an_evaluation_changes_nothing_and_sees_no_noise():
    gan = build(network="conv", training={"instance_noise": 0.5})
    gan.fit(X, verbose=0)
    parts = (gan.generator, gan.discriminator, gan.average)
    before = [part.get_weights() for part in parts]
    streams = gan.seed_generator.state.numpy()
    logs = gan.evaluate(X, verbose=0, return_dict=True)
    for part, weights in zip(parts, before):
        for old, new in zip(weights, part.get_weights()):
            np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(streams, gan.seed_generator.state.numpy())
    assert gan.evaluate(X, verbose=0, return_dict=True) == logs
    real = tf.sigmoid(gan.discriminate(X)).numpy().mean()
    assert logs["real_probability"] == pytest.approx(real, abs=1e-5)


def test_noise_is_on_real_and_on_generated_examples(monkeypatch):
    gan = build(training={"instance_noise": 0.5, "run_eagerly": True})
    seen = []
    monkeypatch.setattr(
        gan,
        "_discriminator_examples",
        lambda x, noise: seen.append(np.std(noise)) or x + noise,
    )
    gan.train_on_batch(X)
    # The discriminator's two kinds, and the generator's.
    assert seen == pytest.approx([0.5] * 3, rel=0.05)


class Counted(keras.layers.Layer):
    """Passes its input on, and keeps what it got."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []

    def call(self, x):
        if isinstance(x, tf.Tensor) and hasattr(x, "numpy"):
            self.seen.append(x.numpy())
        return x


def counting(player):
    """A player whose layer keeps what it is given."""
    x = keras.Input((1,))
    layer = Counted()
    return keras.Model(x, player(layer(x))), layer.seen


@pytest.mark.parametrize(
    ("penalty", "runs"), [(None, 2), ("r1", 2), ("gradient_penalty", 3)]
)
@pytest.mark.parametrize("steps", [1, 4])
def test_each_update_sees_fresh_examples_and_fresh_z(steps, penalty, runs):
    """And no network runs more often than that needs."""
    generator, zs = counting(line(A, "a"))
    discriminator, judged = counting(line(B, "b"))
    gan = kgen.GAN(generator, discriminator, seed=0)
    gan.compile(
        "sgd",
        "sgd",
        penalty=penalty,
        discriminator_steps=steps,
        run_eagerly=True,
        steps_per_execution=1,
    )
    x = np.arange(6.0 * steps, dtype="float32")[:, None] + 100
    zs.clear(), judged.clear()
    gan.train_on_batch(x)
    assert len(zs) == steps + 1
    assert len(judged) == runs * steps + 1
    assert len(np.unique(zs)) == 6 * (steps + 1)
    real = [batch for batch in judged if batch.min() > 50]
    assert len(real) == steps
    np.testing.assert_array_equal(np.concatenate(real), x)
    assert int(gan.optimizer.iterations) == 1
    assert int(gan.discriminator_optimizer.iterations) == steps


@pytest.mark.parametrize("form", ["array", "dataset", "PyDataset"])
def test_a_batch_too_small_is_refused(form):
    gan = build(pack=2, training={"discriminator_steps": 20})
    data = {
        "array": {"x": X, "batch_size": 32},
        "dataset": {"x": contract.dataset()},
        "PyDataset": {"x": contract.Batches(X)},
    }
    with pytest.raises(InvalidArgument, match="need 40 or more. Raise batch"):
        gan.fit(**data[form], verbose=0)


def test_the_average_of_weights():
    gan = tiny(ema_decay=0.9)
    x = np.random.default_rng(0).normal(size=(8, 1)).astype("float32")
    average = A
    for number in range(40):
        gan.train_on_batch(x)
        decay = min(0.9, (1 + number) / (10 + number))
        weight = float(gan.generator.weights[0][0, 0])
        average = decay * average + (1 - decay) * weight
    assert float(gan.average.copy.weights[0][0, 0]) == pytest.approx(average)
    z = np.ones((1, 1), "float32")
    assert gan.predict(z, verbose=0)[0, 0] == pytest.approx(average, rel=1e-5)


def test_without_an_average_the_generator_itself_draws():
    gan = tiny()
    x = np.random.default_rng(0).normal(size=(8, 1)).astype("float32")
    gan.train_on_batch(x)
    weight = float(gan.generator.weights[0][0, 0])
    assert gan.predict(np.ones((1, 1)), verbose=0)[0, 0] == pytest.approx(
        weight
    )


def test_compiled_with_an_average_later_it_starts_from_the_weights():
    gan = tiny()
    x = np.random.default_rng(0).normal(size=(8, 1)).astype("float32")
    z = np.ones((1, 1), "float32")
    gan.train_on_batch(x)
    gan.sample(1, seed=0), gan.predict(z, verbose=0)  # must not be kept
    gan.compile("adam:0.1", ema_decay=0.9)
    np.testing.assert_array_equal(
        gan.average.copy.get_weights(), gan.generator.get_weights()
    )
    for _ in range(2):
        gan.train_on_batch(x)
        weight = gan.average.copy.get_weights()[0]
        assert gan.predict(z, verbose=0) == pytest.approx(weight)
        drawn = gan.sample(1, seed=0) / standard_normal(1, 1, 0).numpy()
        assert drawn == pytest.approx(weight, rel=1e-5)
    kept = gan.average.copy.get_weights()
    gan.compile("adam:0.1", ema_decay=0.5)  # goes on with the same average
    np.testing.assert_array_equal(kept, gan.average.copy.get_weights())


def test_loaded_uncompiled_it_still_draws_by_the_average(tmp_path):
    gan = build()
    gan.fit(X, epochs=3, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = kgen.load_model(tmp_path / "gan.keras", compile=False)
    images = gan.sample(3, seed=0)
    np.testing.assert_array_equal(images, loaded.sample(3, seed=0))
    generator = gan.generator(standard_normal(3, 3, 0)).numpy()
    assert not np.allclose(images, generator, atol=1e-4)


@pytest.mark.parametrize("decay", [None, 0.9])
def test_weights_load_into_what_compile_said(tmp_path, decay):
    """Whatever the file's model did, this one does as it was compiled."""
    gan = build(training={"ema_decay": decay})
    for other_decay in (None, 0.9):
        given = build(training={"ema_decay": other_decay, **EAGERLY})
        given.fit(X, epochs=3, verbose=0)
        given.save_weights(tmp_path / "gan.weights.h5")
        with contract.put_back(gan):
            gan.sample(1, seed=0)
            gan.load_weights(tmp_path / "gan.weights.h5")
            z = standard_normal(4, 3, 0)
            averaged = decay is not None and other_decay is not None
            network = given.average.copy if averaged else given.generator
            np.testing.assert_allclose(
                gan.sample(4, seed=0), network(z), atol=1e-6
            )
            gan.fit(X, epochs=2, verbose=0)
            moved = not np.allclose(
                gan.average.copy(z), gan.generator(z), atol=1e-6
            )
            assert moved or decay is None


def test_a_frozen_generator_has_an_optimizer_of_nothing():
    gan = build()
    gan.generator.trainable = False
    gan.compile()
    gan.fit(X, verbose=0)
    assert len(gan.optimizer.variables) == 2  # its counter and its rate


def test_methods_shapes_and_seeds():
    gan = build()
    images = gan.sample(5, seed=3)
    assert images.shape == (5, 8, 8, 1)
    assert images.min() >= 0 and images.max() <= 1
    np.testing.assert_array_equal(images, gan.sample(5, seed=3))
    assert not np.array_equal(images, gan.sample(5, seed=4))
    logits = gan.discriminate(X)
    assert logits.shape == (len(X),)
    np.testing.assert_allclose(
        logits, gan.discriminate(contract.dataset()), atol=1e-5
    )


def test_conditional_methods():
    gan = build(conditional=True)
    gan.fit(X, Y, epochs=2, verbose=0)
    labels = np.array([0, 1, 2, 0])
    images = gan.sample(4, labels=labels, seed=0)
    np.testing.assert_allclose(
        images[1], gan.sample(4, labels=1, seed=0)[1], atol=1e-6
    )
    assert not np.allclose(images[0], gan.sample(4, labels=1, seed=0)[0])
    assert gan.discriminate([X, Y]).shape == (len(X),)
    other = gan.discriminate([X, (Y + 1) % CLASSES])
    assert not np.allclose(gan.discriminate([X, Y]), other)
    for labels, message in (
        (None, "labels"),
        ([0, 1, 2, 3], "integers from 0 to 2"),
        ([0, 1], "shape"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            gan.sample(4, labels=labels)
    with pytest.raises(InvalidArgument, match="labels"):
        gan.fit(X, verbose=0)


def test_projection():
    """The logit is w f + b + v_y f: linear in the features, by the class."""
    gan = build(conditional=True)
    discriminator = gan.discriminator
    by_name = {type(layer).__name__: layer for layer in discriminator.layers}
    embedding = by_name["Embedding"].get_weights()[0]
    dense = [
        layer
        for layer in discriminator.layers
        if isinstance(layer, keras.layers.Dense)
    ]
    features = keras.Model(discriminator.inputs[0], dense[-2].output)(X).numpy()
    kernel, bias = dense[-1].get_weights()
    expected = features @ kernel[:, 0] + bias
    expected += np.sum(features * embedding[Y], axis=1)
    np.testing.assert_allclose(gan.discriminate([X, Y]), expected, atol=1e-5)


TRAIN = """
import os
import signal
import sys
import keras
import numpy as np
import kgen

class Kill(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if sys.argv[1] == "kill" and self.epoch == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

def fit(name, **options):
    gan = kgen.load_model(f"{name}.keras")
    gan.fit(
        np.load("x.npy"), batch_size=70, epochs=6, shuffle=False, verbose=0,
        **options,
    )
    gan.save(f"{name} trained.keras")

backup = keras.callbacks.BackupAndRestore("backup")
fit("start", callbacks=[backup, Kill()])
fit("half", initial_epoch=3)
"""


def test_training_that_goes_on_in_a_new_process_is_one_training(tmp_path):
    """After `save`, and after SIGKILL in the fourth epoch, bit for bit.

    Weights, slots, averages, counters and streams are restored: from a file,
    and from what `BackupAndRestore` left.
    """
    training = {
        "discriminator_steps": 2,
        "learning_rate_decay": 0.0,  # `fit` is told of half the epochs first
        "instance_noise": 0.05,
        "penalty_every": 3,
        "lecam_weight": 0.1,
        "augmentation": "adaptive:flip,color:0:1000",
    }
    gan = contract.seeded(functools.partial(build, training=training))

    def fit(epochs):  # one batch, so that the order is no matter
        gan.fit(X, None, len(X), epochs, shuffle=False, verbose=0)

    gan.save(tmp_path / "start.keras")
    with contract.put_back(gan):
        fit(3)
        gan.save(tmp_path / "half.keras")
    np.save(tmp_path / "x.npy", X)
    for order, status in (("kill", -signal.SIGKILL), ("go on", 0)):
        done = subprocess.run(
            [sys.executable, "-c", TRAIN, order], cwd=tmp_path
        )
        assert done.returncode == status
    fit(6)
    for name in ("start", "half"):
        found = kgen.load_model(tmp_path / f"{name} trained.keras")
        contract.assert_same_state(gan, found)
        assert int(found.average.updates) == 6
        assert int(found.discriminator_optimizer.iterations) == 12


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"discriminator_steps": 0}, "discriminator_steps=0"),
        ({"discriminator_steps": 1.5}, "positive integer"),
        ({"loss": "wasserstien"}, "did you mean 'wasserstein'"),
        ({"penalty": "r3"}, "Expected one of 'gradient_penalty', 'r1'"),
        ({"penalty": "r1:-2"}, "at least 0"),
        ({"loss": ["hinge"]}, "one of 'minimax'"),
        ({"penalty": {}}, "Expected one of"),
        ({"label_smoothing": None}, "label_smoothing=None"),
        ({"ema_decay": 1.0}, "[0, 1)"),
        ({"ema_decay": -0.1}, "ema_decay"),
        ({"instance_noise": -1}, "at least 0"),
        ({"label_smoothing": 1.5}, "[0, 1)"),
        ({"label_smoothing": 0.1, "loss": "hinge"}, "no target to smooth"),
        ({"discriminator_optimizer": "adm"}, "did you mean 'adam'"),
        ({"discriminator_optimizer": "adam:0.1:2"}, "betas below 1"),
    ],
)
def test_bad_training_is_refused(training, message):
    with pytest.raises(InvalidArgument) as error:
        build(training=training)
    assert message in str(error.value)


def test_an_optimizer_each():
    optimizer = keras.optimizers.Adam()
    with pytest.raises(InvalidArgument, match="of its own for each player"):
        build(
            optimizer=optimizer, training={"discriminator_optimizer": optimizer}
        )
    gan = build()
    gan.compile(gan.optimizer, gan.discriminator_optimizer)  # goes on
    with pytest.raises(InvalidArgument, match="discriminator_optimizer"):
        build(training={"discriminator_optimizer": "adm"})


def test_fit_before_compile_and_what_it_does_not_take():
    gan = build()
    uncompiled = kgen.GAN(gan.generator, gan.discriminator)
    with pytest.raises(InvalidArgument, match="call `compile`"):
        uncompiled.fit(X)
    for name in ("class_weight", "sample_weight"):
        with pytest.raises(InvalidArgument, match=name):
            gan.fit(X, **{name: {0: 1.0}})
    for size in (0, "32"):
        with pytest.raises(InvalidArgument, match="batch_size"):
            gan.fit(X, batch_size=size)
    gan.fit(X, None, 32, 1, 0, None, 0.2)  # validation_split, by position


def network(inputs, outputs):
    x = keras.Input(inputs)
    y = keras.layers.Dense(int(np.prod(outputs)))(keras.layers.Flatten()(x))
    return keras.Model(x, keras.layers.Reshape(outputs)(y))


@pytest.mark.parametrize(
    ("generator", "discriminator", "options", "message"),
    [
        (((3,), (4, 4, 1)), ((4, 5, 1), (1,)), {}, "shape (4, 5, 1)"),
        (((3,), (4, 4, 2)), ((4, 4, 3), (1,)), {}, "shape (4, 4, 3)"),
        (((3,), (4, 4, 1)), ((4, 4, 1), (2,)), {}, "a logit"),
        (((3, 3), (4, 4, 1)), ((4, 4, 1), (1,)), {}, "latent_dim"),
        (((3,), (2,)), ((2,), (1,)), {"latent_dim": 4}, "latent_dim=4"),
        (((3,), (2,)), ((2,), (1,)), {"seed": -1}, "seed"),
    ],
)
def test_networks_that_do_not_fit(generator, discriminator, options, message):
    with pytest.raises(InvalidArgument) as error:
        kgen.GAN(network(*generator), network(*discriminator), **options)
    assert message in str(error.value)


def test_labels_in_one_network_only_are_refused():
    plain, labelled = build(), build(conditional=True)
    with pytest.raises(InvalidArgument, match="of both networks or of none"):
        kgen.GAN(plain.generator, labelled.discriminator)
    with pytest.raises(InvalidArgument, match="no packing with labels"):
        build(conditional=True, pack=2)
    other = kgen.networks.dense.discriminator((8, 8, 1), num_classes=5)
    with pytest.raises(InvalidArgument, match="3 classes"):
        kgen.GAN(labelled.generator, other)
    two = keras.Model(
        plain.discriminator.inputs, [plain.discriminator.output] * 2
    )
    with pytest.raises(InvalidArgument, match="one output"):
        kgen.GAN(plain.generator, two)
    with pytest.raises(InvalidArgument, match="one output, the examples"):
        kgen.GAN(contract.small_model("vae").encoder, plain.discriminator)


def test_a_packing_discriminator_judges_no_single_example():
    gan = build(pack=2)
    assert "discriminate" not in gan.endpoints()
    with pytest.raises(InvalidArgument, match="packing"):
        gan.discriminate(X)


def test_packing_lays_examples_side_by_side():
    gan = build(pack=2)
    packed = gan._discriminator_examples(tf.constant(X[:6])).numpy()
    assert packed.shape == (3, 8, 8, 2)
    np.testing.assert_array_equal(packed[1, ..., 0], X[2, ..., 0])
    np.testing.assert_array_equal(packed[1, ..., 1], X[3, ..., 0])


def test_instance_noise_is_of_the_given_size():
    gan = build(training={"instance_noise": 0.3})
    x = tf.zeros((400, 8, 8, 1))
    noisy = gan._discriminator_examples(x, gan._noise(x, training=True))
    assert np.std(noisy) == pytest.approx(0.3, rel=0.02)
    assert not np.any(
        gan._discriminator_examples(x, gan._noise(x, training=False))
    )
