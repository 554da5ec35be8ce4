"""Kernel distance: how far two sets of features are apart, without bias."""

import math

import numpy as np

from kgen.errors import check_int, check_seed
from kgen.metrics.checks import check_features
from kgen.metrics.means import jackknife_error, mean_and_error


def kernel_distance(real, fake, subsets=100, subset_size=1000, seed=0):
    """Squared maximum mean discrepancy of two sets of features.

    With the cubic kernel `k(x, y) = (x.y / d + 1)^3`, over m examples of each:

        sum_(i != j) [k(x_i, x_j) + k(y_i, y_j)] / (m (m - 1))
            - 2 sum_ij k(x_i, y_j) / m^2

    It has no bias, so that it may be compared between sets of different sizes,
    and comes out below 0 for equal distributions half of the time. Only with
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
        Dictionary with `kernel_distance` and its `standard_error`, that over
        the subsets of these sets. Subsets overlap, the more the larger part of
        a set they are, so that it is less than the error over new examples;
        subsets that are the whole of both sets are all one, and it is 0.

    Raises:
        InvalidArgument: If shapes don't agree, there are fewer than two
            examples, or features that are not finite.

    References:
        Binkowski et al. (2018), arXiv 1801.01401, equation 4 and section 4;
        Gretton et al. (2012), A kernel two-sample test, lemma 6.
    """
    owner = "kernel_distance"
    subsets = check_int("subsets", owner, subsets, minimum=2)
    subset_size = check_int("subset_size", owner, subset_size, minimum=2)
    rng = np.random.default_rng(check_seed(owner, seed, optional=False))
    real = check_features(owner, "real", real, 2)
    fake = check_features(owner, "fake", fake, 2, real.shape[1])
    size = min(subset_size, len(real), len(fake))
    values = [
        _squared_discrepancy(
            *(x[rng.choice(len(x), size, replace=False)] for x in (real, fake))
        )
        for _ in range(subsets)
    ]
    value, error = mean_and_error(values)
    return {"kernel_distance": value, "standard_error": error}


def kernel_distance_and_error(real, fake, groups=10):
    """That of all examples at once, and its standard error over new ones.

    The error has a part of each set, by leaving out its groups of consecutive
    examples in turn: the jackknife's. Where the distributions are the same, it
    is some 1.5 times too large.

    Args:
        real: Array of shape `(n, d)`.
        fake: Array of shape `(m, d)`.
        groups: How many groups a set is, each of two examples or more.

    Returns:
        Two floats.
    """
    owner = "kernel_distance"
    real = check_features(owner, "real", real, 2 * groups)
    fake = check_features(owner, "fake", fake, 2 * groups, real.shape[1])
    x, y = (np.array_split(z, groups) for z in (real, fake))
    # Of all groups, and without each.
    kept = np.vstack([np.ones(groups), 1.0 - np.eye(groups)])
    within_x, within_y = (_means_within(z, kept) for z in (x, y))
    between = _means_between(x, y, kept)
    found = within_x[:, None] + within_y - 2.0 * between
    error = math.hypot(
        jackknife_error(found[1:, 0]), jackknife_error(found[0, 1:])
    )
    return float(found[0, 0]), error


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
    within = _mean_of_pairs(x) + _mean_of_pairs(y)
    return within - 2.0 * _kernel(x, y).mean()


def _mean_of_pairs(x):
    """The mean kernel of two different rows."""
    return _sum_of_pairs(x) / (len(x) * (len(x) - 1))


def _sum_of_pairs(x):
    kernel = _kernel(x, x)
    np.fill_diagonal(kernel, 0.0)
    return kernel.sum()


def _kernel(x, y):
    base = x @ y.T / x.shape[1] + 1.0
    return base * base * base  # several times faster than ** 3
