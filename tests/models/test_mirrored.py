"""Two replicas with half a batch each do what one device does with all of it."""

import contextlib
import functools
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen.errors import InvalidArgument
from tests.models.contract import state
from tests.workers import free_ports, tf_config

RNG = np.random.default_rng(0)
# Batches of 8, then of 5, then of 1: one replica has less, or nothing at all.
SIZES = (8, 8, 8, 5, 1)
X = RNG.uniform(size=(sum(SIZES), 8, 8, 1)).astype("float32")
Y = RNG.integers(0, 3, size=len(X)).astype("int32")
SOME = np.where(RNG.random(len(X)) < 0.5, -1, Y)  # -1 is no label


def build(name, network="dense", compile=(), **options):
    """A compiled model of few weights."""
    small = {"hidden_units": (8,)} if network == "dense" else {"filters": 4}
    if options.get("density") == "VAEs":
        vaes = [build("vae", seed=number) for number in range(3)]
        options["density"] = kgen.VAEDensity(vaes)
    model = kgen.create_model(
        name,
        input_shape=(8, 8, 1),
        network=network,
        **{
            "latent_dim": 3,
            **(small if "density" not in options else {}),
            **options,
        },
    )
    model.compile(**(compile() if callable(compile) else dict(compile)))
    return model


def batches(model, sizes=SIZES, labels=Y):
    """A dataset of batches of these sizes, with labels if the model takes them."""
    ends = np.cumsum(sizes)
    parts = [slice(end - size, end) for end, size in zip(ends, sizes)]
    pairs = model.conditional or model.needs_labels

    def generate():
        for part in parts:
            x, y = (
                X[part].copy(),
                labels[part].copy(),
            )  # TensorFlow may write there
            yield (x, y) if pairs else x

    x = tf.TensorSpec((None, 8, 8, 1), "float32")
    y = tf.TensorSpec((None,), "int32")
    dataset = tf.data.Dataset.from_generator(
        generate, output_signature=(x, y) if pairs else x
    )
    return dataset.apply(tf.data.experimental.assert_cardinality(len(sizes)))


def fitted(
    scope, sizes=SIZES, held_out=(7, 4), callbacks=list, labels=Y, **kwargs
):
    """A model; its state after a step, and after all; and what `fit` logged."""
    keras.utils.set_random_seed(1)
    with scope:
        model = build(**kwargs)
    model.fit(batches(model, sizes[:1], labels), verbose=0)
    states = [state(model)]
    history = model.fit(
        batches(model, sizes, labels),
        validation_data=batches(model, held_out),
        callbacks=callbacks(),
        epochs=2,
        verbose=0,
    )
    return model, [*states, state(model)], history.history


def assert_close(one, other, tolerance=1e-5):
    """Weights, optimizers' state and random streams, but for rounding."""
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(theirs, mine, atol=tolerance, rtol=tolerance)


def callbacks():
    """Some that change what steps do."""
    return [
        kgen.callbacks.KLWarmUp(2),
        keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 / (epoch + 1)),
    ]


