"""A model of a user's own: one file and one entry, and every command knows it."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

import kgen
from kgen import cli, hypermodels, registry

# The whole model, as a file `shrinking.py` beside the user's other code.
SOURCE = '''
import keras
from keras import ops

from kgen.models.autoencoder import Reconstructing


@keras.saving.register_keras_serializable(package="shrinking")
class Shrinking(Reconstructing):
    """An autoencoder whose codes are drawn towards zero."""

    def __init__(
        self, encoder, decoder, likelihood="gaussian", shrinkage=0.1, **kwargs
    ):
        super().__init__(**kwargs)
        self._set_reconstruction(likelihood, encoder, decoder)
        self.shrinkage = shrinkage

    def _step_losses(self, inputs, x, training):
        losses, _ = self._reconstruction_losses(inputs, x, training)
        z = self._code(inputs, training)
        penalty = self.shrinkage * ops.mean(ops.sum(ops.square(z), axis=1))
        return losses._replace(loss=losses.loss + penalty)
'''
STUDY = """
model = "shrinking"
objective = "val_mse"
tuner = "random"
[budget]
trials = 2
epochs = 1
[space]
network = "dense"
hidden_units = [4]
shrinkage = {min = 0.01, max = 1.0}
"""


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """The entry of the new model, in a folder with its file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shrinking.py").write_text(SOURCE)
    entry = registry.Entry(
        "shrinking:Shrinking",
        "an autoencoder whose codes are drawn towards zero",
        "val_mse",
        space={"shrinkage": {"min": 0.01, "max": 1.0}},
        training={"latent_dim": 3},
    )
    monkeypatch.setitem(registry.MODELS, "shrinking", entry)
    return entry


def run(*args):
    """Runs a command, which must succeed."""
    result = CliRunner().invoke(cli.main, args)
    assert result.exit_code == 0, result.output


def test_a_new_model_is_trained_tuned_evaluated_and_exported(entry, tmp_path):
    small = ("--network", "dense", "--set", "hidden_units=[4]")
    settings = ("--set", "shrinkage=0.5", "--epochs", "1", "--out", "run")
    run("train", "shrinking", *small, *settings)
    model = kgen.load_model("run/model.keras")
    assert type(model) is entry.model_class
    assert (model.shrinkage, model.latent_dim) == (0.5, 3)

    run("evaluate", "run", "--metrics", "mse")
    (judged,) = json.loads((tmp_path / "run/metrics.json").read_text())
    assert judged["metrics"]["mse"]["value"] > 0

    run("export", "run")
    served = tf.saved_model.load("saved_models/shrinking/1")
    x = np.random.default_rng(0).uniform(size=(2, 8, 8, 1)).astype("float32")
    answer = served.signatures["serving_default"](images=tf.constant(x))
    (reconstruction,) = answer.values()
    np.testing.assert_allclose(reconstruction, model(x), atol=1e-6)

    (tmp_path / "study.toml").write_text(STUDY)
    run("tune", "study.toml")
    results = json.loads((tmp_path / "study.results.json").read_text())
    assert len(results["trials"]) == 2

    hypermodel = hypermodels.get("shrinking")((8, 8, 1))
    assert list(hypermodel.space.searched) == ["shrinkage"]


def test_its_objective_is_the_sum_of_its_parts(entry):
    model = kgen.create_model(
        "shrinking", input_shape=(4,), network="dense", latent_dim=2
    )
    x = np.ones((3, 4), "float32")
    model.compile()
    logs = model.test_on_batch(x, return_dict=True)
    penalty = 0.1 * np.sum(np.square(model.encode(x)), axis=1).mean()
    parts = logs["reconstruction_loss"] + penalty
    assert logs["loss"] == pytest.approx(parts, rel=1e-5)
    assert isinstance(model, keras.Model)
