"""A loss or gradient that is not finite never reaches the weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen.callbacks import Diverged, Guard
from kgen.errors import InvalidArgument
from kgen.models.draws import seed_generators

RNG = np.random.default_rng(0)
GOOD = RNG.uniform(0.1, 0.9, size=(4, 4, 8, 8, 1)).astype("float32")
BAD = GOOD[0].copy()
BAD[1] = 1.0  # in the part of the first of two replicas
Y = np.array([0, 1, 2, 0], "int32")


@keras.saving.register_keras_serializable(package="test_guard")
class Poison(keras.layers.Layer):
    """Makes its first input NaN, or its gradient, if the second holds a 1.

    Args:
        part: `"value"` or `"gradient"`.
    """

    def __init__(self, part, **kwargs):
        super().__init__(**kwargs)
        self.part = part

    def call(self, inputs):
        y, x = inputs
        # A batch may have a row of zeros alone, of a replica without examples.
        is_bad = tf.reduce_max(tf.cast(x, "float32")) == 1.0
        factor = tf.cast(tf.where(is_bad, np.nan, 1.0), y.dtype)
        if self.part == "value":
            return y * factor

        @tf.custom_gradient
        def poisoned(y):
            return tf.identity(y), lambda gradient: gradient * factor

        return poisoned(y)


def poisoned(network, part):
    """The network with a `Poison` behind its first output."""
    first, *others = network.outputs
    first = Poison(part, dtype="float32")([first, network.inputs[0]])
    return keras.Model(network.inputs, [first, *others] if others else first)


def build(
    name, part="value", network="dense", policy="float32", compile=(), **options
):
    """A compiled model of few weights, one of whose networks is poisoned."""
    keras.config.set_dtype_policy(policy)
    try:
        return _build(name, part, network, compile, options)
    finally:
        keras.config.set_dtype_policy("float32")


def _build(name, part, network, compile, options):
    keras.utils.set_random_seed(1)
    small = {"hidden_units": (8,)} if network == "dense" else {"filters": 2}
    density = name == "bayes_classifier"
    model = kgen.create_model(
        "vae" if density else name,
        input_shape=(8, 8, 1),
        network=network,
        latent_dim=2,
        num_classes=3 if density else None,
        **{**small, **options},
    )
    config = {
        key: getattr(model, key)
        for key in model.get_config()
        if hasattr(model, key)
    }
    where = "discriminator" if name == "gan" else "encoder"
    kept = (
        "generator",
        "discriminator",
        "decoder",
        "likelihood",
        "corruption",
        "seed",
    )
    arguments = {key: config[key] for key in kept if key in config}
    arguments[where] = poisoned(getattr(model, where), part)
    model = type(model)(**arguments)
    if density:
        model = kgen.BayesClassifier(kgen.VAEDensity(model))
    model.compile(**dict(compile))
    return model


def batches(model, *which):
    """A dataset of batches: numbers of good ones, and None for the bad one."""
    found = [BAD if number is None else GOOD[number] for number in which]
    x = np.concatenate(found)
    pairs = model.needs_labels or model.conditional
    data = (x, np.tile(Y, len(which))) if pairs else x
    return tf.data.Dataset.from_tensor_slices(data).batch(4)


def optimizers(model):
    return [
        value
        for value in vars(model).values()
        if isinstance(value, keras.optimizers.Optimizer)
    ]


def state(model, streams=False):
    """Weights and optimizers' state but rates, perhaps with random streams."""
    variables = [
        *model.weights,
        *(v for one in optimizers(model) for v in one.variables),
    ]
    variables = [v for v in variables if not v.path.endswith("learning_rate")]
    if streams:
        variables += [one.state for one in seed_generators(model)]
    return [np.array(v) for v in variables]


def assert_same(one, other):
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)


class States(keras.callbacks.Callback):
    """Keeps the state after each call into TensorFlow, and the logs."""

    def __init__(self):
        super().__init__()
        self.states, self.logs = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.states.append(state(self.model))
        self.logs.append(dict(logs))


