"""Frechet distance, from moments that are summed up batch by batch."""

import warnings

import numpy as np
import tensorflow as tf

from kgen.arrays import check_features
from kgen.errors import InvalidArgument, invalid


class FeatureStatistics:
    """Mean and covariance of features that come in batches.

    It holds the moments in float64 and never the features. Batches are joined
    about their means, so that no digits are lost when a mean is much larger than
    the spread.

    Example:

        real = kgen.metrics.FeatureStatistics()
        for x in test:
            real.update(features(x))
        kgen.metrics.frechet_distance(real, features(samples))

    References:
        Chan et al. (1983), Algorithms for computing the sample variance,
        equation 2.1.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean = self._scatter = np.zeros(0)

    def update(self, features: np.ndarray) -> None:
        """Adds a batch.

        Args:
            features: Array of shape `(n, d)`; d is the same for all batches.

        Raises:
            InvalidArgument: If the shape is wrong, or a feature not finite.
        """
        known = len(self._mean) if self.count else None
        x = check_features(
            "features", "FeatureStatistics.update", features, 1, known
        )
        mean = x.mean(axis=0)
        scatter = (x - mean).T @ (x - mean)
        if not self.count:
            self.count, self._mean, self._scatter = len(x), mean, scatter
            return
        count = self.count + len(x)
        apart = mean - self._mean
        weight = self.count * len(x) / count
        self._scatter += scatter + weight * np.outer(apart, apart)
        self._mean = self._mean + apart * (len(x) / count)
        self.count = count

    @property
    def mean(self) -> np.ndarray:
        """Array of shape `(d,)`."""
        self._check_count(1)
        return self._mean

    @property
    def covariance(self) -> np.ndarray:
        """Array of shape `(d, d)`; unbiased, since divided by `count - 1`."""
        self._check_count(2)
        return self._scatter / (self.count - 1)

    def _check_count(self, least):
        if self.count < least:
            raise InvalidArgument(
                f"`FeatureStatistics`: {self.count} examples so far, and "
                f"{least} are needed. Call `update` with more."
            )


def frechet_distance(
    real: np.ndarray | FeatureStatistics, fake: np.ndarray | FeatureStatistics
) -> float:
    """Returns the Frechet distance between two sets of features.

    It is that of two Gaussians, `|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))`,
    with the means m and covariances S of the sets. Only with Inception-v3's
    features is it FID.

    It is biased upwards, the more so the fewer examples there are. With no more
    examples than features a covariance does not have full rank; the distance is
    then exact for these moments, but says little about the distributions, and a
    `UserWarning` says so.

    Args:
        real: Array of shape `(n, d)`, or `FeatureStatistics`.
        fake: Array of shape `(m, d)`, or `FeatureStatistics`.

    Returns:
        Number >= 0, in squared units of the features.

    Raises:
        InvalidArgument: If shapes don't agree, there are fewer than two
            examples, or features that are not finite.

    References:
        Heusel et al. (2017), arXiv 1706.08500, equation 6.
    """
    real, fake = _statistics("real", real), _statistics("fake", fake)
    size = len(real.mean)
    if len(fake.mean) != size:
        raise invalid(
            "fake",
            "frechet_distance",
            f"{size} features, as the real ones have",
            f"{len(fake.mean)}",
        )
    for name, statistics in (("real", real), ("fake", fake)):
        if statistics.count <= size:
            warnings.warn(
                f"`frechet_distance`: {statistics.count} examples of {size} "
                f"features in `{name}`. With fewer than {size + 1} the "
                "covariance does not have full rank, and the distance is "
                "biased upwards. Use more examples.",
                stacklevel=2,
            )
    return float(
        distance_of_moments(
            real.mean, real.covariance, fake.mean, fake.covariance
        )
    )


def _statistics(argument, x):
    if isinstance(x, FeatureStatistics):
        if x.count < 2:
            raise invalid(
                argument, "frechet_distance", "two examples or more", x.count
            )
        return x
    statistics = FeatureStatistics()
    statistics.update(check_features(argument, "frechet_distance", x, least=2))
    return statistics


def distance_of_moments(
    mean: tf.Tensor,
    covariance: tf.Tensor,
    other_mean: tf.Tensor,
    other_covariance: tf.Tensor,
) -> tf.Tensor:
    """Returns the Frechet distance of two Gaussians, as a tensor.

    Args:
        mean: Tensor of shape `(d,)`, float64.
        covariance: Tensor of shape `(d, d)`.
        other_mean: Tensor of shape `(d,)`.
        other_covariance: Tensor of shape `(d, d)`.

    Returns:
        Scalar tensor of float64.
    """
    # The eigenvalues of S1 S2 are the squared singular values of R1 R2', with
    # S = R'R: nothing is inverted, and no root of a product is taken.
    roots = [_root(covariance), _root(other_covariance)]
    product = tf.matmul(*roots, transpose_b=True)
    overlap = tf.reduce_sum(tf.linalg.svd(product, compute_uv=False))
    spread = tf.linalg.trace(covariance) + tf.linalg.trace(other_covariance)
    means = tf.reduce_sum(tf.square(mean - other_mean))
    return tf.maximum(means + spread - 2.0 * overlap, 0.0)


def _root(covariance):
    """R with `R'R` the covariance, whatever its rank."""
    values, vectors = tf.linalg.eigh(covariance)
    # Below it an eigenvalue is the rounding of 0, whose root would be 1e-8.
    floor = 2.0**-52 * tf.cast(tf.size(values), values.dtype) * values[-1]
    values = tf.where(values > floor, values, tf.zeros_like(values))
    return tf.sqrt(values)[:, None] * tf.transpose(vectors)
