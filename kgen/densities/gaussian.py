"""Gaussians with a full covariance, one for each class or one for all."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from kgen.densities import moments
from kgen.densities.base import ClosedForm
from kgen.densities.covariances import (
    column_deviations,
    is_singular,
    regularized_for_columns,
    shrunk,
)
from kgen.errors import InvalidArgument, invalid
from kgen.params import Boolean, Number, Optional, checked

LOG_2_PI = math.log(2 * math.pi)
SHARE = Number(maximum=1.0)
STANDARDIZE = Optional(Boolean())

# The default shrinkage of pictures, whose pixels may be constant in a class.
_PICTURES = 0.05


class GaussianBase(ClosedForm):
    """Base of densities with a mean and a covariance for each class.

    Args:
        input_shape: Shape of one example.
        num_classes: How many classes there are.
        covariance_type: As in scikit-learn's `GaussianMixture`: `"diag"`,
            `"full"`, or `"tied"` for one covariance that all classes share.
        standardize: Whether what is fitted is the density of features that were
            each divided by their standard deviation in all the data, as by
            scikit-learn's `StandardScaler`. None: where examples are columns of a
            table, but not for pictures (whose shape has two axes or more).
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        covariance_type: str,
        standardize: bool | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(input_shape, num_classes, **kwargs)
        self._covariance_type = covariance_type
        self.standardize = standardize
        self.mean = self._parameter("mean", self.num_classes, self.size)

    def _statistics(self):
        scatter = {
            "diag": (self.num_classes, self.size),
            "full": (self.num_classes, self.size, self.size),
            "tied": (1, self.size, self.size),
        }
        return {
            "count": (self.num_classes,),
            "mean": (self.num_classes, self.size),
            "scatter": scatter[self._covariance_type],
        }

    def observe(self, x: Tensor, weights: Tensor) -> None:
        moments.add(self._sums, self._rows(x), weights)

    @property
    def _of_pictures(self):
        """Whether examples are pictures, whose pixels share one unit."""
        return len(self.input_shape) > 1

    def _units(self, sums):
        """What features are divided by, of shape `(size,)`."""
        standardize = self.standardize
        if standardize is None:
            standardize = not self._of_pictures
        if not standardize:
            return np.ones(self.size)
        found = self._deviations(sums)
        return np.where(found > 0.0, found, 1.0)

    def _deviations(self, sums):
        """Standard deviations in all the data, 0 of a constant feature."""
        within = sums["scatter"].sum(axis=0) / sums["count"].sum()
        variances = within if within.ndim == 1 else np.diag(within)
        return column_deviations(sums["mean"], sums["count"], variances)

    def _centred(self, x, mask):
        """x - mean of shape `(batch, classes, size)`, 0 where not seen."""
        return self._only_seen(self._rows(x)[:, None] - self.mean.value, mask)


def singular(
    density: ClosedForm,
    whose: str,
    count: float,
    advice: str = "a larger shrinkage",
) -> InvalidArgument:
    """The error for a covariance that can't be inverted.

    Args:
        density: The density, which has a `shrinkage`.
        whose: The covariance's classes, in words.
        count: How many examples they have.
        advice: What helps where there is a number as shrinkage.
    """
    if density.shrinkage is None:
        advice = "a number as shrinkage"
    return InvalidArgument(
        f"`{type(density).__name__}`: the covariance of {whose} is singular: in "
        f"some direction its {int(count)} examples with {density.size} features "
        f"don't vary. Pass {advice} (it is {density.shrinkage}), more and "
        'different examples, or the density "naive_gaussian".'
    )


