"""Encodings of numbers: by quantiles, by mean and deviation, by modes."""

import dataclasses
import math
from typing import Self

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from kgen.tables.encodings import (
    CATEGORY,
    NUMBER,
    Encoding,
    Part,
    column_of,
    registered,
)

# How many points of a column's distribution function are kept, besides values that
# more than one in so many rows have.
_KNOTS = 256


@registered
@dataclasses.dataclass(frozen=True)
class Quantiles(Encoding):
    """Numbers as the standard normal score of their rank.

    Whatever a column's distribution is, skewed or with several modes, its scores
    are normal ones, and normal scores are decoded to numbers with the column's own
    distribution. A value that many rows have takes a range of scores, all of which
    are decoded to this value.

    Args:
        values: Values of the column, ascending.
        lower: The score at which each of them begins.
        upper: The score at which it ends.
        slope: Scores for each unit beyond the least and the greatest value, for
            rows that are farther out than any of training.
    """

    values: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    slope: float

    @property
    def possible_values(self) -> tuple:
        return self.values[0], self.values[-1]

    @classmethod
    def fit(cls, values: np.ndarray) -> Self:
        """The encoding of a column.

        Args:
            values: float64 of shape `(n,)`, at least two of them different.
        """
        from scipy.special import ndtri

        points, counts = np.unique(values, return_counts=True)
        ranks = np.cumsum(counts)
        middle = (ranks - 0.5 * counts) / len(values)
        # A value that occurs once is a point of a continuous distribution.
        half = 0.5 * (counts - 1) / len(values)
        kept = _knots(middle, counts / len(values))
        lower, upper = (
            tuple(ndtri(ranks[kept]).tolist())
            for ranks in (middle - half, middle + half)
        )
        return cls(
            values=tuple(points[kept].tolist()),
            lower=lower,
            upper=upper,
            slope=1.0 / float(np.std(values)),
        )

    @property
    def parts(self) -> tuple[Part, ...]:
        return (Part(NUMBER, 1),)

    def encode(self, values: Tensor) -> Tensor:
        from scipy.special import ndtr, ndtri

        lower, upper = np.asarray(self.lower), np.asarray(self.upper)
        middle = ndtri(0.5 * (ndtr(lower) + ndtr(upper)))
        points = np.asarray(self.values)
        inside = tf.clip_by_value(values, points[0], points[-1])
        last = len(points) - 1
        left = tf.searchsorted(tf.constant(points), inside, side="right") - 1
        left = tf.clip_by_value(left, 0, last)
        right = tf.minimum(left + 1, last)
        (x0, x1, y0, y1, y) = (
            tf.gather(tf.constant(table), position)
            for table, position in (
                (points, left),
                (points, right),
                (upper, left),
                (lower, right),
                (middle, left),
            )
        )
        width = tf.where(x1 > x0, x1 - x0, tf.ones_like(x0))
        between = y0 + (y1 - y0) * (inside - x0) / width
        score = tf.where(tf.equal(inside, x0), y, between)
        return column_of(score + self.slope * (values - inside))

    def decode(self, numbers: Tensor) -> Tensor:
        # Each value twice, since all scores from `lower` to `upper` mean this value.
        scores = np.stack([self.lower, self.upper], axis=1).ravel()
        return _interpolated(
            tf.cast(numbers[:, 0], "float64"),
            np.maximum.accumulate(scores),
            np.repeat(self.values, 2),
        )


