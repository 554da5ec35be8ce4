"""The command line, as its user meets it."""

import csv
import errno
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from PIL import Image

from kgen import cli, data, files, locks, names, registry, runs
from kgen.callbacks import EpochOrder
from kgen.data.examples import subset
from kgen.runs import (
    checkpoints,
    directory,
    export,
    inference,
    settings,
    training,
)
from tests import eager, quick

# TensorFlow 2.21's tensors have no `copy` in `__array__`, and Keras 3.15 calls
# `np.array` on them.
TINY = ("--network", "dense", "--set", "hidden_units=[16]")
SMALL = (*TINY, "--fit-prior", "none")
DRAWN = {"samples.png", "progress.png"}  # of what can be sampled
CODES = {"reconstructions.png", "latent.png"}
WAYS = {"interpolations.png"}  # where there is a latent space
PICTURES = {*DRAWN, *CODES, *WAYS, "attributes.png", "losses.png"}
FILES = {"config.json", "model.keras", "checkpoints", "history.csv", "logs"}


def kgen(*args):
    """Runs a command in this process; it must succeed."""
    result = CliRunner().invoke(cli.main, [str(arg) for arg in args])
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def refused(*args):
    """Runs a command that must fail as a user's mistake; returns the line."""
    result = CliRunner().invoke(cli.main, [str(arg) for arg in args])
    assert isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code == 2
    # `kgen train` says at once that it starts.
    assert not result.stdout or result.stdout.endswith(" TensorFlow ...\n")
    assert result.stdout.count("\n") <= 1
    assert result.stderr.startswith("kgen: ")
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def command(*args, code="from kgen import cli; cli.main()", **kwargs):
    """The arguments of `subprocess.run` for a command in its own process."""
    environment = {**os.environ, **kwargs.pop("env", {})}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return {
        "args": [sys.executable, "-c", code, *(str(arg) for arg in args)],
        "env": environment,
        "text": True,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        **kwargs,
    }


def config(run):
    return json.loads((run / "config.json").read_text())


def losses(run):
    with open(run / "history.csv", newline="") as lines:
        return [row["loss"] for row in csv.DictReader(lines)]


def assert_same_model(run, other):
    """Weights, the optimizers' state and random streams, bit for bit."""
    ours, theirs = (state(path / "model.keras") for path in (run, other))
    assert list(ours) == list(theirs)
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], name)


