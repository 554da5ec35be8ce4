"""How alike the distributions of single columns are, and their gaps."""

from typing import Any

import numpy as np
import pandas as pd

from kgen import frames
from kgen.params import checked


@checked(**frames.TWO_TABLES)
def column_shapes(
    real: pd.DataFrame, synthetic: pd.DataFrame, kinds: dict[str, str]
) -> dict[str, Any]:
    """Returns how alike each column's distributions are in two tables.

    For numbers and times it is 1 - the Kolmogorov-Smirnov distance, for
    categories and booleans 1 - the total variation distance: sdmetrics'
    `KSComplement` and `TVComplement`, whose mean is "Column Shapes" in its quality
    report. Gaps are left out of both, and have a figure of their own: 1 - the
    difference of their shares, sdmetrics' `MissingValueSimilarity`.

    Args:
        real: Table of real rows.
        synthetic: Table of the rows to be judged.
        kinds: Kind of each column that is compared, by its name: `"numeric"`,
            `"integer"`, `"datetime"`, `"category"` or `"boolean"`.

    Returns:
        Dictionary with `shape`, the mean over the columns, from 0 to 1, where 1 is
        the same distribution, None if no column has a value; `gaps`, the mean of
        the gaps' figure, from 0 to 1; and `columns`, a dictionary of these two by
        column, with the shares of gaps, `real_gaps` and `synthetic_gaps`. A column
        of gaps alone has no shape; one that is so in the synthetic table alone has
        0, where sdmetrics leaves it out of the mean.

    Raises:
        InvalidArgument: If a table is empty, lacks a column, or has values in it
            that are not of its kind.

    References:
        Datacebo, SDMetrics' documentation: KSComplement, TVComplement,
        MissingValueSimilarity.
    """
    given = {"real": real, "synthetic": synthetic}
    tables = frames.encode(kinds, "column_shapes", **given).tables
    columns = {
        name: _compared(kind, *(table[name] for table in tables))
        for name, kind in kinds.items()
    }
    shapes = [column["shape"] for column in columns.values()]
    return {
        "shape": mean_of_known(shapes),
        "gaps": float(np.mean([column["gaps"] for column in columns.values()])),
        "columns": columns,
    }


def _compared(kind, real, synthetic):
    real_gaps, gaps = (float(np.isnan(x).mean()) for x in (real, synthetic))
    real, synthetic = (x[~np.isnan(x)] for x in (real, synthetic))
    return {
        "shape": _shape(kind, real, synthetic),
        "gaps": 1.0 - abs(real_gaps - gaps),
        "real_gaps": real_gaps,
        "synthetic_gaps": gaps,
    }


def _shape(kind, real, synthetic):
    if not len(real):
        return None
    if not len(synthetic):
        return 0.0
    if frames.are_numbers(kind):
        # SciPy's `ks_2samp` has a p-value, too, which fails for a single value.
        values = np.concatenate([real, synthetic])
        below = [
            np.searchsorted(np.sort(x), values, side="right") / len(x)
            for x in (real, synthetic)
        ]
        return float(1.0 - np.abs(below[0] - below[1]).max())
    return similarity_of_counts(real.astype("int64"), synthetic.astype("int64"))


def similarity_of_counts(one: np.ndarray, other: np.ndarray) -> float:
    """Returns 1 - the total variation distance between integers' frequencies."""
    _, codes = np.unique(np.concatenate([one, other]), return_inverse=True)
    count = codes.max() + 1
    shares = np.bincount(codes[: len(one)], minlength=count) / len(one)
    others = np.bincount(codes[len(one) :], minlength=count) / len(other)
    return float(1.0 - np.abs(shares - others).sum() / 2.0)


def mean_of_known(values: list[float | None]) -> float | None:
    """Returns the mean of the values that are not None, or None without any."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
