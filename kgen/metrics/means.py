"""A mean and how far to trust it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def mean_and_error(values: ArrayLike) -> tuple[float, float]:
    """Returns the mean of independent values and its standard error.

    Args:
        values: Array of shape `(n,)`, n of 2 or more.

    Returns:
        Two floats: the mean, and the values' standard deviation over sqrt(n).
    """
    values = np.asarray(values, "float64")
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(error)


def jackknife_error(values: Sequence[float] | np.ndarray) -> float:
    """Returns the standard error of a figure by the jackknife.

    Args:
        values: The figure without each of several equal parts of the examples.
    """
    return float(np.std(values) * np.sqrt(len(values) - 1))