def _knots(middle, shares):
    """Positions of the values to keep: spread over ranks, tails and spikes."""
    from scipy.special import ndtr, ndtri

    if len(middle) <= _KNOTS:
        return np.arange(len(middle))
    ranks = np.linspace(middle[0], middle[-1], _KNOTS // 2)
    scores = np.linspace(ndtri(middle[0]), ndtri(middle[-1]), _KNOTS // 2)
    wanted = np.concatenate([ranks, ndtr(scores)])
    nearest = np.searchsorted(middle, wanted).clip(0, len(middle) - 1)
    frequent = np.flatnonzero(shares > 1.0 / _KNOTS)
    return np.unique([0, len(middle) - 1, *nearest, *frequent])


def _interpolated(x, points, values):
    """Linear interpolation, constant beyond the ends, in float64."""
    points = np.asarray(points, "float64")
    values = np.asarray(values, "float64")
    x = tf.clip_by_value(x, points[0], points[-1])
    right = tf.searchsorted(tf.constant(points), x, side="right")
    right = tf.clip_by_value(right, 1, len(points) - 1)
    (x0, x1), (y0, y1) = (
        (tf.gather(tf.constant(table), right - 1), tf.gather(table, right))
        for table in (points, values)
    )
    width = tf.where(x1 > x0, x1 - x0, tf.ones_like(x0))
    return y0 + (y1 - y0) * (x - x0) / width


@registered
@dataclasses.dataclass(frozen=True)
class Standard(Encoding):
    """Numbers less their mean, in standard deviations.

    Args:
        mean: The mean.
        stddev: The standard deviation.
        low: The least value of training, below which no row is drawn.
        high: The greatest one.
    """

    mean: float
    stddev: float
    low: float
    high: float

    @property
    def possible_values(self) -> tuple:
        return self.low, self.high

    @classmethod
    def fit(cls, values: np.ndarray) -> Self:
        """The encoding of a column; `values` as in `Quantiles.fit`."""
        numbers = (values.mean(), values.std(), values.min(), values.max())
        return cls(*map(float, numbers))

    @property
    def parts(self) -> tuple[Part, ...]:
        return (Part(NUMBER, 1),)

    def encode(self, values: Tensor) -> Tensor:
        return column_of((values - self.mean) / self.stddev)

    def decode(self, numbers: Tensor) -> Tensor:
        score = tf.cast(numbers[:, 0], "float64")
        value = self.mean + self.stddev * score
        return tf.clip_by_value(value, self.low, self.high)


@registered
@dataclasses.dataclass(frozen=True)
class Modes(Encoding):
    """Numbers as one of several modes, and the distance from it.

    A mixture of Gaussians is fitted to the column. A value becomes the number of
    its most probable component, one-hot, and its distance from that component's
    mean in its standard deviations.

    Args:
        log_weights: Logarithms of the components' weights.
        means: Their means.
        stddevs: Their standard deviations.
        low: The least value of training, below which no row is drawn.
        high: The greatest one.

    References:
        Xu et al. (2019), arXiv 1907.00503, section 4.2 (mode-specific
        normalisation; there the component is drawn).
    """

    log_weights: tuple[float, ...]
    means: tuple[float, ...]
    stddevs: tuple[float, ...]
    low: float
    high: float

    @property
    def possible_values(self) -> tuple:
        return self.low, self.high

    @classmethod
    def fit(cls, values: np.ndarray, most: int = 10) -> Self:
        """The encoding of a column.

        Args:
            values: As in `Quantiles.fit`.
            most: The most components.
        """
        from sklearn.mixture import BayesianGaussianMixture

        some = np.random.default_rng(0).permutation(values)[:10_000]
        mean, stddev = some.mean(), some.std() or 1.0
        mixture = BayesianGaussianMixture(
            n_components=min(most, len(np.unique(some))),
            weight_concentration_prior=1e-3,
            max_iter=300,
            tol=1e-2,
            random_state=0,
        ).fit((some[:, None] - mean) / stddev)
        kept = mixture.weights_ > 0.005
        means = mean + stddev * mixture.means_[kept, 0]
        stddevs = stddev * np.sqrt(mixture.covariances_[kept, 0, 0])
        return cls(
            log_weights=tuple(np.log(mixture.weights_[kept]).tolist()),
            means=tuple(means.tolist()),
            stddevs=tuple(stddevs.tolist()),
            low=float(values.min()),
            high=float(values.max()),
        )

    @property
    def parts(self) -> tuple[Part, ...]:
        return (Part(CATEGORY, len(self.means)), Part(NUMBER, 1))

    def encode(self, values: Tensor) -> Tensor:
        means, stddevs = self._tensor("means"), self._tensor("stddevs")
        distances = (values[:, None] - means) / stddevs
        log_prob = self._tensor("log_weights") - tf.math.log(stddevs)
        log_prob -= 0.5 * (tf.square(distances) + math.log(2 * math.pi))
        mode = tf.argmax(log_prob, axis=1)
        distance = tf.gather(distances, mode, batch_dims=1)
        one_hot = tf.one_hot(mode, len(self.means))
        return tf.concat([one_hot, column_of(distance)], axis=1)

    def decode(self, numbers: Tensor) -> Tensor:
        mode = tf.argmax(numbers[:, :-1], axis=1)
        mean, stddev = (
            tf.gather(self._tensor(name), mode) for name in ("means", "stddevs")
        )
        value = mean + stddev * tf.cast(numbers[:, -1], "float64")
        return tf.clip_by_value(value, self.low, self.high)

    def _tensor(self, name):
        return tf.constant(np.asarray(getattr(self, name), "float64"))


# What the numbers of a table can be encoded by.
NUMBERS: dict[str, type[Quantiles] | type[Standard] | type[Modes]] = {
    "quantiles": Quantiles,
    "standard": Standard,
    "modes": Modes,
}