CASES = {
    "autoencoder": {"name": "autoencoder"},
    "denoising": {"name": "denoising_autoencoder", "corruption": "masking:0.3"},
    "eager": {"name": "autoencoder", "compile": {"run_eagerly": True}},
    "vae": {
        "name": "vae",
        "num_classes": 3,
        "kernel_regularizer": "l2",
        "callbacks": callbacks,
    },
    "free bits": {"name": "vae", "free_bits": 0.05},
    "clipped": {
        "name": "vae",
        "compile": lambda: {
            "optimizer": keras.optimizers.Adam(global_clipnorm=0.5)
        },
    },
    "importance": {
        "name": "vae",
        "importance_samples": 3,
    },
    "mixture": {"name": "vae", "prior": "mixture:3"},
    "vamp and flow": {
        "name": "vaegan",
        "prior": "vamp:3",
        "posterior": "flow:2",
    },
    "two levels": {
        "name": "vae",
        "prior": "vamp:3",
        "levels": 2,
        "latent_dim": 4,
    },
    "mmd": {"name": "vae", "divergence": "mmd", "prior": "flow:2"},
    "total correlation": {"name": "vae", "divergence": "total_correlation:3"},
    "normalised": {
        "name": "vae",
        "network": "conv",
        "batch_normalization": True,
    },
    "gan": {"name": "gan"},
    "relativistic": {
        "name": "gan",
        "spectral_normalization": True,
        "compile": {
            # Some gradients are 0 but for rounding, which Adam would enlarge.
            "optimizer": "sgd:0.05",
            "discriminator_optimizer": "sgd:0.05",
            "loss": "relativistic",
            "penalty": "dragan:1",
            "instance_noise": 0.1,
        },
    },
    "little data": {
        "name": "gan",
        "compile": {
            "optimizer": "sgd:0.05",
            "discriminator_optimizer": "sgd:0.05",
            "loss": "relativistic_paired",
            "penalty": ["r1:1", "r2:1", "dragan:1"],
            "penalty_every": 3,
            "lecam_weight": 0.1,
            "augmentation": "diffaugment:flip,affine,translation,color",
        },
    },
    "residual": {
        "name": "gan",
        "network": "resnet",
        "compile": {
            # As above.
            "optimizer": "sgd:0.05",
            "discriminator_optimizer": "sgd:0.05",
            "penalty": "r1",
        },
    },
    "conditional": {
        "name": "gan",
        "num_classes": 3,
        "compile": {
            # As above.
            "optimizer": "sgd:0.05",
            "discriminator_optimizer": "sgd:0.05",
        },
    },
    # Packing stays within a replica: each part is a multiple of it.
    "packed": {
        "name": "gan",
        "pack": 2,
        "sizes": (8, 8, 4),
        "held_out": (8, 4),
    },
    "vaegan": {"name": "vaegan", "callbacks": callbacks},
    "gated": {
        "name": "vaegan",
        "compile": {
            "penalty": ["r1", "r2"],
            "equilibrium_margin": 0.001,
            "augmentation": "adaptive:flip,cutout:0:50",
        },
    },
    "bayes, vae": {
        "name": "bayes_classifier",
        "num_classes": 3,
        "density": "vae",
    },
    "bayes, some labels": {
        "name": "bayes_classifier",
        "num_classes": 3,
        "density": "vae",
        "labels": SOME,
    },
    "bayes, a VAE a class": {
        "name": "bayes_classifier",
        "num_classes": 3,
        "density": "VAEs",
        "labels": SOME,
    },
    "bayes, discriminative": {
        "name": "bayes_classifier",
        "num_classes": 3,
        "density": "VAEs",
        "labels": SOME,
        "compile": {"discriminative_weight": 1.0},
    },
    "bayes, counted": {
        "name": "bayes_classifier",
        "num_classes": 3,
        "density": "naive_gaussian",
    },
    "bayes, both": {
        "name": "bayes_classifier",
        "num_classes": 3,
        "density": "shared",
        # After counting, the gradients are 0 but for rounding, at first.
        "compile": {"discriminative_weight": 10.0, "optimizer": "sgd:1e-6"},
    },
}


# A plain GAN is trained by two workers below; a relativistic one needs more.
QUICK = {
    "denoising",
    "vae",
    "total correlation",
    "little data",
    "vaegan",
    "bayes, vae",
}


class Outcome:
    """A case that is trained once: its model, and what came of it."""

    def __init__(self, scope, case):
        self.model, self.states, self.logs = fitted(scope, **CASES[case])
        self.predicted = self.model.predict(inputs(self.model), verbose=0)


@pytest.fixture(scope="module")
def mirrored(strategy):
    """Cases by their names, each trained once by two replicas."""
    return functools.cache(lambda case: Outcome(strategy.scope(), case))


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=[] if case in QUICK else pytest.mark.slow)
        for case in CASES
    ],
)
def test_steps_are_those_of_one_device(mirrored, case):
    one, two = Outcome(contextlib.nullcontext(), case), mirrored(case)
    for mine, theirs in zip(one.states, two.states):
        # Keras sums a batch's squares where replicas share its statistics.
        assert_close(mine, theirs, 1e-4 if case == "normalised" else 1e-5)
    assert set(two.logs) == set(one.logs)
    for name, values in one.logs.items():
        np.testing.assert_allclose(
            two.logs[name], values, rtol=1e-4, atol=1e-5, err_msg=name
        )
    np.testing.assert_allclose(two.predicted, one.predicted, atol=1e-5)


def inputs(model):
    """What `predict` takes: x or z, with labels if the model takes them."""
    x = X
    if isinstance(model, kgen.GAN):
        x = np.random.default_rng(1).normal(size=(len(X), 3)).astype("float32")
    data = (x, Y) if model.conditional else (x,)
    # A pair in a tuple: x is all of it.
    return tf.data.Dataset.from_tensor_slices((data,)).batch(8)