def state(file):
    """All arrays that a model's file holds, by their names."""
    found = {}
    with (
        zipfile.ZipFile(file) as archive,
        archive.open("model.weights.h5") as weights,
        h5py.File(weights, "r") as groups,
    ):
        groups.visititems(
            lambda name, item: (
                found.update({name: item[()]})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    assert any("optimizer" in name for name in found)
    assert any("seed" in name for name in found)
    return found


def arrays(path):
    with np.load(path) as file:
        return dict(file)


def everything(folder):
    return sorted(folder.rglob("*"))


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module", autouse=True)
def trainings(tmp_path_factory):
    """Models and exports are traced once; few trainings draw, blank pictures."""
    graphs = quick.Graphs(tmp_path_factory.mktemp("graphs"))
    with quick.trainings() as trainings, graphs.copied():
        yield trainings


@pytest.fixture
def no_epochs(monkeypatch):
    """Trainings do all but the epochs."""
    monkeypatch.setattr(training, "_fit", lambda *args: None)


def trained(factory, *args):
    """The directory of a run that `kgen train ARGS` made, with its pictures."""
    run = factory.mktemp("runs") / "run"
    with quick.pictures():
        kgen("train", *args, "--out", run)
    return run


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A run on the digits."""
    return trained(tmp_path_factory, "vae", *SMALL, "--epochs", 2)


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    """A conditional run on the digits."""
    options = ("--conditional", "--epochs", 1)
    return trained(tmp_path_factory, "vae", *SMALL, *options)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """A run on vectors of five numbers."""
    folder = tmp_path_factory.mktemp("vectors")
    x = np.random.default_rng(0).normal(size=(40, 5)).astype("float32")
    np.save(folder / "five.npy", x)
    run = folder / "run"
    source = ("--data", folder / "five.npy", "--latent-dim", 2)
    with quick.pictures():
        kgen("train", "vae", *SMALL, *source, "--epochs", 1, "--out", run)
    return run


@pytest.fixture(scope="module")
def gan(tmp_path_factory):
    """A run of a GAN on the digits."""
    return trained(tmp_path_factory, "gan", *SMALL, "--epochs", 2)


@pytest.fixture(scope="module")
def vaegan(tmp_path_factory):
    """A run of a VAE-GAN on the digits."""
    return trained(tmp_path_factory, "vaegan", *SMALL, "--epochs", 1)


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory):
    """A run of an autoencoder on the digits."""
    return trained(tmp_path_factory, "autoencoder", *SMALL, "--epochs", 1)


@pytest.fixture(scope="module")
def denoising(tmp_path_factory):
    """A run of a U-Net that denoises the digits."""
    options = ("--network", "unet", "--set", "filters=4")
    options += ("--set", "corruption=gaussian:0.25", "--epochs", 1)
    return trained(tmp_path_factory, "denoising_autoencoder", *options)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A run of a classifier of the digits by class densities."""
    options = ("--set", "density=full", "--epochs", 1)
    return trained(tmp_path_factory, "bayes_classifier", *options)


# Help


@pytest.mark.parametrize(
    "args", [["--help"], ["train", "--help"], ["runs", "."]]
)
def test_what_does_not_wait_for_tensorflow(args):
    code = (
        "import sys; from kgen import cli\n"
        "try: cli.main()\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print({'tensorflow', 'keras', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run(**command(*args, code=code))
    assert done.stderr == ""
    assert done.stdout.endswith("\nset()\n")


@pytest.mark.parametrize("args", [["--help"], ["train", "--help"], []])
def test_help_lists_what_there_is(args):
    text = kgen(*args)
    for name in (*registry.MODELS, *names.NETWORKS, *names.SOURCES):
        assert f"  {name} " in text
    # What the models are stands in a column.
    sentences = [entry.sentence for entry in registry.MODELS.values()]
    lines = [x for x in text.splitlines() if x.endswith(tuple(sentences))]
    (place,) = {line.index(s) for s, line in zip(sentences, lines, strict=True)}
    assert max(map(len, lines)) < 80 and lines[0][place - 1] == " "
    # Nothing is cut short for want of room.
    assert not any(line.endswith("...") for line in text.splitlines()[1:])


def test_help_shows_the_defaults():
    text = " ".join(kgen("train", "--help").split())
    for default in ("digits", "conv", "8, gan 16", "100, gan 150"):
        assert f"[default: {default}" in text
    assert "--image-shape HxWxC" in text


def test_version():
    assert "0.1.0" in kgen("--version")


# Training


def test_the_first_training_of_a_new_user(tmp_path):
    """In its own process, with the defaults, and TensorFlow's chatter on."""
    options = command(
        *("train", "vae", "--export", "--epochs", 2),
        cwd=tmp_path,
        env={"TFDS_DATA_DIR": str(tmp_path / "tfds")},
    )
    done = subprocess.run(**options)
    assert done.returncode == 0
    assert done.stderr == ""
    run = tmp_path / "runs" / "vae-1"
    found = {path.name for path in run.iterdir()}
    assert found == FILES | PICTURES | {"progress"}
    assert "The run is in runs/vae-1\n" in done.stdout
    assert "Exported saved_models/vae/1\n" in done.stdout
    assert "Downloading" not in done.stdout
    assert len(losses(run)) == 2
    assert len(list((run / "checkpoints").glob("epoch-*.h5"))) == 2
    for picture in PICTURES:
        with Image.open(run / picture) as image:
            assert min(image.size) > 200
    # The second one has the next number.
    text = kgen("train", "vae", *SMALL, "--export", "--epochs", 1)
    assert "The run is in runs/vae-2\n" in text
    assert "Exported saved_models/vae/2\n" in text
    exported = tmp_path / "saved_models" / "vae"
    assert sorted(os.listdir(exported)) == ["1", "2"]
    for number in "12":
        assert (exported / number / "saved_model.pb").is_file()


def test_a_training_tells_what_matters(monkeypatch, tmp_path):
    """And by --quiet nothing but where it is, by --verbose Keras's own lines."""
    eager.train_eagerly(monkeypatch)
    monkeypatch.setattr(training, "draw", lambda *args: None)
    data = tmp_path / "x.npy"
    np.save(data, np.random.default_rng(0).normal(size=(50, 2)))
    options = ("train", "vae", *SMALL, "--data", data, "--epochs", 2)
    lines = kgen(*options).splitlines()
    start = f"Training vae (variational autoencoder) on {data}."
    assert lines[0] == f"{start} Starting TensorFlow ..."
    heads = [line.split()[0] for line in lines[1:]]
    assert heads == [
        *("Data:", "Model:", "Train:", "Run:", "Epoch", "Epoch", "Trained"),
        *("The", "Next:", "kgen", "kgen", "kgen"),
    ]
    for name, line in zip(("evaluate", "sample", "export"), lines[-3:]):
        assert line.startswith(f"  kgen {name} runs/vae-1 ")
    assert kgen(*options, "--quiet") == "runs/vae-2\n"
    text = kgen(*options, "--verbose")
    assert text.count(" - elbo: ") == 2 and "Epoch 2/2\n" in text
    assert "--verbose exclude" in refused(*options, "--quiet", "--verbose")


def test_the_config_is_enough_to_repeat_the_run(plain):
    kept = config(plain)
    recipe = registry.MODELS["vae"].recipe
    chosen = {name: recipe[name] for name in ("activation", "optimizer")}
    assert kept["options"] == {**chosen, "hidden_units": [16]}
    assert kept["versions"]["keras"] == keras.__version__
    defaults = {"model": "vae", "data": "digits", "batch_size": 32, "seed": 0}
    assert defaults.items() <= kept.items()


def test_the_same_seed_gives_the_same_model(plain, trainings, tmp_path):
    """Also where the data set is prepared first, as on a new machine."""
    folder = ("--data-dir", tmp_path / "tfds")
    with trainings.anew():
        kgen("train", "vae", *SMALL, *folder, "--epochs", 2, "--out", "again")
    assert_same_model(plain, tmp_path / "again")
    assert losses(plain) == losses(tmp_path / "again")
    kgen("train", "vae", *SMALL, "--epochs", 1, "--seed", 1, "--out", "other")
    assert losses(plain)[:1] != losses(tmp_path / "other")


def test_vectors_have_no_pictures(vectors):
    found = {path.name for path in vectors.iterdir()}
    assert found == FILES | {"losses.png", "latent.png"}


def test_set_reaches_networks_model_and_compile(tmp_path, no_epochs):
    settings = (
        "hidden_units=(24, 12)",
        "kl_weight=4",
        "likelihood=bernoulli",
        "optimizer=adam:0.0005",
        "steps_per_execution=5",
    )
    options = [arg for setting in settings for arg in ("--set", setting)]
    base = ("train", "vae", *SMALL, "--epochs", 1, "--out", "run")
    kgen(*base, *options)
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    layers = model.encoder.layers
    widths = [layer.units for layer in layers if hasattr(layer, "units")]
    assert widths[:2] == [24, 12]
    assert model.kl_weight == 4
    assert type(model.likelihood).__name__ == "Bernoulli"
    assert float(model.optimizer.learning_rate) == pytest.approx(0.0005)
    assert model.steps_per_execution == 5
    kgen(*base, *options, "--resume")  # which knows them again


def test_overwrite_begins_anew(plain, tmp_path):
    base = ("train", "vae", *SMALL, "--out", "run", "--epochs")
    copied(plain)
    (tmp_path / "run" / "sample-1.png").touch()
    assert "holds a run already" in refused(*base, 1)
    kgen(*base, 1, "--overwrite")
    assert len(losses(tmp_path / "run")) == 1
    assert not (tmp_path / "run" / "sample-1.png").exists()


def test_a_rare_class_counts_wherever_it_fell(tmp_path, no_epochs):
    """The highest label may be in the test split alone."""
    x, labels = np.zeros((32, 4, 4, 1), "uint8"), np.zeros(32, "int64")
    parts = {"x_train": x, "y_train": labels, "x_test": x[:8]}
    np.savez("x.npz", **parts, y_test=[7] + [0] * 7)
    kgen(
        *("train", "vae", *SMALL, "--data", "x.npz", "--conditional"),
        *("--epochs", 1, "--out", "run"),
    )
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    assert model.num_classes == 8


def test_transparent_pictures_are_shown_on_a_background(tmp_path, no_epochs):
    """Which the run remembers, and one line tells."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(8):
        image = Image.new("RGBA", (4, 4), (200, number, 0, 0))
        image.save(pictures / f"{number}.png")
    args = ["train", "vae", *TINY, "--data", "pictures", "--epochs", 1]
    args += ["--background", "#0000ff", "--out", "run"]
    result = CliRunner().invoke(cli.main, [str(arg) for arg in args])
    assert result.exit_code == 0, result.output
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(f"kgen: {pictures} holds pictures with tra")
    assert config(tmp_path / "run")["background"] == "#0000ff"
    # Six pictures are too few for the default.
    assert config(tmp_path / "run")["fit_prior"] is None
    found = runs.Run("run").settings.source().examples("all").images
    assert (found == [0, 0, 255]).all()


def test_a_loss_that_is_no_number_ends_the_training(tmp_path):
    """With the state before it saved; a resume may answer to it otherwise."""
    base = ("train", "vae", *SMALL, "--set", "optimizer=sgd:1e9", "--epochs", 9)
    for answer, told in (
        (
            "stop",
            "run/model.keras holds the state before that step. Train again",
        ),
        (
            "rollback",
            "gone back 5 times before. run/model.keras holds the state",
        ),
    ):
        more = ["--resume"] if answer == "rollback" else []
        options = [*base, "--out", "run", "--on-nan", answer, *more]
        result = CliRunner().invoke(cli.main, [str(x) for x in options])
        assert result.exit_code == 2
        *said, line = result.stderr.splitlines()
        assert re.match(r"kgen: Epoch \d, step \d+: the .* became NaN or", line)
        assert told in line
        other = "rollback" if answer == "stop" else "skip"
        assert line.endswith(f"train vae --resume --out run --on-nan {other}")
        assert len(said) == (5 if answer == "rollback" else 0)
        assert runs.Run("run").settings.on_nan == answer
        model = keras.saving.load_model(tmp_path / "run" / "model.keras")
        assert all(np.isfinite(weight).all() for weight in model.weights)
        assert runs.Run("run").training_progress()["interrupted"]
    assert np.isfinite([float(x) for x in losses(tmp_path / "run")]).all()


# Interruptions

# A training that kills itself within its third epoch.
KILLED = """
import os, signal
from kgen import cli
from kgen.runs import checkpoints, directory

class Checkpoints(checkpoints.Checkpoints):
    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        if self.epochs == 2:
            os.kill(os.getpid(), signal.SIGKILL)

directory.Checkpoints = Checkpoints
cli.main()
"""


def assert_goes_on(model, finished):
    """The run in `run` becomes what is in `unbroken` when it is resumed."""
    assert len(losses(pathlib.Path("run"))) == finished
    assert "training has not finished" in refused("sample", "run")
    kgen("train", model, "--resume", "--out", "run")
    unbroken, run = pathlib.Path("unbroken"), pathlib.Path("run")
    assert_same_model(unbroken, run)
    histories = [
        (path / "history.csv").read_text().split() for path in (unbroken, run)
    ]
    assert histories[0] == histories[1]
    assert len(losses(run)) == 4
    assert len(list((run / "checkpoints").glob("epoch-*.h5"))) == 2


def test_a_killed_training_goes_on_as_if_nothing_was(trainings):
    """In a process of its own, by a real signal."""
    options = ("--conditional", "--binarize", "--kl-warmup", 5)
    base = ("train", "vae", *SMALL, *options, "--epochs", 4, "--out")
    done = subprocess.run(**command(*base, "run", code=KILLED))
    assert done.returncode == -signal.SIGKILL
    kgen(*base, "unbroken")
    with trainings.anew():
        assert_goes_on("vae", 2)


@pytest.mark.parametrize(
    "moment, model, options",
    [
        ("checkpoint", "vae", ()),
        ("batch", "gan", ("--conditional",)),
        ("checkpoint", "gan", ("--set", "discriminator_steps=2")),
        ("batch", "vaegan", ("--kl-warmup", 5)),
    ],
    ids=["vae", "gan", "two steps", "vaegan"],
)
def test_what_a_kill_leaves_goes_on_as_if_nothing_was(
    monkeypatch, moment, model, options
):
    """A kill leaves what the directory holds at that moment.

    It comes in the third epoch: between two batches, or between the row of the
    history and the checkpoint.
    """

    class Checkpoints(checkpoints.Checkpoints):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            self.copy("batch")

        def on_epoch_end(self, epoch, logs=None):
            self.copy("checkpoint")
            super().on_epoch_end(epoch, logs)

        def copy(self, at):
            if (at, self.epochs, os.path.exists("run")) == (moment, 2, False):
                shutil.copytree("unbroken", "run")

    with monkeypatch.context() as patch:
        patch.setattr(directory, "Checkpoints", Checkpoints)
        options = (*SMALL, *options, "--epochs", 4, "--checkpoint-every", "1e")
        kgen("train", model, *options, "--out", "unbroken")
    assert_goes_on(model, 2 if moment == "batch" else 3)


def test_a_finished_training_goes_on(tmp_path):
    """Also in the midst of a warm-up."""
    base = ("train", "vae", *SMALL, "--kl-warmup", 5, "--out")
    kgen(*base, "unbroken", "--epochs", 4)
    kgen(*base, "run", "--epochs", 2)
    kgen("train", "vae", "--resume", "--out", "run", "--epochs", 4)
    assert_same_model(tmp_path / "unbroken", tmp_path / "run")
    assert losses(tmp_path / "unbroken") == losses(tmp_path / "run")
    assert config(tmp_path / "run")["epochs"] == 4
    trained = runs.Run(tmp_path / "run").training_progress()
    assert trained == {"epochs": 4, "interrupted": False}


def test_a_fitted_prior_stays_with_the_run(
    autoencoder, gan, tmp_path, monkeypatch
):
    """Its model samples; also after more training, by a new fit."""
    run = tmp_path / "run"
    shutil.copytree(autoencoder, run)
    assert "can't sample" in refused("sample", run)
    before = (
        (run / "config.json").read_bytes(),
        (run / "model.keras").read_bytes(),
    )
    for prior, words in (
        ("mixtur:2", "did you mean"),
        ("vamp:3", "Expected one of"),
    ):
        assert words in refused("fit-prior", run, "--prior", prior)
    for prior in ("gaussian", "none"):
        assert "no codes" in refused("fit-prior", gan, "--prior", prior)
    after = (
        (run / "config.json").read_bytes(),
        (run / "model.keras").read_bytes(),
    )
    assert before == after
    (run / "metrics.json").write_text("[]")
    fitting = ["fit-prior", str(run), "--prior", "mixture:2"]
    result = CliRunner().invoke(cli.main, fitting)
    assert "with the prior mixture:2" in result.stdout
    assert "are of the model before this change" in result.stderr
    (run / "metrics.json").unlink()
    assert (run / "samples.png").exists()
    assert runs.Run(run).training_progress() == {
        "epochs": 1,
        "interrupted": False,
    }
    assert config(run)["fit_prior"] == "mixture:2"
    kgen("sample", run, "--num", 4, "--out", "one.npz")
    fitted = runs.Run(run).model().fitted_prior
    assert "can't sample" not in kgen("export", run)
    kgen("train", "autoencoder", "--resume", "--out", run, "--epochs", 2)
    again = runs.Run(run).model().fitted_prior
    assert not np.array_equal(fitted.means, again.means)  # the codes have moved
    # A training that begins with the name ends in the same model.
    options = (*SMALL, "--epochs", 2, "--fit-prior", "mixture:2")
    loads, load = [], runs.Run.model
    with monkeypatch.context() as patch:
        patch.setattr(
            runs.Run, "model", lambda run: loads.append(run) or load(run)
        )
        kgen("train", "autoencoder", *options, "--out", "other")
    assert len(loads) == 1  # what is fitted and drawn is what is returned
    assert config(tmp_path / "other")["fit_prior"] == "mixture:2"
    weights = [runs.Run(path).model().get_weights() for path in (run, "other")]
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # And back to the model as it was trained, by either command.
    assert "as it was trained" in kgen("fit-prior", run, "--prior", "none")
    resumed = ("train", "autoencoder", "--resume", "--epochs", 2)
    kgen(*resumed, "--out", "other", "--fit-prior", "none")
    for path in (run, tmp_path / "other"):
        assert runs.Run(path).model().fitted_prior is None
        assert config(path)["fit_prior"] is None
        assert not (path / "samples.png").exists()


def test_a_vae_without_a_learned_prior_samples_from_its_codes(tmp_path):
    base = ("train", "vae", *TINY, "--epochs", 1, "--out")
    for out, given, expected in (
        ("fitted", ("--set", "prior=normal"), "mixture:10"),
        ("learned", ("--set", "prior=flow:2"), None),
        ("plain", ("--fit-prior", "none", "--set", "activation=relu"), None),
    ):
        text = kgen(*base, out, *given)
        assert ("mixture:10 is fitted to the codes" in text) == bool(expected)
        assert config(tmp_path / out)["fit_prior"] == expected
        fitted = runs.Run(tmp_path / out).model().fitted_prior
        assert (fitted is not None) == (expected is not None)
    assert config(tmp_path / "plain")["options"]["activation"] == "relu"
    # A run of before the defaults were these goes on with its own.
    old = config(tmp_path / "plain") | {"options": {"hidden_units": [16]}}
    (tmp_path / "plain" / "config.json").write_text(json.dumps(old))
    kgen(*base, "plain", "--resume", "--fit-prior", "none")
    assert config(tmp_path / "plain")["options"] == {"hidden_units": [16]}


def test_outliers_are_detected(autoencoder, tmp_path):
    """The threshold is of the run's test split, and may be kept with the run."""
    run = tmp_path / "run"
    shutil.copytree(autoencoder, run)
    test = data.load("digits", "test", batch_size=1000)
    x = next(iter(test)).numpy()
    white = np.ones((5, 8, 8, 1), "float32")
    np.save("mixed.npy", np.concatenate([x[:20], white]))
    before = (run / "model.keras").read_bytes()
    text = kgen("detect", run, "--data", "mixed.npy", "--quantile", 0.9)
    with open(run / "detect-1.csv", newline="") as lines:
        table = list(csv.DictReader(lines))
    model = runs.Run(run).model()
    scores = model.outlier_score(np.load("mixed.npy"))
    threshold = np.quantile(model.outlier_score(x), 0.9)
    found = [float(row["outlier_score"]) for row in table]
    np.testing.assert_allclose(found, scores, rtol=1e-5)
    expected = [str(score > threshold) for score in scores]
    assert [row["is_outlier"] for row in table] == expected
    assert expected[-5:] == ["True"] * 5 and expected.count("False") > 10
    assert f"detect-1.csv: {expected.count('True')} of 25 examples" in text
    assert f"{threshold:.5g}"[:4] in text
    assert "the 0.9 quantile of 360 examples of the run" in text
    assert (run / "model.keras").read_bytes() == before
    keep = ("--quantile", 0.5, "--save-threshold", "--out", "x.csv")
    kgen("detect", run, "--data", "mixed.npy", *keep)
    kept = runs.Run(run).model().threshold
    middle = np.median(model.outlier_score(x))
    np.testing.assert_allclose(kept, middle, rtol=1e-5)
    trained = runs.Run(run).training_progress()
    assert trained == {"epochs": 1, "interrupted": False}
    text = kgen("detect", run, "--data", "mixed.npy", "--out", "y.csv")
    assert "nats, the model's threshold" in text
    assert (
        pathlib.Path("x.csv").read_bytes() == pathlib.Path("y.csv").read_bytes()
    )
    kgen("export", run, "--to", "to")
    signatures = tf.saved_model.load("to/autoencoder/1").signatures
    outputs = signatures["outlier_score"].structured_outputs
    assert set(outputs) == {"outlier_score", "is_outlier"}
    line = refused("detect", run, "--data", "mixed.npy", "--num-samples", 3)
    assert "`num_samples` of `Autoencoder.fit_threshold`" in line


def test_outliers_by_other_models(gan, classifier, conditional):
    line = refused("detect", gan, "--data", "digits")
    assert "model gan, which can't detect" in line
    for number, run in enumerate((classifier, conditional)):
        options = ("--data", "digits", "--out", f"{number}.csv")
        text = kgen("detect", run, *options)
        assert "of 360 examples are outliers" in text


def test_ctrl_c_leaves_a_model(tmp_path):
    """Wherever a training in a process of its own is."""
    run = tmp_path / "run"
    base = ("train", "vae", *SMALL, "--epochs", 100_000, "--out", run)
    # A process in the background may have been told to ignore Ctrl-C.
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(**command(*base), **heed) as training:
        end = time.monotonic() + 300
        while time.monotonic() < end and not any(
            run.glob("checkpoints/epoch*.h5")
        ):
            time.sleep(0.05)
        line = refused("train", "vae", "--resume", "--out", run)
        assert f"in use by another kgen process (PID {training.pid} on " in line
        line = refused("evaluate", run, "--data", "digits")
        training.send_signal(signal.SIGINT)
        _, error = training.communicate(timeout=300)
    assert_interrupted(run, training.returncode, signal.SIGINT, error)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_model(tmp_path, monkeypatch, number):
    """Here at a moment that is known, in the second epoch."""
    run = tmp_path / "run"

    class Checkpoints(checkpoints.Checkpoints):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if self.epochs == 1:
                signal.raise_signal(number)

    args = ("train", "vae", *SMALL, "--epochs", 3, "--out", run)
    # This process may have been told to ignore Ctrl-C.
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(directory, "Checkpoints", Checkpoints)
            result = CliRunner().invoke(cli.main, [str(arg) for arg in args])
    finally:
        signal.signal(signal.SIGINT, ours)
    done = assert_interrupted(run, result.exit_code, number, result.stderr)
    assert done == 1


def assert_interrupted(run, status, number, error):
    """A training ended as by a signal, and goes on; returns its whole epochs."""
    assert status == 128 + number
    assert error.startswith(f"kgen: interrupted. {run / 'model.keras'} holds")
    assert error.count("\n") == 1
    kgen("sample", run)
    trained = runs.Run(run).training_progress()
    done = trained["epochs"]
    assert trained["interrupted"] and len(losses(run)) - done in (0, 1)
    kgen("train", "vae", "--resume", "--out", run, "--epochs", done + 1)
    assert len(losses(run)) == done + 1
    return done


def test_ctrl_c_before_there_is_a_model_promises_none(monkeypatch):
    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(settings, "open_source", interrupt)
    result = CliRunner().invoke(cli.main, ["train", "vae"])
    assert result.exit_code == 130
    assert not os.path.exists("runs")  # the number that was taken is free
    assert result.stderr.strip() == "kgen: interrupted."


# Using a run


@pytest.mark.parametrize("name", ["plain", "conditional"])
def test_sample(request, tmp_path, name):
    run = request.getfixturevalue(name)
    for out in ("a.npz", "b.npz", "c.png"):
        assert kgen("sample", run, "--num", 5, "--out", out) == f"Wrote {out}\n"
    kgen("sample", run, "--num", 5, "--seed", 1, "--out", "d.npz")
    a, b, d = (arrays(f"{name}.npz")["images"] for name in "abd")
    assert a.shape == (5, 8, 8, 1)
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - d).max() > 0.01
    with Image.open("c.png") as image:
        assert min(image.size) > 400
    model = keras.saving.load_model(run / "model.keras")
    labels = np.arange(5) if model.conditional else None
    np.testing.assert_array_equal(a, model.sample(5, labels, seed=0))


def test_two_commands_at_once_take_two_names(plain, monkeypatch):
    """The other one is quicker here."""
    copied(plain)

    def sample(run, model, **options):
        (run.path / "sample-1.png").touch()
        return inference.Result({"images": np.zeros((1, 8, 8, 1))})

    monkeypatch.setitem(inference._FUNCTIONS, "sample", sample)
    assert kgen("sample", "run") == "Wrote run/sample-2.png\n"
    assert not os.path.getsize("run/sample-1.png")


def test_sample_of_one_class(conditional):
    kgen("sample", conditional, "--label", 3, "--num", 4, "--out", "x.npz")
    model = keras.saving.load_model(conditional / "model.keras")
    np.testing.assert_array_equal(
        arrays("x.npz")["images"], model.sample(4, labels=3, seed=0)
    )


@pytest.mark.parametrize("name", ["plain", "conditional"])
def test_reconstruct(request, name):
    run = request.getfixturevalue(name)
    kgen("reconstruct", run, "--num", 7, "--out", "x.npz")
    kgen("reconstruct", run, "--out", "x.png")
    assert os.path.getsize("x.png") > 1000
    pair = arrays("x.npz")
    model = keras.saving.load_model(run / "model.keras")
    # Of data that lies class by class, the first ones would be of one class.
    drawn = subset(data.open_source("digits").examples("test"), 7)
    batches = drawn.batches(labels=True, batch_size=7)
    x, labels = (part.numpy() for part in next(iter(batches)))
    np.testing.assert_array_equal(pair["original"], x)
    inputs = [x, labels] if model.conditional else x
    np.testing.assert_allclose(
        pair["reconstruction"], model.reconstruct(inputs), atol=1e-6
    )


@pytest.mark.parametrize("name", ["plain", "conditional"])
def test_encode(request, name):
    assert "360 codes of size 16" in kgen(
        "encode", request.getfixturevalue(name), "--out", "x.npz"
    )
    codes = arrays("x.npz")
    assert codes["mean"].shape == codes["log_var"].shape == (360, 16)
    assert np.bincount(codes["labels"]).min() > 30


# Evaluation


def evaluate(*args):
    """Judges runs; returns the table and what metrics.json holds, by metric."""
    text = kgen("evaluate", *args)
    *_, last = text.splitlines()
    file, report = re.fullmatch(r"Wrote (.*) and (.*)", last).groups()
    assert "data:image/png;base64" in pathlib.Path(report).read_text()
    found = json.loads(pathlib.Path(file).read_text())
    return " ".join(text.split()), [one["metrics"] for one in found]


FEW = ("--num-samples", 150, "--importance-samples", 5, "--out", "to")


def assert_judged(text, found):
    """What all runs of pictures of digits are judged by that have codes."""
    assert found["elbo"]["value"] < found["log_likelihood"]["value"]
    assert found["log_likelihood"]["standard_error"] > 0
    distance = found["frechet_distance"]
    assert 0 < distance["floor"] < distance["value"]
    assert "a classifier of digits" in text and "is no FID" in text


def test_evaluate_compares_runs(plain, gan):
    text, (one, other) = evaluate(plain, gan, *FEW[:4])
    assert text.endswith(
        "Wrote evaluations/evaluation-1/metrics.json and "
        "evaluations/evaluation-1/report.html"
    )
    assert set(other) < set(one)
    assert "*" in text
    assert_judged(text, one)
    assert "knn_accuracy" in one and "sample_accuracy" not in one


def test_evaluate_runs_that_take_labels_and_others(conditional, vaegan):
    text, found = evaluate(conditional, vaegan, *FEW)
    for one, takes_labels in zip(found, (True, False)):
        assert_judged(text, one)
        assert ("sample_accuracy" in one) is takes_labels
        assert ("knn_accuracy" in one) is not takes_labels


def test_evaluate_without_labels(vectors):
    text, (found,) = evaluate(vectors, *FEW)
    assert "features: raw numbers" in text or "pixels" in text
    assert "elbo" in found and "sample_sharpness" not in found


def test_evaluate_what_does_not_sample(autoencoder):
    _, (found,) = evaluate(autoencoder, *FEW)
    assert set(found) == {
        "mse",
        "psnr",
        "reconstruction_sharpness",
        "knn_accuracy",
        "logistic_accuracy",
    }


def test_evaluate_what_denoises(denoising):
    _, (found,) = evaluate(denoising, *FEW, "--metrics", "denoised_psnr")
    assert set(found) == {"denoised_psnr"}


def test_evaluate_a_classifier(classifier):
    _, (found,) = evaluate(classifier, *FEW)
    assert found["accuracy"]["value"] > 0.95
    assert found["sample_accuracy"]["value"] > 0.8


def test_an_evaluation_is_not_lost(gan):
    shutil.copytree(gan, "run")
    fast = ("run", "--metrics", "sample_sharpness", "--num-samples", 50)
    evaluate(*fast)
    before = pathlib.Path("run/report.html").read_bytes()
    line = refused("evaluate", *fast)
    assert "run/metrics.json exists already. Pass --overwrite" in line
    assert pathlib.Path("run/report.html").read_bytes() == before
    evaluate(*fast, "--overwrite")


def test_a_metric_that_can_t_be_had_is_refused_before_work(plain, monkeypatch):
    monkeypatch.setattr("kgen.extractors.get", None)  # no classifier is trained
    line = refused("evaluate", plain, "--metrics", "frechet_distance,ssim")
    assert "'ssim' can't be computed: pictures are smaller than 11" in line


def test_a_run_that_has_diverged_is_named(gan):
    shutil.copytree(gan, "run")
    model = runs.Run("run").model()
    for weight in model.weights:  # the average of the generator's, too
        if "float" in weight.dtype:
            weight.assign(np.full(weight.shape, np.nan))
    model.save("run/model.keras")
    line = refused("evaluate", "run", *FEW)
    assert "run: The model's samples are not finite" in line


def test_runs_of_different_data_are_not_compared(plain, vectors):
    line = refused("evaluate", plain, vectors)
    assert "trained on different data" in line


def folder_of_digits(path, classes):
    """Digits as class folders; `classes` are the names of 0, 1, ..."""
    test = data.open_source("digits").examples("test")
    pairs = zip(test.images[:120], test.labels[:120])
    for number, (x, y) in enumerate(pairs):
        if y < len(classes):
            file = path / classes[y] / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(x[..., 0]).save(file)
    return path


def test_evaluate_by_data_of_other_classes(
    tmp_path, plain, autoencoder, conditional
):
    """Labels would be other classes to a model that takes them."""
    same = folder_of_digits(tmp_path / "same", "0123456789")
    fewer = folder_of_digits(tmp_path / "fewer", "56789")
    other = folder_of_digits(tmp_path / "other", "abcdefghij")
    line = refused("evaluate", conditional, "--data", other)
    assert "classes of other (a, b, c, d, e, f, g, h, i, j)" in line
    assert "trained on (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)" in line
    assert "of fewer (5, 6," in refused(
        "evaluate", plain, conditional, "--data", fewer
    )
    _, (found,) = evaluate(
        conditional, "--data", same, *FEW, "--metrics", "sample_accuracy,psnr"
    )
    assert set(found) == {"sample_accuracy", "psnr"}
    # One that takes none learns nothing of classes that are others.
    psnr = []
    for folder, probes in ((same, {"knn_accuracy"}), (other, set())):
        _, (found,) = evaluate(
            autoencoder, "--data", folder, *FEW, "--overwrite"
        )
        assert set(found) & {"knn_accuracy"} == probes
        psnr.append(found["psnr"])
    assert psnr[0] == psnr[1]


def test_data_that_can_t_judge_are_refused_before_work(
    conditional, monkeypatch
):
    """Before a classifier is trained; classes without names, by numbers."""
    monkeypatch.setenv("KGEN_CACHE", "cache")
    x = np.zeros((24, 8, 8, 1), "float32")
    np.savez("more.npz", x_test=x, y_test=np.arange(24) % 12)
    line = refused("evaluate", conditional, "--data", "more.npz")
    assert "the classes of more (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...)" in line
    np.savez("bare.npz", x_test=x)
    line = refused("evaluate", conditional, "--data", "bare.npz")
    assert "one for each example: the networks take them" in line
    np.savez("small.npz", x_test=x[:, 1:], y_test=np.arange(24) % 10)
    line = refused("evaluate", conditional, "--data", "small.npz")
    assert "an array of shape (24, 7, 8, 1)" in line
    assert not pathlib.Path("cache").exists()


def test_evaluate_an_autoencoder_by_test_examples_alone(autoencoder):
    """What PCA learns from is the run's own data, there or not."""
    x = data.open_source("digits").examples("test").images[:80]
    np.savez("tests.npz", x_test=x)
    evaluate(autoencoder, "--data", "tests.npz", *FEW)
    assert "Size of the code" in pathlib.Path("to/report.html").read_text()
    shutil.copytree(autoencoder, "run")
    settings = config(pathlib.Path("run"))
    settings["data"] = os.path.abspath("gone")
    pathlib.Path("run/config.json").write_text(json.dumps(settings))
    evaluate("run", "--data", "tests.npz", *FEW, "--overwrite")
    assert "Size of the code" not in pathlib.Path("to/report.html").read_text()
    assert "no file or folder" in refused(
        "evaluate", "run", *FEW[-2:], "--overwrite"
    )


def test_vectors_are_written_as_arrays(vectors):
    assert kgen("sample", vectors).endswith("sample-1.npz\n")
    assert kgen("sample", vectors).endswith("sample-2.npz\n")
    assert arrays(vectors / "sample-1.npz")["images"].shape == (64, 5)
    assert kgen("reconstruct", vectors).endswith("reconstruct-1.npz\n")
    assert "8 codes of size 2" in kgen("encode", vectors)
    assert "labels" not in arrays(vectors / "encode-1.npz")
    for name in ("sample", "reconstruct"):
        assert "can't be drawn" in refused(name, vectors, "--out", "x.png")


def test_an_autoencoder_s_run(autoencoder):
    pictures = {path.name for path in autoencoder.glob("*.png")}
    assert pictures == {*CODES, *WAYS, "losses.png", "errors.png"}
    assert "360 codes of size 8" in kgen("encode", autoencoder)
    codes = arrays(autoencoder / "encode-1.npz")
    assert codes["z"].shape == (360, 8) and len(codes["labels"]) == 360
    kgen("reconstruct", autoencoder, "--out", "x.png")
    for method in ("sample", "denoise"):
        line = refused(method, autoencoder)
        assert f"model autoencoder, which can't {method}" in line


def test_a_classifier_s_run(classifier):
    found = {path.name for path in classifier.glob("*.png")}
    assert found == {*DRAWN, "confusion.png"}  # a count has no curve
    assert "classify-1.npz: 360 examples" in kgen("classify", classifier)
    found = arrays(classifier / "classify-1.npz")
    p = np.exp(found["log_probabilities"])
    assert p.shape == (360, 10)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-12)
    assert np.mean(found["predicted"] == found["labels"]) > 0.95
    assert "which can't encode" in refused("encode", classifier)


def test_a_denoising_run(denoising):
    pictures = {path.name for path in denoising.glob("*.png")}
    assert pictures == {*CODES, "losses.png", "denoised.png"}
    kgen("encode", denoising, "--out", "x.npz")
    assert arrays("x.npz")["z"].shape == (360, 8)


def test_a_gan_s_run(gan):
    found = {path.name for path in gan.iterdir()}
    more = {"best.keras", "losses.png", "progress"}
    assert found == FILES | DRAWN | WAYS | more
    assert len(list((gan / "progress").iterdir())) == 2
    kgen("sample", gan, "--num", 5, "--out", "x.npz")
    model = keras.saving.load_model(gan / "model.keras")
    np.testing.assert_array_equal(
        arrays("x.npz")["images"], model.sample(5, seed=0)
    )
    for method in ("encode", "reconstruct", "denoise"):
        line = refused(method, gan)
        assert f"model gan, which can't {method}" in line
    kgen("export", gan, "--to", "to")
    signatures = tf.saved_model.load("to/gan/1").signatures
    assert set(signatures) == {"serving_default", "sample", "discriminate"}


def test_a_vaegan_s_run(vaegan):
    found = {path.name for path in vaegan.iterdir()}
    assert found == FILES | PICTURES | {"best.keras", "progress"}
    kgen("sample", vaegan, "--num", 5, "--out", "x.npz")
    assert "360 codes of size 16" in kgen("encode", vaegan)
    kgen("reconstruct", vaegan, "--num", 3, "--out", "x.png")
    kgen("export", vaegan, "--to", "to")
    signatures = tf.saved_model.load("to/vaegan/1").signatures
    names = {"serving_default", "encode", "decode", "sample", "discriminate"}
    assert set(signatures) == names | {"outlier_score"}


def test_a_conditional_gan_s_run():
    options = (*SMALL, "--conditional", "--epochs", 1)
    with quick.pictures():
        kgen("train", "gan", *options, "--out", "run", "--export")
    kgen("sample", "run", "--label", 3, "--num", 4, "--out", "x.png")
    kgen("sample", "run", "--num", 20, "--out", "x.npz")
    assert pathlib.Path("run/interpolations.png").exists()


def test_a_gan_of_points_in_the_plane():
    x = np.random.default_rng(0).normal(size=(200, 2)).astype("float32")
    np.save("x.npy", x)
    options = (*SMALL, "--data", "x.npy", "--latent-dim", 2, "--epochs", 2)
    with quick.pictures():
        kgen("train", "gan", *options, "--out", "run")
    found = {path.name for path in pathlib.Path("run").glob("*.png")}
    assert found == DRAWN | {"losses.png"}
    assert kgen("sample", "run").endswith("sample-1.png\n")


def test_a_gan_in_trouble_says_so():
    """A generator that doesn't learn, against one that learns fast."""
    result = CliRunner().invoke(
        cli.main,
        [
            *("train", "gan", *SMALL, "--epochs", "12", "--out", "run"),
            *("--set", "optimizer=sgd:0", "--set", "penalty=None"),
            *("--set", "discriminator_optimizer=adam:0.01"),
        ],
    )
    assert result.exit_code == 0
    assert result.stderr.startswith("kgen: epoch ")
    assert "the discriminator has won" in result.stderr
    assert "Try a stronger penalty (penalty=r1:10)" in result.stderr


def test_denoise_the_run_s_own_data(denoising):
    text = kgen("denoise", denoising)
    assert text.startswith(f"Wrote {denoising / 'denoise-1.npz'}: PSNR ")
    rows = arrays(denoising / "denoise-1.npz")
    assert set(rows) == {"original", "noisy", "denoised"}
    noise = rows["noisy"] - rows["original"]
    assert np.std(noise) == pytest.approx(0.25, rel=0.02)
    # Each batch has noise of its own.
    assert np.abs(noise[:100] - noise[256:356]).max() > 0.5
    kgen("denoise", denoising, "--num", 8, "--out", "x.png")
    with Image.open("x.png") as image:
        assert min(image.size) > 200


def test_denoise_pictures_of_any_range(denoising):
    noisy = np.random.default_rng(0).normal(size=(10, 8, 8, 1))
    np.save("noisy.npy", noisy.astype("float32"))
    source = ("--data", "noisy.npy")
    text = kgen("denoise", denoising, *source, "--out", "x.npz")
    assert text == "Wrote x.npz\n"
    rows = arrays("x.npz")
    np.testing.assert_array_equal(rows["noisy"], noisy.astype("float32"))
    model = keras.saving.load_model(denoising / "model.keras")
    np.testing.assert_allclose(
        rows["denoised"], model.denoise(noisy), atol=1e-5
    )
    assert "values in [0, 1]" in refused("reconstruct", denoising, *source)
    assert "10 codes" in kgen("encode", denoising, *source, "--out", "z.npz")
    noisy[0] = np.nan
    np.save("nan.npy", noisy)
    assert "NaN" in refused("denoise", denoising, "--data", "nan.npy")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("autoencoder --network unet", "skip connections would lead"),
        ("autoencoder --kl-warmup 2", "has no KL term"),
        ("autoencoder --fit-prior mixture:0", "a positive integer"),
        ("autoencoder --latent-dim 1 --fit-prior flow:2", "at least 2"),
        ("gan --fit-prior mixture:3", "no codes that could be drawn"),
        ("vae --set prior=vampp:3", "did you mean 'vamp'"),
        ("vae --set prior=vamp:0", "a positive integer"),
        ("autoencoder --set likelihood=maee", "did you mean 'mae'"),
        ("autoencoder --set corruption=masking:0.1", "Expected one of"),
        ("denoising_autoencoder --set corruption=masking:2", "at most 1"),
        ("denoising_autoencoder --set corruption=gausian:1", "did you mean"),
        ("denoising_autoencoder --set corruption=0.5", "one of 'gaussian'"),
        ("denoising_autoencoder --network unet --set blocks=0", "positive"),
        ("gan --set discriminator_steps=0", "discriminator_steps=0"),
        ("gan --set loss=hinge_loss", "did you mean 'hinge'"),
        ("gan --set penalty=r3", "Expected one of"),
        ("gan --set discriminator_steps=65", "Raise batch_size"),
        ("gan --set pack=65", "Raise batch_size"),
        ("gan --conditional --set pack=2", "no packing with labels"),
        ("gan --kl-warmup 2", "has no KL term"),
        ("gan --network unet", "skip connections"),
        ("vae --set loss=hinge", "loss"),
        ("vaegan --set feature_weight=2", "from 0 to 1"),
        ("vaegan --set feature_layer=last", "Expected one of"),
    ],
)
def test_settings_that_are_refused(tmp_path, args, words):
    assert words in refused("train", *args.split())
    assert not everything(tmp_path)


