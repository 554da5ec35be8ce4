"""How near rows are to those that were trained on; whether they copy them."""

import numpy as np
import pandas as pd

from kgen import frames
from kgen.metrics.neighbors import memorization
from kgen.params import Number, checked

_DISTANCES = 2**17  # that are held at a time: 1 MiB, which fits into caches
# The place of a gap among numbers, which are clipped to the other two: it is farther
# than 1 from all of them.
_GAP, _LEAST, _LARGEST = 4.0, -1.0, 2.0


@checked(rows=frames.Frame(), train=frames.Frame(), kinds=frames.Kinds())
def closest_distances(
    rows: pd.DataFrame, train: pd.DataFrame, kinds: dict[str, str]
) -> np.ndarray:
    """Returns how far each row is from the training row that is closest to it.

    The distance of two rows is Gower's, the mean over the columns of: for numbers
    and times the difference, as a share of the training rows' range, 1 at most; for
    categories and booleans 0 if they are the same, else 1. A gap is 0 from a gap,
    and 1 from any value. In a column whose training rows are all the same, any
    other value is at 1. Distances are computed in blocks: of memory, they take that
    of both tables' numbers and a few MiB.

    Args:
        rows: Table of `n` rows to be judged.
        train: Table of the training rows.
        kinds: Kind of each column that is compared, by its name, as
            `column_shapes` takes them.

    Returns:
        Array of shape `(n,)`, distances from 0, an exact copy, to 1.

    Raises:
        InvalidArgument: If a table is empty, lacks a column, or has values in it
            that are not of its kind.

    References:
        Gower (1971), A general coefficient of similarity and some of its
        properties, Biometrics 27.
    """
    given = {"train": train, "rows": rows}
    tables = frames.encode(kinds, "closest_distances", **given).tables
    columns = [
        _places(kind, *(t[name] for t in tables))
        for name, kind in kinds.items()
    ]
    step = max(1, _DISTANCES // len(train))
    closest = np.empty(len(rows))
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        total = np.zeros((len(closest[block]), len(train)))
        for known, x in columns:
            difference = np.abs(x[block, np.newaxis] - known)
            total += np.minimum(difference, 1.0, out=difference)
        closest[block] = total.min(axis=1) / len(columns)
    return closest


def _places(kind, known, x):
    """Places on a line whose differences, cut off at 1, are the distances."""
    if not frames.are_numbers(kind):
        return [np.nan_to_num(codes, nan=-1.0) for codes in (known, x)]
    if np.isnan(known).all():
        low = high = 0.0
    else:
        low, high = np.nanmin(known), np.nanmax(known)
    if low == high:
        places = [np.where(y == low, 0.0, _LARGEST) for y in (known, x)]
    else:
        # Computed with halves, since the range itself may overflow.
        width = high / 2 - low / 2
        places = [(y / 2 - low / 2) / width for y in (known, x)]
    return [
        np.where(np.isnan(y), _GAP, np.clip(place, _LEAST, _LARGEST))
        for y, place in zip((known, x), places)
    ]


@checked(**frames.THREE_TABLES, share=Number(0.0, 1.0))
def copies(
    train: pd.DataFrame,
    held_out: pd.DataFrame,
    synthetic: pd.DataFrame,
    kinds: dict[str, str],
    share: float = 0.01,
) -> dict[str, dict[str, float]]:
    """Returns whether synthetic rows repeat training rows, beside real ones.

    Args:
        train: Table of the training rows.
        held_out: Table of real rows not trained on, best 100 or more.
        synthetic: Table of the rows to be judged.
        kinds: Kind of each column that is compared, by its name, as
            `column_shapes` takes them.
        share: How many of the held-out rows count as near, from 0 to 1.

    Returns:
        Dictionary with `synthetic` and `held_out`, each a dictionary with `exact`,
        the share of rows that are equal to a training row; `near`, the share that
        is as close to one as the closest `share` of held-out rows are, or closer;
        and `distance`, the median distance to the closest training row, of
        `closest_distances`; all from 0 to 1. Rows drawn from the data's
        distribution have the figures of held-out ones.

    Raises:
        InvalidArgument: If a table is empty, lacks a column, or has values in it
            that are not of its kind.
    """
    distances = closest_distances(synthetic, train, kinds)
    usual = closest_distances(held_out, train, kinds)
    near = memorization(distances, usual, share)
    return {
        "synthetic": _summary(distances, near["memorization"]),
        "held_out": _summary(usual, near["floor"]),
    }


def _summary(distances, near):
    return {
        "exact": float(np.mean(distances == 0.0)),
        "near": near,
        "distance": float(np.median(distances)),
    }
