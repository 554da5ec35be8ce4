"""Checkpoints: whole ones, and what is left when one is damaged."""

import contextlib
import json
import os
import pathlib
import signal

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from kgen import cli, files, interrupts
from kgen.errors import InvalidArgument
from kgen.runs import checkpoints as module
from kgen.runs.checkpoints import Checkpoints, Interval
from tests import quick
from tests.test_cli import SMALL, assert_same_model, kgen, refused


def model_of(value, size=2):
    model = keras.Sequential([keras.Input((size,)), keras.layers.Dense(1)])
    model.set_weights([np.full(w.shape, value) for w in model.get_weights()])
    return model


def value_of(model):
    (value,) = {float(x) for w in model.get_weights() for x in np.ravel(w)}
    return value


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    """Of two epochs, after which others are kept at once: the weights are 1, 2."""
    monkeypatch.setattr(module, "_SECONDS", 0.0)
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    for epoch in range(2):
        checkpoints.set_model(model_of(epoch + 1.0))
        checkpoints.on_epoch_end(epoch)
    return checkpoints


def weights_in(checkpoints):
    return sorted(path.name for path in checkpoints.directory.glob("*.h5"))


def flip(one):
    """Flips bits in the weights alone: HDF5 does not see it."""
    good, bad = (
        np.full(2, value, "float32").tobytes()
        for value in (one.epochs, -one.epochs)
    )
    content = one.path.read_bytes()
    assert good in content
    one.path.write_bytes(content.replace(good, bad))


def test_the_last_two_are_kept(checkpoints):
    for epoch in range(2, 11):
        checkpoints.set_model(model_of(epoch + 1.0))
        checkpoints.on_epoch_end(epoch)
    names = ["epoch-00010.weights.h5", "epoch-00011.weights.h5"]
    assert weights_in(checkpoints) == names
    assert len(os.listdir(checkpoints.directory)) == 4  # each with its note
    model = model_of(0.0)
    assert checkpoints.restore(model) == 11
    assert value_of(model) == 11.0


def test_a_resume_deletes_what_a_kill_kept(checkpoints):
    """A kill between a checkpoint and the deletion of an old one leaves three."""
    for path in checkpoints.directory.glob("epoch-00001.*"):
        path.with_name(path.name.replace("00001", "00000")).write_bytes(
            path.read_bytes()
        )
    assert len(weights_in(checkpoints)) == 3
    assert checkpoints.restore(model_of(0.0)) == 2
    names = ["epoch-00001.weights.h5", "epoch-00002.weights.h5"]
    assert weights_in(checkpoints) == names


@pytest.mark.parametrize(
    "every, kept", [(None, [1, 5]), (Interval(epochs=2), [2, 4, 5])]
)
def test_when_checkpoints_are_kept(tmp_path, monkeypatch, every, kept):
    """By time, or by epochs; and always after the last epoch."""
    monkeypatch.setattr(module, "_SECONDS", 1e9)
    checkpoints, found = Checkpoints(tmp_path, every), {}
    checkpoints.set_params({"epochs": 5})
    for epoch in range(5):
        checkpoints.set_model(model_of(epoch + 1.0))
        checkpoints.on_epoch_end(epoch)
        found |= {one.epochs: one for one in checkpoints.all()}
    assert sorted(found) == kept
    assert checkpoints.restore(model_of(0.0)) == 5


def test_a_signal_keeps_the_state_after_the_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SECONDS", 1e9)
    interrupt = interrupts.Deferred()
    checkpoints = Checkpoints(tmp_path, interrupt=interrupt)
    for epoch in range(3):
        checkpoints.set_model(model_of(epoch + 1.0))
        interrupt.error = KeyboardInterrupt() if epoch == 2 else None
        with contextlib.suppress(KeyboardInterrupt):
            checkpoints.on_epoch_end(epoch)
            assert epoch < 2
    model = model_of(0.0)
    assert checkpoints.restore(model) == 3
    assert value_of(model) == 3.0


def test_a_signal_after_the_last_epoch_is_not_lost(tmp_path):
    """Other callbacks may draw then, for long."""
    interrupt = interrupts.Deferred()
    checkpoints = Checkpoints(tmp_path, interrupt=interrupt)
    checkpoints.on_train_end()
    interrupt.error = interrupts.Terminated()
    with pytest.raises(interrupts.Terminated):
        checkpoints.on_train_end()


def test_no_checkpoint_is_epoch_0(tmp_path):
    model = model_of(5.0)
    assert Checkpoints(tmp_path / "none").restore(model) == 0
    assert value_of(model) == 5.0


def test_a_checkpoint_is_keras_s(checkpoints, tmp_path):
    """What is written in memory loads as what Keras writes, and the reverse."""
    own = checkpoints.all()[0]
    model = model_of(0.0)
    model.load_weights(own.path)
    assert value_of(model) == 2.0
    model_of(7.0).save_weights(own.path)
    own.note_file.unlink()  # as of a run of before there were checksums
    assert checkpoints.restore(model) == 2
    assert value_of(model) == 7.0