def test_another_source(plain):
    x = np.random.default_rng(0).random((10, 8, 8, 1)).astype("float32")
    np.save("other.npy", x)
    assert "10 codes" in kgen("encode", plain, "--data", "other.npy")


def test_export(plain, tmp_path):
    for number in (1, 2):
        path = os.path.join("to", "vae", str(number))
        text = kgen("export", plain, "--to", "to")
        assert text.startswith(f"Exported {path}\n")
    assert sorted(os.listdir(tmp_path / "to" / "vae")) == ["1", "2"]
    loaded = tf.saved_model.load(str(tmp_path / "to" / "vae" / "1"))
    assert "sample" in loaded.signatures


def test_out_is_not_overwritten_by_itself(plain):
    pathlib.Path("x.png").write_text("mine")
    for name in ("sample", "reconstruct"):
        assert "x.png exists already" in refused(name, plain, "--out", "x.png")
    assert pathlib.Path("x.png").read_text() == "mine"
    kgen("sample", plain, "--out", "x.png", "--overwrite")
    assert os.path.getsize("x.png") > 1000


# Mistakes


@pytest.fixture
def mistakes(tmp_path):
    """A folder of what can't be trained on, and of what is in the way."""
    x = np.random.default_rng(0).random((20, 8, 8, 1)).astype("float32")
    nan = x.copy()
    nan[3] = np.nan
    sources = {
        "large": 3 * x,
        "nan": nan,
        "int": (255 * x).astype("int64"),
        "vectors": 2 * x.reshape(20, 64),
        "good": x,
    }
    for name, array in sources.items():
        np.save(tmp_path / f"{name}.npy", array)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("text")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "thesis.txt").write_text("text")
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "config.json").write_text('{"name": "mine"}')
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "config.json").write_text("{")
    return tmp_path