def skipping(model, data, **kwargs):
    """Fits with steps left out; returns what was said, and the history."""
    said = []
    callbacks = [
        Guard("skip", report=said.append),
        *kwargs.pop("callbacks", []),
    ]
    history = model.fit(data, verbose=0, callbacks=callbacks, **kwargs)
    return said, history.history


EAGER = {"run_eagerly": True}
VAEGAN = (
    "the reconstruction loss, the KL loss, the generator loss and the "
    "discriminator loss (of the encoder, decoder and discriminator)"
)
CASES = {
    "autoencoder": ({"name": "autoencoder"}, "the reconstruction loss"),
    "denoising": (
        {
            "name": "denoising_autoencoder",
            "corruption": "masking:0.3",
            "compile": EAGER,
        },
        "the reconstruction loss",
    ),
    "vae": (
        {"name": "vae", "compile": EAGER},
        "the reconstruction loss and the KL loss",
    ),
    "gradient": (
        {"name": "vae", "part": "gradient"},
        "the gradient of the encoder",
    ),
    "compiled": (
        {"name": "vae", "part": "gradient", "compile": {"jit_compile": True}},
        "the gradient of the encoder",
    ),
    "moving means": (
        {
            "name": "autoencoder",
            "network": "conv",
            "batch_normalization": True,
            "compile": EAGER,
        },
        "the reconstruction loss",
    ),
    "half precision": (
        {"name": "autoencoder", "policy": "mixed_float16", "compile": EAGER},
        "the reconstruction loss",
    ),
    "gan": (
        {"name": "gan", "compile": EAGER},
        "the discriminator loss and the penalty (of the discriminator)",
    ),
    "vaegan": ({"name": "vaegan", "compile": EAGER}, VAEGAN),
    "vaegan, graph": ({"name": "vaegan", "part": "gradient"}, None),
    "bayes": (
        {
            "name": "bayes_classifier",
            "compile": {"discriminative_weight": 1.0, **EAGER},
        },
        "the generative loss and the discriminative loss (of the density)",
    ),
}
SLOW = {"compiled", "vaegan, graph"}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=[pytest.mark.slow] if case in SLOW else [])
        for case in CASES
    ],
)
def test_a_faulty_step_changes_nothing(case):
    """But random streams; and the message says what was not finite."""
    options, what = CASES[case]
    compile = {**options.get("compile", {}), "steps_per_execution": 1}
    model = build(**{**options, "compile": compile})
    watch = States()
    said, history = skipping(model, batches(model, 0, None), callbacks=[watch])
    assert_same(*watch.states)
    assert watch.logs[0] == watch.logs[1]
    assert {k: v[0] for k, v in history.items()} == pytest.approx(watch.logs[0])
    (message,) = said
    assert message.startswith("epoch 1: 1 of 2 steps left out. In step 2, ")
    assert what is None or message.endswith(f" {what} became NaN or infinite.")


def test_skip_is_training_without_the_batch():
    """Bit for bit, within one call into TensorFlow."""
    guarded, plain = (build("autoencoder", compile=EAGER) for _ in range(2))
    _, history = skipping(guarded, batches(guarded, 0, None, 1, 2), epochs=2)
    expected = plain.fit(batches(plain, 0, 1, 2), epochs=2, verbose=0)
    assert_same(state(guarded), state(plain))
    assert history == expected.history


def test_a_guard_changes_nothing_of_a_good_training():
    guarded, plain = (build("vae") for _ in range(2))
    data = batches(plain, 0, 1, 2)
    history = guarded.fit(data, verbose=0, epochs=2, callbacks=[Guard()])
    expected = plain.fit(data, verbose=0, epochs=2)
    assert_same(state(guarded, streams=True), state(plain, streams=True))
    assert history.history == expected.history
    assert guarded.faults is None  # and later trainings are not watched
    _, watched = guarded.traces.watched[1]
    assert guarded.train_function is not watched
    guarded.fit(data, verbose=0, callbacks=[Guard()])
    assert guarded.traces.watched[1][1] is watched  # traced once


