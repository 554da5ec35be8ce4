"""Gaussians with a full covariance, one for each class or one for all."""

import math

import keras
import numpy as np
import tensorflow as tf

from kgen.densities import moments
from kgen.densities.base import ClosedForm
from kgen.densities.covariances import (
    is_singular,
    isotropic,
    regularized_for_columns,
)
from kgen.errors import InvalidArgument, check_bool, check_number, invalid

LOG_2_PI = math.log(2 * math.pi)

# The shrinkage of pictures, whose pixels may be constant in a class.
_PICTURES = 0.05


class GaussianBase(ClosedForm):
    """Base: what the covariances have in common.

    Args:
        input_shape: Shape of one example.
        num_classes: How many classes there are.
        shrinkage: None, or a number from 0 to 1: how far a covariance S is drawn
            to one that is the same in all directions,
            `(1 - a) S + a tr(S) / size I`.
    """

    def __init__(self, input_shape, num_classes, shrinkage, **kwargs):
        super().__init__(input_shape, num_classes, **kwargs)
        if shrinkage is not None:
            shrinkage = check_number(
                "shrinkage", type(self).__name__, shrinkage, maximum=1.0
            )
        self.shrinkage = shrinkage
        self.mean = self._parameter("mean", self.num_classes, self.size)

    def _flat(self, what, seen, advice="a larger shrinkage"):
        if self.shrinkage is None:
            advice = "a number as shrinkage"
        return InvalidArgument(
            f"`{type(self).__name__}`: the covariance of {what} is singular: in "
            f"some direction its {int(seen)} examples with {self.size} features "
            f"don't vary. Pass {advice} (it is {self.shrinkage}), more and "
            'different examples, or the density "naive_gaussian".'
        )

    def _centred(self, x, mask):
        """x - mean of shape `(batch, classes, size)`, 0 where not seen."""
        return self._only_seen(self._rows(x)[:, None] - self.mean.value, mask)

    def get_config(self):
        return {**super().get_config(), "shrinkage": self.shrinkage}


