"""`kgen export`: what it writes and prints."""

import json
import os
import pathlib
import shlex
import types
import warnings

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import kgen
from kgen import cli, runs
from kgen.data.examples import Examples
from kgen.data.sources import Source
from kgen.errors import InvalidArgument
from kgen.export import card, savedmodel
from kgen.runs import export
from kgen.runs.export import ExportSettings
from tests import quick
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


@pytest.fixture(scope="module")
def trainings():
    with quick.trainings() as trainings:
        yield trainings


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    return quick.Graphs(tmp_path_factory.mktemp("graphs"))


@pytest.fixture
def quick_exports(graphs):
    """Of `folder`'s runs, which stay what they are."""
    with graphs.copied():
        yield


@pytest.mark.parametrize(
    "run, options",
    [
        ("vae", ()),
        ("vae", ("--image-format", "png", "--name", "digits")),
        ("gan", ("--image-format", "uint8", "--to", "a folder")),
        ("conditional", ()),
    ],
)
def test_the_commands_that_it_prints_are_right(
    folder, quick_exports, server, run, options
):
    text = run_command("export", folder / run, *options)
    exported, _, serve, ask = text.splitlines()
    path = pathlib.Path(exported.removeprefix("Exported "))
    root, name, version = path.parts
    assert version == "1"
    serve, ask = (shlex.split(line) for line in (serve, ask))
    assert serve[:3] == ["docker", "run", "--rm"]
    assert serve[-1] == "tensorflow/serving"
    bound = f"type=bind,source={path.parent.resolve()},target=/models/{name}"
    assert serve[serve.index("--mount") + 1] == f"{bound},readonly"
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


def test_a_lower_version_is_served_alone(tmp_path):
    base = tmp_path / "a:b,c" / "vae"
    for number in (2, 10):
        (base / str(number)).mkdir(parents=True)
    serve, _ = (shlex.split(line) for line in export.commands(base / "2"))
    assert serve[serve.index("--mount") + 1] == (
        f'type=bind,"source={base}/2",target=/models/vae/2,readonly'
    )


def read_card(path):
    return json.loads(pathlib.Path(path, "model.json").read_text())


def judge(run, weights):
    """Leaves in a run what `kgen evaluate` does."""
    judged = [
        {
            "date": "2026-01-01",
            "weights": weights,
            "data": {"source": "data", "split": "test", "examples": 14},
            "metrics": {"mse": {"value": 0.25, "title": "squared error"}},
        }
    ]
    (run.path / "metrics.json").write_text(json.dumps(judged))


def test_the_card(folder, quick_exports):
    run = runs.Run(folder / "vae")
    judge(run, runs.fingerprint(run.model()))
    run_command("export", folder / "vae", "--name", "digits")
    card = read_card("saved_models/digits/1")
    assert card["name"] == "digits"
    assert (card["model"], card["kind"]) == ("VAE", "vae")
    assert card["metrics"]["values"] == {"mse": 0.25}
    assert card["settings"]["latent_dim"] == 3
    assert card["versions"]["keras"] == keras.__version__
    assert card["trained"] == {}  # it does not tell
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


def test_figures_of_other_weights_are_left_out(tmp_path):
    run = make_run(tmp_path / "run", contract.small_model("vae"))
    judge(run, runs.fingerprint(run.model()))
    other = run.model()
    other.decoder.weights[-1].assign_add([1e-6] * 64)
    runs.save_model(run, other, 7)
    run_command("export", run.path)
    card = read_card("saved_models/vae/1")
    assert "metrics" not in card
    assert card["trained"] == {"epochs": 7, "interrupted": False}


def test_a_run_that_goes_on(trainings):
    """Its figures are those of the weights, and its epochs too."""
    small = ("--network", "dense", "--set", "hidden_units=[4]")
    run_command("train", "autoencoder", *small, "--epochs", 1, "--out", "run")
    run_command("evaluate", "run", "--metrics", "mse")
    resume = ("--resume", "--out", "run", "--export", "--epochs")
    run_command("train", "autoencoder", *resume, 1)
    run_command("train", "autoencoder", *resume, 2)
    run = runs.Run("run")
    run.extend(9)  # as a resume does that is killed
    run_command("export", "run")
    cards = [read_card(f"saved_models/autoencoder/{n}") for n in (1, 2, 3)]
    assert ["metrics" in card for card in cards] == [True, False, False]
    assert [card["trained"]["epochs"] for card in cards] == [1, 2, 2]
    assert [card["settings"]["epochs"] for card in cards] == [1, 2, 9]