def test_stop_leaves_the_state_before_the_step():
    stopped, plain = (build("autoencoder", compile=EAGER) for _ in range(2))
    message = (
        "^Epoch 1, step 3: the reconstruction loss became NaN or infinite. "
    )
    with pytest.raises(
        Diverged, match=message + "The model holds the state be"
    ):
        stopped.fit(
            batches(stopped, 0, 1, None, 2, None),
            verbose=0,
            callbacks=[Guard()],
        )
    plain.fit(batches(plain, 0, 1), verbose=0)
    assert_same(state(stopped), state(plain))
    assert stopped.faults is None


def spoilt(model):
    """For `steps_per_epoch=3`: one good epoch, and one whose second step is bad."""
    return batches(model, 0, 1, 2, 0, None, 2)


class TestRollback:
    def test_it_goes_back_to_the_epochs_beginning(self):
        """In all but the learning rates, of both players."""
        model = build("gan", compile={"steps_per_execution": 1, **EAGER})
        watch, said = States(), []
        guard = Guard("rollback", report=said.append)
        model.fit(
            spoilt(model),
            steps_per_epoch=3,
            epochs=2,
            verbose=0,
            callbacks=[guard, watch],
        )
        *_, last, between, back, after = watch.states
        assert any((x != y).any() for x, y in zip(last, between))
        assert_same(last, back)
        assert any((x != y).any() for x, y in zip(back, after))
        assert [float(x.learning_rate) for x in optimizers(model)] == [
            np.float32(0.0005)
        ] * 2
        assert said == [
            "epoch 2, step 2: the discriminator loss and the penalty (of the "
            "discriminator) became NaN or infinite. The model went back to the "
            "state that the epoch began with; the learning rate is now 0.0005."
        ]

    def test_it_ends_after_some_times(self):
        model, said = build("autoencoder", compile=EAGER), []
        guard = Guard("rollback", max_rollbacks=2, report=said.append)
        with pytest.raises(
            Diverged, match="gone back 2 times before. The model"
        ):
            model.fit(
                batches(model, None), epochs=9, verbose=0, callbacks=[guard]
            )
        assert len(said) == 2

    def test_a_schedule_cant_be_lowered(self):
        rate = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
        model = build(
            "autoencoder", compile={"optimizer": keras.optimizers.SGD(rate)}
        )
        with pytest.raises(InvalidArgument, match='Expected "stop" or "skip"'):
            model.fit(GOOD[0], verbose=0, callbacks=[Guard("rollback")])


def test_too_many_in_a_row_end_the_training():
    """Also across epochs; and an epoch without a good step has no figures."""
    model, watch = build("autoencoder", compile=EAGER), States()
    before, logs = state(model), []
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, found: logs.append(found["loss"])
    )
    guard = Guard("skip", max_skipped=3, report=lambda text: None)
    message = "Epoch 2: .* in step 1, .* of 3 steps in a row was not finite. The model"
    with pytest.raises(Diverged, match=message):
        model.fit(
            batches(model, None, None),
            epochs=3,
            verbose=0,
            callbacks=[guard, watch, keep],
        )
    assert np.isnan(logs).all() and len(logs) == 1
    assert_same(state(model), before)


@pytest.mark.parametrize("on_nan", ["stop", "rollback"])
def test_a_weight_that_overflows(on_nan):
    """By a finite gradient: there is nothing to leave out, but it is undone."""
    model = build(
        "autoencoder",
        likelihood="gaussian:0.001",
        compile={"optimizer": "sgd:3e38", **EAGER},
    )
    before = [np.array(v) for v in model.weights]
    guard = Guard(on_nan, max_rollbacks=1, report=lambda text: None)
    message = "a weight became NaN or inf.* the state that epoch . began with"
    with pytest.raises(Diverged, match=message):
        model.fit(GOOD[0], batch_size=4, epochs=5, verbose=0, callbacks=[guard])
    assert_same([np.array(v) for v in model.weights], before)


