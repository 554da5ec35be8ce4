"""Gaussians with a full covariance, one for each class or one for all."""

import math

import keras
import numpy as np
import tensorflow as tf

from kgen.densities import moments
from kgen.densities.base import ClosedForm
from kgen.errors import InvalidArgument, check_bool, check_number, invalid

LOG_2_PI = math.log(2 * math.pi)


class GaussianBase(ClosedForm):
    """Base: what the covariances have in common.

    Args:
        input_shape: Shape of one example.
        num_classes: How many classes there are.
        shrinkage: From 0 to 1: how far a covariance S is drawn to one that is
            the same in all directions, `(1 - a) S + a tr(S) / size I`.
    """

    def __init__(self, input_shape, num_classes, shrinkage, **kwargs):
        super().__init__(input_shape, num_classes, **kwargs)
        self.shrinkage = check_number(
            "shrinkage", type(self).__name__, shrinkage, maximum=1.0
        )
        self.mean = self._parameter("mean", self.num_classes, self.size)

    def _shrunk(self, covariance):
        spread = np.trace(covariance) / self.size
        return (1.0 - self.shrinkage) * covariance + (
            self.shrinkage * spread * np.eye(self.size)
        )

    def _flat(self, what, seen, advice="a larger shrinkage"):
        return InvalidArgument(
            f"`{type(self).__name__}`: the covariance of {what} is singular: in "
            f"some direction its {int(seen)} examples with {self.size} features "
            f"don't vary. Pass {advice} (it is {self.shrinkage:g}), more and "
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
    discriminant analysis. The maximum of likelihood: scikit-learn's
    `QuadraticDiscriminantAnalysis(solver="eigen")` and
    `LinearDiscriminantAnalysis(solver="lsqr")` with that `shrinkage` and
    the counted prior.

    Args:
        input_shape: Shape of one example.
        num_classes: How many classes there are.
        shared: Whether all classes have one covariance.
        shrinkage: From 0 to 1: how far a covariance S is drawn to one that is
            the same in all directions, `(1 - a) S + a tr(S) / size I`. With 0, a
            class needs more examples than features, and no constant ones.
        pooling: From 0 to 1: how far, before that, the classes' own covariances
            are drawn to the one that they would share,
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
        shrinkage=0.05,
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
        count = sums["count"]
        if self.shared:
            one = self._factor_of(
                sums["scatter"][0] / count.sum(), "all classes", count.sum()
            )
            return [(self.mean, sums["mean"]), (self.factor, one[None])]
        pooled = self.pooling * sums["scatter"].sum(axis=0) / count.sum()
        factors = [
            self._factor_of(
                (1.0 - self.pooling) * scatter / number + pooled,
                f"class {label}",
                number,
            )
            if number
            else np.zeros_like(scatter)
            for label, (scatter, number) in enumerate(
                zip(sums["scatter"], count)
            )
        ]
        return [(self.mean, sums["mean"]), (self.factor, np.stack(factors))]

    def _factor_of(self, covariance, what, seen):
        covariance = self._shrunk(covariance)
        values = np.linalg.eigvalsh(covariance)
        if values[0] <= 1e-12 * values[-1]:
            raise self._flat(what, seen)
        factor = np.linalg.cholesky(covariance)
        np.fill_diagonal(factor, np.log(np.diag(factor)))
        return factor

    def get_config(self):
        return {
            **super().get_config(),
            "shared": self.shared,
            "pooling": self.pooling,
        }
