"""Exports for TF Serving: their signatures; whole or not at all."""

import json
import os
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen.errors import InvalidArgument

SIGNATURES = {
    "serving_default": ({"images"}, {"images"}),
    "encode": ({"images"}, {"mean", "log_var"}),
    "decode": ({"z"}, {"images"}),
    "sample": ({"num_samples", "seed"}, {"images"}),
    "outlier_score": ({"images"}, {"outlier_score"}),
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


@pytest.fixture(scope="module")
def model():
    return make()


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
    (path / "saved_model.pb").touch()
    model.export(path, overwrite=True)
    assert "saved_model.pb" in os.listdir(path)
    assert "mine" not in os.listdir(path)
    assert os.listdir(tmp_path) == ["1"]


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "link"])
def test_what_is_no_export_is_never_replaced(tmp_path, model, kind):
    path = tmp_path / "thesis"
    if kind == "file":
        path.write_text("mine")
    elif kind == "link":
        path.symlink_to("nothing")
    else:
        path.mkdir()
    if kind == "folder":
        (path / "1").mkdir()
        (path / "1" / "saved_model.pb").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileExistsError, match="thesis is no export"):
        model.export(path, overwrite=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_facts_are_what_json_can_hold(tmp_path, model):
    for wrong in ({"a": float("nan")}, {"a": object()}, [1]):
        with pytest.raises(InvalidArgument, match="`facts` of `VAE.export`"):
            model.export(tmp_path / "2", facts=wrong)


def test_the_arguments_of_keras(tmp_path, model, capsys):
    """Those that its users give, in its order; and facts of one's own."""
    facts = {"fid": np.float32(0.5), "by_class": np.arange(2)}
    model.export(tmp_path / "1", "tf_saved_model", False, facts=facts)
    assert capsys.readouterr().out == ""
    check_signatures(tmp_path / "1")
    card = json.loads((tmp_path / "1" / "model.json").read_text())
    assert (card["fid"], card["by_class"]) == (0.5, [0, 1])
    model.export(tmp_path / "2", format="tf_saved_model", verbose=True)
    text = capsys.readouterr().out
    assert str(tmp_path / "2") in text and "kgen-new" not in text
    assert all(name in text for name in SIGNATURES)
    for name in ("onnx", "litert", True, None):
        with pytest.raises(InvalidArgument) as error:
            model.export(tmp_path / "3", name)
        assert "Expected 'tf_saved_model'" in str(error.value)
        assert "`quantize`" in str(error.value)
    assert sorted(os.listdir(tmp_path)) == ["1", "2"]


def test_signatures_of_a_model_that_takes_labels(tmp_path):
    make(num_classes=10).export(tmp_path / "1")
    check_signatures(tmp_path / "1", labels={"labels"})


def check_signatures(path, labels=frozenset()):
    signatures = tf.saved_model.load(str(path)).signatures
    assert set(signatures) == set(SIGNATURES)
    for name, (inputs, outputs) in SIGNATURES.items():
        signature = signatures[name]
        assert set(signature.structured_input_signature[1]) == inputs | labels
        assert set(signature.structured_outputs) == outputs
