"""`kgen export`: what it writes and prints."""

import json
import os
import pathlib
import shlex

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import kgen
from kgen import cli, exports, runs
from tests.export.common import make_run
from tests.export.rest import arrays_of
from tests.export.server import Model
from tests.models import contract
from tests.test_cli import refused


def run_command(*args):
    """Runs a command in this process; it must succeed."""
    result = CliRunner().invoke(cli.main, [str(arg) for arg in args])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs of several kinds, none of them trained."""
    path = tmp_path_factory.mktemp("runs")
    keras.utils.set_random_seed(0)
    make_run(path / "vae", contract.small_model("vae"))
    make_run(path / "gan", contract.small_model("gan"), "gan")
    conditional = contract.small_model("autoencoder", conditional=True)
    make_run(path / "conditional", conditional, "autoencoder")
    return path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "run, options",
    [
        ("vae", ()),
        ("vae", ("--image-format", "png", "--name", "digits")),
        ("gan", ("--image-format", "uint8", "--to", "a folder")),
        ("conditional", ()),
    ],
)
def test_the_commands_that_it_prints_are_right(folder, server, run, options):
    text = run_command("export", folder / run, *options)
    exported, _, serve, ask = text.splitlines()
    path = pathlib.Path(exported.removeprefix("Exported "))
    root, name, version = path.parts
    assert version == "1"
    serve, ask = (shlex.split(line) for line in (serve, ask))
    assert serve[:3] == ["docker", "run", "--rm"]
    assert serve[-1] == "tensorflow/serving"
    assert f"{path.parent.resolve()}:/models/{name}:ro" in serve
    assert f"MODEL_NAME={name}" in serve
    assert {"8500:8500", "8501:8501"} < set(serve)
    *_, data, address = ask
    assert address == f"http://localhost:8501/v1/models/{name}:predict"
    served = Model(server, path)
    body = pathlib.Path(data.removeprefix("@"))
    assert body.is_absolute()
    signature, inputs = arrays_of(json.loads(body.read_text()), served)
    assert signature == "serving_default"
    for value in served(signature, **inputs).values():
        assert len(value) == 1


def test_the_card(folder):
    judged = [
        {
            "date": "2026-01-01",
            "data": {"source": "data", "split": "test", "examples": 14},
            "metrics": {"mse": {"value": 0.25, "title": "squared error"}},
        }
    ]
    (folder / "vae" / "metrics.json").write_text(json.dumps(judged))
    run_command("export", folder / "vae", "--name", "digits")
    card = json.loads(
        pathlib.Path("saved_models/digits/1/model.json").read_text()
    )
    assert card["name"] == "digits"
    assert (card["model"], card["kind"]) == ("VAE", "vae")
    assert card["metrics"]["values"] == {"mse": 0.25}
    assert card["settings"]["latent_dim"] == 3
    assert card["versions"]["keras"] == keras.__version__
    assert card["trained_with"]["kgen"] == kgen.__version__
    assert card["date"].startswith("20")
    assert card["data"]["examples"] == 56
    assert card["data"]["shape"] == [8, 8, 1]
    assert card["signatures"]["encode"] == {
        "inputs": {"images": {"dtype": "float32", "shape": [None, 8, 8, 1]}},
        "outputs": {
            "mean": {"dtype": "float32", "shape": [None, 3]},
            "log_var": {"dtype": "float32", "shape": [None, 3]},
        },
    }


def test_the_fingerprint_is_of_the_data(tmp_path):
    """Other data has another one, the same data the same."""
    found = []
    for number, change in enumerate((0.0, 0.0, 1e-3)):
        folder = tmp_path / str(number)
        folder.mkdir()
        run = make_run(folder / "run", contract.small_model("vae"))
        x = contract.X.copy()
        x[:, 0, 0, 0] *= 1 - change
        np.savez(folder / "data.npz", images=x, labels=contract.Y)
        _, facts = exports._data_of(run, run.model(), needed=True)
        found.append(facts["fingerprint"])
    assert found[0] == found[1] != found[2]
    assert found[0]["of"] == 56


def test_versions_and_names(folder):
    for options, path in (
        ((), "vae/1"),
        ((), "vae/2"),
        (("--version", 7), "vae/7"),
        ((), "vae/8"),
        (("--name", "a-1.b_c"), "a-1.b_c/1"),
    ):
        text = run_command("export", folder / "vae", *options)
        assert text.startswith(f"Exported saved_models/{path}\n")
    assert "version 7 already" in refused(
        "export", folder / "vae", "--version", "7"
    )
    config = pathlib.Path("saved_models/models.config").read_text()
    assert 'name: "vae"' in config and 'name: "a-1.b_c"' in config


@pytest.mark.parametrize(
    "options, words",
    [
        ("--name a/b", "letters, digits"),
        ("--name ../b", "letters, digits"),
        ("--name=", "letters, digits"),
        ("--version 0", "not in the range"),
        ("--image-format pgn", "Did you mean 'png'?"),
        ("--quantize int4", "Did you mean 'int8'?"),
        ("--max-examples 0", "not in the range"),
    ],
)
def test_mistakes(folder, options, words):
    assert words in refused("export", folder / "vae", *options.split())
    assert os.listdir() == []


def test_a_place_that_is_a_file(folder):
    pathlib.Path("saved_models").mkdir()
    pathlib.Path("saved_models/vae").write_text("mine")
    refused("export", folder / "vae")
    assert pathlib.Path("saved_models/vae").read_text() == "mine"


def test_a_number_that_another_export_takes_meanwhile(folder, monkeypatch):
    run = runs.Run(folder / "vae")
    model = run.model()
    export, others = type(model).export, iter([1, 2])

    def late(self, path, **options):
        for number in others:
            pathlib.Path("to", "vae", str(number), "theirs").mkdir(parents=True)
            break
        return export(self, path, **options)

    monkeypatch.setattr(type(model), "export", late)
    path = exports.export(run, model, "to")
    assert path == pathlib.Path("to/vae/3")
    for number in "12":
        assert os.listdir(f"to/vae/{number}") == ["theirs"]


def test_the_data_may_be_gone(tmp_path):
    """Unless it is needed, to quantize."""
    run = make_run(tmp_path / "run", contract.small_model("vae"))
    (tmp_path / "data.npz").unlink()
    run_command("export", run.path)
    card = json.loads(pathlib.Path("saved_models/vae/1/model.json").read_text())
    assert "data.npz" in card["data"]["unreadable"]
    assert "data.npz" in refused("export", run.path, "--quantize", "int8")
    assert os.listdir("saved_models/vae") == ["1"]


@pytest.mark.parametrize(
    "run", ["vae", pytest.param("conditional", marks=pytest.mark.slow)]
)
def test_quantize_prints_what_is_lost(folder, run):
    text = run_command("export", folder / run, "--quantize", "float16")
    assert "reconstruct.tflite, " in text
    assert "dB instead of" in text
    name = "vae" if run == "vae" else "autoencoder"
    files = os.listdir(f"saved_models/{name}/1/assets.extra")
    assert {"encode.tflite", "decode.tflite", "reconstruct.tflite"} < set(files)


class SortedRun:
    """A run on data that lies class by class."""

    config = {"data": "sorted"}

    def source(self):
        y = np.repeat([0, 1], 500)
        x = np.ones((1000, 4, 4, 1), "float32") * y[:, None, None, None]
        return kgen.data.open_source((x, y))


def test_examples_to_calibrate_by_are_of_all_classes():
    model = contract.small_model("autoencoder")
    images, _ = exports._data_of(SortedRun(), model, needed=True)
    assert 0.4 < images.mean() < 0.6
