"""Regularizes empirical covariances, so that they can be inverted.

The pixels of a picture share one unit, and some of them may be constant: the
covariance of pictures is shrunk towards a multiple of the identity. The columns
of a table have different units, and a change of units must not change P(y|x):
`shrunk` takes each column in units of its own, and `regularized_for_columns` works
with correlations, and returns covariances that can be inverted unchanged.
"""

import numpy as np

# Eigenvalues of a correlation matrix up to this count as 0. It is the square of
# the default `tol` of scikit-learn's LinearDiscriminantAnalysis.
TOLERANCE = 1e-8

# A column whose standard deviation is below the resolution of its own float32
# numbers does not vary.
_RESOLUTION = 1e-7

# How far covariances of columns are shrunk towards the columns' own variances, where
# those of some class can't be inverted.
_SHARE = 0.1

# A column that is constant within each class, but differs between classes, is
# given this share of its total variance as its variance within the classes.
_LEAST_WITHIN = 1e-4


def shrunk(
    covariance: np.ndarray, share: float, units: np.ndarray
) -> np.ndarray:
    """The covariance `(1 - share) * S + share * (tr(S) / size) * I` of x / units.

    Args:
        covariance: Array of shape `(size, size)`, of x.
        share: From 0 to 1.
        units: Array of shape `(size,)`, above 0.

    Returns:
        Array of shape `(size, size)`, of x.
    """
    spread = np.mean(np.diag(covariance) / np.square(units))
    target = np.diag(spread * np.square(units))
    return (1.0 - share) * covariance + share * target


def correlations(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlations (0 with a constant column) and standard deviations."""
    deviations = np.sqrt(np.diag(covariance))
    units = np.where(deviations > 0.0, deviations, 1.0)
    return covariance / np.outer(units, units), deviations


def is_singular(covariance: np.ndarray, tolerance: float = TOLERANCE) -> bool:
    """Whether some direction has no variance, whatever the columns' units."""
    return np.linalg.eigvalsh(correlations(covariance)[0])[0] <= tolerance


def spectrum(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors, the largest first, of columns of any scale.

    The error of `numpy.linalg.eigh` is about 1e-16 times the largest
    eigenvalue. Computed by way of the correlations, the error is about 1e-16
    times the largest standard deviation, so that a column with deviation
    0.001 is not lost beside one with 10,000. Eigenvalues that differ from 0
    only by rounding are returned as 0.
    """
    correlation, deviations = correlations(covariance)
    values, vectors = np.linalg.eigh(correlation)
    values = np.where(values > 1e-12, values, 0.0)
    root = deviations[:, None] * vectors * np.sqrt(values)
    axes, lengths, _ = np.linalg.svd(root)
    lengths[np.count_nonzero(values) :] = 0.0
    return np.square(lengths), axes


def total(
    means: np.ndarray, counts: np.ndarray, within: np.ndarray
) -> np.ndarray:
    """The covariance of all the data, from that within the classes.

    Args:
        means: Array of shape `(classes, size)`.
        counts: Array of shape `(classes,)`; the classes' sizes.
        within: Array of shape `(size, size)`; or of shape `(size,)`, for the
            variances alone.

    Returns:
        Array of the shape of `within`.
    """
    shares = counts / counts.sum()
    shift = means - shares @ means
    if within.ndim == 1:
        return within + shares @ np.square(shift)
    return within + (shares[:, None] * shift).T @ shift


def column_deviations(
    means: np.ndarray, counts: np.ndarray, variances: np.ndarray
) -> np.ndarray:
    """The columns' standard deviations in all the data; 0 of a constant column.

    Args:
        means: Array of shape `(classes, size)`.
        counts: Array of shape `(classes,)`; the classes' sizes.
        variances: Array of shape `(size,)`, those within the classes.

    Returns:
        Array of shape `(size,)`.
    """
    found = np.sqrt(total(means, counts, variances))
    resolution = _RESOLUTION * np.abs(means).max(axis=0)
    return np.where(found > resolution, found, 0.0)


def regularized_for_columns(
    covariances: np.ndarray,
    means: np.ndarray,
    counts: np.ndarray,
    within: np.ndarray,
) -> np.ndarray:
    """Regularizes covariances; those that can all be inverted stay the same.

    First, directions in which the data do not vary at all (a column that is
    constant, or a copy or a sum of others) get the same variance in each class,
    so that they count for nothing in P(y|x), as in scikit-learn's
    `LinearDiscriminantAnalysis`. If the covariance of some class can't be
    inverted then, since a column is constant within the class, or since it has
    too few examples, all are shrunk towards the variances of the columns within the
    classes: `0.9 S + 0.1 diag(S_within)`.

    Args:
        covariances: Array of shape `(n, size, size)`, of each class with
            examples, or of all of them together.
        means: Array of shape `(classes, size)`, of the classes with examples.
        counts: Array of shape `(classes,)`; the classes' sizes.
        within: Array of shape `(size, size)`, the mean of the classes'
            covariances.

    Returns:
        Array of shape `(n, size, size)`.
    """
    covariance = total(means, counts, within)
    spread = column_deviations(means, counts, np.diag(within))
    varies = spread > 0.0
    units = np.outer(*2 * [np.where(varies, spread, 1.0)])
    both = varies[:, None] & varies
    values, vectors = np.linalg.eigh(np.where(both, covariance / units, 0.0))
    unused = vectors[:, values <= TOLERANCE]
    covariances = np.where(both, covariances, 0.0)
    covariances = covariances + units * (unused @ unused.T)
    if not any(is_singular(each) for each in covariances):
        return covariances
    target = np.maximum(np.diag(within), _LEAST_WITHIN * np.square(spread))
    target = np.diag(np.where(varies, target, 1.0))
    return (1.0 - _SHARE) * covariances + _SHARE * target