@pytest.mark.parametrize(
    "args, words",
    [
        ("vea", "no model 'vea'. Did you mean 'vae'?"),
        ("VAE", "Did you mean 'vae'?"),
        ("vae --data digitz", "Did you mean 'digits'?"),
        ("vae --network cnov", "Did you mean 'conv'?"),
        ("vae --latent-dm 3", "Did you mean"),
        ("", "Missing argument 'MODEL'"),
        ("vae --latent-dim 0", "Expected a positive integer. Received: la"),
        ("vae --epochs 0", "Expected a positive integer. Received: epochs=0"),
        ("vae --epochs many", "'many' is not a valid integer"),
        ("vae --batch-size 0", "Received: batch_size=0"),
        ("vae --seed -1", "not in the range"),
        ("vae --kl-warmup nan", "Expected a finite number"),
        ("vae --kl-warmup -2", "of at least 0"),
        ("vae --image-shape 8x8x", "expected HxWxC"),
        ("vae --background whight", "`background` of `load`. Expected an op"),
        ("vae --set background=red", "set by the option --background"),
        ("vae --set model=gan", "set by the argument MODEL"),
        ("vae --set kinds=count", "set by the option --kind."),
        ("vae --set laten_dim=4", "(did you mean the option --latent-dim?)"),
        ("vae --out project", "something that is not a run"),
        ("vae --out file.txt", "is a file"),
        ("vae --out file.txt/run", "file.txt is a file"),
        ("vae --out node", "is not a run's"),
        ("vae --out node --overwrite", "is not a run's"),
        ("vae --out damaged --overwrite", "damaged/config.json can't be read"),
        ("vae --out damaged --resume", "damaged/config.json can't be read"),
        ("vae --data large.npy", "values in [0, 1]"),
        ("vae --data nan.npy", "NaN or infinity"),
        ("vae --data int.npy", "an array of int64"),
        ("vae --data good.npy --conditional", "no labels"),
        ("vae --data empty", "holds no data"),
        ("vae --data file.txt", "unknown kind"),
        ("vae --data nowhere.npy", "no file or folder nowhere.npy"),
        ("vae --set kl_weight", "expected NAME=VALUE"),
        ("vae --set =3", "expected NAME=VALUE"),
        ("vae --set kl_wieght=3", "(did you mean 'kl_weight'?)"),
        ("vae --set kl_weight=-1", "Received: kl_weight=-1"),
        ("vae --set kl_weight=", "Received: kl_weight="),
        ("vae --set likelihood=nonsense", "Received: likelihood='nonsense'"),
        ("vae --set hidden_units=many", "hidden_units="),
        ("vae --set hidden_units=3", "hidden_units=3"),
        ("vae --set hidden_units={1}", "hidden_units="),
        ("vae --set activation=rleu", "rleu"),
        ("vae --set optimizer=adm", "adm"),
        ("vae --set latent_dim=3", "--latent-dim"),
        ("vae --resume", "--resume needs --out"),
        ("vae --resume --out project", "holds no run"),
        ("vae --resume --overwrite --out project", "exclude each other"),
        (
            "vae --network dense --data vectors.npy --set likelihood=bernoulli",
            "Expected values in [0, 1]; scale the data",
        ),
    ],
)
def test_train_refuses(mistakes, args, words):
    args = args.split()
    if "--out" not in args and args[:1] == ["vae"] and "--resume" not in args:
        args += ["--out", "run"]
    before = everything(mistakes)
    assert words in refused("train", *args)
    # Before anything was written.
    assert everything(mistakes) == before


