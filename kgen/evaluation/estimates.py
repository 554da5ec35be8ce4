"""Values of metrics, with their standard errors."""

import dataclasses

import numpy as np

from kgen.errors import InvalidArgument
from kgen.metrics.means import mean_and_error


class NotFinite(InvalidArgument):
    """The output of a model has NaN or infinity in it: its training diverged."""


def check_finite(what: str, x: np.ndarray) -> np.ndarray:
    """Returns the output of a model as an array, or raises if it has diverged.

    `kgen evaluate` shows a `NotFinite` as one line; in the logs of the callback
    `Evaluation` such a model has the worst figures that there are.
    """
    x = np.asarray(x)
    if not np.isfinite(x).all():
        raise NotFinite(
            f"The model's {what} are not finite: its training has diverged."
        )
    return x


@dataclasses.dataclass(frozen=True)
class Estimate:
    """The value of a metric.

    Args:
        value: The figure.
        standard_error: Of the value at its own sample size, or None if it is
            not known.
        floor: The figure of real examples in the place of samples, or None.
        count: How many samples were compared with as many real examples, if
            that may be fewer than the evidence holds; else None.
        each: If the value is a mean over test examples, the values of these;
            else None. Reports compare two models by the differences example by
            example, whose error is far smaller than that of either mean.
    """

    value: float
    standard_error: float | None = None
    floor: float | None = None
    count: int | None = None
    each: np.ndarray | None = dataclasses.field(
        default=None, repr=False, compare=False
    )


def mean(values: np.ndarray) -> Estimate:
    """Returns the mean of independent values, one for each test example."""
    if len(values) < 2:
        return Estimate(float(np.mean(values)))
    return Estimate(*mean_and_error(values), each=np.asarray(values))


def share(value: float, count: int, each: np.ndarray | None = None) -> Estimate:
    """Returns a share of `count` independent examples.

    Its error is that of the share with two more examples of each kind, since
    a share of 0 or 1 among few examples is not known exactly.

    Args:
        value: The share.
        count: How many examples there are.
        each: As in `Estimate`.

    References:
        Agresti & Coull (1998), Approximate is better than "exact" for interval
        estimation of binomial proportions.
    """
    near = (value * count + 2.0) / (count + 4.0)
    error = float(np.sqrt(near * (1.0 - near) / (count + 4.0)))
    return Estimate(float(value), error, each=each)


def ratio(
    values: np.ndarray, originals: np.ndarray, paired: bool = False
) -> Estimate | None:
    """Returns the ratio of two means, or None if the denominator is 0.

    Its error is that of the ratio's linear terms.

    Args:
        values: Array of shape `(n,)`.
        originals: Array of shape `(m,)`, independent of the values.
        paired: Whether the originals belong to the values, one by one.
    """
    below = np.mean(originals)
    if not below:
        return None
    quotient = float(np.mean(values) / below)
    if min(len(values), len(originals)) < 2:
        return Estimate(quotient)
    if paired:
        _, error = mean_and_error(values - quotient * originals)
    else:
        _, above_error = mean_and_error(values)
        _, below_error = mean_and_error(originals)
        error = np.hypot(above_error, quotient * below_error)
    return Estimate(quotient, float(error / below))