@keras.saving.register_keras_serializable(package="kgen")
class FullGaussian(GaussianBase):
    """One Gaussian for each class, with a full covariance, its own or shared.

    With Bayes' rule this is quadratic, or with `shared=True` linear,
    discriminant analysis: with the defaults and columns of a table,
    scikit-learn's `QuadraticDiscriminantAnalysis()` and
    `LinearDiscriminantAnalysis()` with the counted prior (both divide by the
    count since version 1.9). With a number as `shrinkage`, it is
    `QuadraticDiscriminantAnalysis(solver="eigen")` and
    `LinearDiscriminantAnalysis(solver="lsqr")` with that `shrinkage`.

    Args:
        input_shape: Shape of one example.
        num_classes: How many classes there are.
        shared: Whether all classes have one covariance.
        shrinkage: From 0 to 1: how far a covariance S is shrunk towards one that is
            the same in all directions, `(1 - a) S + a tr(S) / size I`. With 0, a
            class needs more examples than features, and no constant ones. None
            for 0.05 where examples are pictures (their shape has two axes or
            more), whose numbers share one unit. For columns, None leaves
            covariances as they are where they can be inverted; where they can't
            be, `(1 - a) S + a diag(S_within)` with a = 0.1 in all classes, by
            the columns' own variances. So P(y|x) does not depend on the
            columns' units. Columns that are constant in all the data, or copies
            or sums of others, count for nothing.
        pooling: From 0 to 1: how far, before that, the classes' own covariances
            are shrunk towards the one that they would share,
            `(1 - b) S_class + b S`; for few examples of a class.

    With a mask, every example takes factorisations of its own, which is slow for
    many hundreds of features; `LowRankGaussian` is quicker.

    References:
        Hastie et al. (2009), The Elements of Statistical Learning, 4.3, and
        equation 4.13 (pooling, after Friedman's regularized discriminant
        analysis, 1989).
    """

    def __init__(
        self,
        input_shape,
        num_classes,
        shared=False,
        shrinkage=None,
        pooling=0.0,
        **kwargs,
    ):
        super().__init__(input_shape, num_classes, shrinkage, **kwargs)
        self.shared = check_bool("shared", "FullGaussian", shared)
        self.pooling = check_number(
            "pooling", "FullGaussian", pooling, maximum=1.0
        )
        if self.shared and self.pooling:
            raise invalid(
                "pooling", "FullGaussian", "0 where all is shared", pooling
            )
        # The Cholesky factor of the covariance, its diagonal as logarithms.
        count = 1 if self.shared else self.num_classes
        self.factor = self._parameter("factor", count, self.size, self.size)

    def _cholesky(self):
        raw = self.factor.value
        diagonal = tf.linalg.diag_part(raw)
        return tf.linalg.set_diag(
            tf.linalg.band_part(raw, -1, 0), tf.exp(diagonal)
        )

    def log_prob(self, x, mask=None, training=False):
        if mask is not None:
            return self._marginal(x, mask)
        rows = tf.transpose(self._centred(x, None), (1, 2, 0))
        factor = self._cholesky()
        if self.shared:  # one solution with all classes' right sides
            rows = tf.reshape(tf.transpose(rows, (1, 0, 2)), (self.size, -1))
            white = tf.linalg.triangular_solve(factor[0], rows)
            square = tf.reduce_sum(tf.square(white), axis=0)
            square = tf.reshape(square, (self.num_classes, -1))
        else:
            white = tf.linalg.triangular_solve(factor, rows)
            square = tf.reduce_sum(tf.square(white), axis=1)
        log_det = 2.0 * tf.linalg.trace(self.factor.value)
        return -0.5 * (tf.transpose(square) + log_det + self.size * LOG_2_PI)

    def _marginal(self, x, mask):
        """By the covariance of what was seen, one example at a time.

        What was not seen gets the covariance I and the value 0: it then adds
        nothing to the square and nothing to the determinant.
        """
        factor = self._cholesky()
        covariance = tf.matmul(factor, factor, transpose_b=True)

        def of_example(parts):
            rows, seen = parts
            both = seen[:, None] * seen[None]
            own = covariance * both + tf.linalg.diag(1.0 - seen)
            own = tf.linalg.cholesky(own)
            if self.shared:
                white = tf.linalg.triangular_solve(own[0], tf.transpose(rows))
                square = tf.reduce_sum(tf.square(white), axis=0)
            else:
                white = tf.linalg.triangular_solve(own, rows[..., None])
                square = tf.reduce_sum(tf.square(white), axis=(1, 2))
            log_det = 2.0 * tf.reduce_sum(
                tf.math.log(tf.linalg.diag_part(own)), axis=-1
            )
            size = tf.reduce_sum(seen)
            return -0.5 * (square + log_det + size * LOG_2_PI)

        return tf.map_fn(
            of_example,
            (self._centred(x, mask), self._rows(mask)),
            fn_output_signature=tf.float64,
        )

    def draw(self, labels, seed):
        mean = tf.gather(self.mean.value, labels)
        noise = self._normal(tf.shape(mean), seed)
        factor = self._cholesky()
        if self.shared:
            own = tf.matmul(noise, factor[0], transpose_b=True)
            return self._shaped(mean + own)
        own = tf.map_fn(
            lambda pair: tf.linalg.matvec(factor[pair[0]], pair[1]),
            (labels, noise),
            fn_output_signature=tf.float64,
        )
        return self._shaped(mean + own)

    def _statistics(self):
        size = self.size
        count = 1 if self.shared else self.num_classes
        return {
            "count": (self.num_classes,),
            "mean": (self.num_classes, size),
            "scatter": (count, size, size),
        }

    def observe(self, x, weights):
        moments.add(self._sums, self._rows(x), weights, moments.full)

    def _solve(self, sums, seen):
        count, mean = sums["count"][seen], sums["mean"][seen]
        of_pictures = _PICTURES if len(self.input_shape) > 1 else None
        share = of_pictures if self.shrinkage is None else self.shrinkage
        within = sums["scatter"].sum(axis=0) / count.sum()
        if self.shared:
            covariances = within[None]
        else:
            own = sums["scatter"][seen] / count[:, None, None]
            covariances = (1.0 - self.pooling) * own + self.pooling * within
        if share is None:
            self._check_counts(sums["count"])
            covariances = regularized_for_columns(
                covariances, mean, count, within
            )
        else:
            covariances = [isotropic(one, share) for one in covariances]
        self._check_regular(covariances, sums["count"])
        factors = np.zeros(self.factor.shape)
        places = [0] if self.shared else np.flatnonzero(seen)
        for place, covariance in zip(places, covariances):
            factors[place] = _factor(covariance)
        return [(self.mean, sums["mean"]), (self.factor, factors)]

    def _check_counts(self, count):
        """Raises where examples can't tell how columns vary in a class."""
        single = np.flatnonzero((count > 0) & (count <= 1))
        if self.shared and count.sum() <= np.sum(count > 0):
            raise InvalidArgument(
                "`FullGaussian`: every class has one example only, which does not "
                "tell how columns vary in a class. Pass more examples."
            )
        if not self.shared and not self.pooling and len(single):
            raise InvalidArgument(
                f"`FullGaussian`: class {single[0]} has one example only, which "
                "does not tell how columns vary in it. Pass more examples, "
                'pooling=0.5, or the density "shared", by which classes learn '
                "from each other."
            )

    def _check_regular(self, covariances, count):
        labels = [None] if self.shared else np.flatnonzero(count)
        for label, covariance in zip(labels, covariances):
            if is_singular(covariance, 1e-12):
                what = "all classes" if label is None else f"class {label}"
                own = count.sum() if label is None else count[label]
                raise self._flat(what, own)

    def get_config(self):
        return {
            **super().get_config(),
            "shared": self.shared,
            "pooling": self.pooling,
        }


def _factor(covariance):
    """The Cholesky factor, its diagonal as logarithms."""
    factor = np.linalg.cholesky(covariance)
    np.fill_diagonal(factor, np.log(np.diag(factor)))
    return factor
