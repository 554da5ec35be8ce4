"""LiteRT models say what the originals say, and what they lose."""

import json
import os

import keras
import numpy as np
import pytest

import kgen
from kgen.errors import InvalidArgument
from kgen.export import lite
from tests.export.server import Model
from tests.models import contract

KINDS = {"float16": 1e-3, "int8": 0.05}


def exported(model, folder, kind, examples=contract.X, held_out=None):
    """What model.json says of the files, and the files, by their names."""
    path = folder / "1"
    held_out = examples if held_out is None else held_out
    model.export(path, quantize=kind, examples=examples, held_out=held_out)
    card = json.loads((path / "model.json").read_text())["lite"]
    files = {name: path / "assets.extra" / name for name in card}
    for name, file in files.items():
        assert card[name]["quantize"] == kind
        assert card[name]["bytes"] == os.path.getsize(file)
    return card, {name: file.read_bytes() for name, file in files.items()}


@pytest.mark.parametrize(
    "kind", ["int8", pytest.param("float16", marks=pytest.mark.slow)]
)
def test_the_parts_of_a_vae(tmp_path, server, kind):
    keras.utils.set_random_seed(0)
    vae = contract.small_model("vae")
    *weights, kernel, bias = vae.encoder.get_weights()
    kernel[:, :3] *= 5  # means have another range than log_var
    vae.encoder.set_weights([*weights, kernel, bias])
    card, files = exported(vae, tmp_path, kind)
    assert set(files) == {
        "encode.tflite",
        "decode.tflite",
        "reconstruct.tflite",
    }
    mean, log_var = vae.posterior(contract.X)
    z = np.random.default_rng(5).normal(size=(7, 3)).astype("float32")
    for name, inputs, expected in (
        ("encode", {"images": contract.X}, {"mean": mean, "log_var": log_var}),
        ("decode", {"z": z}, {"images": vae.decode(z)}),
        (
            "reconstruct",
            {"images": contract.X[:1]},
            {"images": vae.reconstruct(contract.X[:1])},
        ),
    ):
        found = lite.run(files[f"{name}.tflite"], inputs)
        assert set(found) == set(expected)
        for key, value in expected.items():
            off = np.abs(found[key] - value)
            assert 0 < off.max() < KINDS[kind] * np.abs(value).max()
            # What the card says, but for other examples.
            noted = card[f"{name}.tflite"]["outputs"][key]
            assert noted["mean_difference"] <= noted["max_difference"]
            assert off.mean() < 3 * noted["mean_difference"] + 1e-6
    # The SavedModel is what it was.
    served = Model(server, tmp_path / "1")
    found = served("encode", images=contract.X)["mean"]
    np.testing.assert_allclose(found, mean, atol=1e-5)


def test_the_figures_of_the_card(monkeypatch, tmp_path):
    """Against outputs that are off by what is known."""
    vae = contract.small_model("vae")
    others = 1 - contract.X[:50]
    x = np.resize(others, (lite._EXAMPLES, 8, 8, 1))

    def converted(function, specs, kind, inputs):
        if "images" in inputs:  # the ranges are those of the others
            np.testing.assert_array_equal(inputs["images"][:70], contract.X)
        codes.append(inputs.get("z"))
        return b""

    def run(content, inputs):
        codes.append(inputs.get("z"))
        if "images" not in inputs:
            return {"images": vae.decode(inputs["z"])}
        if run.encoding:
            run.encoding = False
            mean, log_var = vae.posterior(inputs["images"])
            mean[3, 1] += 0.5
            return {"mean": mean, "log_var": log_var}
        return {"images": inputs["images"] - 0.1}

    run.encoding = True
    monkeypatch.setattr(lite, "run", run)
    codes = []
    monkeypatch.setattr(lite, "_converted", converted)
    card, _ = exported(vae, tmp_path, "float16", held_out=others)
    by_ranges, by_loss = (z for z in codes if z is not None)
    assert np.abs(by_ranges - by_loss).max() > 1
    mean = card["encode.tflite"]["outputs"]["mean"]
    count = lite._EXAMPLES
    assert mean["max_difference"] == pytest.approx(0.5, abs=1e-5)
    assert mean["mean_difference"] == pytest.approx(0.5 / count / 3, abs=1e-6)
    images = card["reconstruct.tflite"]["outputs"]["images"]
    assert images["psnr_lite"] == pytest.approx(20.0, abs=1e-3)
    error = np.square(x - vae.reconstruct(x)).mean(axis=(1, 2, 3))
    assert images["psnr"] == pytest.approx(
        -10 * np.log10(error).mean(), abs=1e-3
    )


