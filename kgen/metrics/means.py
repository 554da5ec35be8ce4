"""A mean and how far to trust it."""

import numpy as np


def mean_and_error(values):
    """The mean of independent values and its standard error.

    Args:
        values: Array of shape `(n,)`, n of 2 or more.

    Returns:
        Two floats: the mean, and the values' standard deviation over sqrt(n).
    """
    values = np.asarray(values, "float64")
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(error)
