"""Whether pairs of columns go together in synthetic rows as in real ones."""

import itertools
from typing import Any

import numpy as np
import pandas as pd

from kgen import frames
from kgen.metrics.tables.shapes import mean_of_known, similarity_of_counts
from kgen.params import checked

_BINS = 10  # of numbers that are paired with categories
# From where on a pair counts as strong, in sdmetrics' quality report.
_STRONG_CORRELATION, _STRONG_ASSOCIATION = 0.5, 0.3


@checked(**frames.TWO_TABLES)
def pair_trends(
    real: pd.DataFrame, synthetic: pd.DataFrame, kinds: dict[str, str]
) -> dict[str, Any]:
    """Returns how alike pairs of columns go together in two tables.

    For two columns of numbers or times it is `1 - |r - s| / 2`, r and s Pearson's
    correlations of the real and of the synthetic rows without gaps in them. For
    others it is 1 - the total variation distance between the frequencies of pairs
    of categories, gaps being one; numbers are cut into ten bins between their least
    and their largest, in each table by itself, since where they lie is told by the
    columns' shapes. These are sdmetrics' `CorrelationSimilarity` and
    `ContingencySimilarity`, as "Column Pair Trends" of its quality report has them:
    by default of strong pairs alone, since nearly all that is synthetic is right
    about columns which have nothing to do with each other.

    Args:
        real: Table of real rows.
        synthetic: Table of the rows to be judged.
        kinds: Kind of each column that is compared, by its name, as
            `column_shapes` takes them.

    Returns:
        Dictionary with `mean`, over all pairs, from 0 to 1, where 1 is the same;
        `strong`, over pairs that in the real rows have a correlation beyond 0.5, or
        a Cramer's V above 0.3, as that report has it; None if there are no such
        pairs; and `pairs`, a list of dictionaries with `columns`, two names;
        `similarity`; and `real` and `synthetic`, the correlation from -1 to 1 or
        Cramer's V from 0 to 1, None for a column that is constant. A pair whose
        real correlation is None has no similarity; where the synthetic one alone is
        None, it counts as 0, and sdmetrics leaves the pair out of the means.

    Raises:
        InvalidArgument: If a table is empty, lacks a column, or has values in it
            that are not of its kind.

    References:
        Datacebo, SDMetrics' documentation: CorrelationSimilarity,
        ContingencySimilarity, Quality Report.
    """
    given = {"real": real, "synthetic": synthetic}
    tables = frames.encode(kinds, "pair_trends", **given).tables
    binned = [_categories(table, kinds) for table in tables]
    pairs = []
    for one, other in itertools.combinations(kinds, 2):
        if _are_numbers(kinds, one, other):
            r, s = (_correlation(table[one], table[other]) for table in tables)
            known = r is not None
            similarity = 1.0 - abs(r - (s or 0.0)) / 2.0 if known else None
        else:
            joint = [_joint(table[one], table[other]) for table in binned]
            r, s = (_cramers_v(table[one], table[other]) for table in binned)
            similarity = similarity_of_counts(*joint)
        pair = {"columns": [one, other], "similarity": similarity}
        pairs.append({**pair, "real": r, "synthetic": s})
    strong = [pair for pair in pairs if _is_strong(pair, kinds)]
    return {
        "mean": mean_of_known([pair["similarity"] for pair in pairs]),
        "strong": mean_of_known([pair["similarity"] for pair in strong]),
        "pairs": pairs,
    }


@checked(frame=frames.Frame(), kinds=frames.Kinds())
def correlations(frame: pd.DataFrame, kinds: dict[str, str]) -> pd.DataFrame:
    """Returns how strongly each column of a table goes with each other one.

    Args:
        frame: The table.
        kinds: Kind of each column that is compared, by its name, as
            `column_shapes` takes them.

    Returns:
        Square DataFrame whose index and columns are the names: Pearson's
        correlation, from -1 to 1, of two columns of numbers or times; else Cramer's
        V, from 0 to 1, numbers cut into ten bins; NaN for a constant column.

    Raises:
        InvalidArgument: If the table is empty, lacks a column, or has values in it
            that are not of its kind.
    """
    (table,) = frames.encode(kinds, "correlations", frame=frame).tables
    binned = _categories(table, kinds)
    names = list(kinds)
    found = pd.DataFrame(np.nan, index=names, columns=names)
    pairs = itertools.combinations_with_replacement(names, 2)
    for one, other in pairs:
        if _are_numbers(kinds, one, other):
            value = _correlation(table[one], table[other])
        else:
            value = _cramers_v(binned[one], binned[other])
        value = np.nan if value is None else value
        found.loc[one, other] = found.loc[other, one] = value
    return found


def _are_numbers(kinds, *names):
    return all(frames.are_numbers(kinds[name]) for name in names)


def _is_strong(pair, kinds):
    if pair["real"] is None:
        return False
    if _are_numbers(kinds, *pair["columns"]):
        return abs(pair["real"]) > _STRONG_CORRELATION
    return pair["real"] > _STRONG_ASSOCIATION


def _categories(table, kinds):
    """All columns of a table as integers: codes, bins, gaps."""
    return {
        name: _bins(x) if frames.are_numbers(kinds[name]) else _with_gaps(x)
        for name, x in table.items()
    }


def _bins(x):
    known = x[~np.isnan(x)] / 2  # halves, since the range itself may overflow
    if not len(known) or known.min() == known.max():
        return np.where(np.isnan(x), _BINS + 1, _BINS // 2 + 1)
    # As in sdmetrics, the largest value and a gap are both beyond the last edge.
    edges = np.linspace(known.min(), known.max(), _BINS + 1)
    return np.digitize(x / 2, edges)


def _with_gaps(codes):
    return np.where(np.isnan(codes), -1.0, codes).astype("int64")


def _joint(one, other):
    """One integer for each pair of two columns' integers, the same in all tables."""
    return one * 2**32 + other


def _correlation(x, y):
    """Pearson's correlation of the rows without gaps, None if one is constant."""
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = _direction(x[known]), _direction(y[known])
    if x is None or y is None:
        return None
    return float(np.clip(x @ y, -1.0, 1.0))


def _direction(x):
    """Deviations from the mean, of length 1; None if there are none."""
    x = x / (np.abs(x).max(initial=0.0) or 1.0)  # so that squares are in range
    if not len(x) or np.ptp(x) == 0.0:
        return None
    x = x - x.mean()
    return x / np.linalg.norm(x)


def _cramers_v(x, y):
    """Cramer's V of two columns of integers, None if one is constant."""
    from scipy.stats.contingency import association, crosstab

    table = crosstab(x, y).count
    if min(table.shape) < 2:
        return None
    return float(association(table, method="cramer"))
