"""What a training tells while it runs."""

import io
import re
import sys
import types

import numpy as np
import pandas as pd
import pytest

import kgen
from kgen import errors, registry, runs, terminal
from kgen.data import open_source
from kgen.runs import introduction, progress


@pytest.fixture
def clock(monkeypatch):
    clock = types.SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    return clock


def test_the_time_left(clock):
    """Epochs of 20 seconds, after a first one of 500."""
    lines = []
    callback = progress.TimeLeft(lines.append)
    callback.set_params({"epochs": 10})
    callback.on_train_begin()
    clock.now = 500.0
    for epoch in range(2, 10):  # of a training that goes on
        callback.on_epoch_end(epoch)
        clock.now += 20.0
    assert lines == [
        "About 0:01:40 (h:mm:ss) left for 5 of 10 epochs.",
        "About 0:01:00 (h:mm:ss) left for 3 of 10 epochs.",
        "About 0:00:20 (h:mm:ss) left for 1 of 10 epochs.",
    ]


FIGURES = {"val_elbo": "higher", "elbo": "higher", "kl_loss": ""}


def told(clock, logs, epochs=None, seconds=2.0, history=None, figures=FIGURES):
    """The lines of a training whose epochs have these logs, and its callback."""
    lines, begin = [], len((history or {}).get("epoch", ()))
    callback = progress.Epochs(figures, lines.append, history=history)
    callback.set_params({"epochs": epochs or len(logs), "steps": 4})
    callback.on_train_begin()
    for epoch, values in enumerate(logs, begin):
        callback.on_epoch_begin(epoch)
        for batch in range(4):
            clock.now += seconds / 4
            callback.on_train_batch_end(batch, values)
        callback.on_epoch_end(epoch, values)
    callback.on_train_end()
    return lines, callback


def logs_of(*values):
    return [
        {"elbo": -40.0, "kl_loss": 0.0123456, "loss": 1e9, "val_elbo": value}
        for value in values
    ]


def test_a_line_has_what_matters_and_marks_the_best(clock):
    lines, callback = told(clock, logs_of(-50.0, -45.125, -46.0))
    rest = "  elbo  -40.00  kl_loss 0.01235"
    assert lines == [
        f"Epoch 1/3  val_elbo  -50.00 best{rest}",
        f"Epoch 2/3  val_elbo  -45.12 best{rest}  2 s left",
        f"Epoch 3/3  val_elbo  -46.00     {rest}",
    ]
    assert callback.summary() == (
        "Trained 3 epochs in 6 s. The best val_elbo, -45.12, was that of epoch 2; "
        "the model is that of the last epoch, with -46.00."
    )


def test_the_best_of_a_run_that_goes_on(clock):
    """NaN is never the best, and of equal ones the first is."""
    history = {"epoch": [0.0, 1.0], "val_elbo": [np.nan, -45.0]}
    lines, callback = told(clock, logs_of(-45.0, -44.0), 4, history=history)
    assert [line.split("  elbo")[0].rstrip() for line in lines] == [
        "Epoch 3/4  val_elbo  -45.00",
        "Epoch 4/4  val_elbo  -44.00 best",
    ]
    assert callback.summary() == (
        "Trained 2 epochs in 4 s; the last one has the best val_elbo, -44.00."
    )


def test_what_is_judged_without_validation_or_by_no_figure(clock):
    lines, _ = told(clock, [{"elbo": -1.0}])
    assert lines == ["Epoch 1/1  elbo  -1.000 best"]
    figures = registry.MODELS["gan"].figures
    logs = {"generator_loss": 1.0, "discriminator_loss": 0.0005, "loss": 2.0}
    lines, callback = told(clock, [logs], figures=figures)
    assert lines == [
        "Epoch 1/1  generator_loss   1.000  discriminator_loss 5.0e-04"
    ]
    assert "`kgen evaluate` does" in callback.summary()


@pytest.mark.parametrize(
    ("epochs", "seconds", "expected"),
    [
        (25, 1.0, range(1, 26)),
        (100, 0.1, [1, *range(5, 101, 5)]),
        (730, 0.1, [1, *range(50, 701, 50), 730]),
        (100, 31.0, range(1, 101)),  # of slow ones, all
    ],
)
def test_hundreds_of_epochs_have_few_lines(clock, epochs, seconds, expected):
    lines, _ = told(clock, logs_of(*range(epochs)), seconds=seconds)
    numbers = [int(line.split()[1].partition("/")[0]) for line in lines]
    assert numbers == list(expected)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (80, "val_elbo  -2.000 best  elbo  -40.00  kl_loss 0.01235  2 s left"),
        (60, "val_elbo  -2.000 best  elbo  -40.00  2 s left"),
        (46, "val_elbo  -2.000 best  2 s left"),
        (40, "val_elbo  -2.000 best"),
    ],
)
def test_a_narrow_terminal(clock, monkeypatch, columns, expected):
    monkeypatch.setattr(terminal, "width", lambda: columns)
    lines, _ = told(clock, logs_of(-3.0, -2.0, -1.0))
    assert lines[1] == f"Epoch 2/3  {expected}"
    assert len(lines[1]) < columns
    figures = dict.fromkeys(FIGURES, "")  # none of which is judged
    lines, _ = told(clock, logs_of(-3.0, -2.0, -1.0), figures=figures)
    assert lines[1].startswith("Epoch 2/3  val_elbo  -2.000")
    assert len(lines[1]) < columns
    text = terminal.wrapped("Data:  " + "word " * 40, 7).splitlines()
    assert max(map(len, text)) < columns
    assert all(line.startswith(" " * 7 + "word") for line in text[1:])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (40, "Epoch 2/2  val_frechet_distance   3.000"),
        (50, "Epoch 2/2  val_frechet_distance   3.000"),
        (60, "Epoch 2/2  val_frechet_distance   3.000       kl   2.000"),
    ],
)
def test_a_line_has_figures_in_any_terminal(
    clock, monkeypatch, columns, expected
):
    """What has no room takes none from others."""
    monkeypatch.setattr(terminal, "width", lambda: columns)
    logs = {"val_frechet_distance": 3.0, "discriminator_loss": 1.0, "kl": 2.0}
    figures = dict.fromkeys(logs, "") | {"val_frechet_distance": "lower"}
    lines, _ = told(clock, [logs] * 2, figures=figures)
    assert lines[1] == expected


