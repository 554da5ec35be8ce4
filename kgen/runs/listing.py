"""What the files of runs, evaluations and exports tell, without TensorFlow."""

import datetime
import json
import math
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from kgen import files, registry
from kgen.errors import InvalidArgument
from kgen.runs.history_file import DamagedHistory, best_place, read_history

_CONFIG, _HISTORY = "config.json", "history.csv"
_METRICS, _CARD = "metrics.json", "model.json"
_MODEL = "model.keras"
REPORT = "report.html"
HEAD = ("RUN", "MODEL", "DATA", "EPOCHS", "BEST", "EVALUATED", "WHEN")
# Settings that are not shown of a run that has these defaults.
USUAL = {
    "background": "white",
    "on_nan": "stop",
    "patience": 0,
    "numbers": "quantiles",
    "kl_warmup": 0.0,
    "devices": 1,
}
# The figures of an evaluation of which the first one stands in the list of all runs.
_TOLD = (
    "accuracy",
    "log_likelihood",
    "elbo",
    "frechet_distance",
    "column_shapes",
    "denoised_psnr",
    "psnr",
    "mse",
)


class Section(NamedTuple):
    """A part of what there is to tell: a table, or a text.

    Args:
        title: The line above it.
        rows: The rows of the table, as texts.
        head: The names of its columns, or `()`.
        text: The text in the place of a table.
    """

    title: str
    rows: Sequence[tuple[str, ...]]
    head: tuple[str, ...] = ()
    text: str = ""


def rows(root: str | os.PathLike) -> list[tuple[str, ...]]:
    """A row for each run in a directory, the newest last.

    Args:
        root: The directory of all runs.

    Returns:
        List of tuples of texts, as many as `HEAD` has: the run's path, its model,
        its data, the epochs that it has seen and those that it is to see, its best
        epoch by the figure that compares such models, a figure that
        `kgen evaluate` has found, and when it was last trained.
    """
    found = pathlib.Path(root).glob(f"*/{_CONFIG}")
    by_time = sorted(found, key=lambda file: (_changed(file), str(file)))
    return [_row(file.parent) for file in by_time]


def _changed(file):
    """When a file was written, in seconds; 0 where the system can't tell."""
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _row(path):
    """A run's row; of one that can't be read, it says so."""
    try:
        return _described(path)
    except OSError as error:
        fault = str(error.strerror)
    except (ValueError, TypeError, KeyError):
        fault = "damaged config.json"
    return (str(path), fault, *[""] * (len(HEAD) - 2))


def _described(path):
    config = files.read_json(path / _CONFIG)
    model, data, wanted = (config[k] for k in ("model", "data", "epochs"))
    history, fault = _history(path)
    return (
        str(path),
        str(model),
        pathlib.Path(str(data)).name,
        f"{'?' if fault else _epochs(history)}/{wanted}",
        "damaged history.csv" if fault else _best(str(model), history),
        _evaluated(path),
        _when(path),
    )


def _history(path):
    """A run's logs by name, `{}` without any; and why they can't be read, or ""."""
    try:
        return read_history(path / _HISTORY), ""
    except (OSError, DamagedHistory) as error:
        return {}, str(error)


def _epochs(history):
    """How many epochs there are, by the number of the last one."""
    return int(history["epoch"][-1]) + 1 if history else 0


def _best(model, history):
    """A run's best epoch, such as `val_elbo 38.02 (93)`; `""` if none is known.

    It is by the figure that compares trainings of such a model, where that is
    logged: a GAN's losses tell nothing of its quality.
    """
    name, better = figure_of(model, history)
    values = history.get(str(name), [])
    best = best_place(values, better)
    if best is None:
        return ""
    return f"{name} {values[best]:.4g} ({history['epoch'][best] + 1:.0f})"


def figure_of(
    model: str, logs: Iterable[str], others: Sequence[str] = ()
) -> tuple[str | None, str]:
    """The log that compares trainings of a model, and which values are better.

    Args:
        model: Its name.
        logs: The names of the logs that there are.
        others: Those to take where none of its own is there.

    Returns:
        The name, or None if there is no such log; and `"lower"` or `"higher"`.
    """
    entry = registry.MODELS.get(model)
    figures = entry.figures if entry else {"val_loss": "lower", "loss": "lower"}
    names = [name for name, better in figures.items() if better]
    known = set(logs)
    name = next((name for name in (*names, *others) if name in known), None)
    return name, figures.get(str(name), "lower")


def _evaluated(path):
    """A figure that `kgen evaluate` has found; `""` without any."""
    try:
        (entry,) = files.read_json(path / _METRICS)
        metrics = entry["metrics"]
        told = [metrics[name] for name in _TOLD if name in metrics][:1]
        return "".join(f"{m['title']} {m['value']:.4g}" for m in told)
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return ""


