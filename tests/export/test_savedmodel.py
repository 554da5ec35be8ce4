"""Exports for TF Serving: whole or not at all, and the same as in Python."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen.export import next_version

SIGNATURES = {
    "serving_default": ({"images"}, {"images"}),
    "encode": ({"images"}, {"mean", "log_var"}),
    "decode": ({"z"}, {"images"}),
    "sample": ({"num_samples", "seed"}, {"images"}),
}


def make(num_classes=None):
    """An untrained model whose outputs do depend on z and the labels."""
    keras.utils.set_random_seed(0)
    return kgen.create_model(
        "vae",
        input_shape=(8, 8, 1),
        network="dense",
        latent_dim=3,
        hidden_units=[8],
        num_classes=num_classes,
    )


@pytest.fixture
def model():
    return make()


@pytest.mark.parametrize(
    "taken, version",
    [
        ([], "1"),
        (["1"], "2"),
        (["1", "10", "9"], "11"),
        (["3"], "4"),
        (["007"], "8"),
        (["latest", ".4-x", "5.5", "²", "٣"], "1"),
    ],
)
def test_next_version(tmp_path, taken, version):
    for name in taken:
        (tmp_path / "vae" / name).mkdir(parents=True)
    assert next_version(tmp_path, "vae") == tmp_path / "vae" / version


def test_a_failure_in_the_middle_leaves_nothing(tmp_path, model, monkeypatch):
    def fail(self, filepath, **kwargs):
        pathlib.Path(filepath, "saved_model.pb").write_text("half")
        raise OSError("disk full")

    archive = type(keras.export.ExportArchive())
    monkeypatch.setattr(archive, "write_out", fail)
    with pytest.raises(OSError, match="disk full"):
        model.export(tmp_path / "vae" / "1")
    assert os.listdir(tmp_path / "vae") == []


def test_an_export_is_never_replaced_unasked(tmp_path, model):
    path = tmp_path / "1"
    path.mkdir()
    (path / "mine").touch()
    with pytest.raises(FileExistsError, match="exists already"):
        model.export(path)
    assert os.listdir(path) == ["mine"]
    model.export(path, overwrite=True)
    assert "saved_model.pb" in os.listdir(path)
    assert "mine" not in os.listdir(path)
    assert os.listdir(tmp_path) == ["1"]


@pytest.mark.parametrize("num_classes", [None, 10])
def test_signatures(tmp_path, num_classes):
    make(num_classes).export(tmp_path / "1")
    signatures = tf.saved_model.load(str(tmp_path / "1")).signatures
    assert set(signatures) == set(SIGNATURES)
    labels = {"labels"} if num_classes else set()
    for name, (inputs, outputs) in SIGNATURES.items():
        signature = signatures[name]
        assert set(signature.structured_input_signature[1]) == inputs | labels
        assert set(signature.structured_outputs) == outputs


# What a server has: TensorFlow alone.
SERVER = """
import sys
import numpy as np
import tensorflow as tf

for name in ("plain", "conditional"):
    call = tf.saved_model.load(name).signatures
    data = dict(np.load("data.npz"))
    labels = {"labels": tf.constant(data["labels"])}
    labels = labels if name == "conditional" else {}
    x = {"images": tf.constant(data["x"]), **labels}
    outputs = {
        "reconstruction": call["serving_default"](**x)["images"],
        **call["encode"](**x),
        "decoded": call["decode"](z=tf.constant(data["z"]), **labels)["images"],
        "samples": call["sample"](
            num_samples=tf.constant(5), seed=tf.constant(7), **labels
        )["images"],
    }
    np.savez(f"{name}.npz", **outputs)
assert not any(name.partition(".")[0] == "kgen" for name in sys.modules)
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Both kinds of model, the data, and what the server answered."""
    folder = tmp_path_factory.mktemp("server")
    rng = np.random.default_rng(0)
    given = {
        "x": rng.random((5, 8, 8, 1)).astype("float32"),
        "z": rng.normal(size=(5, 3)).astype("float32"),
        "labels": np.arange(5, dtype="int32"),
    }
    np.savez(folder / "data.npz", **given)
    models = {"plain": make(), "conditional": make(10)}
    for name, model in models.items():
        model.export(folder / name)
    # Isolated, and in that folder: no way to import kgen but by its install.
    subprocess.run([sys.executable, "-c", SERVER], cwd=folder, check=True)
    answers = {}
    for name in models:
        with np.load(folder / f"{name}.npz") as file:
            answers[name] = dict(file)
    return models, given, answers


@pytest.mark.parametrize("name", ["plain", "conditional"])
def test_a_server_answers_as_python_does(served, name):
    models, given, answers = served
    model, answer = models[name], answers[name]
    labels = given["labels"] if model.conditional else None
    x = given["x"] if labels is None else [given["x"], labels]
    mean, log_var = model.posterior(x)
    expected = {
        "reconstruction": model.reconstruct(x),
        "mean": mean,
        "log_var": log_var,
        "decoded": model.decode(given["z"], labels),
        "samples": model.sample(5, labels, seed=7),
    }
    assert set(answer) == set(expected)
    for key, value in expected.items():
        assert np.ptp(value) > 1e-3
        np.testing.assert_allclose(answer[key], value, atol=1e-6, err_msg=key)


def test_the_seed_of_the_export_counts(tmp_path, model):
    model.export(tmp_path / "1")
    sample = tf.saved_model.load(str(tmp_path / "1")).signatures["sample"]

    def draw(count, seed):
        arguments = {
            "num_samples": tf.constant(count),
            "seed": tf.constant(seed),
        }
        return sample(**arguments)["images"].numpy()

    np.testing.assert_array_equal(draw(4, 1), draw(4, 1))
    assert np.abs(draw(4, 1) - draw(4, 2)).max() > 1e-3
    assert draw(9, 1).shape == (9, 8, 8, 1)
