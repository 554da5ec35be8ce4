"""`kgen runs` and `kgen show`, on files as the commands leave them."""

import json

import pytest
from click.testing import CliRunner

from kgen import cli

LOGS = "epoch,loss,val_loss\n0,5.25,6.5\n1,4.123456789,NAN\n"


@pytest.fixture
def run(tmp_path):
    """A run of two epochs, of three."""
    path = tmp_path / "runs" / "vae-1"
    path.mkdir(parents=True)
    config = {"model": "vae", "data": "/there/faces.npz", "epochs": 3}
    (path / "config.json").write_text(json.dumps(config))
    (path / "history.csv").write_text(LOGS)
    return path


def kgen(*args):
    result = CliRunner().invoke(cli.main, [str(arg) for arg in args])
    return result.exit_code, result.stdout + result.stderr


def test_runs_are_listed(run):
    other = run.with_name("gan-2")
    other.mkdir()
    (other / "config.json").write_text("{")
    run.with_name("empty").mkdir()
    status, text = kgen("runs", run.parent)
    lines = [line.split() for line in text.splitlines()]
    assert status == 0 and len(lines) == 3
    assert lines[0] == ["RUN", "MODEL", "DATA", "EPOCHS", "LOSS", "VALIDATION"]
    row = [str(run), "vae", "faces.npz", "2/3", "4.1235", "nan"]
    assert row in lines
    assert [str(other), "damaged", "config.json"] in lines


def test_a_run_is_shown(run):
    status, text = kgen("show", run)
    assert status == 0
    assert "model: vae\n" in text and "epochs: 3\n" in text
    assert text.endswith("After 2 epochs:\nloss: 4.1235\nval_loss: nan\n")


def test_an_export_is_shown(tmp_path):
    card = {"model": "vae", "signatures": {"encode": {}}}
    (tmp_path / "model.json").write_text(json.dumps(card))
    status, text = kgen("show", tmp_path)
    assert status == 0 and json.loads(text) == card


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.txt", "", "holds no run, no evaluation and no export"),
        ("config.json", "{", "config.json can't be read"),
        ("config.json", "[1]", "is not what `kgen train` wrote"),
        ("model.json", "[[", "model.json can't be read"),
        ("metrics.json", "[1]", "is not what `kgen evaluate` wrote"),
    ],
)
def test_what_can_not_be_shown(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    status, text = kgen("show", tmp_path)
    assert status == 2 and message in text and text.count("\n") == 1


def test_there_may_be_no_runs(tmp_path):
    assert kgen("runs", tmp_path) == (0, f"There are no runs in {tmp_path}.\n")
