"""The metrics of several evaluations as rows, and which run is best in each."""

import dataclasses
import itertools
import math
import re
from collections.abc import Iterable

import numpy as np

from kgen.errors import invalid
from kgen.runs.report import words
from kgen.runs.report.numbers import texts

_REQUIRED = ("run", "model", "metrics")
_BETTER = re.compile(r"lower|higher|near:-?\d+(\.\d+)?")
_SIGNIFICANT = 2.0  # standard errors of a difference


@dataclasses.dataclass(frozen=True)
class Cell:
    """A run's value of a metric: texts, and `best`, `tied` or nothing."""

    value: str
    error: str
    mark: str


@dataclasses.dataclass(frozen=True)
class Row:
    """A metric of all runs; a cell is None where a run lacks it."""

    title: str
    unit: str
    better: str
    reading: str
    floor: str
    cells: list[Cell | None]


def check(owner: str, evaluations: Iterable[dict]) -> list[dict]:
    """Returns `evaluations` as a list, or raises if they can't be shown.

    Args:
        owner: Name of the function that was given them.
        evaluations: Those of `kgen.runs.report.write`.
    """
    if isinstance(evaluations, dict) or not evaluations:
        raise invalid(
            "evaluations",
            owner,
            "a list of one evaluation or more",
            "one that is not in a list" if evaluations else repr(evaluations),
        )
    evaluations = list(evaluations)
    for expected, received in itertools.chain(*map(_faults, evaluations)):
        raise invalid("evaluations", owner, expected, received)
    return evaluations


def _faults(evaluation):
    """Yields what was expected instead, and what was received."""
    missing = [name for name in _REQUIRED if name not in evaluation]
    if missing:
        expected = f"the keys {', '.join(_REQUIRED)} in each"
        yield expected, f"one without {', '.join(missing)}"
    for name, metric in evaluation["metrics"].items():
        missing = " and ".join(sorted({"title", "value"} - set(metric)))
        if missing:
            yield f"a {missing} of the metric {name!r}", metric
        for key in ("value", "standard_error", "floor", "count"):
            number = metric.get(key)
            if number is None and key != "value":
                continue
            try:
                float(number)
            except (TypeError, ValueError):
                expected = f"a number as the {key} of the metric {name!r}"
                yield expected, repr(number)
        better = metric.get("better")
        if better is not None and not _BETTER.fullmatch(better):
            expected = (
                "'lower', 'higher', 'near:NUMBER' or None as what is better of "
                f"the metric {name!r}"
            )
            yield expected, repr(better)


def differences(evaluations: list[dict]) -> list[str]:
    """Returns the conditions, in words, that differ between the evaluations.

    A distance depends on the data, on the features and, by its bias, on the
    number of samples: where these differ, no value is better than another.
    Runs without samples may stand beside all others, since their metrics do not
    depend on samples.

    Args:
        evaluations: Those of `kgen.runs.report.write`.
    """
    with_samples = [
        evaluation
        for evaluation in evaluations
        if evaluation.get("num_samples") is not None
        or evaluation.get("extractor")
    ]
    conditions: dict[str, list] = {
        "data": [evaluation.get("data") for evaluation in evaluations],
        "features": [e.get("extractor") for e in with_samples],
        "number of samples": [
            (e.get("num_samples"), words.num_compared(e)) for e in with_samples
        ],
    }
    return [
        name
        for name, values in conditions.items()
        if any(value != values[0] for value in values)
    ]


def rows(evaluations: list[dict]) -> list[Row]:
    """Returns the table of all metrics, in the order in which they came.

    Args:
        evaluations: Those of `kgen.runs.report.write`.
    """
    by_run = [evaluation["metrics"] for evaluation in evaluations]
    comparable = not differences(evaluations)
    return [
        _row([metrics.get(name) for metrics in by_run], comparable)
        for name in dict.fromkeys(itertools.chain(*by_run))
    ]


def _row(metrics, comparable):
    known = [metric for metric in metrics if metric is not None]
    first = known[0]
    better = first.get("better") or ""
    pairs = [
        metric and texts(metric["value"], metric.get("standard_error"))
        for metric in metrics
    ]
    marks = [""] * len(pairs)
    if comparable and better:
        marks = _marks(metrics, better, pairs)
    floors = [metric.get("floor") for metric in known]
    floors = [texts(floor)[0] for floor in floors if floor is not None]
    return Row(
        title=first["title"],
        unit=first.get("unit") or "",
        better=better,
        reading=_reading(known),
        floor=" / ".join(dict.fromkeys(floors)),
        cells=[pair and Cell(*pair, mark) for pair, mark in zip(pairs, marks)],
    )


def _reading(metrics):
    """How to read a metric, and how many samples it is of, where it's said."""
    reading = metrics[0].get("reading") or ""
    counts = [metric.get("count") for metric in metrics]
    counts = dict.fromkeys(f"{int(n):,}" for n in counts if n is not None)
    if counts:
        reading += (
            f" Of {' / '.join(counts)} samples and as many real examples."
        )
    return reading.strip()


def _marks(metrics, better, pairs):
    """`best` for a single best value, and `tied` for values that are not worse.

    Values whose texts are the same are tied: readers can't see a difference in
    digits that are not shown.
    """
    marks = [""] * len(metrics)
    scores = {
        place: _score(float(metric["value"]), better)
        for place, metric in enumerate(metrics)
        if metric is not None and not math.isnan(metric["value"])
    }
    if len(scores) < 2:
        return marks
    best = min(scores, key=scores.get)
    equal = [
        place
        for place, score in scores.items()
        if pairs[place][0] == pairs[best][0]
        or score - scores[best] <= _margin(metrics[place], metrics[best])
    ]
    for place in equal:
        marks[place] = "best" if len(equal) == 1 else "tied"
    return marks


def _score(value, better):
    """A number that is lower for a better value."""
    if better == "lower":
        return value
    if better == "higher":
        return -value
    return abs(value - float(better.removeprefix("near:")))


def _margin(metric, other):
    """Two standard errors of a difference; unknown ones count as none.

    Where both are means over the same examples, the differences of single
    examples have far smaller errors than the means.
    """
    each = [metric.get("each"), other.get("each")]
    if all(values is not None and len(values) > 1 for values in each):
        with np.errstate(invalid="ignore"):  # infinite ones have no error
            values = np.subtract(*(np.asarray(e, "float64") for e in each))
            error = values.std(ddof=1) / math.sqrt(len(values))
        return _SIGNIFICANT * error
    errors = [m.get("standard_error") or 0.0 for m in (metric, other)]
    return _SIGNIFICANT * math.hypot(*(e for e in errors if not math.isnan(e)))
