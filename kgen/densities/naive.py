"""Naive Bayes: features that are independent in each class."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from kgen.densities.base import ClosedForm
from kgen.densities.covariances import total
from kgen.densities.gaussian import STANDARDIZE, GaussianBase
from kgen.errors import InvalidArgument, say_once
from kgen.losses import gaussian_log_prob
from kgen.params import Number, Optional, checked

# The smoothing of pictures and of columns of a table by default.
_PICTURES, _COLUMNS = 0.01, 1e-9


@keras.saving.register_keras_serializable(package="kgen")
class NaiveGaussian(GaussianBase):
    """Each feature is Gaussian in each class, independent of the others.

    Fitted by maximum likelihood; then each variance is made larger by `smoothing`
    times the feature's variance in all the data; or, unless standardised, times the
    largest variance of all features, as by `var_smoothing` of scikit-learn's
    `GaussianNB`.

    Args:
        input_shape: Shape of one example.
        num_classes: How many classes there are.
        smoothing: Number >= 0. None for `GaussianNB`'s default, 1e-9, where
            examples are columns of a table. For pictures (whose shape has two
            axes or more), None is 0.01: pixels that hardly vary in a class need
            it, and all have one unit.
        standardize: Whether each feature is smoothed by its own variance, as by
            `GaussianNB` behind a `StandardScaler`: then P(y|x) does not depend on
            the columns' units. None: with a number as smoothing, for columns, but
            not for pictures. With the default smoothing, None is `GaussianNB()`
            alone: columns whose standard deviation is below 1/30,000 of the
            largest count for little.

    References:
        Hastie et al. (2009), The Elements of Statistical Learning, 6.6.3.
    """

    @checked(smoothing=Optional(Number()), standardize=STANDARDIZE)
    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        smoothing: float | None = None,
        standardize: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            input_shape, num_classes, "diag", standardize, **kwargs
        )
        self.smoothing = smoothing
        self.log_var = self._parameter("log_var", self.num_classes, self.size)

    def log_prob(
        self, x: Tensor, mask: Tensor | None = None, training: bool = False
    ) -> Tensor:
        x = self._rows(x)[:, None]
        each = gaussian_log_prob(x, self.mean.value, self.log_var.value)
        return tf.reduce_sum(self._only_seen(each, mask), axis=-1)

    def draw(self, labels: Tensor, seed: Tensor) -> Tensor:
        mean, log_var = (
            tf.gather(value, labels)
            for value in (self.mean.value, self.log_var.value)
        )
        noise = self._normal(tf.shape(mean), seed)
        return self._shaped(mean + tf.exp(0.5 * log_var) * noise)

    def _solve(self, sums, seen):
        count, mean = sums["count"], sums["mean"]
        var = sums["scatter"] / np.maximum(count, 1e-300)[:, None]
        var = var + self._smoothing_of(sums)
        if var[seen].min() <= 0.0:
            raise InvalidArgument(
                "`NaiveGaussian`: a feature has one value only in a class, and "
                "so no variance. Pass a smoothing above 0; where no feature varies "
                "at all, leave out what is constant."
            )
        log_var = np.log(np.where(var > 0.0, var, 1.0))
        return [(self.mean, mean), (self.log_var, log_var)]

    def _smoothing_of(self, sums):
        """What is added to the variances of each feature."""
        within = sums["scatter"].sum(axis=0) / sums["count"].sum()
        variances = total(sums["mean"], sums["count"], within)
        smoothing, units = self.smoothing, self._units(sums)
        if smoothing is None:
            smoothing = _PICTURES if self._of_pictures else _COLUMNS
            if not self.standardize:  # as scikit-learn's default
                self._tell_of_drowned(sums, smoothing * variances.max())
                return smoothing * variances.max()
        return smoothing * np.max(variances / units**2) * units**2

    def _tell_of_drowned(self, sums, added):
        """Warns if smoothing is larger than the variance of some table columns."""
        variances = np.square(self._deviations(sums))
        drowned = np.count_nonzero((variances > 0.0) & (variances < added))
        if drowned and not self._of_pictures:
            say_once(
                f"NaiveGaussian: {drowned} of {self.size} columns count for little, "
                "since the smoothing by the largest column's variance is above "
                "theirs. Pass standardize=True, by which each has its own."
            )


@keras.saving.register_keras_serializable(package="kgen")
class NaiveBernoulli(ClosedForm):
    """Each feature is 1 with a probability of its own in each class.

    The probability is (ones + smoothing) / (examples + 2 smoothing), as in
    scikit-learn's `BernoulliNB` with `smoothing` as `alpha`. Grey values count
    in parts, `x log p + (1 - x) log(1 - p)`, or are cut at `threshold`.

    Args:
        input_shape: Shape of one example.
        num_classes: How many classes there are.
        threshold: None, or the number above which a feature is 1.
        smoothing: Number >= 0: how many ones and zeros of each feature are
            added to those of the data.

    References:
        Manning et al. (2008), Introduction to Information Retrieval, 13.3.
    """

    @checked(threshold=Optional(Number(-math.inf)), smoothing=Number())
    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        threshold: float | None = None,
        smoothing: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(input_shape, num_classes, **kwargs)
        self.threshold = threshold
        self.support = (0.0, 1.0) if threshold is None else None
        self.bits = "grey" if threshold is None else f"above {threshold:g}"
        self.smoothing = smoothing
        self.logits = self._parameter("logits", self.num_classes, self.size)

    def log_prob(
        self, x: Tensor, mask: Tensor | None = None, training: bool = False
    ) -> Tensor:
        x, logits = self._ones(x), self.logits.value
        if mask is not None:
            seen = self._rows(mask)
            free = tf.matmul(seen, tf.nn.softplus(logits), transpose_b=True)
            return tf.matmul(x * seen, logits, transpose_b=True) - free
        free = tf.reduce_sum(tf.nn.softplus(logits), axis=1)
        return tf.matmul(x, logits, transpose_b=True) - free

    def draw(self, labels: Tensor, seed: Tensor) -> Tensor:
        chance = tf.sigmoid(tf.gather(self.logits.value, labels))
        uniform = tf.random.stateless_uniform(
            tf.shape(chance), tf.stack([seed, 0]), dtype="float64"
        )
        return self._shaped(uniform < chance)

    def _ones(self, x):
        x = self._rows(x)
        if self.threshold is None:
            return x
        return tf.cast(x > self.threshold, "float64")

    def _statistics(self):
        shape = (self.num_classes, self.size)
        return {"count": (self.num_classes,), "ones": shape}

    def observe(self, x: Tensor, weights: Tensor) -> None:
        self._sums["count"].assign_add(tf.reduce_sum(weights, axis=0))
        self._sums["ones"].assign_add(
            tf.matmul(weights, self._ones(x), transpose_a=True)
        )

    def _solve(self, sums, seen):
        ones = sums["ones"] + self.smoothing
        # Rounding may leave a little less than 0.
        zeros = np.maximum(sums["count"][:, None] - sums["ones"], 0.0)
        zeros = zeros + self.smoothing
        if min(ones[seen].min(), zeros[seen].min()) <= 0.0:
            raise InvalidArgument(
                "`NaiveBernoulli`: a feature is always 0 or always 1 in a "
                "class, and another value would be impossible. Pass "
                "smoothing=1."
            )
        odds = np.where(seen[:, None], ones / np.where(zeros > 0, zeros, 1), 1)
        return [(self.logits, np.log(odds))]
