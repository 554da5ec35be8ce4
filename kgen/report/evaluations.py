"""What several evaluations say of each metric, and which of them says best."""

import dataclasses
import math
import re

import numpy as np

from kgen.errors import invalid
from kgen.report.numbers import texts

_REQUIRED = ("run", "model", "metrics")
_BETTER = re.compile(r"lower|higher|near:-?\d+(\.\d+)?")
_SIGNIFICANT = 2.0  # standard errors of a difference


@dataclasses.dataclass(frozen=True)
class Cell:
    """A run's figure of a metric: texts, and `best` or `tied` or nothing."""

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
    cells: list


def check(owner, evaluations):
    """Returns `evaluations` as a list, or raises if there is none to show."""
    if isinstance(evaluations, dict) or not evaluations:
        raise invalid(
            "evaluations",
            owner,
            "a list of one evaluation or more",
            "one that is not in a list" if evaluations else repr(evaluations),
        )
    evaluations = list(evaluations)
    for evaluation in evaluations:
        missing = [name for name in _REQUIRED if name not in evaluation]
        if missing:
            raise invalid(
                "evaluations",
                owner,
                f"the keys {', '.join(_REQUIRED)} in each",
                f"one without {', '.join(missing)}",
            )
        for name, metric in evaluation["metrics"].items():
            _check_metric(owner, name, metric)
    return evaluations


def _check_metric(owner, name, metric):
    missing = {"title", "value"} - set(metric)
    if missing:
        what = " and ".join(sorted(missing))
        raise invalid(
            "evaluations", owner, f"a {what} of the metric {name!r}", metric
        )
    for key in ("value", "standard_error", "floor", "count"):
        number = metric.get(key)
        if number is None and key != "value":
            continue
        try:
            float(number)
        except (TypeError, ValueError):
            raise invalid(
                "evaluations",
                owner,
                f"a number as the {key} of the metric {name!r}",
                repr(number),
            ) from None
    better = metric.get("better")
    if better is not None and not _BETTER.fullmatch(better):
        raise invalid(
            "evaluations",
            owner,
            "'lower', 'higher', 'near:NUMBER' or None as what is better of "
            f"the metric {name!r}",
            repr(better),
        )


def unlike(evaluations):
    """What the runs were not judged alike by, in words.

    A distance hangs on the data, on the features and, by its bias, on the
    number of samples; then no figure is better than another. Runs without
    samples are like all others in what is of samples alone.

    Args:
        evaluations: Those of `kgen.report.write`.

    Returns:
        List of strings.
    """
    with_samples = [
        one
        for one in evaluations
        if one.get("num_samples") is not None or one.get("extractor")
    ]
    judged_by = {
        "data": [one.get("data") for one in evaluations],
        "features": [one.get("extractor") for one in with_samples],
        "number of samples": [
            (one.get("num_samples"), num_compared(one)) for one in with_samples
        ],
    }
    return [
        words
        for words, found in judged_by.items()
        if any(other != found[0] for other in found)
    ]


def num_compared(evaluation):
    """How many samples are compared by features at most: all, if not said."""
    compared = evaluation.get("num_compared")
    return evaluation.get("num_samples") if compared is None else compared


def names(evaluations):
    """What the runs are called."""
    return [str(evaluation["run"]) for evaluation in evaluations]


def in_order(mappings):
    """All keys of some dictionaries, once each, in the order they came."""
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))


def rows(evaluations):
    """The table of all metrics.

    Args:
        evaluations: Those of `kgen.report.write`.

    Returns:
        List of `Row`, in the order in which the metrics came.
    """
    found = [evaluation["metrics"] for evaluation in evaluations]
    comparable = not unlike(evaluations)
    return [
        _row([metrics.get(name) for metrics in found], comparable)
        for name in in_order(found)
    ]


def _row(metrics, comparable):
    known = [metric for metric in metrics if metric is not None]
    first = known[0]
    better = first.get("better")
    pairs = [
        metric and texts(metric["value"], metric.get("standard_error"))
        for metric in metrics
    ]
    marks = _marks(metrics, better, pairs) if comparable else [""] * len(pairs)
    floors = [metric.get("floor") for metric in known]
    floors = [texts(floor)[0] for floor in floors if floor is not None]
    return Row(
        title=first["title"],
        unit=first.get("unit") or "",
        better=better or "",
        reading=_reading(known),
        floor=" / ".join(dict.fromkeys(floors)),
        cells=[pair and Cell(*pair, mark) for pair, mark in zip(pairs, marks)],
    )


def _reading(metrics):
    """How to read a metric, and how many samples it is of, where it's said."""
    parts = [metrics[0].get("reading") or ""]
    counts = [metric.get("count") for metric in metrics]
    counts = dict.fromkeys(f"{int(n):,}" for n in counts if n is not None)
    if counts:
        parts.append(
            f"Of {' / '.join(counts)} samples and as many real examples."
        )
    return " ".join(filter(None, parts))


def _marks(metrics, better, pairs):
    """`best` where one is, `tied` where several are not worse than it.

    What reads the same is the same, too: nobody can see a difference in digits
    that are not shown.
    """
    marks = [""] * len(metrics)
    if better is None:
        return marks
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
    """The less, the better."""
    if better == "lower":
        return value
    if better == "higher":
        return -value
    return abs(value - float(better.removeprefix("near:")))


def _margin(one, other):
    """Two standard errors of a difference; unknown ones count as none.

    Of figures that are means over the same examples, the differences example by
    example have far smaller ones than the figures.
    """
    each = [metric.get("each") for metric in (one, other)]
    if all(values is not None and len(values) > 1 for values in each):
        with np.errstate(invalid="ignore"):  # infinite ones have no error
            found = np.subtract(*(np.asarray(e, "float64") for e in each))
            error = found.std(ddof=1) / math.sqrt(len(found))
        return _SIGNIFICANT * error
    errors = (m.get("standard_error") or 0.0 for m in (one, other))
    return _SIGNIFICANT * math.hypot(*(e for e in errors if not math.isnan(e)))