@keras.saving.register_keras_serializable(package="kgen")
class FullGaussian(GaussianBase):
    """One Gaussian for each class, with a full covariance, its own or shared.

    With Bayes' rule this is quadratic, or with `shared=True` linear,
    discriminant analysis: with the defaults and columns of a table,
    scikit-learn's `QuadraticDiscriminantAnalysis()` and
    `LinearDiscriminantAnalysis()` with the counted prior (both divide by the
    count since version 1.9). With a number as `shrinkage`, it is
    `QuadraticDiscriminantAnalysis(solver="eigen")` and
    `LinearDiscriminantAnalysis(solver="lsqr")` with that `shrinkage`; for columns,
    behind a `StandardScaler`.

    With a mask, every example takes factorisations of its own, which is slow for
    many hundreds of features; `LowRankGaussian` is quicker.

    Args:
        input_shape: Shape of one example.
        num_classes: How many classes there are.
        shared: Whether all classes have one covariance.
        shrinkage: From 0 to 1: how far a covariance S is shrunk towards one that is
            the same in all directions, `(1 - a) S + a tr(S) / size I`; for
            columns, that of standardised ones. With 0, a class needs more examples
            than features, and no constant ones. None for 0.05 where examples are
            pictures (their shape has two axes or more), whose numbers share one
            unit. For columns, None leaves covariances as they are where they can
            be inverted; where they can't be, `(1 - a) S + a diag(S_within)` with
            a = 0.1 in all classes, by the columns' own variances. So P(y|x) does
            not depend on the columns' units. Columns that are constant in all the
            data, or copies or sums of others, count for nothing.
        pooling: From 0 to 1: how far, before that, the classes' own covariances
            are shrunk towards the one that they would share,
            `(1 - b) S_class + b S`; for few examples of a class.
        standardize: Whether a number as shrinkage acts on features divided by
            their standard deviation in all the data, as by scikit-learn's
            `StandardScaler`. None: for columns, but not for pictures. False for
            columns of one unit, such as pixels that are given as rows.

    References:
        Hastie et al. (2009), The Elements of Statistical Learning, 4.3, and
        equation 4.13 (pooling, after Friedman's regularized discriminant
        analysis, 1989).
    """

    @checked(
        shared=Boolean(),
        shrinkage=Optional(SHARE),
        pooling=SHARE,
        standardize=STANDARDIZE,
    )
    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        shared: bool = False,
        shrinkage: float | None = None,
        pooling: float = 0.0,
        standardize: bool | None = None,
        **kwargs: Any,
    ) -> None:
        covariance_type = "tied" if shared else "full"
        super().__init__(
            input_shape, num_classes, covariance_type, standardize, **kwargs
        )
        if shared and pooling:
            raise invalid(
                "pooling", "FullGaussian", "0 where all is shared", pooling
            )
        self.shared = shared
        self.shrinkage = shrinkage
        self.pooling = pooling
        # The Cholesky factor of the covariance, its diagonal as logarithms.
        count = 1 if shared else self.num_classes
        self.factor = self._parameter("factor", count, self.size, self.size)

    def _cholesky(self):
        raw = self.factor.value
        diagonal = tf.linalg.diag_part(raw)
        return tf.linalg.set_diag(
            tf.linalg.band_part(raw, -1, 0), tf.exp(diagonal)
        )

    def log_prob(
        self, x: Tensor, mask: Tensor | None = None, training: bool = False
    ) -> Tensor:
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
        """log p of the features seen, by their covariance, example by example.

        Features that were not seen get the covariance I and the value 0, which
        adds nothing to the square and nothing to the determinant.
        """
        factor = self._cholesky()
        covariance = tf.matmul(factor, factor, transpose_b=True)

        def of_example(parts):
            rows, seen = parts
            both = seen[:, None] * seen[None]
            part = covariance * both + tf.linalg.diag(1.0 - seen)
            root = tf.linalg.cholesky(part)
            if self.shared:
                white = tf.linalg.triangular_solve(root[0], tf.transpose(rows))
                square = tf.reduce_sum(tf.square(white), axis=0)
            else:
                white = tf.linalg.triangular_solve(root, rows[..., None])
                square = tf.reduce_sum(tf.square(white), axis=(1, 2))
            log_det = 2.0 * tf.reduce_sum(
                tf.math.log(tf.linalg.diag_part(root)), axis=-1
            )
            size = tf.reduce_sum(seen)
            return -0.5 * (square + log_det + size * LOG_2_PI)

        return tf.map_fn(
            of_example,
            (self._centred(x, mask), self._rows(mask)),
            fn_output_signature=tf.float64,
        )

    def draw(self, labels: Tensor, seed: Tensor) -> Tensor:
        mean = tf.gather(self.mean.value, labels)
        noise = self._normal(tf.shape(mean), seed)
        factor = self._cholesky()
        if self.shared:
            scaled = tf.matmul(noise, factor[0], transpose_b=True)
        else:
            scaled = tf.map_fn(
                lambda pair: tf.linalg.matvec(factor[pair[0]], pair[1]),
                (labels, noise),
                fn_output_signature=tf.float64,
            )
        return self._shaped(mean + scaled)

    def _solve(self, sums, seen):
        covariances = self._covariances(sums, seen)
        factors = np.zeros(self.factor.shape)
        places = [0] if self.shared else np.flatnonzero(seen)
        for place, covariance in zip(places, covariances):
            if is_singular(covariance, 1e-12):
                whose, count = "all classes", sums["count"].sum()
                if not self.shared:
                    whose, count = f"class {place}", sums["count"][place]
                raise singular(self, whose, count)
            factors[place] = _factor(covariance)
        return [(self.mean, sums["mean"]), (self.factor, factors)]

    def _covariances(self, sums, seen):
        """Regularized covariances of the classes seen, or the one they share."""
        count, mean = sums["count"][seen], sums["mean"][seen]
        within = sums["scatter"].sum(axis=0) / count.sum()
        if self.shared:
            covariances = within[None]
        else:
            covariances = sums["scatter"][seen] / count[:, None, None]
            covariances = (1.0 - self.pooling) * covariances
            covariances += self.pooling * within
        shrinkage = self.shrinkage
        if shrinkage is None and self._of_pictures:
            shrinkage = _PICTURES
        if shrinkage is not None:
            units = self._units(sums)
            return [shrunk(each, shrinkage, units) for each in covariances]
        self._check_counts(sums["count"])
        return regularized_for_columns(covariances, mean, count, within)

    def _check_counts(self, count):
        """Raises where examples can't tell how columns vary in a class."""
        if self.shared and count.sum() <= np.sum(count > 0):
            raise InvalidArgument(
                "`FullGaussian`: every class has one example only, which does not "
                "tell how columns vary in a class. Pass more examples."
            )
        single = np.flatnonzero((count > 0) & (count <= 1))
        if not self.shared and not self.pooling and len(single):
            raise InvalidArgument(
                f"`FullGaussian`: class {single[0]} has one example only, which "
                "does not tell how columns vary in it. Pass more examples, "
                'pooling=0.5, or the density "shared", by which classes learn '
                "from each other."
            )


def _factor(covariance):
    """The Cholesky factor, its diagonal as logarithms."""
    factor = np.linalg.cholesky(covariance)
    np.fill_diagonal(factor, np.log(np.diag(factor)))
    return factor