def _when(path):
    """When a run was last trained, in local time."""
    names = (_CONFIG, _HISTORY, _MODEL)
    times = [(path / n).stat().st_mtime for n in names if (path / n).exists()]
    return f"{datetime.datetime.fromtimestamp(max(times)):%Y-%m-%d %H:%M}"


def describe(path: str | os.PathLike) -> list[Section]:
    """Tells about a run, an evaluation or an exported model.

    Args:
        path: Its directory; of an export, that of a version.

    Returns:
        One `Section` or more.

    Raises:
        InvalidArgument: If there is none of these, or a file is damaged.
    """
    path = pathlib.Path(path)
    sections = [
        section
        for name, function in _PARTS.items()
        if (path / name).is_file()
        for section in function(path)
    ]
    if not sections:
        raise InvalidArgument(
            f"{path} holds no run, no evaluation and no export. Expected a "
            "directory that `kgen train`, `kgen evaluate` or `kgen export` made, "
            "such as runs/vae-1 or saved_models/vae/1."
        )
    pictures = [(str(file),) for file in sorted(path.glob("*.png"))]
    sections += [Section("Pictures", pictures)] if pictures else []
    page = path / REPORT
    return sections + [Section("Report", [(str(page),)])] * page.is_file()


def _run(path):
    config = _read(path / _CONFIG)
    if not isinstance(config, dict):
        raise InvalidArgument(
            f"{path / _CONFIG} is not what `kgen train` wrote."
        )
    shown = ((k, _value(k, v)) for k, v in config.items())
    yield Section(f"The run {path}", [pair for pair in shown if pair[1]])
    history, fault = _history(path)
    if fault:
        yield Section("No figures", [], text=fault)
    last = {name: values[-1] for name, values in history.items()}
    logs = {name: f"{value:.5g}" for name, value in last.items()}
    hidden = {"epoch", *registry.equal_to_loss(last)}
    names = [n for n in logs if n not in hidden and not n.startswith("val_")]
    epochs = _epochs(history)
    count = "1 epoch" if epochs == 1 else f"{epochs} epochs"
    title = f"After {count}, {_when(path)}"
    best = _best(str(config.get("model")), history)
    title += f", the best with {best}" if best else ""
    figures = [(n, logs[n], logs.get(f"val_{n}", "")) for n in names]
    if figures:
        yield Section(title, figures, ("FIGURE", "TRAINING", "VALIDATION"))


def _evaluation(path):
    from kgen.runs.report import ranking, table  # which need NumPy

    file = path / _METRICS
    try:
        evaluations = _read(file)
        _set_unknown_values(evaluations)
        text = table(evaluations)
        found = ranking.rows(evaluations)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise InvalidArgument(
            f"{file} is not what `kgen evaluate` wrote: {error}. Evaluate again."
        ) from error
    title = "The evaluation"
    if _changed(path / _MODEL) > _changed(file):
        title += f", made before {_MODEL} was last written"
    if len(evaluations) > 1:  # of which the best figures are marked
        yield Section(title, [], text=text)
        return
    metrics = [
        (row.title, cell.value, cell.error, row.floor, row.unit)
        for row in found
        if (cell := row.cells[0])
    ]
    yield Section(title, metrics, ("METRIC", "VALUE", "ERROR", "FLOOR", "UNIT"))


def _set_unknown_values(evaluations):
    """Sets what `kgen evaluate` wrote as null, since JSON holds no NaN, to NaN."""
    for evaluation in evaluations:
        for metric in evaluation["metrics"].values():
            if metric.get("value", 0) is None:
                metric["value"] = math.nan


def _card(path):
    yield Section("", [], text=json.dumps(_read(path / _CARD), indent=2))


_PARTS = {_CONFIG: _run, _METRICS: _evaluation, _CARD: _card}


def _read(file: pathlib.Path) -> Any:
    try:
        return files.read_json(file)
    except ValueError as error:
        raise InvalidArgument(f"{file} can't be read: {error}.") from error


def _value(name, value):
    """A setting as it is shown; `""` for one that is not set, or as usual."""
    if value is None or value is False or value in ({}, []):
        return ""
    if name in USUAL and value == USUAL[name]:
        return ""
    if name == "classes" and isinstance(value, list):
        return f"{len(value)}: {', '.join(map(str, value))}"
    if name == "examples" and isinstance(value, dict):
        counts = {k: v for k, v in value.items() if isinstance(v, dict)}
        value = {k: v.get("examples") for k, v in counts.items()}
    if isinstance(value, dict):
        return ", ".join(f"{k} {_value('', v)}" for k, v in value.items())
    return value if isinstance(value, str) else json.dumps(value)