def run_workers(tmp_path, *cases, environments=({},)):
    """A process for each environment; returns what the chief wrote."""
    file = tmp_path / "found.npz"
    with contextlib.ExitStack() as stack:
        workers = []
        for environment in environments:
            worker = subprocess.Popen(
                [sys.executable, "-m", "tests.models.worker", file, *cases],
                env={**os.environ, **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            stack.enter_context(worker)
            stack.callback(worker.kill)
            workers.append(worker)
        for worker in workers:
            output, _ = worker.communicate(timeout=900)
            assert worker.returncode == 0, output
    with np.load(file) as found:
        return dict(found)


def assert_found(found, case, here):
    """What workers found of a case is its `Outcome` here."""
    mine = here.states[-1]
    theirs = [found[f"{case} {number}"] for number in range(len(mine))]
    assert_close(mine, theirs)
    loss = here.logs["loss"] + here.logs["val_loss"]
    np.testing.assert_allclose(found[f"{case} loss"], loss, rtol=1e-4)
    np.testing.assert_allclose(
        found[f"{case} predicted"], here.predicted, atol=1e-5
    )


@pytest.mark.parametrize(
    "cases",
    [
        ["gan"],
        pytest.param(
            ["vae", "vaegan", "bayes, counted"], marks=pytest.mark.slow
        ),
    ],
)
def test_two_workers_do_what_two_replicas_do(mirrored, tmp_path, cases):
    hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
    environments = [{"TF_CONFIG": tf_config(hosts, n)} for n in range(2)]
    found = run_workers(tmp_path, *cases, environments=environments)
    for case in cases:
        assert_found(found, case, mirrored(case))


@pytest.mark.slow
def test_three_replicas_do_what_one_device_does(tmp_path):
    """They share batches of 8, 5 and 1: nobody has as many as all others."""
    cases = ["vae", "gan", "vaegan"]
    found = run_workers(tmp_path, *cases)
    for case in cases:
        assert_found(found, case, Outcome(contextlib.nullcontext(), case))


def test_steps_per_execution_leaves_no_batch_out(strategy):
    with strategy.scope():
        model = build("autoencoder", compile={"steps_per_execution": 2})
    calls = []
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: calls.append(set(logs))
    )
    data = batches(model)
    model.fit(data, epochs=2, callbacks=[count], verbose=0)
    assert model.optimizer.iterations.numpy() == 2 * len(SIZES)
    assert calls == 6 * [{*model.metrics_names}]
    endless, unknown = data.repeat(), data.filter(lambda x: True)
    for data in (endless, unknown):
        before = model.optimizer.iterations.numpy()
        model.fit(data, steps_per_epoch=4, verbose=0)
        assert model.optimizer.iterations.numpy() == before + 4


def test_a_saved_model_goes_on_under_a_strategy(strategy, mirrored, tmp_path):
    """Trained by two replicas, by one device, and by two again."""
    whole = half = mirrored("vaegan").model
    more = batches(whole, (8, 8))
    for scope in (contextlib.nullcontext(), strategy.scope()):
        half.save(tmp_path / "model.keras")
        with scope:
            half = kgen.load_model(tmp_path / "model.keras")
        half.fit(more, verbose=0)
    for _ in range(2):
        whole.fit(more, verbose=0)
    assert_close(state(whole), state(half))


class TestRefused:
    def test_a_model_of_another_strategy(self, strategy):
        model = build("autoencoder")
        with (
            strategy.scope(),
            pytest.raises(InvalidArgument, match="outside of the strategy"),
        ):
            model.compile()

    @pytest.mark.parametrize(
        "compile, message",
        [
            ({"optimizer": keras.optimizers.Adam()}, "in the strategy's scope"),
            ({"jit_compile": True}, "False for 2 replicas"),
            (
                lambda: {
                    "optimizer": keras.optimizers.Adam(
                        gradient_accumulation_steps=2
                    )
                },
                "a larger batch does as well",
            ),
        ],
    )
    def test_what_replicas_cant_do(self, strategy, compile, message):
        with strategy.scope(), pytest.raises(InvalidArgument, match=message):
            build("autoencoder", compile=compile)

    def test_too_small_a_batch_for_all(self, strategy):
        with strategy.scope():
            model = build("gan", compile={"discriminator_steps": 3})
        with pytest.raises(InvalidArgument, match="of 5 for 2 devices"):
            model.fit(X, batch_size=5)


def test_numbers_of_steps_are_exact(strategy):
    with strategy.scope():
        model = build("autoencoder")
    data = batches(model).repeat()
    model.fit(data, steps_per_epoch=3, epochs=2, verbose=0)
    assert model.optimizer.iterations.numpy() == 6
