"""`kgen runs`, `kgen show` and `kgen data`, on files as commands leave them."""

import dataclasses
import json
import math
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.shell_completion import get_completion_class
from click.testing import CliRunner

from kgen import cli, files, terminal
from kgen.cli import tables, train
from kgen.runs import TrainSettings, evaluation, listing
from tests.data.common import save_picture

LOGS = "epoch,loss,val_elbo,val_loss\n0,5.25,-6.5,6.5\n1,4.123456789,-7.0,NAN\n"
METRIC = {"title": "ELBO", "value": -6.25, "better": "higher", "unit": "nats"}


@pytest.fixture
def run(tmp_path):
    """A run of two epochs, of three."""
    path = tmp_path / "runs" / "vae-1"
    path.mkdir(parents=True)
    config = {"model": "vae", "data": "/there/faces.npz", "epochs": 3}
    config["examples"] = {"train": {"examples": 9}, "test": {"examples": 2}}
    config["classes"] = ["cat", "dog"]
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
    judge(run)
    for file in run.iterdir():
        os.utime(file, (0, 0))
    status, text = kgen("runs", run.parent)
    lines = [line.split() for line in text.splitlines()]
    assert status == 0 and len(lines) == 3
    head = ["RUN", "MODEL", "DATA", "EPOCHS", "BEST", "EVALUATED", "WHEN"]
    assert lines[0] == head
    *row, date, time = lines[1]
    assert row[:4] == [str(run), "vae", "faces.npz", "2/3"]
    # The highest bound, and not the last one.
    assert row[4:] == ["val_elbo", "-6.5", "(1)", "ELBO", "-6.25"]
    assert re.fullmatch(r"(1969|1970)-\d\d-\d\d \d\d:\d\d", f"{date} {time}")
    assert lines[2] == [str(other), "damaged", "config.json"]


def judge(run):
    """Leaves in a run what `kgen evaluate` does."""
    judged = {"run": str(run), "model": "vae", "metrics": {"elbo": METRIC}}
    (run / "metrics.json").write_text(json.dumps([judged]))


@pytest.mark.parametrize(
    ("logs", "best"),
    [
        ("epoch,loss,val_loss\n0,5,6\n", ""),  # no figure compares VAEs by it
        ("epoch,elbo,loss\n0,-5,6\n1,-4.5,7\n2,-9,7\n", "elbo -4.5 (2)"),
        ("epoch,loss,val_elbo\n0,5,NAN\n", ""),
    ],
)
def test_the_best_epoch(run, logs, best):
    (run / "history.csv").write_text(logs)
    _, text = kgen("runs", run.parent)
    assert f" {best} " in text if best else "(" not in text


def test_a_run_is_shown(run):
    judge(run)
    (run / "samples.png").touch()
    status, text = kgen("show", run)
    assert status == 0
    parts = [part.splitlines() for part in text.split("\n\n")]
    about, history, evaluation, pictures = parts
    assert about[0] == f"The run {run}"
    rows = [line.split() for line in about[1:]]
    assert ["model", "vae"] in rows and ["epochs", "3"] in rows
    assert ["examples", "train", "9,", "test", "2"] in rows
    assert ["classes", "2:", "cat,", "dog"] in rows
    assert history[0].startswith("After 2 epochs, ")
    assert history[0].endswith(", the best with val_elbo -6.5 (1)")
    assert history[2].split() == ["loss", "4.1235", "nan"]
    assert evaluation[2].split() == ["ELBO", "-6.250", "nats"]
    assert pictures == ["Pictures", str(run / "samples.png")]


def test_a_figure_that_is_no_number_is_shown(run):
    judged = {"run": str(run), "model": "vae"}
    judged["metrics"] = {"elbo": METRIC | {"value": math.nan}}
    files.write_json(run / "metrics.json", [evaluation._plain(judged)])
    status, text = kgen("show", run)
    assert status == 0 and re.search(r"ELBO +NaN +nats", text)
    assert kgen("runs", run.parent)[0] == 0


