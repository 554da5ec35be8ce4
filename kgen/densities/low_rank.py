"""Probabilistic PCA in each class: Gaussians of low rank, and noise."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy import linalg
from tensorflow import Tensor

from kgen.densities.covariances import shrunk, spectrum
from kgen.densities.gaussian import (
    LOG_2_PI,
    SHARE,
    STANDARDIZE,
    GaussianBase,
    singular,
)
from kgen.errors import invalid
from kgen.params import Count, checked


@keras.saving.register_keras_serializable(package="kgen")
class LowRankGaussian(GaussianBase):
    """Probabilistic PCA in each class: covariance `W W^T + sigma^2 I`.

    With the eigenvalues l of a class's covariance and its first `rank`
    eigenvectors U, `sigma^2` is the mean of the other eigenvalues and
    `W = U (l - sigma^2)^(1/2)`. As in scikit-learn's `PCA.score`, covariances are
    unbiased (divided by the count less 1).

    An analysis of principal components goes by the features' units. The columns of
    a table are therefore standardised first, as by a `StandardScaler` that sees all
    classes: with D, their standard deviations, the covariance of x is
    `D (W W^T + sigma^2 I) D`.

    Args:
        input_shape: Shape of one example.
        num_classes: How many classes there are.
        rank: q, how many directions have a variance of their own; below the
            number of features.
        shrinkage: From 0 to 1, as a number is in `FullGaussian`.
        standardize: Whether D are the features' standard deviations; else 1. None:
            for columns, but not for pictures (whose shape has two axes or more).
            False for columns of one unit, such as pixels that are given as rows.

    References:
        Tipping & Bishop (1999), Probabilistic Principal Component Analysis,
        equations 7 and 8.
    """

    @checked(rank=Count(), shrinkage=SHARE, standardize=STANDARDIZE)
    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        rank: int = 20,
        shrinkage: float = 0.0,
        standardize: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            input_shape, num_classes, "full", standardize, **kwargs
        )
        self.rank = rank
        self.shrinkage = shrinkage
        if rank >= self.size:
            raise invalid(
                "rank",
                "LowRankGaussian",
                f"an integer below {self.size}, the number of features",
                rank,
            )
        shape = (self.num_classes, self.size, self.rank)
        self.loadings = self._parameter("loadings", *shape)
        self.log_noise = self._parameter("log_noise", self.num_classes)
        # D, which no gradient moves. The last weight, so that in models saved
        # before there was one, the others have the same places.
        self.log_units = self._parameter(
            "log_units", 1, self.size, trainable=False
        )

    def load_own_variables(self, store: Any) -> None:
        """Reads the weights; those of models saved without units, too."""
        found = {name: store[name] for name in store.keys()}  # noqa: SIM118
        place = str(len(self.weights) - 1)
        found.setdefault(place, np.zeros(self.log_units.shape))
        super().load_own_variables(found)

    def log_prob(
        self, x: Tensor, mask: Tensor | None = None, training: bool = False
    ) -> Tensor:
        """log p(x|y), by inverting the q x q matrix `sigma^2 I + W^T W` only.

        This is Woodbury's identity; the covariance itself is never inverted.
        """
        log_units = self.log_units.value
        rows = self._centred(x, mask) * tf.exp(-log_units)
        loadings, log_noise = self.loadings.value, self.log_noise.value
        noise = tf.exp(log_noise)
        if mask is None:
            size = tf.cast(self.size, "float64")
            log_unit = tf.reduce_sum(log_units)
            inner = tf.matmul(loadings, loadings, transpose_a=True)
        else:
            seen = self._rows(mask)
            size = tf.reduce_sum(seen, axis=1)[:, None]
            log_unit = tf.matmul(seen, log_units, transpose_b=True)
            squares = tf.einsum("cdq,cdr->dcqr", loadings, loadings)
            inner = tf.tensordot(seen, squares, 1)
        inner += noise[:, None, None] * tf.eye(self.rank, dtype="float64")
        factor = tf.linalg.cholesky(inner)
        coded = tf.einsum("cdq,bcd->bcq", loadings, rows)
        if mask is None:
            code = tf.linalg.cholesky_solve(
                factor, tf.transpose(coded, (1, 2, 0))
            )
            code = tf.transpose(code, (2, 0, 1))
        else:
            code = tf.linalg.cholesky_solve(factor, coded[..., None])[..., 0]
        # The minimum of |x - W z|^2 / sigma^2 + |z|^2 over z. The usual form is
        # a difference, which loses all digits where sigma is small beside W.
        fitted = tf.einsum("cdq,bcq->bcd", loadings, code)
        rest = self._only_seen(rows - fitted, mask)
        square = tf.reduce_sum(tf.square(rest), axis=-1) / noise
        square += tf.reduce_sum(tf.square(code), axis=-1)
        log_det = 2.0 * tf.reduce_sum(
            tf.math.log(tf.linalg.diag_part(factor)), axis=-1
        )
        log_det += (size - self.rank) * log_noise + 2.0 * log_unit
        return -0.5 * (square + log_det + size * LOG_2_PI)

    def draw(self, labels: Tensor, seed: Tensor) -> Tensor:
        mean, loadings, log_noise = (
            tf.gather(weight.value, labels)
            for weight in (self.mean, self.loadings, self.log_noise)
        )
        code = self._normal([tf.shape(labels)[0], self.rank], seed)
        noise = self._normal(tf.shape(mean), seed, 1)
        noise *= tf.exp(0.5 * log_noise)[:, None]
        shift = tf.linalg.matvec(loadings, code) + noise
        return self._shaped(mean + tf.exp(self.log_units.value) * shift)

    def _solve(self, sums, seen):
        loadings = np.zeros(self.loadings.shape)
        log_noise = np.zeros(self.num_classes)
        units, ones = self._units(sums), np.ones(self.size)
        for label in np.flatnonzero(seen):
            number = sums["count"][label]
            covariance = sums["scatter"][label] / max(number - 1.0, 1e-300)
            covariance = covariance / np.outer(units, units)
            covariance = shrunk(covariance, self.shrinkage, ones)
            values, vectors, noise = _largest(covariance, self.rank)
            if noise <= 0.0 or number <= 1:
                advice = "a lower rank, a larger shrinkage"
                raise singular(self, f"class {label}", number, advice)
            excess = np.sqrt(np.maximum(values - noise, 0.0))
            loadings[label] = vectors * excess
            log_noise[label] = np.log(noise)
        return [
            (self.mean, sums["mean"]),
            (self.loadings, loadings),
            (self.log_noise, log_noise),
            (self.log_units, np.log(units)[None]),
        ]


def _largest(covariance, rank):
    """The largest eigenvalues, their vectors, and the mean of all others."""
    size = len(covariance)
    values, vectors = linalg.eigh(
        covariance, subset_by_index=(size - rank, size - 1)
    )
    rest = np.trace(covariance) - values.sum()
    if rest <= 1e-6 * values[-1]:
        # The difference has lost its digits, since the columns' scales differ by
        # orders of magnitude.
        all_values, axes = spectrum(covariance)
        values, vectors = all_values[:rank], axes[:, :rank]
        rest = all_values[rank:].sum()
    return values, vectors, rest / (size - rank)
