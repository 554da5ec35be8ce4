"""Batch normalisation by the whole batch, wherever the model was made."""

import contextlib

import keras
import numpy as np
import pytest

import kgen

X = np.random.default_rng(0).normal(size=(9, 4)).astype("float32")


@pytest.fixture
def path(tmp_path):
    """The file of a model that one device has made."""
    keras.utils.set_random_seed(0)
    normalise = kgen.layers.BatchNormalization(momentum=0.5)
    dense = keras.layers.Dense(3)
    encoder = keras.Sequential([keras.Input((4,)), dense, normalise])
    decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    model = kgen.Autoencoder(encoder, decoder, likelihood="gaussian")
    model.compile(optimizer="sgd")
    model.save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def trained(path, scope):
    """Weights and statistics after batches of 4, 4 and 1."""
    with scope:
        model = kgen.load_model(path)
    model.fit(X, batch_size=4, epochs=2, shuffle=False, verbose=0)
    return [variable.numpy() for variable in model.variables]


def test_a_model_made_by_one_device_is_trained_by_two(strategy, path):
    """The last batch leaves one of them without an example."""
    one = trained(path, contextlib.nullcontext())
    two = trained(path, strategy.scope())
    for mine, theirs in zip(one, two, strict=True):
        np.testing.assert_allclose(theirs, mine, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("synchronized", [None, True, False])
def test_its_config_is_what_was_given(strategy, synchronized):
    for scope in (contextlib.nullcontext(), strategy.scope()):
        with scope:
            layer = kgen.layers.BatchNormalization(synchronized)
        assert layer.get_config()["synchronized"] is synchronized
