"""Reading a run's history.csv, without TensorFlow."""

import csv
import io
import math
import os
import pathlib
from collections.abc import Sequence


class DamagedHistory(ValueError):
    """A history is not what a training wrote."""


def read_history(
    path: str | os.PathLike, before: int | None = None
) -> dict[str, list[float]]:
    """The logs by epoch, those from epoch `before` on left out.

    A last row that is not whole is left out, too.

    Args:
        path: The file.
        before: The number of an epoch, or None for all logs.

    Returns:
        Dictionary from names to lists of floats; `{}` where there are none.

    Raises:
        DamagedHistory: If the file is not what a training wrote.
    """
    path = pathlib.Path(path)
    if not path.exists():
        return {}
    try:
        text = path.read_bytes().decode()
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
        rows = [row for row in rows if None not in row.values()]
        _check_names(rows)
        names = [k for row in rows[:1] for k in row if _is_logged(k, rows)]
        rows = [{k: _number(row[k]) for k in names} for row in rows]
        _check_order([row["epoch"] for row in rows])
    except (ValueError, csv.Error) as error:
        raise DamagedHistory(f"{path} is damaged: {error}") from error
    rows = [row for row in rows if before is None or row["epoch"] < before]
    return {name: [row[name] for row in rows] for name in names if rows}


def _check_names(rows: list[dict]) -> None:
    """Raises if a row has too many fields, or lacks `epoch` or `loss`."""
    for row in rows:
        if None in row:
            raise ValueError("a row is longer than the first line")
        if "epoch" not in row or "loss" not in row:
            raise ValueError("the first line lacks `epoch` or `loss`")


def _check_order(epochs: list[float]) -> None:
    """Raises unless epochs are whole numbers that rise."""
    for epoch, later in zip(epochs, [*epochs[1:], math.inf]):
        if not epoch.is_integer() or later <= epoch:
            raise ValueError("its epochs are not whole numbers in order")


def _is_logged(name: str, rows: list[dict]) -> bool:
    """Whether a column has logs: without validation, Keras writes only NA."""
    return name == "epoch" or any(row[name] != "NA" for row in rows)


def _number(text: str) -> float:
    """A field as a float; it is empty, or Keras's NA, for what was not computed."""
    return math.nan if text in ("", "NA") else float(text)


def best_place(values: Sequence[float], better: str) -> int | None:
    """Where the best value of a log stands.

    Args:
        values: The log by epoch; NaN where it was not taken.
        better: `"lower"` or `"higher"`: which values are better.

    Returns:
        The place of the first of the best ones, or None if all are NaN.
    """
    known = [place for place, x in enumerate(values) if not math.isnan(x)]
    best = max if better == "higher" else min
    return best(known, key=lambda place: values[place], default=None)
