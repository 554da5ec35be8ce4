"""history.csv: what it was, what a kill left of it, and what is none."""

import os

import numpy as np
import pytest

from kgen.runs.history import History

HEAD = "epoch,loss,val_loss\n"
ROWS = "0,1.5,2.5\n1,0.1,1e-07\n"


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "history.csv")


@pytest.mark.parametrize(
    "text", [HEAD + ROWS, HEAD + ROWS + "2,0.", HEAD + ROWS + "2"]
)
def test_a_row_that_was_cut_is_left_out(history, text):
    history.path.write_text(text)
    assert history.read() == {
        "epoch": [0.0, 1.0],
        "loss": [1.5, 0.1],
        "val_loss": [2.5, 1e-07],
    }


@pytest.mark.parametrize("text", [None, "", "epo", HEAD, HEAD + "0"])
def test_no_history(history, text):
    if text is not None:
        history.path.write_text(text)
    assert history.read() == {}
    history.trim(0)
    assert not history.path.exists()


@pytest.mark.parametrize("more", ["", "2,0.", "2,0.3,0.4\n3,0.2,0.3\n"])
def test_trim_keeps_the_rows_as_they_were(history, more):
    history.path.write_text(HEAD + ROWS + more)
    history.trim(2)
    assert history.path.read_text().split() == (HEAD + ROWS).split()


def test_what_keras_wrote_without_validation_goes_on(history):
    """Its CSVLogger made columns for logs that there are not."""
    history.path.write_text(HEAD + "0,1.5,NA\n")
    history.trim(1)
    history.on_epoch_end(1, {"loss": 0.5})
    assert history.read() == {"epoch": [0.0, 1.0], "loss": [1.5, 0.5]}


def test_figures_that_are_always_0_go_on_in_runs_of_earlier_versions(history):
    """These logged a loss of regularizers, and a penalty, where there are none."""
    names = "epoch,loss,penalty,regularization_loss,val_loss,val_penalty\n"
    history.path.write_text(names + "0,1.5,0.0,0.0,2.5,0.0\n")
    history.trim(1)
    history.on_epoch_end(1, {"val_loss": 2.0, "loss": 0.5})
    lines = history.path.read_text().split()
    assert lines[0] == names.strip()
    assert lines[2] == "1,0.5,0.0,0.0,2.0,0.0"
    assert not list(history.path.parent.glob("*.before"))


@pytest.mark.parametrize(
    "damaged",
    [
        b"\x00\xff\x93garbage" * 99,
        b"loss,val_loss\n1.5,2.5\n",
        b"epoch,val_loss\n0,2.5\n",
        b"epoch,loss,val_loss\n0,abc,2.5\n",
        b"epoch,lo\n0,1.5,2.5\n",
        b"epoch,loss\n0,1.5\n0,1.4\n",
        b"epoch,loss\n1,1.5\n0,1.4\n",
        b"epoch,loss\n0.5,1.5\n",
        b"epoch,loss\nnan,1\n",
        b"epoch,loss\ninf,1\n",
        b"epoch,loss\nNA,1\n",
    ],
)
def test_a_damaged_history_is_set_aside(history, damaged, capsys):
    """A resume needs the checkpoint alone."""
    for name in ("history.csv.damaged", "history.csv.damaged-2"):
        history.path.write_bytes(damaged)
        history.trim(5)
        assert (history.path.parent / name).read_bytes() == damaged
        line = capsys.readouterr().err
        assert line.startswith(f"kgen: {history.path} is damaged: ")
        assert line.endswith(f"It is now {name}; a new one begins.\n")
        assert line.count("\n") == 1
    history.on_epoch_end(5, {"loss": 1.0})
    assert history.read() == {"epoch": [5.0], "loss": [1.0]}


def test_other_logs_begin_a_new_history(history, capsys):
    """The one before is whole, and isn't called damaged."""
    for epoch, extra in enumerate(({}, {"accuracy": 0.5}, {})):
        history.on_epoch_end(epoch, {"loss": 1.0, **extra})
        assert history.read()["epoch"][-1] == epoch
    assert sorted(os.listdir(history.path.parent)) == [
        "history.csv",
        "history.csv.before",
        "history.csv.before-2",
    ]
    line = capsys.readouterr().err.splitlines()[0]
    assert line == (
        f"kgen: {history.path} has other columns than this training logs. It is "
        "now history.csv.before; a new one begins."
    )


def test_fields_of_a_log_of_few_epochs_are_empty(history):
    """It has its column from the first epoch on, and in what earlier versions wrote."""
    history.path.write_text(HEAD + ROWS)
    history.sparse = ("val_distance",)
    history.trim(2)
    history.on_epoch_end(2, {"loss": 0.5, "val_loss": 0.75})
    history.on_epoch_end(
        3, {"loss": 0.5, "val_loss": 0.75, "val_distance": 2.0}
    )
    text = history.path.read_text()
    assert text.split() == [
        "epoch,loss,val_distance,val_loss",
        "0,1.5,,2.5",
        "1,0.1,,1e-07",
        "2,0.5,,0.75",
        "3,0.5,2.0,0.75",
    ]
    history.trim(4)
    assert history.path.read_text() == text
    np.testing.assert_equal(
        history.read()["val_distance"], [np.nan, np.nan, np.nan, 2.0]
    )
