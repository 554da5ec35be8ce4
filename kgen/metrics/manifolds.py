"""How far the examples of two sets lie among each other."""

import math

import numpy as np

from kgen.arrays import check_features
from kgen.metrics.means import mean_and_error
from kgen.params import Integer, checked

# Squared distances are computed as |x|^2 + |y|^2 - 2 x.y. Below this part of
# |x|^2 + |y|^2 they are rounding errors, and count as 0. (The precision of float32
# features is 1e-7.)
_ROUNDING = 1e-13
_MEGABYTES = 128  # of distances at a time


@checked(neighbors=Integer())
def precision_recall(
    real: np.ndarray, fake: np.ndarray, neighbors: int = 5
) -> dict[str, float]:
    """Returns precision, recall, density and coverage of generated examples.

    Around each example lies the ball that reaches to its k-th nearest
    neighbour in its own set. Precision is the share of the generated examples
    within a real one's ball; recall the share of the real ones within a
    generated one's; density the mean number of real balls that a generated
    example lies in, over k; coverage the share of real balls with a generated
    example in them.

    An outlier's ball holds much: one in the real set raises precision, one in
    the generated set recall. Density and coverage count balls, and hardly
    change. Density may pass 1; of two sets from one distribution it is 1 in
    expectation.

    Args:
        real: Array of shape `(n, d)`.
        fake: Array of shape `(m, d)`.
        neighbors: k.

    Returns:
        Dictionary with `precision`, `recall`, `density` and `coverage`.

    Raises:
        InvalidArgument: If shapes don't agree, or a set has no more than k
            examples, or features that are not finite.

    References:
        Kynkaanniemi et al. (2019), arXiv 1904.06991, equations 1 and 2;
        Naeem et al. (2020), arXiv 2002.09797, equations 4 and 5.
    """
    return precision_recall_and_error(real, fake, neighbors)[0]


def precision_recall_and_error(
    real: np.ndarray, fake: np.ndarray, neighbors: int
) -> tuple[dict[str, float], float]:
    """Returns what `precision_recall` does, and the density's standard error.

    The density is a mean over pairs, so that its error has two parts: how the
    number of balls varies that a generated example lies in, and how the number
    of generated examples varies that a real example's ball holds. The other
    three are shares of one set, whose errors are known.
    """
    owner, least = "precision_recall", neighbors + 1
    real = check_features("real", owner, real, least)
    fake = check_features("fake", owner, fake, least, real.shape[1])
    centre = real.mean(axis=0)  # a large mean would cost the distances digits
    real, fake = real - centre, fake - centre
    slack = [_ROUNDING * np.square(x).sum(axis=1) for x in (real, fake)]
    reach = _squared_radii(real, neighbors) + slack[0]
    fake_reach = _squared_radii(fake, neighbors) + slack[1]
    balls = np.zeros(len(fake))  # how many each generated example lies in
    held, recalled = [], []
    start = 0
    for part in _squared_distances(real, fake):
        rows = slice(start, start + len(part))
        inside = part - slack[1] <= reach[rows, None]
        balls += inside.sum(axis=0)
        held.append(inside.sum(axis=1))
        recalled.append((part - slack[0][rows, None] <= fake_reach).any(axis=1))
        start += len(part)
    held = np.concatenate(held)  # how many each real example's ball holds
    density, error = mean_and_error(balls / neighbors)
    weight = len(real) / (len(fake) * neighbors)  # both means are the density
    _, real_error = mean_and_error(held * weight)
    values = {
        "precision": float(np.mean(balls > 0)),
        "recall": float(np.mean(np.concatenate(recalled))),
        "density": density,
        "coverage": float(np.mean(held > 0)),
    }
    return values, math.hypot(error, real_error)


def _squared_radii(x, neighbors):
    """The squared distance of each row to its k-th nearest other."""

    def kth(part, start):
        # Each row is among its own neighbours, at distance 0.
        return np.partition(part, neighbors, axis=1)[:, neighbors]

    return np.concatenate(list(_squared_distances(x, reduce_func=kth)))


def _squared_distances(x, y=None, **kwargs):
    """The squared distances of some rows of x at a time."""
    from sklearn.metrics import pairwise_distances_chunked

    return pairwise_distances_chunked(
        x, y, working_memory=_MEGABYTES, squared=True, **kwargs
    )