def test_int8_is_smaller_than_float16(tmp_path):
    sizes = {}
    for kind in KINDS:
        model = contract.small_model("gan", hidden_units=(64,))
        card, files = exported(model, tmp_path / kind, kind)
        assert set(files) == {"generate.tflite"}
        sizes[kind] = card["generate.tflite"]["bytes"]
    weights = model.generator.count_params()
    assert sizes["float16"] < 4 * weights
    assert sizes["int8"] < sizes["float16"]


def test_labels_are_not_half_others(tmp_path):
    """The zeros of one-hot labels stay zeros in int8."""
    keras.utils.set_random_seed(0)
    gan = contract.small_model("gan", conditional=True)
    pair = [contract.X, contract.Y]
    card, files = exported(gan, tmp_path, "int8", pair)
    z = np.random.default_rng(5).normal(size=(9, 3)).astype("float32")
    labels = np.arange(9, dtype="int32") % contract.CLASSES
    given = {"z": z, "labels": labels}
    found = lite.run(files["generate.tflite"], given)["images"]
    expected = gan.predict([z, labels], verbose=0)
    np.testing.assert_allclose(found, expected, atol=KINDS["int8"])
    noted = card["generate.tflite"]["outputs"]["images"]
    assert noted["max_difference"] < KINDS["int8"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name, options",
    [
        ("autoencoder", {"network": "conv"}),
        ("vae", {"conditional": True, "network": "conv"}),
        ("vae", {"conditional": True, "network": "resnet", "attention": 4}),
        ("vaegan", {"training": {"ema_decay": 0.5}}),
        ("denoising_autoencoder", {"network": "unet"}),
    ],
)
def test_other_models(tmp_path, name, options, kind):
    keras.utils.set_random_seed(0)
    model = contract.small_model(name, **options)
    x = [contract.X, contract.Y] if model.conditional else contract.X
    card, files = exported(model, tmp_path, kind, x)
    assert ("decode.tflite" in files) == (name != "denoising_autoencoder")
    for one in card.values():
        for figures in one["outputs"].values():
            assert figures["mean_difference"] < KINDS[kind] / 5
    if name == "autoencoder":  # it decodes codes, not draws of the prior
        z = model.encode(contract.X)
        found = lite.run(files["decode.tflite"], {"z": z})["images"]
        np.testing.assert_allclose(found, model.decode(z), atol=KINDS[kind])


def test_labels_go_with_their_examples(tmp_path):
    """In the requests, too: not any labels."""
    model = contract.small_model("vae", conditional=True)
    with pytest.raises(InvalidArgument, match="labels"):
        model.export(tmp_path / "1", examples=contract.X)
    model.export(tmp_path / "1", examples=[contract.X, contract.Y])
    body = (tmp_path / "1" / "assets.extra" / "request.json").read_text()
    inputs = json.loads(body)["inputs"]
    assert inputs["labels"] == contract.Y[:1].tolist()
    np.testing.assert_allclose(inputs["images"], contract.X[:1], atol=1e-4)


def test_a_classifier_can_t_be_made_small(tmp_path):
    model = kgen.create_model(
        "bayes_classifier",
        input_shape=(8, 8, 1),
        num_classes=3,
        density="naive_gaussian",
    )
    with pytest.raises(InvalidArgument, match="BayesClassifier has none"):
        model.export(
            tmp_path / "1",
            quantize="int8",
            examples=contract.X,
            held_out=contract.X,
        )


@pytest.mark.parametrize(
    "options, words",
    [
        ({"quantize": "int4", "examples": contract.X}, "did you mean 'int8'"),
        ({"quantize": "int8"}, "to find the ranges of numbers by"),
        (
            {"quantize": "int8", "examples": contract.X},
            "to measure the loss of accuracy by",
        ),
        ({"held_out": contract.X[:, :4]}, "shape (batch, 8, 8, 1)"),
        ({"examples": contract.X[:, :4]}, "shape (batch, 8, 8, 1)"),
        ({"examples": contract.X * 2}, "values in [0, 1]"),
    ],
)
def test_mistakes(tmp_path, options, words):
    model = contract.small_model("vae")
    with pytest.raises(InvalidArgument) as error:
        model.export(tmp_path / "1", **options)
    assert words in str(error.value)
    assert os.listdir(tmp_path) == []
