"""The best model of a run: which it is, what a kill leaves of it, who uses it."""

import os
import pathlib
import shutil
import types

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from kgen import cli, runs, terminal
from kgen.data import open_source
from kgen.runs import best, checkpoints, directory, training
from kgen.runs.history_file import read_history
from tests.eager import train_eagerly
from tests.faults import compare
from tests.settings import USUAL

# After epoch n, the n-th value; the training ends after the sixth.
DISTANCES = [4.0, 2.0, 3.0, 1.5, 1.5, 2.5, 1.8, 1.9]
LOG = "val_frechet_distance"
OPTIONS = """
    train gan --data x.npy --network dense --set hidden_units=[4] --latent-dim 2
    --batch-size 16 --seed 1 --checkpoint-every 2e
"""


def kgen(*args):
    """Runs a command; returns what it prints."""
    args = [word for arg in args for word in str(arg).split()]
    keras.utils.clear_session()  # layers are numbered from 1 again
    result = CliRunner().invoke(cli.main, args)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def patch():
    """Trainings take few eager steps; looks after each epoch find `DISTANCES`."""

    def look(watch, epoch, logs=None):
        logs[LOG] = DISTANCES[epoch]

    with pytest.MonkeyPatch.context() as patch:
        train_eagerly(patch)
        patch.setattr(training, "draw", lambda *args: None)
        patch.setattr(best, "_TRAINED_ON", 1)
        patch.setattr(best.FrechetWatch, "on_epoch_end", look)
        yield patch


@pytest.fixture(scope="module")
def folder(patch, tmp_path_factory):
    """A run that patience ended, and what it was at the end of some epochs.

    These are between the row of the history and the checkpoint.
    """
    folder = tmp_path_factory.mktemp("runs")
    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    np.save(folder / "x.npy", x)

    class Checkpoints(checkpoints.Checkpoints):
        def on_epoch_end(self, epoch, logs=None):
            shutil.copytree(folder / "run", folder / f"killed-{epoch + 1}")
            super().on_epoch_end(epoch, logs)

    with patch.context() as more:
        more.chdir(folder)
        more.setattr(directory, "Checkpoints", Checkpoints)
        output = kgen(OPTIONS, "--epochs 7 --patience 2 --out run")
    (folder / "output.txt").write_text(output)
    return folder


@pytest.fixture
def data(folder, tmp_path, monkeypatch):
    """A folder with the data, and the run."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(folder / "x.npy", "x.npy")
    shutil.copytree(folder / "run", "run")
    return folder


def kept_epochs(run="run"):
    found = pathlib.Path(run, "checkpoints").glob("best-*.weights.h5")
    return sorted(int(path.name[5:10]) for path in found)


def test_patience_ends_a_training_and_the_best_is_told(data):
    """Two looks after epoch 4 found no better one."""
    output = (data / "output.txt").read_text()
    assert (
        "run/best.keras is better: it is of epoch 4, with val_frechet_distance "
        "1.5; that of the last model is 2.5." in output
    )
    assert "Frechet distance of 2 random features of 8 samples" in output
    assert read_history("run/history.csv")[LOG] == DISTANCES[:6]
    for name, is_best, epochs in (("best", True, 4), ("model", False, 6)):
        run = runs.Run("run", best=is_best)
        assert run.model_file.name == f"{name}.keras"
        assert run.training_progress() == {
            "epochs": epochs,
            "interrupted": False,
        }
    assert kept_epochs() == [4]


def test_the_best_model_is_that_of_a_training_that_ends_there(data):
    """But for the rates, which fall by the number of epochs."""
    fixed = f"{OPTIONS} --set learning_rate_decay=0"
    kgen(fixed, "--epochs 6 --out long")
    assert "is better" not in kgen(fixed, "--epochs 4 --out short")
    ours = compare.read(pathlib.Path("long/best.keras"))
    for name in ("best.keras", "model.keras"):
        theirs = compare.read(pathlib.Path("short", name))
        assert ours.keys() == theirs.keys()
        for key, value in ours.items():
            np.testing.assert_equal(value, theirs[key], key)


@pytest.mark.parametrize("epoch", [4, 6])
def test_a_killed_training_ends_with_the_same_best(data, epoch):
    """Though it looks again at epochs that are not in the checkpoint."""
    shutil.copytree(data / f"killed-{epoch}", "killed")
    kgen("train gan --resume --out killed")
    unbroken, run = pathlib.Path("run"), pathlib.Path("killed")
    assert compare.differences(run, unbroken) == []


def test_a_training_without_patience_left_goes_on_with_more(data):
    before = pathlib.Path("before")
    shutil.copytree("run", before)
    assert "has ended after 6 epochs" in kgen("train gan --resume --out run")
    assert compare.differences(pathlib.Path("run"), before) == []
    kgen("train gan --resume --out run --patience 3")
    assert read_history("run/history.csv")[LOG] == DISTANCES[:7]
    assert runs.Run("run").settings.patience == 3


def test_commands_use_the_best_where_they_are_told_to(data):
    drawn = []
    for flag, file in (("", "model.npz"), ("--best", "best.npz")):
        kgen(f"sample run --num 4 --seed 3 --out {file} {flag}")
        drawn.append(np.load(file)["images"])
    model = runs.Run("run", best=True).model()
    np.testing.assert_array_equal(drawn[1], model.sample(4, seed=3))
    assert not np.array_equal(*drawn)
    metrics = "--metrics frechet_distance --extractor pixels --num-samples 50"
    assert "run/best.keras" in kgen(f"evaluate run --best {metrics}")
    os.remove("run/best.keras")
    result = CliRunner().invoke(cli.main, ["sample", "run", "--best"])
    assert result.exit_code and "has no best.keras" in result.stderr


def test_how_often_there_is_a_look(data, monkeypatch):
    """8 of 40 examples are compared, and 32 are trained on in each epoch."""
    monkeypatch.setattr(best, "_TRAINED_ON", 20)
    given = {"model": "gan", "data": "x.npy", "epochs": 9, "batch_size": 8}
    settings = runs.TrainSettings(**USUAL | given)
    source = settings.source()
    model = training.build(
        settings, source, source.dataset("train", batch_size=8)
    )
    watch, keeper = best.callbacks_of(runs.Run("run"), settings, model, source)
    assert (len(watch.x), watch.every) == (8, 5)
    assert keeper.so_far.patience == 0
    monkeypatch.setattr(terminal, "width", lambda: 40)
    lines = best.describe([watch], model, source).splitlines()
    assert len(lines) > 3 and max(map(len, lines)) < 40


def test_few_training_examples_are_compared_with_few(tmp_path, monkeypatch):
    """Else 1,000 examples beside 100 would be compared every 400 epochs."""
    monkeypatch.setattr(best, "_TRAINED_ON", 40)
    train, validation = (np.zeros((n, 3), "float32") for n in (100, 1000))
    np.savez(tmp_path / "x.npz", x_train=train, x_validation=validation)
    source = open_source(tmp_path / "x.npz")
    watch = best._watch(None, types.SimpleNamespace(conditional=False), source)
    assert (len(watch.x), watch.every) == (64, 26)


def test_patience_of_other_models_goes_by_the_figure_that_compares_them(data):
    """Of a VAE the validation's ELBO, which is best where it is highest."""
    args = OPTIONS.replace("gan", "vae")
    kgen(args, "--epochs 2 --out none")
    assert not os.path.exists("none/best.keras")
    kgen(args, "--epochs 8 --set optimizer=adam:0.5 --patience 2 --out vae")
    elbo = read_history("vae/history.csv")["val_elbo"]
    highest = int(np.argmax(elbo))
    trained = runs.Run("vae", best=True).training_progress()
    assert trained["epochs"] == highest + 1
    assert len(elbo) == highest + 3 < 8
    ended = kgen("train vae --resume --out vae")
    assert "To go on, pass a larger number.\n" in ended
    told = kgen("train vae --resume --out vae --patience 0")
    best = f"vae/best.keras stays the best of the first {len(elbo)} epochs"
    assert best in told and len(read_history("vae/history.csv")["loss"]) == 8
    assert runs.Run("vae", best=True).training_progress() == trained
    told = kgen("train vae --resume --out none --patience 2 --epochs 3")
    assert "no state of epoch " in told and "of none, the best so far" in told