@pytest.mark.parametrize(
    "args, words",
    [
        ("trian vae", "no command 'trian'. Did you mean 'train'?"),
        ("--nonsense", "No such option"),
        ("sample", "Missing argument 'RUN'"),
        ("sample nowhere", "nowhere holds no run"),
        ("sample project", "project holds no run"),
        ("sample file.txt", "file.txt holds no run"),
        ("sample damaged", "damaged/config.json can't be read"),
        ("export node", "is not a run's"),
    ],
)
def test_commands_refuse(mistakes, args, words):
    assert words in refused(*args.split())


@pytest.mark.parametrize(
    "args, words",
    [
        ("sample RUN --num 0", "not in the range"),
        ("sample RUN --out x.jpg", "ends in .png or .npz"),
        ("sample RUN --out file.txt/x.png", "file.txt"),
        ("sample RUN --label 3", "the model is not conditional"),
        ("encode RUN --out x.png", "ends in .npz"),
        ("encode RUN --data digitz", "Did you mean 'digits'?"),
        ("encode RUN --data vectors.npy", "Expected shape (batch, 8, 8, 1)"),
        ("evaluate RUN --data vectors.npy", "an array of shape (20, 64)"),
        ("reconstruct RUN --data vectors.npy", "Expected shape"),
        ("reconstruct RUN --data nan.npy", "NaN or infinity"),
        ("evaluate RUN --data nan.npy", "NaN or infinity"),
        ("evaluate RUN --metrics psrn", "did you mean 'psnr'"),
        ("evaluate RUN --metrics accuracy", "VAE: no accuracy"),
        ("evaluate RUN --extractor pixel", "Expected"),
        ("evaluate RUN --extractor no/model.keras", "no/model.keras"),
        ("evaluate RUN --num-samples 1", "not in the range"),
        ("evaluate RUN --metrics mse,", "`metrics` of `kgen evaluate`"),
        ("evaluate RUN --metrics=", "expected names"),
        ("evaluate RUN missing", "holds no run"),
        ("evaluate", "Missing argument"),
        ("export RUN --to file.txt", "is a file"),
        ("train vae --resume --out RUN --latent-dim 9", "latent-dim 16"),
        ("train vae --resume --out RUN --set kl_weight=2", "hidden_units"),
        ("train vae --resume --out RUN --seed 1", "--seed 0"),
        ("train vae --resume --out RUN --background red", "background white"),
        ("train vae --resume --out RUN --data good.npy", "--data digits"),
        ("train vae --resume --out RUN --conditional", "--conditional False"),
        ("train vae --resume --out RUN --epochs 1", "seen 2 epochs already"),
    ],
)
def test_commands_on_a_run_refuse(mistakes, plain, args, words):
    before = everything(plain), config(plain)
    args = [plain if arg == "RUN" else arg for arg in args.split()]
    assert words in refused(*args)
    assert (everything(plain), config(plain)) == before