def test_odd_runs_stop_no_list(run):
    """A folder in the place of a file, and a name that is no UTF-8."""
    folder, named = (os.fsencode(run.parent) + x for x in (b"/a", b"/\xff"))
    os.makedirs(folder + b"/config.json")
    os.mkdir(named)
    shutil.copy(os.fsencode(run / "config.json"), named)
    result = CliRunner().invoke(cli.main, ["runs", str(run.parent)])
    assert result.exit_code == 0, result.exc_info
    lines = result.stdout_bytes.splitlines()
    assert len(lines) == 4
    for path, words in ((folder, b"Is a directory"), (named, b"vae")):
        (line,) = [x for x in lines if x.startswith(path + b" ")]
        assert words in line
    gone = run / "gone" / "config.json"  # since the files were looked for
    assert listing._changed(gone) == 0.0


def test_a_damaged_history_is_told_of(run):
    (run / "history.csv").write_text("xx\n1\n")
    row = kgen("runs", run.parent)[1].splitlines()[1]
    assert "?/3" in row and "damaged history.csv" in row
    status, text = kgen("show", run)
    assert status == 0 and f"{run / 'history.csv'} is damaged" in text


def test_a_run_is_shown_without_repetitions_and_what_is_as_usual(run):
    config = {"model": "vae", "epochs": 3, "seed": 0, **listing.USUAL}
    (run / "config.json").write_text(json.dumps(config | {"patience": 2}))
    logs = "epoch,elbo,kl_loss,loss,val_elbo,val_loss\n0,-5,1,5,-6,6\n"
    (run / "history.csv").write_text(logs)
    _, text = kgen("show", run)
    about, history = (part.splitlines() for part in text.split("\n\n"))
    names = [line.split()[0] for line in about[1:]]
    assert names == ["model", "epochs", "seed", "patience"]
    assert history[0].startswith("After 1 epoch, ")
    assert [line.split()[0] for line in history[2:]] == ["kl_loss", "loss"]


def test_what_is_usual_are_the_defaults():
    options = {option.name: option.default for option in train.train.params}
    fields = {x.name: x.default for x in dataclasses.fields(TrainSettings)}
    for name, value in listing.USUAL.items():
        default = options[name] if name == "kl_warmup" else fields[name]
        assert value == default


@pytest.mark.parametrize("is_judged", [False, True])
@pytest.mark.parametrize("command", ["runs", "show"])
def test_looking_at_runs_does_not_wait_for_tensorflow(run, command, is_judged):
    slow = {"tensorflow", "keras", "pandas"}
    if is_judged:
        judge(run)
    else:
        slow.add("numpy")
    code = (
        "import sys; from kgen import cli\n"
        "try: cli.main()\n"
        "except SystemExit as end: assert end.code == 0\n"
        f"print({slow} & set(sys.modules))"
    )
    path = run if command == "show" else run.parent
    done = subprocess.run(
        [sys.executable, "-c", code, command, path],
        capture_output=True,
        text=True,
    )
    assert done.stderr == "" and str(run) in done.stdout
    assert done.stdout.endswith("\nset()\n")


def test_the_report_is_opened(run, monkeypatch):
    opened = []
    monkeypatch.setattr("click.launch", lambda url: opened.append(url) or 0)
    status, text = kgen("show", run, "--open")
    assert status == 2 and f"Make it with: kgen evaluate {run}\n" in text
    (run / "report.html").touch()
    status, text = kgen("show", run, "--open")
    assert status == 0 and opened == [str(run / "report.html")]


@pytest.mark.parametrize(
    ("room", "lines"),
    [
        (None, ["A        B", "a a a a  b"]),
        (80, ["A        B", "a a a a  b"]),
        (3, ["a a a a", "  b: b"]),
    ],
)
def test_a_table_fits_where_it_is_shown(room, lines, monkeypatch, capsys):
    monkeypatch.setattr(terminal, "width", lambda: room)
    tables.show(("A", "B"), [("a a a a", "b")])
    assert capsys.readouterr().out.splitlines() == lines


def test_rows_of_their_own_are_wrapped(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "width", lambda: 24)
    tables.show(("A" * 20, "B"), [("a" * 20, "some words of a text")])
    lines = ["a" * 20, "  b: some words of a", "    text"]
    assert capsys.readouterr().out.splitlines() == lines