@pytest.mark.parametrize("noted", [True, False])
def test_a_damaged_checkpoint_falls_back(checkpoints, noted, capsys):
    newest = checkpoints.all()[0]
    if noted:
        flip(newest)
    else:  # then HDF5 must see it
        newest.note_file.unlink()
        newest.path.write_bytes(newest.path.read_bytes()[:1000])
    model = model_of(0.0)
    assert checkpoints.restore(model) == 1
    assert value_of(model) == 1.0
    told = capsys.readouterr().err.splitlines()
    assert "epoch-00002.weights.h5 is damaged" in told[0]
    assert "epoch-00001.weights.h5, the one before" in told[1]
    assert len(told) == 2
    # It is no longer taken for one of the two that are kept.
    assert weights_in(checkpoints) == ["epoch-00001.weights.h5"]
    checkpoints.set_model(model)
    checkpoints.on_epoch_end(1)
    assert len(weights_in(checkpoints)) == 2


def test_no_whole_checkpoint(checkpoints):
    """Nor does a second try begin at epoch 1, which would replace the run."""
    for one in checkpoints.all():
        flip(one)
    for _ in range(2):
        with pytest.raises(InvalidArgument, match="that can be read") as error:
            checkpoints.restore(model_of(0.0))
        assert "epoch-00001.weights.h5.damaged" in str(error.value)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "[]", "{}", b"\xff"])
def test_a_damaged_note_is_not_one_that_was_never_there(checkpoints, text):
    """The checkpoint may be anything then."""
    text = text if isinstance(text, bytes) else text.encode()
    checkpoints.all()[0].note_file.write_bytes(text)
    assert checkpoints.restore(model_of(0.0)) == 1


def test_a_note_that_the_system_can_t_read(checkpoints):
    newest = checkpoints.all()[0]
    newest.note_file.unlink()
    newest.note_file.mkdir()
    with pytest.raises(IsADirectoryError):
        checkpoints.restore(model_of(0.0))
    assert newest.path.exists()


def test_weights_that_are_not_finite_are_not_kept(checkpoints):
    """Nor do notes stay whose checkpoints a kill has kept from being written."""
    checkpoints.interval = Interval(steps=1)
    before = sorted(os.listdir(checkpoints.directory))
    checkpoints.set_model(model_of(np.inf))
    checkpoints.on_epoch_begin(2)
    checkpoints.on_train_batch_end(0, {"loss": 1.0})
    checkpoints.on_epoch_end(2, {"loss": 1.0})
    assert sorted(os.listdir(checkpoints.directory)) == before
    lonely = checkpoints.directory / "epoch-00002-step-00000003.json"
    lonely.touch()
    checkpoints.set_model(model_of(3.0))
    checkpoints.on_epoch_end(2, {"loss": 1.0})
    assert not lonely.exists()
    assert len(weights_in(checkpoints)) == 2


@pytest.mark.parametrize("noted", [True, False])
def test_a_checkpoint_of_another_model_is_not_to_blame(checkpoints, noted):
    before = weights_in(checkpoints)
    if not noted:
        checkpoints.all()[0].note_file.unlink()
    with pytest.raises(InvalidArgument, match="do not fit each other") as error:
        checkpoints.restore(model_of(0.0, size=3))
    assert "damaged" not in str(error.value)
    assert weights_in(checkpoints) == before


def test_a_checkpoint_that_fails_leaves_the_older_one(checkpoints, monkeypatch):
    before = weights_in(checkpoints)
    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"No space.*epoch-00003.weights.h5"):
        checkpoints.on_epoch_end(2)
    assert weights_in(checkpoints) == before
    assert checkpoints.restore(model_of(0.0)) == 2


def full(path, content):
    """Stands for a disk that has room for a part."""
    with open(path, "wb") as file:
        file.write(content[:100])
    raise OSError(28, "No space left on device")


# Within an epoch


@pytest.mark.parametrize(
    "text, interval",
    [
        ("500", Interval(500)),
        ("10m", Interval(None, 600.0)),
        ("0.5m", Interval(None, 30.0)),
    ],
)
def test_intervals(text, interval):
    assert Interval.of(text) == interval


@pytest.mark.parametrize(
    "text", ["0", "0m", "m", "-3", "10s", "1.5", "", "ten", "1e3"]
)
def test_no_intervals(text):
    with pytest.raises(InvalidArgument, match="such as 500, of minutes"):
        Interval.of(text)


@pytest.fixture(scope="module")
def trainings():
    with quick.trainings() as trainings:
        yield trainings


class Killed(Exception):
    """Ends a training with nothing more written."""