@pytest.mark.parametrize("label", [10, -1])
def test_a_label_that_is_no_class(conditional, label):
    line = refused("sample", conditional, "--label", label)
    assert "integers from 0 to 9" in line


def test_a_conditional_run_needs_labels(mistakes, conditional):
    line = refused("encode", conditional, "--data", "good.npy")
    assert "one for each example" in line


def copied(run):
    """A copy of a run, as `run`."""
    shutil.copytree(run, "run")
    return pathlib.Path("run")


def test_data_that_have_changed(tmp_path):
    """A run does not go on with them; what evaluates by them says so."""
    x = np.random.default_rng(0).random((60, 4), "float32")
    base = ("train", "vae", *SMALL, "--out", "run", "--epochs")
    np.savez("data.npz", x=x)
    kgen(*base, 1, "--data", "data.npz")
    for changed, text in (
        (x[:50], "before: train 48, test 12; now: train 40, test 10"),
        (x[::-1], "in another order"),
    ):
        np.savez("data.npz", x=changed)
        assert text in refused(*base, 2, "--resume")
        args = ("evaluate", "run", "--metrics", "elbo", "--overwrite")
        result = CliRunner().invoke(cli.main, args)
        assert result.exit_code == 0 and text in result.stderr
    np.savez("data.npz", x=x)
    (tmp_path / "run" / "metrics.json").unlink()
    told = kgen(*base, 2, "--resume")
    assert "48 vectors of 4 numbers" in told and "12 more (test)" in told


