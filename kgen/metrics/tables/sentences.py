"""What figures of a table mean, each in a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

_FAULTS = {
    "unknown": "categories that training rows don't have",
    "out_of_range": "values out of the training rows' range",
    "not_integer": "values that are no integers",
}


def shapes(
    value: float | None,
    floor: float | None,
    columns: Mapping[str, float | None],
) -> str:
    """Of columns' distributions; `columns` are the figures of each."""
    known = {name: x for name, x in columns.items() if x is not None}
    if value is None:
        return "No column of the training rows has a value."
    name = min(known, key=known.__getitem__)
    return (
        "In the mean over the columns, their distributions agree with those of the "
        f"training rows by {value:.3f} of 1, where held-out rows reach "
        f"{_number(floor)}; `{name}` agrees least, by {known[name]:.3f}."
    )


def gaps(
    value: float, floor: float, columns: Mapping[str, Mapping[str, Any]]
) -> str:
    """Of shares of gaps; `columns` is that of `column_shapes`."""
    name = min(columns, key=lambda name: columns[name]["gaps"])
    column = columns[name]
    if column["gaps"] == 1.0:
        return "Each column has the training rows' share of gaps."
    return (
        "In the mean over the columns, the share of gaps is off from that of the "
        f"training rows by {_points(1.0 - value)} percentage points, where that of "
        f"held-out rows is off by {_points(1.0 - floor)}; most in `{name}`, with "
        f"{percent(column['synthetic_gaps'])} in place of "
        f"{percent(column['real_gaps'])}."
    )


def pairs(
    value: float | None,
    floor: float | None,
    found: Sequence[Mapping[str, Any]],
) -> str:
    """Of pairs of columns; `found` is `pairs` of `pair_trends`."""
    if value is None:
        return "There is no pair of columns that vary in the training rows."
    known = [pair for pair in found if pair["similarity"] is not None]
    worst = min(known, key=lambda pair: pair["similarity"])
    one, other = worst["columns"]
    return (
        "In the mean over the pairs of columns, they go together as in the training "
        f"rows by {value:.3f} of 1, where held-out rows reach {_number(floor)}; "
        f"`{one}` and `{other}` agree least, by {worst['similarity']:.3f}."
    )


def strong_pairs(value: float | None, floor: float | None) -> str:
    """Of the pairs that depend on each other in the training rows."""
    if value is None:
        return (
            "No two columns depend on each other strongly in the training rows."
        )
    return (
        "Pairs of columns that depend on each other strongly in the training rows go "
        f"together as there by {value:.3f} of 1 in the mean, where held-out rows "
        f"reach {_number(floor)}."
    )


def learned(
    name: str, target: str, value: float | None, floor: float | None
) -> str:
    """Of what is learned of synthetic rows; `name` is that of the score."""
    if value is None or floor is None:
        return f"No synthetic row has a value of `{target}` to learn from."
    if name == "accuracy":
        return (
            f"A classifier that learned `{target}` from synthetic rows is right on "
            f"{percent(value)} of the held-out rows, one that learned it from "
            f"training rows on {percent(floor)}."
        )
    if name == "macro_f1":
        return (
            f"A classifier that learned `{target}` from synthetic rows has a mean F1 "
            f"over its classes of {value:.3f} on the held-out rows, one that learned "
            f"it from training rows of {floor:.3f}."
        )
    return (
        f"What was learned of `{target}` from synthetic rows explains "
        f"{_explained(value)} of its variance in held-out rows, what was learned "
        f"from training rows {_explained(floor)}."
    )


def _explained(r2):
    return percent(r2) if r2 > 0.0 else "nothing"


def too_few(least: int) -> str:
    """Why a classifier can't tell rows apart."""
    return f"{least} or more rows of each table are needed."


def telling_apart(value: float, floor: float) -> str:
    """Of a classifier that tells synthetic rows from real ones."""
    return (
        "Of a synthetic and a held-out row, a classifier takes the right one for "
        f"synthetic in {percent(value)} of all cases, where 50 % are chance; with "
        f"training rows in place of synthetic ones in {percent(floor)}."
    )


def exact_copies(value: float, floor: float) -> str:
    """Of rows that are equal to a training row."""
    return (
        f"{percent(value)} of the synthetic rows are exact copies of training rows, "
        f"and {percent(floor)} of the held-out rows."
    )


def near_copies(value: float, floor: float) -> str:
    """Of rows that are nearly equal to a training row."""
    return (
        f"{percent(value)} of the synthetic rows are as close to a training row as "
        f"the closest {percent(floor)} of the held-out rows are; well above that "
        "share, the model repeats what it was trained on."
    )


def closest_distance(value: float, floor: float) -> str:
    """Of the median distance to the closest training row."""
    return (
        f"Half of the synthetic rows are within {value:.3g} of a training row, in "
        "the mean over the columns as a share of their range, and half of the "
        f"held-out rows within {floor:.3g}."
    )


COPIES = {
    "exact": exact_copies,
    "near": near_copies,
    "distance": closest_distance,
}


def validity(
    value: float, floor: float, columns: Mapping[str, Mapping[str, float]]
) -> str:
    """Of rows without a fault; `columns` is that of `kgen.metrics`' `validity`."""
    shares = {
        (name, fault): share
        for name, faults in columns.items()
        for fault, share in faults.items()
    }
    text = (
        f"{percent(value)} of the synthetic rows have only values that rows of this "
        f"table could have, and {percent(floor)} of the held-out rows"
    )
    name, fault = max(shares, key=shares.__getitem__)
    if not shares[name, fault]:
        return f"{text}."
    share = percent(shares[name, fault])
    return (
        f"{text}; most are at fault in `{name}`: {share} have {_FAULTS[fault]}."
    )


def _points(difference):
    return f"{100.0 * difference:.2f}"


def percent(share: float) -> str:
    """`12.3 %`."""
    digits = 4 if abs(share) > 0.99 else 3
    return f"{100.0 * share:.{digits}g} %"


def _number(value):
    return "none" if value is None else f"{value:.3f}"