def test_infinities_of_a_scaled_loss_are_no_fault():
    """The optimizer lowers the scale, as it does without a guard."""
    found = []
    for callbacks in ([], [Guard()]):
        scaled = keras.optimizers.LossScaleOptimizer(
            keras.optimizers.Adam(), initial_scale=2.0**40
        )
        model = build(
            "autoencoder",
            policy="mixed_float16",
            compile={"optimizer": scaled, **EAGER},
        )
        model.fit(batches(model, *range(4)), verbose=0, callbacks=callbacks)
        found.append(state(model))
        assert model.optimizer.dynamic_scale < 2.0**40
    assert_same(*found)


def test_a_gradient_that_no_scale_saves_is_a_fault():
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(), initial_scale=2.0
    )
    model = build(
        "autoencoder",
        part="gradient",
        policy="mixed_float16",
        compile={"optimizer": optimizer, **EAGER},
    )
    with pytest.raises(Diverged, match="step 3: the gradient of the encoder"):
        model.fit(batches(model, *4 * [None]), verbose=0, callbacks=[Guard()])


@pytest.mark.parametrize(
    "name, on_nan",
    [
        ("autoencoder", "skip"),
        pytest.param("vaegan", "skip", marks=pytest.mark.slow),
        pytest.param("vaegan", "stop", marks=pytest.mark.slow),
    ],
)
def test_two_replicas_decide_the_same(strategy, name, on_nan):
    """Though the fault is in the part of one of them alone."""
    with strategy.scope():
        model = build(name, compile={"steps_per_execution": 2})
    before = state(model)
    guard = Guard(on_nan, report=lambda text: None)
    data = batches(model, None, 1)
    if on_nan == "stop":
        with pytest.raises(Diverged, match="Epoch 1, step 1: the"):
            model.fit(data, verbose=0, callbacks=[guard])
        assert_same(state(model), before)
        return
    model.fit(data, verbose=0, callbacks=[guard])
    assert model.optimizer.iterations.numpy() == 1
    for variable in model.weights:
        for replica in variable.value.values:
            assert np.isfinite(replica).all()
            np.testing.assert_array_equal(replica, variable.value.values[0])


def test_other_callbacks_beside_it(tmp_path):
    """What they save is finite, and they see the figures of good steps."""
    model = build("autoencoder", compile=EAGER)
    best = tmp_path / "best.weights.h5"
    _, history = skipping(
        model,
        spoilt(model),
        steps_per_epoch=3,
        epochs=2,
        validation_data=batches(model, None),  # and a NaN of val_loss alone
        callbacks=[
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.ModelCheckpoint(
                best, "loss", save_best_only=True, save_weights_only=True
            ),
            keras.callbacks.EarlyStopping("val_loss", patience=5),
            keras.callbacks.BackupAndRestore(tmp_path / "backup"),
            keras.callbacks.ReduceLROnPlateau("val_loss"),
        ],
    )
    assert np.isfinite(history["loss"]).all() and len(history["loss"]) == 2
    assert np.isnan(history["val_loss"]).all()
    model.load_weights(best)
    assert all(np.isfinite(x).all() for x in state(model))


def test_what_it_does_not_take():
    with pytest.raises(InvalidArgument, match="did you mean 'skip'"):
        Guard("skpi")
    model = build("autoencoder")
    with pytest.raises(InvalidArgument, match="one Guard at most"):
        model.fit(GOOD[0], verbose=0, callbacks=[Guard(), Guard()])
    other = keras.Sequential([keras.layers.Dense(1)])
    other.compile(loss="mse")
    with pytest.raises(InvalidArgument, match="one of kgen's models"):
        other.fit(np.ones((4, 2)), np.ones(4), verbose=0, callbacks=[Guard()])