def test_a_training_exports_what_it_has_in_memory(trainings, monkeypatch):
    monkeypatch.setattr(runs.Run, "model", None)
    small = ("--network", "dense", "--set", "hidden_units=[4]")
    options = ("--epochs", 1, "--fit-prior", "none", "--export")
    run_command("train", "vae", *small, *options)
    assert os.listdir("saved_models/vae") == ["1"]


def test_the_fingerprint_is_of_the_data(tmp_path):
    """Other data has another one, the same data the same."""
    found, model = [], contract.small_model("vae")
    for number, change in enumerate((0.0, 0.0, 1e-3)):
        folder = tmp_path / str(number)
        folder.mkdir()
        run = make_run(folder / "run", model)
        x = contract.X.copy()
        x[:, 0, 0, 0] *= 1 - change
        np.savez(folder / "data.npz", images=x, labels=contract.Y)
        _, facts = export._data_of(run, model, quantize=True)
        found.append(facts["fingerprint"])
    assert found[0] == found[1] != found[2]
    assert found[0]["of"] == 56


def test_versions_and_names(folder, quick_exports):
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
    # No process has the number 2^31 - 1: it was killed while it wrote the file.
    left_over = pathlib.Path("saved_models/.2147483647-models.config")
    left_over.touch()
    run_command("export", folder / "vae", "--version", 9)
    assert not left_over.exists()
    config = pathlib.Path("saved_models/models.config").read_text()
    assert 'name: "vae"' in config and 'name: "a-1.b_c"' in config


