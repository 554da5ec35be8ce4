"""Two replicas with half a batch each do what one device does with all of it."""

import contextlib
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen
from tests.models.contract import state
from tests.workers import free_ports, tf_config

RNG = np.random.default_rng(0)
# Batches of 8, then of 5, then of 1: one replica has less, or nothing at all.
SIZES = (8, 8, 8, 5, 1)
X = RNG.uniform(size=(sum(SIZES), 8, 8, 1)).astype("float32")
Y = RNG.integers(0, 3, size=len(X)).astype("int32")


@pytest.fixture(scope="module")
def strategy():
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def build(name, network="dense", compile=(), **options):
    """A compiled model of few weights."""
    small = {"hidden_units": (8,)} if network == "dense" else {"filters": 4}
    model = kgen.create_model(
        name,
        input_shape=(8, 8, 1),
        network=network,
        latent_dim=3,
        **{**(small if "density" not in options else {}), **options},
    )
    model.compile(**(compile() if callable(compile) else dict(compile)))
    return model


def batches(model, sizes=SIZES):
    """A dataset of batches of these sizes, with labels if the model takes them."""
    ends = np.cumsum(sizes)
    parts = [slice(end - size, end) for end, size in zip(ends, sizes)]
    pairs = model.conditional or model.needs_labels

    def generate():
        for part in parts:
            yield (X[part], Y[part]) if pairs else X[part]

    x = tf.TensorSpec((None, 8, 8, 1), "float32")
    y = tf.TensorSpec((None,), "int32")
    dataset = tf.data.Dataset.from_generator(
        generate, output_signature=(x, y) if pairs else x
    )
    return dataset.apply(tf.data.experimental.assert_cardinality(len(sizes)))


def fitted(scope, sizes=SIZES, held_out=(7, 4), epochs=1, **kwargs):
    """The model and what `fit` logged."""
    keras.utils.set_random_seed(1)
    with scope:
        model = build(**kwargs)
    data = batches(model, sizes)
    held_out = batches(model, held_out)
    history = model.fit(
        data, epochs=epochs, validation_data=held_out, verbose=0
    )
    return model, history.history


def assert_same_training(strategy, tolerance=1e-5, **kwargs):
    one, logs = fitted(contextlib.nullcontext(), **kwargs)
    two, mirrored_logs = fitted(strategy.scope(), **kwargs)
    for mine, other in zip(state(one), state(two), strict=True):
        np.testing.assert_allclose(other, mine, atol=tolerance, rtol=1e-5)
    assert set(mirrored_logs) == set(logs)
    for name, values in logs.items():
        np.testing.assert_allclose(
            mirrored_logs[name], values, rtol=1e-4, atol=1e-5, err_msg=name
        )
    return one, two


CASES = {
    "autoencoder": {"name": "autoencoder"},
    "denoising": {"name": "denoising_autoencoder", "corruption": "masking:0.3"},
    "vae": {"name": "vae", "num_classes": 3, "kernel_regularizer": "l2"},
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
        "sizes": (8, 8, 8),
        "held_out": (8,),
    },
    "normalised": {
        "name": "vae",
        "network": "conv",
        "batch_normalization": True,
        "sizes": (8, 8, 8),
    },
    "gan": {"name": "gan"},
    "relativistic": {
        "name": "gan",
        "spectral_normalization": True,
        "compile": {
            "loss": "relativistic",
            "penalty": "dragan:1",
            "instance_noise": 0.1,
        },
    },
    "vaegan": {"name": "vaegan"},
    "gated": {
        "name": "vaegan",
        "sizes": (8, 8, 8),
        "compile": {"penalty": "r1", "equilibrium_margin": 0.001},
    },
    "bayes, vae": {
        "name": "bayes_classifier",
        "num_classes": 3,
        "density": "vae",
    },
    "bayes, counted": {
        "name": "bayes_classifier",
        "num_classes": 3,
        "density": "naive_gaussian",
    },
    "bayes, both": {
        "name": "bayes_classifier",
        "num_classes": 3,
        "density": "full",
        "compile": {"discriminative_weight": 10.0},
    },
}


@pytest.mark.parametrize("case", CASES)
def test_steps_are_those_of_one_device(strategy, case):
    assert_same_training(strategy, **CASES[case])


@pytest.mark.parametrize("case", ["vae", "gan", "vaegan"])
def test_one_step_is_that_of_one_device(strategy, case):
    assert_same_training(strategy, **CASES[case], sizes=(8,))


def inputs(model):
    """What `predict` takes: x or z, with labels if the model takes them."""
    x = X
    if isinstance(model, kgen.GAN):
        x = np.random.default_rng(1).normal(size=(len(X), 3)).astype("float32")
    data = (x, Y) if model.conditional else (x,)
    # A pair in a tuple: x is all of it.
    return tf.data.Dataset.from_tensor_slices((data,)).batch(8)


def run_workers(tmp_path, *cases):
    """Two processes on this machine; returns what the chief wrote."""
    hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
    file = tmp_path / "found.npz"
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.models.worker", file, *cases],
            env={**os.environ, "TF_CONFIG": tf_config(hosts, index)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index in range(2)
    ]
    for worker in workers:
        output, _ = worker.communicate(timeout=900)
        assert worker.returncode == 0, output
    with np.load(file) as found:
        return dict(found)


def test_two_workers_do_what_two_replicas_do(strategy, tmp_path):
    cases = ("vae", "gan", "vaegan")
    found = run_workers(tmp_path, *cases)
    for case in cases:
        model, logs = fitted(strategy.scope(), **CASES[case])
        for number, value in enumerate(state(model)):
            theirs = found[f"{case} {number}"]
            np.testing.assert_allclose(theirs, value, atol=1e-5, rtol=1e-5)
        loss = logs["loss"] + logs["val_loss"]
        np.testing.assert_allclose(found[f"{case} loss"], loss, rtol=1e-4)
        predicted = model.predict(inputs(model), verbose=0)
        np.testing.assert_allclose(
            found[f"{case} predicted"], predicted, atol=1e-5
        )