def test_runs_are_a_table_in_a_terminal_of_80_columns(run, monkeypatch):
    monkeypatch.setattr(terminal, "width", lambda: 80)
    monkeypatch.chdir(run.parent.parent)
    other = run.rename(run.with_name("bayes_classifier-1"))
    metrics = dict.fromkeys(("elbo", "frechet_distance"), METRIC)
    metrics["log_likelihood"] = {**METRIC, "title": "log p(x)"}
    judged = {"run": "", "model": "vae", "metrics": metrics}
    (other / "metrics.json").write_text(json.dumps([judged]))
    status, text = kgen("runs")
    assert status == 0
    head, *lines = text.splitlines()
    assert head.split()[0] == "RUN" and "log p(x)" in text
    assert "ELBO" not in text and max(map(len, (head, *lines))) <= 80


def test_long_texts_are_wrapped_in_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "width", lambda: 24)
    tables.show(("N", "", "TEXT"), [("n", "", "some words of a text")])
    lines = ["N  TEXT", "n  some words of a text"]  # without the empty column
    assert capsys.readouterr().out.splitlines() == lines
    monkeypatch.setattr(terminal, "width", lambda: 16)
    tables.show(("N", "TEXT"), [("n", "some words of a text")])
    lines = ["N  TEXT", "n  some words of", "   a text"]
    assert capsys.readouterr().out.splitlines() == lines


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


@pytest.mark.parametrize("value", [None, 3, [[]], {"a": 3, "b": {}}])
def test_settings_of_any_form_are_shown(run, value):
    names = ("model", "data", "epochs", "examples", "classes", "options")
    (run / "config.json").write_text(json.dumps(dict.fromkeys(names, value)))
    assert kgen("show", run)[0] == kgen("runs", run.parent)[0] == 0


def test_there_may_be_no_runs(tmp_path):
    status, text = kgen("runs", tmp_path)
    assert status == 0 and text.startswith(f"There are no runs in {tmp_path}.")


def test_before_the_first_training_there_is_no_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, text = kgen("runs")
    assert status == 0 and text.startswith("There are no runs in runs. Make")
    status, text = kgen("runs", "runs")
    assert status == 2 and text == "kgen: There is no directory runs.\n"


# kgen data


def folder(path, classes, size=8):
    """A folder of 9 grey pictures of each class, by the name and the brightness."""
    rng = np.random.default_rng(0)
    for name, brightness in classes.items():
        for number in range(9):
            pixels = rng.integers(0, brightness, (size, size), dtype="uint8")
            save_picture(path / name / f"{number}.png", pixels)
    return path