@pytest.mark.parametrize("at", [None, 0, 0.1, 0.5, 0.9])
def test_a_damaged_model_is_named(plain, at):
    """Cut short, or with a byte changed somewhere."""
    file = copied(plain) / "model.keras"
    content = bytearray(file.read_bytes())
    if at is None:
        content = content[:1000]
    else:
        content[int(at * len(content))] ^= 255
    file.write_bytes(content)
    line = refused("sample", "run")
    assert "run/model.keras can't be read: it is damaged" in line
    assert "kgen train vae --resume --out run" in line
    assert "elete" not in line


# Files, disks and directories


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EFBIG, errno.EACCES, errno.EIO, errno.EMFILE]
)
@pytest.mark.parametrize("args", [("sample",), ("evaluate", *FEW), ("export",)])
def test_a_fault_of_the_systems_is_no_damage(plain, monkeypatch, number, args):
    """Keras unpacks the archive in the folder for temporary files."""

    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(zipfile.ZipFile, "extractall", fail)
    line = refused(args[0], plain, *args[1:])
    assert os.strerror(number) in line and tempfile.gettempdir() in line
    assert files.ADVICE[number] in line
    assert "elete" not in line and "damaged" not in line


def test_a_config_that_does_not_fit_the_checkpoint(plain):
    """The checkpoint is not to blame."""
    run = copied(plain)
    settings = config(run)
    settings["latent_dim"] = 5
    (run / "config.json").write_text(json.dumps(settings))
    line = refused("train", "vae", "--resume", "--out", "run", "--epochs", 3)
    assert "and config.json do not fit each other" in line
    assert "elete" not in line and "can't be read" not in line
    assert len(list(run.glob("checkpoints/*.h5"))) == 2


@pytest.mark.parametrize(
    "change, words",
    [
        ("[" * 100_000, "can't be read"),
        ("null", "is not a run's"),
        (
            {"options": [1]},
            "`options` of `kgen train`. Expected an object. Received: options=[1]",
        ),
        ({"model": "vea"}, "`model` of `kgen train`. Expected one of"),
        ({"model": ["vae"]}, "`model` of `kgen train`. Expected one of"),
        ({"data": 3}, "`data` of `kgen train`. Expected"),
        ({"image_shape": [8]}, "`image_shape` of `kgen train`. Expected"),
        ({"data_dir": 1.5}, "`data_dir` of `kgen train`. Expected"),
        ({"network": "cnov"}, "`network` of `kgen train`. Expected"),
        (
            {"latent_dim": "2"},
            "`latent_dim` of `kgen train`. Expected a positive integer",
        ),
        ({"epochs": True}, "`epochs` of `kgen train`. Expected"),
        ({"batch_size": 0}, "`batch_size` of `kgen train`. Expected"),
        ({"seed": -1}, "`seed` of `kgen train`. Expected"),
        ({"conditional": 0}, "`conditional` of `kgen train`. Expected"),
        ({"binarize": "no"}, "`binarize` of `kgen train`. Expected"),
        ({"kl_warmup": float("nan")}, "`kl_warmup` of `kgen train`. Expected"),
        (
            {"checkpoint_every": 5},
            "`checkpoint_every` of `kgen train`. Expected",
        ),
    ],
    ids=str,
)
def test_a_config_that_is_wrong_is_named(plain, change, words):
    folder = pathlib.Path("run")
    folder.mkdir()
    if isinstance(change, dict):
        change = json.dumps({**config(plain), **change})
    (folder / "config.json").write_text(change)
    for args in (("train", "vae", "--resume", "--out"), ("sample",)):
        line = refused(*args, "run")
        assert "run/config.json" in line and words in line
        assert "elete" not in line


def test_a_run_of_a_newer_version_and_damaged_extras(plain, capsys):
    """Settings that are not known, and facts that are not needed."""
    run = copied(plain)
    (run / "config.json").write_text(
        json.dumps({**config(run), "invented_later": {"x": [1]}})
    )
    (run / "history.csv").write_bytes(b"\xff\x00")
    with zipfile.ZipFile(plain / "model.keras") as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(run / "model.keras", "w") as new:
        for name, content in {**members, "kgen.json": b"[1"}.items():
            new.writestr(name, content)
    for judged in (
        "[1]",
        '[{"metrics": []}]',
        '[{"metrics": {}, "date": "", "data": {"x": NaN}, "weights": ""}]',
        "[" * 100_000,
    ):
        (run / "metrics.json").write_text(judged)
        assert export._metrics(runs.Run(run), None) is None
        assert "is not what `kgen evaluate` wrote" in capsys.readouterr().err
    result = CliRunner().invoke(cli.main, ["export", "run", "--to", "to"])
    assert result.exit_code == 0
    assert "metrics.json is not what `kgen evaluate` wrote" in result.stderr
    assert "does not tell how far it was trained" in result.stderr
    assert result.stderr.count("\n") == 2
    result = CliRunner().invoke(
        cli.main, ["train", "vae", "--resume", "--out", "run", "--epochs", "3"]
    )
    assert result.exit_code == 0
    assert "It is now history.csv.damaged" in result.stderr
    assert len(losses(run)) == 1


def test_a_class_that_is_not_known_is_named_first(plain):
    run = copied(plain)
    with zipfile.ZipFile(plain / "model.keras") as old:
        members = {name: old.read(name) for name in old.namelist()}
    text = members["config.json"].decode()
    members["config.json"] = text.replace(
        '"module": "keras.layers", "class_name": "Dense"',
        '"module": "mine", "class_name": "MyLayer"',
    ).encode()
    with zipfile.ZipFile(run / "model.keras", "w") as new:
        for name, content in members.items():
            new.writestr(name, content)
    line = refused("sample", "run")
    assert line.startswith("kgen: The class `MyLayer` of run/model.keras")
    assert "custom_objects={'MyLayer': MyLayer}" in line


