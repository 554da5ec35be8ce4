"""A mixture of Gaussians as the prior."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from tensorflow import Tensor

from kgen.losses.divergences import (
    gaussian_log_prob,
    gaussian_log_prob_of_all,
)
from kgen.params import Count, Options, checked
from kgen.priors.base import Prior

# Means are spread and components are narrow so that the whole has a variance of
# about 1 at first, as N(0, I) has.
_SPREAD, _LOG_SCALE = math.sqrt(0.5), 0.5 * math.log(0.5)


@keras.saving.register_keras_serializable(package="kgen")
class MixturePrior(Prior):
    """`p(z) = sum_k w_k N(z; m_k, S_k)`, with learned weights, means and covariances.

    What is learned of a covariance S is the inverse of its Cholesky factor, as in
    scikit-learn's `GaussianMixture`: the upper triangular matrix P with
    `P P^T = S^-1`. `log_scales` are minus the logarithms of its diagonal, which of a
    diagonal covariance are those of the standard deviations; `above` is what P has
    above its diagonal.

    Args:
        num_components: K, the number of Gaussians.
        covariance: `"diagonal"`, or `"full"`.

    References:
        Dilokthanakul et al. (2016), arXiv 1611.02648; Tomczak & Welling (2018),
        arXiv 1705.07120, section 5 (a mixture as the prior); Ghosh et al. (2020),
        arXiv 1903.12436, section 4 (a mixture fitted afterwards).
    """

    needs_uniform = True

    @checked(num_components=Count(), covariance=Options(("diagonal", "full")))
    def __init__(
        self,
        num_components: int = 10,
        covariance: str = "diagonal",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_components = num_components
        self.covariance = covariance

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        count, size = self.num_components, self.latent_dim
        self.logits = self.add_weight(
            shape=(count,), initializer="zeros", name="logits"
        )
        spread = keras.initializers.RandomNormal(stddev=_SPREAD)
        self.means = self.add_weight(
            shape=(count, size),
            initializer=spread if count > 1 else "zeros",
            name="means",
        )
        self.log_scales = self.add_weight(
            shape=(count, size),
            initializer=keras.initializers.Constant(
                _LOG_SCALE if count > 1 else 0.0
            ),
            name="log_scales",
        )
        self.above = None
        if self.covariance == "full":
            self.above = self.add_weight(
                shape=(count, size, size), initializer="zeros", name="above"
            )

    def set_parameters(
        self, weights: np.ndarray, means: np.ndarray, factors: np.ndarray
    ) -> None:
        """Makes the mixture that of scikit-learn.

        Args:
            weights: Array of shape `(K,)`, which sums to 1.
            means: Array of shape `(K, latent_dim)`.
            factors: Array of shape `(K, latent_dim, latent_dim)`, the matrices P;
                with diagonal covariances of shape `(K, latent_dim)`, their diagonals.
        """
        diagonals = factors
        if self.above is not None:
            diagonals = np.diagonal(factors, axis1=1, axis2=2)
            self.above.assign(np.triu(factors, 1))
        self.logits.assign(np.log(weights))
        self.means.assign(means)
        self.log_scales.assign(-np.log(diagonals))

    def _factors(self):
        """P of each component, upper triangular."""
        above = ops.triu(self.above, 1)
        return above + tf.linalg.diag(ops.exp(-self.log_scales))

    def log_prob(self, z: Tensor) -> Tensor:
        log_weights = tf.nn.log_softmax(self.logits)
        return ops.logsumexp(log_weights + self._log_densities(z), axis=-1)

    def _log_densities(self, z):
        """That of each component, of shape `(..., K)`."""
        if self.above is None:
            return gaussian_log_prob_of_all(
                z, self.means, 2.0 * self.log_scales
            )
        centred = ops.expand_dims(z, -2) - self.means  # (..., K, latent_dim)
        standardized = ops.einsum("...ki,kij->...kj", centred, self._factors())
        log_density = ops.sum(
            gaussian_log_prob(standardized, 0.0, 0.0), axis=-1
        )
        return log_density - ops.sum(self.log_scales, axis=-1)

    def transform(self, normal: Tensor, uniform: Tensor) -> Tensor:
        component = chosen(tf.nn.softmax(self.logits), uniform)
        means = ops.take(self.means, component, axis=0)
        if self.above is None:
            scales = ops.take(ops.exp(self.log_scales), component, axis=0)
            return means + scales * normal
        # (z - m)^T P = normal^T has the covariance P^-T P^-1 = S.
        factors = ops.take(self._factors(), component, axis=0)
        centred = tf.linalg.triangular_solve(
            factors, normal[..., None], lower=False, adjoint=True
        )
        return means + centred[..., 0]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "num_components": self.num_components,
            "covariance": self.covariance,
        }


def chosen(weights: Tensor, uniform: Tensor) -> Tensor:
    """The component of each draw, by the inverse of the distribution function.

    Args:
        weights: Tensor of shape `(K,)`, which sums to 1.
        uniform: Tensor of shape `(n,)`, from 0 to 1.

    Returns:
        Integer tensor of shape `(n,)`, from 0 to K - 1.
    """
    ends = ops.cumsum(weights)
    # The last sum may be rounded to less than 1.
    return tf.searchsorted(ends[:-1], uniform, side="right")