class Terminal(io.StringIO):
    """Text that is written to a terminal of 80 columns."""

    def isatty(self):
        return True


def test_a_bar_below_the_lines_of_a_terminal(clock, monkeypatch):
    """It is drawn by time, not by steps, and warnings do not break it."""
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", out)
    for name, value in {"COLUMNS": "80", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    screen = progress.Screen(out.write)
    (callback,) = screen.callbacks(FIGURES, {})
    assert screen.keras_verbose == 0
    callback.set_params({"epochs": 2, "steps": 1000})
    with screen.shown():
        callback.on_train_begin()
        for epoch, logs in enumerate(logs_of(-50.0, -45.0)):
            callback.on_epoch_begin(epoch)
            for batch in range(1000):
                clock.now += 0.001
                callback.on_train_batch_end(batch, logs)
            callback.on_epoch_end(epoch, logs)
            errors.say(f"a warning after epoch {epoch + 1}")
        callback.on_train_end()
        screen.finishing("Drawing")
    screen.conclude()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text)]
    assert (
        15 < sum("\N{BOX DRAWINGS HEAVY HORIZONTAL}" in x for x in lines) < 30
    )
    for line in ("val_elbo  -50.00", "val_elbo  -45.00"):
        assert sum(line in other for other in lines) == 1
    for epoch in (1, 2):
        assert f"kgen: a warning after epoch {epoch}" in lines
    assert lines[-1].startswith("Trained 2 epochs in 2 s; the last one has the")


@pytest.mark.parametrize("name", registry.MODELS)
def test_every_model_has_figures_that_it_logs(name):
    """At least one that is shown without validation."""
    labels = {"num_classes": 2} if name == "bayes_classifier" else {}
    model = kgen.create_model(name, input_shape=(8, 8, 1), **labels)
    known = {log for metric in model.metrics for log in metric.names}
    figures = registry.MODELS[name].figures
    if hasattr(model, "discriminator"):  # which `FrechetWatch` logs
        known.add("frechet_distance")
    assert {figure.removeprefix("val_") for figure in figures} <= known
    assert set(figures) & known
    assert set(figures.values()) <= {"lower", "higher", ""}


def settings(**given):
    fields = {"model": "vae", "data": "x.npz", "image_shape": None}
    fields |= {"data_dir": None, "network": "dense", "seed": 0, "options": {}}
    fields |= {"conditional": False, "binarize": False, "kl_warmup": 0.0}
    fields |= registry.MODELS["vae"].defaults | {"epochs": 3}
    return runs.TrainSettings(**fields | given)


def introduced(source, epochs_done=0, **given):
    """What is told of a run on a source."""
    chosen = settings(**given)
    dataset = source.dataset("train", labels=chosen.conditional, batch_size=64)
    model = runs.build(chosen, source, dataset)
    run = runs.Run("runs/vae-1")
    return introduction.introduce(run, chosen, source, model, epochs_done)


def test_what_is_told_of_vectors():
    x = np.tile(np.float32([[-1.0, 3.0]]), (200, 1))
    text = introduced(open_source((x, np.arange(200) % 2)), 1, latent_dim=4)
    model = kgen.create_model(
        "vae", input_shape=(2,), network="dense", latent_dim=4
    )
    sizes = model.encoder.count_params(), model.decoder.count_params()
    assert text.splitlines() == [
        "Data:  x.npz, 160 vectors of 2 numbers, values from -1 to 3; 40 more "
        "(test) to validate",
        "       2 classes: 0, 1",
        f"Model: vae; dense networks: encoder {sizes[0]:,}, decoder {sizes[1]:,} "
        "parameters; latent size 4",
        "Train: epochs 2 to 3 of 3 steps, 64 examples each",
        "Run:   runs/vae-1",
    ]


def test_what_is_told_of_a_run_that_has_ended():
    source = open_source(np.zeros((200, 2), "float32"))
    told = introduced(source, 3, fit_prior="gaussian").splitlines()
    assert told[-2] == (
        "Train: nothing left of 3 epochs; then gaussian is fitted to the codes"
    )


def test_it_is_told_from_when_on_learning_rates_fall():
    given = {"model": "gan", "network": "dense", "epochs": 8}
    source = open_source((np.zeros((200, 2), "float32"), np.zeros(200, int)))
    told = "8 epochs of 3 steps, 64 examples each; the learning rates fall from"
    line = " ".join(introduced(source, **given).split())
    assert f"Train: {told} epoch 6 on Run:" in line


def test_what_is_told_of_a_table():
    count = 200
    frame = pd.DataFrame(
        {
            "length": np.linspace(0.0, 1.0, count),
            "kind": ["a", "b"] * (count // 2),
            "sex": ["f", "m", "m", "f"] * (count // 4),
        }
    )
    source = open_source(frame, target="sex")
    lines = introduced(source, data="people.csv", target="sex").splitlines()
    assert lines[0] == (
        "Data:  people.csv, 160 rows of 3 columns (1 numeric, 2 category; target sex); "
        "40 more (test) to validate"
    )
    assert lines[1] == "       2 classes: f, m"
    assert lines[2].endswith("; conditional on the class")