@pytest.mark.parametrize(
    "place", ["history.csv", "logs", "checkpoints", "model.keras"]
)
def test_a_full_disk_ends_a_training_in_a_line(plain, monkeypatch, place):
    """Wherever it is noticed; the last state is named, and goes on."""
    run = copied(plain)
    base = ("train", "vae", "--resume", "--out", "run", "--epochs", 3)
    base += ("--checkpoint-every", "1e")

    def fail(*args, **kwargs):
        text = f"{run / place}; No space left on device"
        raise tf.errors.ResourceExhaustedError(None, None, text)

    with monkeypatch.context() as patch:
        if place == "logs":  # TensorFlow's writer
            patch.setattr(keras.callbacks.TensorBoard, "on_epoch_end", fail)
        else:
            fails_in(patch, run / place)
        line = refused_while_training(*base)
    assert "No space left on device. The training has ended; " in line
    assert re.search(
        r"epoch-0000[23].weights.h5 holds the last state that", line
    )
    assert "go on with: kgen train vae --resume --out run" in line
    if place == "checkpoints":
        kgen(*base)
        assert len(losses(run)) == 3


def fails_in(monkeypatch, folder):
    """Makes the disk full for what lies in a folder, or is a file."""
    sync = os.fsync

    def fail(descriptor):
        path = pathlib.Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        name = re.sub(r"^\.\d+-", "", path.name)
        if {path.with_name(name), path.parent} & {folder.absolute()}:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)


def refused_while_training(*args):
    """As `refused`, where the epochs are told on stdout before."""
    result = CliRunner().invoke(cli.main, [str(arg) for arg in args])
    assert result.exit_code == 2, result.exc_info
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


@pytest.mark.parametrize("moved", [True, False])
def test_a_directory_that_goes_while_training(plain, monkeypatch, moved):
    """Nothing is made anew in its place."""
    run = copied(plain)

    def leave(self, epoch, logs=None):
        if moved:
            run.rename("elsewhere")
        else:
            shutil.rmtree(run)

    monkeypatch.setattr(EpochOrder, "on_epoch_begin", leave)
    line = refused_while_training(
        "train", "vae", "--resume", "--out", "run", "--epochs", 3
    )
    assert "The directory run was removed or moved during training." in line
    assert not run.exists()


def test_left_overs_of_kills_are_swept(plain, no_epochs):
    """Under the lock: those of the dead, and of files that only it writes."""
    run = copied(plain)
    (run / ".kgen.lock").write_text("99 on nowhere")
    dead = (".4194305-config.json", ".4194305-model.keras")
    dead += ("checkpoints/.4194305-epoch-00009.weights.h5",)
    others = (f".{os.getppid()}-model.keras", ".4194305-mine.txt")
    for name in (*dead, *others):
        (run / name).touch()
    kgen("train", "vae", "--resume", "--out", "run", "--epochs", 3)
    assert not any((run / name).exists() for name in (*dead, ".kgen.lock"))
    assert all((run / name).exists() for name in others)


def test_a_lock_that_was_left_is_no_obstacle(no_epochs):
    run = pathlib.Path("run")
    run.mkdir()
    (run / ".kgen.lock").write_text("99 on nowhere")
    kgen("train", "vae", *SMALL, "--epochs", 1, "--out", "run")


def test_commands_that_write_are_alone(plain):
    """Each on what it writes to, and on nothing else."""
    run = copied(plain)
    with locks.directory(run):
        for args in (
            ("train", "vae", "--resume", "--out", "run", "--epochs", 3),
            ("train", "vae", *SMALL, "--overwrite", "--out", "run"),
            ("evaluate", "run", *FEW[:4]),
        ):
            line = refused(*args)
            assert f"by another kgen process (PID {os.getpid()} on" in line
        kgen("export", "run", "--to", "other")
        kgen("sample", "run", "--out", "x.npz")


@pytest.mark.parametrize(
    "args, words",
    [
        ("sample DIRECTORY", "Is a directory"),
        ("sample RUN --out " + "x" * 300 + ".npz", "File name too long"),
        ("sample RUN --out RUN/model.keras/x.npz", "model.keras is a file"),
        ("export RUN --name a/b", "Invalid value for argument `name`"),
        ("train gan --resume --out RUN", "is of the model vae, not gan"),
    ],
)
def test_hostile_places(plain, args, words):
    folder = copied(plain)
    shutil.copytree(plain, "directory")
    os.unlink("directory/model.keras")
    os.mkdir("directory/model.keras")
    places = {"RUN": str(folder), "DIRECTORY": "directory"}
    args = args.split()
    for name, place in places.items():
        args = [arg.replace(name, place) for arg in args]
    assert words in refused(*args)


def test_a_run_behind_a_link_and_with_an_odd_name(plain):
    """Newlines and letters of all kinds are a name's own business."""
    name = "Übung\n✓"
    shutil.copytree(plain, name)
    os.symlink(name, "link")
    kgen("train", "vae", "--resume", "--out", "link", "--epochs", 2)
    kgen("sample", name, "--out", f"{name}.npz")
    assert not pathlib.Path("link", locks.NAME).exists()


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A table's file, and a run of it."""
    folder = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    with open(folder / "people.csv", "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["city", "age", "income"])
        for _ in range(200):
            city = rng.choice(["Bonn", "Ulm"])
            income = "" if rng.random() < 0.2 else f"{rng.gamma(2.0):.2f}"
            lines.writerow([city, rng.integers(18, 80), income])
    source = ("--data", folder / "people.csv", "--out", folder / "run")
    with quick.pictures():
        kgen("train", "vae", *SMALL[2:], *source, "--epochs", 2)
    return folder


def rows_of(file):
    with open(file, newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_table_is_trained_sampled_and_filled(people):
    run, out = people / "run", people / "rows.csv"
    assert config(run)["network"] == "dense"
    assert (run / "marginals.png").exists()
    options = ("--where", "city=Ulm", "--where", "age=30..50")
    kgen("sample", run, "--num", 20, "--out", out, *options)
    rows = rows_of(out)
    assert len(rows) == 20 and {row["city"] for row in rows} == {"Ulm"}
    assert all(30 <= int(row["age"]) <= 50 for row in rows)
    filled = people / "filled.csv"
    text = kgen("impute", run, "--data", people / "people.csv", "--out", filled)
    before, after = rows_of(people / "people.csv"), rows_of(filled)
    gaps = sum(not row["income"] for row in before)
    assert f"{gaps} gaps in 200 rows" in text
    assert all(row["income"] for row in after)
    assert [row["age"] for row in after] == [row["age"] for row in before]
    line = refused("sample", run, "--out", people / "rows.png")
    assert "is of a table" in line and ".csv" in line


def test_a_table_is_judged(people):
    kgen(
        "evaluate",
        people / "run",
        "--num-samples",
        160,
        "--extractor",
        "pixels",
        "--target",
        "age",
    )
    metrics = json.loads((people / "run" / "metrics.json").read_text())
    assert metrics[0]["target"] == "age"
    found = metrics[0]["metrics"]
    assert found["learned_r2"]["floor"] <= 1
    assert 0 < found["column_shapes"]["value"] <= 1
    assert found["telling_apart"]["floor"] < 0.8
    assert found["valid_rows"]["value"] == 1


def test_tables_are_refused_in_words(people, tmp_path):
    data = ("--data", people / "people.csv")
    line = refused("train", "vae", *data, "--target", "town")
    assert "'city'" in line
    line = refused("train", "vae", *data, "--network", "conv")
    assert '"dense" for a table' in line
    line = refused("train", "vae", "--target", "city")
    assert "no table" in line


def test_classes_of_a_table_are_written_by_their_names(people, tmp_path):
    options = ("--target", "city", "--kind", "age=category")
    data = ("--data", people / "people.csv", "--numbers", "standard")
    small = ("--set", "density=columns", "--epochs", 1)
    run = tmp_path / "run"
    kgen("train", "bayes_classifier", *data, *options, *small, "--out", run)
    assert config(run)["kinds"] == {"age": "category"}
    new = tmp_path / "new.csv"
    new.write_text("age,income\n20,1.5\n99,\n")  # one without a city
    kgen("classify", run, "--data", new, "--out", tmp_path / "classes.csv")
    rows = rows_of(tmp_path / "classes.csv")
    assert len(rows) == 2 and rows[0]["predicted"] in ("Bonn", "Ulm")
    for row in rows:
        assert abs(float(row["P(Bonn)"]) + float(row["P(Ulm)"]) - 1) < 1e-6
    line = refused("train", "vae", *data, "--kind", "age=number")
    assert "COLUMN=KIND" in line