@pytest.mark.parametrize(
    "model, batch, options",
    [
        (
            "vae",
            17,
            (
                *("--kl-warmup", 3, "--binarize", "--conditional"),
                *("--set", "steps_per_execution=4"),
            ),
        ),
        ("gan", 13, ()),
    ],
    ids=["vae", "gan"],
)
@pytest.mark.parametrize("ending", ["kill", "SIGTERM"])
def test_a_training_ended_within_an_epoch_goes_on(
    tmp_path, monkeypatch, trainings, model, batch, options, ending
):
    """From the checkpoint within it, to the very same weights and logs.

    A kill leaves what `--checkpoint-every` keeps; SIGTERM, which comes while a
    step is taken, keeps one itself. After a kill, the model is made anew.
    """
    monkeypatch.chdir(tmp_path)
    base = ("train", model, *SMALL, *options, "--epochs", 2)
    kgen(*base, "--out", "unbroken")

    def end(self, number, logs=None):
        if ends := self.epochs == 1 and number >= batch and ending == "SIGTERM":
            os.kill(os.getpid(), signal.SIGTERM)
        original(self, number, logs)
        assert not ends
        if self.epochs == 1 and number >= batch:
            raise Killed

    original = Checkpoints.on_train_batch_end
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "on_train_batch_end", end)
        every = ("--checkpoint-every", 5) if ending == "kill" else ()
        args = [*base, *every, "--out", "run"]
        result = CliRunner().invoke(cli.main, [str(arg) for arg in args])
    assert isinstance(result.exception, (Killed, SystemExit))
    newest = Checkpoints("run/checkpoints").all()[0]
    assert newest.epochs == 1 and newest.steps >= 10
    trained = []
    patched = module.PassOver.__call__
    monkeypatch.setattr(
        module.PassOver, "__call__", lambda *a: trained.append(1) or patched(*a)
    )
    is_new = ending == "kill"
    with trainings.anew() if is_new else contextlib.nullcontext():
        kgen("train", model, "--resume", "--out", "run")
    assert trained  # it has gone on from there
    assert_same_model(tmp_path / "unbroken", tmp_path / "run")
    histories = [
        pathlib.Path(name, "history.csv").read_bytes()
        for name in ("unbroken", "run")
    ]
    assert histories[0] == histories[1]
    config = json.loads(pathlib.Path("run/config.json").read_text())
    assert config["checkpoint_every"] == ("5" if every else None)


def test_after_a_whole_epoch_there_is_always_one(checkpoints, capsys):
    """Several devices can't go on within one."""
    model = model_of(3.0)
    checkpoints.set_model(model)
    checkpoints.interval = Interval(1)
    checkpoints.on_epoch_begin(2)
    for batch in range(4):
        checkpoints.on_train_batch_end(batch, {"loss": 1.0})
    assert weights_in(checkpoints) == [
        "epoch-00002-step-00000003.weights.h5",
        "epoch-00002-step-00000004.weights.h5",
        "epoch-00002.weights.h5",
    ]
    checkpoints.all()[0].note_file.write_text("{")  # its sums are lost
    assert checkpoints.restore(model) == 2
    assert checkpoints.restored.name == "epoch-00002-step-00000003.weights.h5"
    checkpoints.can_resume_within_epochs = False
    assert checkpoints.restore(model) == 2
    assert value_of(model) == 2.0
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("kgen: epoch-00002-step-00000003.weights.h5: left")
    assert told.endswith("It goes on after epoch 2.")
    # A later resume must not find what another continuation left.
    assert weights_in(checkpoints)[-1] == "epoch-00002.weights.h5"


def test_a_state_that_is_left_out_is_told_and_stays_if_it_is_all(
    tmp_path, capsys
):
    checkpoints = Checkpoints(tmp_path, Interval(1))
    model = model_of(1.0)
    checkpoints.set_model(model)
    checkpoints.on_epoch_begin(0)
    checkpoints.on_train_batch_end(0, {"loss": 1.0})
    checkpoints.can_resume_within_epochs = False
    assert checkpoints.restore(model_of(0.0)) == 0
    told = capsys.readouterr().err
    assert "epoch-00000-step-00000001.weights.h5: left out" in told
    assert "It begins at epoch 1." in told
    checkpoints.can_resume_within_epochs = True
    assert checkpoints.restore(model) == 0
    assert checkpoints.partial_epoch.steps == 1


@pytest.mark.parametrize(
    "options, words",
    [
        (("vae", "--checkpoint-every", "10s"), "expected a number of steps"),
        (
            ("bayes_classifier", "--checkpoint-every", "5"),
            "bayes_classifier counts over an epoch",
        ),
        (
            ("vae", "--checkpoint-every", "5", "--on-nan", "rollback"),
            "--checkpoint-every can't be used with --on-nan rollback: a training",
        ),
        (
            ("vae", "--checkpoint-every", "5", "--on-nan", "skip"),
            "nor the steps left out before",
        ),
    ],
)
def test_checkpoints_that_can_t_be(tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    assert words in refused("train", *options, *SMALL, "--out", "run")
    assert not os.listdir()


def test_digests(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    assert files.digest(path, b"two") == files.digest_of(b"onetwo")
