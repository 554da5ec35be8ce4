"""Kernel distance: how far two sets of features are apart, without bias."""

import math

import numpy as np

from kgen.arrays import check_features
from kgen.metrics.means import jackknife_error, mean_and_error
from kgen.params import SEED, Integer, checked


@checked(subsets=Integer(2), subset_size=Integer(2), seed=SEED)
def kernel_distance(
    real: np.ndarray,
    fake: np.ndarray,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> dict[str, float]:
    """Returns the squared maximum mean discrepancy of two sets of features.

    With the cubic kernel `k(x, y) = (x.y / d + 1)^3`, over m examples of each:

        sum_(i != j) [k(x_i, x_j) + k(y_i, y_j)] / (m (m - 1))
            - 2 sum_ij k(x_i, y_j) / m^2

    It has no bias, so that it may be compared between sets of different sizes;
    for equal distributions it comes out below 0 half of the time. Only with
    Inception-v3's features is it KID.

    Args:
        real: Array of shape `(n, d)`.
        fake: Array of shape `(m, d)`.
        subsets: How many random subsets of both sets it is the mean of, 2 or
            more.
        subset_size: How many examples a subset has, each at most once; cut to
            the smaller set.
        seed: Integer for the subsets.

    Returns:
        Dictionary with `kernel_distance` and its `standard_error` over the
        subsets. Subsets overlap, the more so the larger a part of the sets they
        are; the standard error is therefore less than that over new examples,
        and 0 where each subset is the whole of both sets.

    Raises:
        InvalidArgument: If shapes don't agree, there are fewer than two
            examples, or features that are not finite.

    References:
        Binkowski et al. (2018), arXiv 1801.01401, equation 4 and section 4;
        Gretton et al. (2012), A kernel two-sample test, lemma 6.
    """
    rng = np.random.default_rng(seed)
    real, fake = _checked(real, fake, 2)
    size = min(subset_size, len(real), len(fake))
    values = [
        _squared_discrepancy(
            *(x[rng.choice(len(x), size, replace=False)] for x in (real, fake))
        )
        for _ in range(subsets)
    ]
    value, error = mean_and_error(values)
    return {"kernel_distance": value, "standard_error": error}


def kernel_distance_and_error(
    real: np.ndarray, fake: np.ndarray, groups: int
) -> tuple[float, float]:
    """Returns the kernel distance of whole sets and its standard error.

    The error, over new examples, is the jackknife's: each set contributes what
    leaving out its groups of consecutive examples in turn does. Where the
    distributions are the same, it is some 1.5 times too large.

    Args:
        real: Array of shape `(n, d)`.
        fake: Array of shape `(m, d)`.
        groups: How many groups a set is split into, each of two examples or
            more.
    """
    real, fake = _checked(real, fake, 2 * groups)
    x, y = (np.array_split(z, groups) for z in (real, fake))
    # The first row keeps all groups, and each of the others leaves one out.
    kept = np.vstack([np.ones(groups), 1.0 - np.eye(groups)])
    within_x, within_y = (_means_within(z, kept) for z in (x, y))
    between = _means_between(x, y, kept)
    distances = within_x[:, None] + within_y - 2.0 * between
    error = math.hypot(
        jackknife_error(distances[1:, 0]), jackknife_error(distances[0, 1:])
    )
    return float(distances[0, 0]), error


def _checked(real, fake, least):
    real = check_features("real", "kernel_distance", real, least)
    width = real.shape[1]
    return real, check_features("fake", "kernel_distance", fake, least, width)


def _means_within(parts, kept):
    """The mean kernel of two different examples, by the groups that are kept."""
    sums = np.zeros((len(parts), len(parts)))
    for i, part in enumerate(parts):
        sums[i, i] = _sum_of_pairs(part)
        for j in range(i):  # symmetric
            sums[i, j] = sums[j, i] = _kernel(part, parts[j]).sum()
    count = kept @ [len(part) for part in parts]
    return np.sum(kept @ sums * kept, axis=1) / (count * (count - 1.0))


def _means_between(x, y, kept):
    """The mean kernel of one example of each set, by the kept groups of both."""
    sums = np.array([[_kernel(one, other).sum() for other in y] for one in x])
    counts = [kept @ [len(part) for part in parts] for parts in (x, y)]
    return kept @ sums @ kept.T / np.outer(*counts)


def _squared_discrepancy(x, y):
    within = [_sum_of_pairs(z) / (len(z) * (len(z) - 1)) for z in (x, y)]
    return sum(within) - 2.0 * _kernel(x, y).mean()


def _sum_of_pairs(x):
    """The kernel summed over all pairs of different rows."""
    kernel = _kernel(x, x)
    np.fill_diagonal(kernel, 0.0)
    return kernel.sum()


def _kernel(x, y):
    base = x @ y.T / x.shape[1] + 1.0
    return base * base * base  # several times faster than ** 3