def test_pictures_are_told_about(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pets = folder(tmp_path / "pets", {"train/cat": 99, "train/dog": 9})
    folder(pets, {"test/cow": 200})
    black = np.zeros((8, 8), "uint8")
    for name in ("train/cat/10.png", "train/cat/11.png", "test/cow/10.png"):
        save_picture(pets / name, black)
    status, text = kgen("data", pets)
    assert status == 0, text
    *parts, last = (part.splitlines() for part in text.split("\n\n"))
    about, classes, wrong = parts
    assert about[0] == "pets: 30 examples"
    assert about[1] == "shape   8x8x1 (pictures, height x width x channels)"
    assert about[2].startswith("values  0 to 19") and "uint8" in about[2]
    assert about[3] == "splits  train 20, test 10"
    rows = [line.split() for line in classes]
    assert rows[1] == ["LABEL", "NAME", "TRAIN", "TEST"]
    assert rows[2:] == [
        ["0", "cat", "11", "0"],
        ["1", "cow", "0", "10"],
        ["2", "dog", "9", "0"],
    ]
    assert wrong == [
        "What seems wrong",
        "There are 20 training examples, which is few.",
        "3 pictures have one colour only.",
        "No training example is of class cow.",
        "There are examples in more than one split, so that figures on held-out "
        "data will be too good: 1.",
    ]
    assert last == ["Examples are drawn in pets-1.png"]
    assert (tmp_path / "pets-1.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_wrong_with_the_sizes_of_classes_and_their_colours(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, (200, 150, 4, 1), dtype="uint8").repeat(3, axis=3)
    y = np.repeat([0, 1], [190, 10])
    np.savez(tmp_path / "two.npz", x=x, y=y)
    status, text = kgen(
        "data", tmp_path / "two.npz", "--out", tmp_path / "two.png"
    )
    assert status == 0, text
    assert "Pass --image-shape 150x4x1, which is three times as small." in text
    assert "Pictures of 150x4 pixels train slowly." in text
    assert "Classes are unequal: 190 examples of 0, 10 of 1." in text
    assert "splits  train 160, test 40, a fixed fifth\n" in text
    assert f"drawn in {tmp_path / 'two.png'}" in text


def test_volumes_are_told_of(tmp_path):
    np.save(tmp_path / "v.npy", np.zeros((3, 8, 8, 8), "uint8") + 9)
    out = ("--out", tmp_path / "v.png")
    assert (
        "kgen has no networks for them"
        in kgen("data", tmp_path / "v.npy", *out)[1]
    )


def test_an_empty_name_is_no_folder():
    assert "a path or a data set's name" in kgen("data", "")[1]


def test_pictures_that_can_not_be_read_are_all_named(tmp_path):
    pets = folder(tmp_path / "pets", {"cat": 99, "dog": 9})
    for name in ("cat/1.png", "dog/2.png"):
        (pets / name).write_bytes(b"no picture")
    status, text = kgen("data", pets)
    assert status == 2 and text.count("\n") == 1
    assert f"2 pictures of {pets} can't be read." in text
    assert f"{pets}/cat/1.png, {pets}/dog/2.png." in text


def test_a_table_is_told_about(tmp_path):
    rows = "kind,size,id,note,age\n"
    for number in range(150):
        kind, size = ("a", number / 8) if number % 2 else ("b", "")
        age = number % 50 if number % 3 else ""
        rows += f"{kind},{size},key-{number},same,{age}\n"
    (tmp_path / "rows.csv").write_text(rows)
    status, text = kgen("data", tmp_path / "rows.csv", "--target", "kind")
    assert status == 0, text
    lines = [line.split() for line in text.splitlines()]
    assert ["size", "numeric", "48.3%", "0.125", "to", "18.625"] in lines
    assert ["kind", "category", "0.0%", "a,", "b"] in lines
    (age,) = (line for line in lines if line[:2] == ["age", "integer"])
    assert age[3:] == ["0", "to", "49"]
    counts = {line[1]: line[2:] for line in lines if line[:1] in (["0"], ["1"])}
    assert {name: sum(map(int, c)) for name, c in counts.items()} == {
        "a": 75,
        "b": 75,
    }
    assert "Column id identifies rows, and is left out." in text
    assert "Column note is constant." in text
    assert "drawn" not in text
    status, text = kgen("data", tmp_path / "rows.csv", "--out", "rows.png")
    assert status == 2 and "can't be drawn" in text


# Completion


def test_no_space_follows_the_name_of_a_setting():
    """In bash; `_Bash` replaces a line of click's script."""
    script = get_completion_class("bash").source_template
    assert "[[ $value == *= ]] && compopt -o nospace" in script


def test_the_shell_completes_commands_and_names():
    def completed(*words):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; sys.argv[0] = 'kgen'; from kgen import cli; cli.main()",
            ],
            env={
                **os.environ,
                "_KGEN_COMPLETE": "bash_complete",
                "COMP_WORDS": " ".join(["kgen", *words]),
                "COMP_CWORD": str(len(words)),
            },
            capture_output=True,
            text=True,
        )
        return [line.rpartition(",")[2] for line in done.stdout.splitlines()]

    assert completed("sh") == ["show"]
    assert completed("train", "vae") == ["vae", "vaegan"]
    assert completed("train", "vae", "--network", "d") == ["dense"]
    assert completed("train", "vae", "--set", "kl_") == ["kl_weight="]
    words = ("--set", "kl_weight=4", "--set", "l")
    names = ["levels=", "likelihood="]
    assert completed("train", "vae", *words) == names
    assert (
        completed("train", "--epochs", "9", "vae", "--set", "le") == names[:1]
    )
    assert "rank=" in completed("train", "--set", "r")
