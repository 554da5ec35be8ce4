"""Trains the classifiers, judges them, and writes the comparison."""

import contextlib
import dataclasses
import math
import os
import pathlib
import time
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from kgen import files, locks, metrics, plots
from kgen.comparison.classifiers import (
    FAMILIES,
    VAE_BAYES,
    new_model,
    suits,
    train,
)
from kgen.comparison.data import CompareSettings, Data, read
from kgen.data import open_source
from kgen.errors import InvalidArgument, one_line

_RESULT, _PICTURE = "comparison.json", "comparison.png"
_FILES = (_RESULT, _PICTURE)
# Columns: header, digits behind the point, and which is the best.
_COLUMNS = {
    "accuracy": ("accuracy", 4, max),
    "nll": ("-log P(y|x)", 4, min),
    "calibration_error": ("calibration error", 4, min),
    "train_seconds": ("training s", 2, min),
    "predict_seconds": ("prediction s", 3, min),
}


def compare(
    settings: CompareSettings,
    out: str | os.PathLike,
    overwrite: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> dict:
    """Trains all classifiers, judges them, and writes the result.

    Args:
        settings: What is compared.
        out: Directory for `comparison.json` and `comparison.png`.
        overwrite: Whether those of an earlier comparison may be replaced.
        report: Function that is given a line when a model is done.

    Returns:
        What `comparison.json` holds: `settings`, `versions`, `data`; `rows`, one
        dictionary for each model and what it was given; `curve`, the accuracies
        by the number of labels; `codes`, the seconds of the VAE that made them;
        `left_out`, the models that could not be trained, and why.

    Raises:
        InvalidArgument: If the data can't be used.
        FileExistsError: If there is something in `out`.
    """
    out = pathlib.Path(out)
    _check_place(out, overwrite)
    source = open_source(
        settings.data,
        settings.image_shape,
        settings.data_dir,
        background=settings.background,
    )
    data = read(source, settings.limit, settings.seed)
    # Before anything is written, since its settings may be wrong.
    vae = new_model("vae", data.x, settings)
    with locks.directory(out):
        files.sweep(out, _FILES.__contains__)
        result = _result(data, vae, settings, report)
        _write(result, out)
    return result


def _result(data, vae, settings, report):
    """What `compare` returns, once all is trained and judged."""
    left_out = []

    @contextlib.contextmanager
    def attempt(model, on):
        """What can't be trained is left out; the others are compared."""
        try:
            yield
        except InvalidArgument as error:
            why = one_line(error)
            left_out.append({"model": model, "on": on, "why": why})
            report(f"{model} on {on}: left out. {why}")

    rows = _rows(data, settings, attempt, report)
    seconds = None
    with attempt("all models", "codes"):
        seconds, codes = _encode(vae, data, settings, report)
        rows += _rows(codes, settings, attempt, report)
    return {
        "settings": dataclasses.asdict(settings),
        "versions": files.versions(
            "kgen", "keras", "tensorflow", "sklearn", "numpy"
        ),
        "data": {
            "name": data.name,
            "kind": data.kind,
            "train": len(data.y),
            "available": data.available,
            "test": len(data.y_test),
            "classes": data.classes,
        },
        "codes": seconds,
        "rows": rows,
        "left_out": left_out,
        "curve": _curve(data, settings, rows, report),
    }


def _check_place(out, overwrite):
    if (out / _RESULT).exists():
        if not overwrite:
            raise FileExistsError(
                f"{out} holds a comparison already. Pass --overwrite to replace "
                "it, or another --out."
            )
    elif out.is_dir() and not all(map(_is_remnant, out.iterdir())):
        raise FileExistsError(
            f"{out} holds something that is not a comparison. Choose another "
            "--out."
        )


def _is_remnant(path):
    """Whether a file is a lock or half a file of a comparison that was killed."""
    return path.name == locks.NAME or files.is_left_over(path.name) in _FILES


def _write(result, out):
    files.write_json(out / _RESULT, result, allow_nan=False)
    title = f"Classifiers of {result['data']['name']}"
    plots.classifiers(result["rows"], result["curve"], out / _PICTURE, title)


def _encode(vae, data, settings, report):
    """Seconds, and the data as codes of a VAE that saw no label."""
    start = time.perf_counter()
    train(vae, data.x, None, settings)
    trained = time.perf_counter()
    x, x_test = (_finite(vae.encode(part)) for part in (data.x, data.x_test))
    seconds = {
        "train_seconds": trained - start,
        "encode_seconds": time.perf_counter() - trained,
    }
    report("the VAE of the codes: {train_seconds:.1f} s".format(**seconds))
    codes = dataclasses.replace(data, kind="codes", x=x, x_test=x_test)
    return seconds, codes


def _finite(x):
    if not np.isfinite(x).all():
        raise InvalidArgument(
            "The loss became infinite or NaN. Scale the data to [0, 1], or "
            "standardise its features."
        )
    return x


def _rows(data, settings, attempt, report):
    """One row for each model that is given `data`."""
    rows = []
    for family, builders in FAMILIES.items():
        for name, build in builders.items():
            if not suits(name, data):
                continue
            with attempt(name, data.kind):
                row = {"model": name, "family": family, "on": data.kind}
                row.update(judge(build(data, settings), data))
                rows.append(row)
                text = "accuracy {accuracy:.4f}, {train_seconds:.1f} s"
                report(f"{name} on {data.kind}: {text.format(**row)}")
    return rows


def judge(estimator: BaseEstimator, data: Data) -> dict[str, float]:
    """Trains a classifier, and compares its probabilities with the labels.

    Args:
        estimator: An estimator with `fit(x, y)` and `predict_proba(x)`.
        data: What it learns from and is judged by.

    Returns:
        Dictionary of floats: `accuracy`; `nll`, the mean of -log P(y|x) in
        nats; `calibration_error`; `train_seconds`; and `predict_seconds` of the
        test examples, after a first call, in which TensorFlow makes its graphs.

    Raises:
        InvalidArgument: If it can't be trained, or its probabilities are not
            finite.
    """
    start = time.perf_counter()
    with warnings.catch_warnings():  # 1000 steps are enough to judge by
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(data.x, data.y)
    trained = time.perf_counter()
    estimator.predict_proba(data.x_test[:1])
    begun = time.perf_counter()
    probabilities = _finite(estimator.predict_proba(data.x_test))
    done = time.perf_counter()
    y, labels = data.y_test, range(len(data.classes))
    return {
        "accuracy": float(np.mean(probabilities.argmax(axis=1) == y)),
        "nll": float(log_loss(y, probabilities, labels=labels)),
        "calibration_error": metrics.calibration_error(probabilities, y),
        "train_seconds": trained - start,
        "predict_seconds": done - begun,
    }


def _curve(data, settings, rows, report):
    """Accuracies by the number of labels, from two a class to all of them.

    A VAE is trained on all only.
    """
    least, most = 2 * len(data.classes), len(data.y)
    count = 1 + math.ceil(math.log2(most / least))
    sizes = np.geomspace(least, most, count).round().astype(int).tolist()
    curve = {}
    for row in rows:
        if row["on"] != data.kind:
            continue
        name = row["model"]
        build = FAMILIES[row["family"]][name]
        curve[name] = [None] * len(sizes)
        curve[name][-1] = row["accuracy"]
        for place, size in enumerate(sizes[:-1] if name != VAE_BAYES else ()):
            part = data.first(size)
            with contextlib.suppress(InvalidArgument):
                figures = judge(build(part, settings), part)
                curve[name][place] = figures["accuracy"]
        known = [value for value in curve[name] if value is not None]
        if len(known) > 1:
            report(
                f"{name} by {len(known)} numbers of labels: accuracy from "
                f"{known[0]:.4f} to {known[-1]:.4f}"
            )
    return {"labels": sizes, "accuracy": curve}


def table(result: dict) -> str:
    """Returns the rows as lines of text, the best figure of a column with a `*`.

    Args:
        result: What `compare` returned.
    """
    rows = result["rows"]
    best = {
        name: choose(row[name] for row in rows)
        for name, (_, _, choose) in _COLUMNS.items()
    }
    lines = [["", "on", *(f"{header} " for header, _, _ in _COLUMNS.values())]]
    for family in ("generative", "discriminative"):
        lines.append([family])
        for row in rows:
            if row["family"] == family:
                figures = [
                    f"{row[name]:.{digits}f}{' *'[row[name] == best[name]]}"
                    for name, (_, digits, _) in _COLUMNS.items()
                ]
                lines.append([f"  {row['model']}", row["on"], *figures])
    data = result["data"]
    heading = (
        f"{data['name']}: {len(data['classes'])} classes, {data['train']} training "
        f"examples of {data['available']}, judged by {data['test']} others"
    )
    return "\n".join([heading, "", *_align(lines), *_notes(result)])


def _align(lines):
    """Words to the left, figures to the right."""
    widths = [
        max(len(line[column]) for line in lines if column < len(line))
        for column in range(len(lines[0]))
    ]
    for line in lines:
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        ]
        yield "  ".join(cells).rstrip()


def _notes(result):
    yield ""
    yield "* the best; -log P(y|x) in nats, the mean over the test examples"
    if result["codes"]:
        yield (
            "The codes' VAE took {train_seconds:.1f} s to train, and "
            "{encode_seconds:.1f} s to encode.".format(**result["codes"])
        )
    for row in result["left_out"]:
        yield "Left out: {model} on {on}. {why}".format(**row)