@pytest.mark.parametrize(
    ("patience", "every", "epochs", "done", "told"),
    [
        (4, 10, 50, 0, "every 10 epochs, so the training could end after 50"),
        (4, 10, 50, 5, ""),
        (4, 10, 51, 0, ""),
        (3, 1, 4, 0, "every epoch, so the training could end after 4 epochs"),
        (0, 10, 5, 0, ""),
    ],
)
def test_a_patience_that_ends_nothing_is_told(
    capsys, patience, every, epochs, done, told
):
    """The first evaluation is the best one if none is better."""
    given = {"patience": patience, "epochs": epochs}
    settings = runs.TrainSettings(**USUAL | given)
    watch = best.FrechetWatch(np.eye(8, dtype="float32"), every=every)
    best.say_if_too_patient(settings, [watch], done)
    said = capsys.readouterr().err
    assert told in said and bool(said) == bool(told)


def test_what_is_damaged_or_gone_is_told(data):
    kept = pathlib.Path("run/checkpoints/best-00004.weights.h5")
    kept.write_bytes(b"no")
    os.remove("run/best.keras")
    output = kgen("train gan --resume --out run --patience 3")
    assert (
        f"{kept} is damaged" in output and "best.keras is not written" in output
    )
    assert not os.path.exists("run/best.keras")
    output = kgen("train gan --resume --out run --epochs 8 --patience 9")
    assert "no state of epoch 4 of run, the best so far, was kept" in output
    assert runs.Run("run", best=True).training_progress()["epochs"] == 8


def test_the_best_epochs_are_known_by_all_their_digits(tmp_path):
    settings = runs.TrainSettings(**USUAL)
    keeper = best.BestModel(runs.Run(tmp_path), settings)
    keeper.run.checkpoints.directory.mkdir()
    for epoch in (2, 100_000):
        keeper.so_far.epoch = epoch
        keeper._file().path.touch()
    keeper.delete_old([100_001])
    (kept,) = keeper._all()
    assert kept.epochs == 100_000


def test_patience_needs_something_to_look_at(data):
    np.save("few.npy", np.zeros((20, 3), "float32"))
    args = OPTIONS.replace("x.npy", "few.npy") + "--epochs 1 --out few"
    result = CliRunner().invoke(cli.main, [*args.split(), "--patience", "3"])
    assert result.exit_code and "8 validation examples" in result.stderr
    kgen(args)
    assert not os.path.exists("few/best.keras")