@pytest.mark.parametrize(
    "options, words",
    [
        ("--name a/b", "letters, digits"),
        ("--name ../b", "letters, digits"),
        ("--name=", "letters, digits"),
        ("--name models.config", "this one is a file's"),
        ("--name README.md", "this one is a file's"),
        ("--name Models.Config", "this one is a file's"),
        ("--version 0", "not in the range"),
        (f"--version {2**63}", "not in the range"),
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


@pytest.mark.parametrize("version", [0, -1, 2**63, "1", True])
def test_versions_are_integers_that_a_server_can_read(version):
    with pytest.raises(InvalidArgument, match="version"):
        ExportSettings(version=version)


def test_the_highest_version(folder, quick_exports):
    highest = str(2**63 - 1)
    run_command("export", folder / "vae", "--version", highest)
    assert "no higher one" in refused("export", folder / "vae")
    assert os.listdir("saved_models/vae") == [highest]


def test_a_model_s_folder_may_be_a_link(folder, quick_exports, tmp_path):
    """Its name is the link's."""
    (tmp_path / "large").mkdir()
    (tmp_path / "saved_models").mkdir()
    (tmp_path / "saved_models" / "vae").symlink_to(tmp_path / "large")
    *_, serve, ask = run_command("export", folder / "vae").splitlines()
    path = tmp_path / "saved_models" / "vae"
    assert f"source={path},target=/models/vae," in serve
    assert "MODEL_NAME=vae" in serve
    assert f"@{path}/1/assets.extra/request.json" in ask
    assert "/v1/models/vae:predict" in ask
    assert os.listdir(tmp_path / "large") == ["1"]


def test_a_config_that_can_t_be_written(folder, quick_exports, monkeypatch):
    """The export is there, and the user is told."""

    def refuse(root):
        raise PermissionError(13, "Permission denied", "models.config")

    monkeypatch.setattr(export.versions, "write_config", refuse)
    run = runs.Run(folder / "vae")
    with pytest.warns(
        UserWarning, match="models.config in to can't be written"
    ):
        path = export.export(run, run.model(), "to", ExportSettings())
    assert (path / "saved_model.pb").is_file()


def test_quantizing_hides_no_warning(monkeypatch):
    """Only what the converter writes past Python is kept off the screen."""

    def exported(run, model, root, settings):
        seen.append(os.path.samestat(os.fstat(2), os.stat(os.devnull)))
        warnings.warn("not listed", stacklevel=1)
        return root

    def show(message, *args, **kwargs):
        seen.append(str(message))
        seen.append(os.path.samestat(os.fstat(2), os.stat(os.devnull)))

    seen = []
    monkeypatch.setattr(export, "export", exported)
    monkeypatch.setattr(export, "commands", lambda path: [])
    monkeypatch.setattr(card, "read", lambda path: {})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", show)
        cli.export.export_model(None, None, "to", quantize="int8")
    assert seen == [True, "not listed", False]


def test_a_number_that_another_export_takes_meanwhile(
    folder, quick_exports, monkeypatch
):
    run = runs.Run(folder / "vae")
    model = run.model()
    write, others = type(model).export, iter([1, 2])

    def late(self, path, **options):
        for number in others:
            pathlib.Path("to", "vae", str(number), "theirs").mkdir(parents=True)
            break
        return write(self, path, **options)

    monkeypatch.setattr(type(model), "export", late)
    path = export.export(run, model, "to", ExportSettings())
    assert path == pathlib.Path("to/vae/3")
    for number in "12":
        assert os.listdir(f"to/vae/{number}") == ["theirs"]


X, Y = contract.X, contract.Y
CHANGED = {
    "gone": (None, "data.npz"),
    "damaged": (b"PK", "data.npz"),
    "shape": ({"images": X[:, :4], "labels": Y}, "shape (batch, 8, 8, 1)"),
    "channels": ({"images": np.tile(X, 3), "labels": Y}, "(batch, 8, 8, 1)"),
    "no labels": ({"images": X}, "labels"),
    "more labels": ({"images": X, "labels": Y + 7}, "labels"),
    "range": ({"images": X * 3, "labels": Y}, "0, 1]"),
    "one example": ({"images": X[:1], "labels": Y[:1]}, "too few"),
}


@pytest.fixture(scope="module")
def conditional():
    return contract.small_model("autoencoder", conditional=True)


@pytest.mark.parametrize("case", CHANGED)
def test_the_data_may_have_changed(tmp_path, conditional, case):
    """Unless it is needed, to quantize."""
    model = conditional
    run = make_run(tmp_path / "run", model, "autoencoder")
    content, words = CHANGED[case]
    file = tmp_path / "data.npz"
    file.unlink()
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content:
        np.savez(file, **content)
    examples, facts = export._data_of(run, model, quantize=False)
    assert examples == {}
    assert words in facts["unusable"]
    assert set(facts) == {"source", "split", "unusable"}
    with pytest.raises((InvalidArgument, OSError)) as error:
        export._data_of(run, model, quantize=True)
    assert words in str(error.value)


def test_a_model_is_exported_without_its_data(tmp_path):
    run = make_run(tmp_path / "run", contract.small_model("vae"))
    (tmp_path / "data.npz").unlink()
    assert "data.npz" in refused("export", run.path, "--quantize", "int8")
    run_command("export", run.path)
    data = read_card("saved_models/vae/1")["data"]
    assert "data.npz" in data["unusable"]


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


class OtherRun:
    """A run on a source made of arrays."""

    def __init__(self, source):
        self.settings = types.SimpleNamespace(
            data="other", source=lambda table: source
        )


def test_examples_to_calibrate_by_are_of_all_classes():
    """Of data that lies class by class."""
    y = np.repeat([0, 1], 500)
    x = np.ones((1000, 8, 8, 1), "float32") * y[:, None, None, None]
    run = OtherRun(kgen.data.open_source((x, y)))
    model = contract.small_model("autoencoder")
    examples, _ = export._data_of(run, model, quantize=True)
    for images in examples.values():
        assert 0.4 < images.mean() < 0.6


@pytest.mark.parametrize("split", ["train", "test", "validation"])
def test_the_loss_is_measured_by_examples_that_are_held_out(split):
    """Where there is but one split, by others of it."""
    x = np.linspace(0, 1, 600, dtype="float32").reshape(-1, 1, 1, 1)
    x = np.tile(x, (1, 8, 8, 1))
    readers = {"train": lambda: Examples(x)}
    if split != "train":
        readers[split] = lambda: Examples(0.9995 - x[:100] / 1000)
    run = OtherRun(Source("other", readers))
    model = contract.small_model("autoencoder")
    examples, facts = export._data_of(run, model, quantize=True)
    ours, others = (np.unique(part) for part in examples.values())
    assert list(examples) == ["examples", "held_out"]
    count = 256 if split == "train" else 100
    assert (len(ours), len(others)) == (256, count)
    assert not np.intersect1d(ours, others).size
    assert facts["held_out"] == {"split": split, "examples": count}
    assert (others.min() > 0.99) == (split != "train")
    if split != "train":  # it is not even read
        del readers[split]
    examples, facts = export._data_of(run, model, quantize=False)
    assert set(examples) == {"examples"} and "held_out" not in facts


def test_quantize_takes_what_is_held_out(folder, monkeypatch):
    given = {}

    def spy(signatures, directory, kind, requests, others):
        _, specs = signatures["encode"]
        given["examples"] = requests(specs, 56)["images"]
        given["held_out"] = others(specs, 14)["images"]
        return {}

    monkeypatch.setattr(savedmodel.lite, "write", spy)
    run_command("export", folder / "vae", "--quantize", "float16")
    source = runs.Run(folder / "vae").settings.source()
    for name, split in (("examples", "train"), ("held_out", "test")):
        np.testing.assert_array_equal(
            np.sort(given[name], axis=0),
            np.sort(source.examples(split).images, axis=0),
        )
    card = read_card("saved_models/vae/1")
    assert card["data"]["held_out"] == {"split": "test", "examples": 14}
