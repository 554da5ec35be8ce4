"""Probabilistic PCA in each class: Gaussians of low rank, and noise."""

import keras
import numpy as np
import tensorflow as tf
from scipy import linalg

from kgen.densities import moments
from kgen.densities.gaussian import LOG_2_PI, GaussianBase
from kgen.errors import check_int, invalid


@keras.saving.register_keras_serializable(package="kgen")
class LowRankGaussian(GaussianBase):
    """Probabilistic PCA in each class: covariance `W W^T + sigma^2 I`.

    With the eigenvalues l of a class's covariance and its first `rank`
    eigenvectors U, `sigma^2` is the mean of the other eigenvalues and
    `W = U (l - sigma^2)^(1/2)`. As in scikit-learn's `PCA.score`, covariances are
    unbiased (divided by the count less 1).

    Args:
        input_shape: Shape of one example.
        num_classes: How many classes there are.
        rank: q, how many directions have a variance of their own; below the
            number of features.
        shrinkage: From 0 to 1, as in `FullGaussian`.

    References:
        Tipping & Bishop (1999), Probabilistic Principal Component Analysis,
        equations 7 and 8.
    """

    def __init__(
        self, input_shape, num_classes, rank=20, shrinkage=0.0, **kwargs
    ):
        super().__init__(input_shape, num_classes, shrinkage, **kwargs)
        self.rank = check_int("rank", "LowRankGaussian", rank)
        if self.rank >= self.size:
            raise invalid(
                "rank",
                "LowRankGaussian",
                f"an integer below {self.size}, the number of features",
                rank,
            )
        shape = (self.num_classes, self.size, self.rank)
        self.loadings = self._parameter("loadings", *shape)
        self.log_noise = self._parameter("log_noise", self.num_classes)

    def log_prob(self, x, mask=None, training=False):
        """By the q x q matrix `sigma^2 I + W^T W` alone (Woodbury)."""
        rows = self._centred(x, mask)
        loadings, log_noise = self.loadings.value, self.log_noise.value
        noise = tf.exp(log_noise)
        if mask is None:
            size = tf.cast(self.size, "float64")
            inner = tf.matmul(loadings, loadings, transpose_a=True)
        else:
            seen = self._rows(mask)
            size = tf.reduce_sum(seen, axis=1)[:, None]
            squares = tf.einsum("cdq,cdr->dcqr", loadings, loadings)
            inner = tf.tensordot(seen, squares, 1)
        inner += noise[:, None, None] * tf.eye(self.rank, dtype="float64")
        factor = tf.linalg.cholesky(inner)
        coded = tf.einsum("cdq,bcd->bcq", loadings, rows)
        if mask is None:
            coded = tf.transpose(coded, (1, 2, 0))
            white = tf.linalg.triangular_solve(factor, coded)
            known = tf.transpose(tf.reduce_sum(tf.square(white), axis=1))
        else:
            white = tf.linalg.triangular_solve(factor, coded[..., None])
            known = tf.reduce_sum(tf.square(white), axis=(2, 3))
        square = (tf.reduce_sum(tf.square(rows), axis=-1) - known) / noise
        log_det = 2.0 * tf.reduce_sum(
            tf.math.log(tf.linalg.diag_part(factor)), axis=-1
        )
        log_det += (size - self.rank) * log_noise
        return -0.5 * (square + log_det + size * LOG_2_PI)

    def draw(self, labels, seed):
        mean, loadings, log_noise = (
            tf.gather(weight.value, labels)
            for weight in (self.mean, self.loadings, self.log_noise)
        )
        code = self._normal([tf.shape(labels)[0], self.rank], seed)
        noise = self._normal(tf.shape(mean), seed, 1)
        return self._shaped(
            mean
            + tf.linalg.matvec(loadings, code)
            + tf.exp(0.5 * log_noise)[:, None] * noise
        )

    def _statistics(self):
        shape = (self.num_classes, self.size)
        return {
            "count": shape[:1],
            "mean": shape,
            "scatter": (*shape, self.size),
        }

    def observe(self, x, weights):
        moments.add(self._sums, self._rows(x), weights, moments.full)

    def _solve(self, sums, seen):
        loadings = np.zeros(self.loadings.shape)
        log_noise = np.zeros(self.num_classes)
        for label in np.flatnonzero(seen):
            number = sums["count"][label]
            covariance = sums["scatter"][label] / max(number - 1.0, 1e-300)
            covariance = self._shrunk(covariance)
            values, vectors = linalg.eigh(
                covariance,
                subset_by_index=(self.size - self.rank, self.size - 1),
            )
            rest = np.trace(covariance) - values.sum()
            noise = rest / (self.size - self.rank)
            if noise <= 1e-12 * values[-1] or number <= 1:
                raise self._flat(
                    f"class {label}",
                    number,
                    "a lower rank, a larger shrinkage",
                )
            excess = np.sqrt(np.maximum(values - noise, 0.0))
            loadings[label] = vectors * excess
            log_noise[label] = np.log(noise)
        return [
            (self.mean, sums["mean"]),
            (self.loadings, loadings),
            (self.log_noise, log_noise),
        ]

    def get_config(self):
        return {**super().get_config(), "rank": self.rank}
