"""A normalising flow as the prior."""

from typing import Any

import keras
from keras import ops
from tensorflow import Tensor

from kgen.errors import invalid
from kgen.losses.divergences import gaussian_log_prob
from kgen.params import Count, Integer, checked
from kgen.priors.base import Prior
from kgen.priors.flows import Flow


@keras.saving.register_keras_serializable(package="kgen")
class FlowPrior(Prior):
    """The density of `z = shift + exp(log_scale) * f(eps)`, eps from N(0, I).

    f is a `Flow`; shift and log_scale have a number for each dimension. So
    `log p(z) = log N(eps; 0, I) - log |det df/deps| - sum log_scale`, in which eps
    is what leads to z.

    Args:
        num_layers: L, the number of coupling layers.
        hidden_units: Units of the hidden layer in each of them.

    References:
        Dinh et al. (2017), arXiv 1605.08803, equation 3; Huang et al. (2017),
        Learnable explicit density for continuous latent space and variational
        inference, arXiv 1710.02248 (as a VAE's prior).
    """

    @checked(num_layers=Count(), hidden_units=Integer(1))
    def __init__(
        self, num_layers: int = 4, hidden_units: int = 64, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.num_layers = num_layers
        self.hidden_units = hidden_units
        self.flow = Flow(num_layers, hidden_units, trainable=self.trainable)

    def _prepare(self, model, size, serving):
        if size < 2:
            owner = type(model).__name__
            whole = size == model.latent_dim
            what = "a code" if whole else "an upper level"
            expected = (
                f"no flow for {what} of one dimension: it needs at least 2"
            )
            raise invalid("prior", owner, expected, f"flow:{self.num_layers}")

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        self.flow.build((None, self.latent_dim))
        self.shift = self.add_weight(
            shape=(self.latent_dim,), initializer="zeros", name="shift"
        )
        self.log_scale = self.add_weight(
            shape=(self.latent_dim,), initializer="zeros", name="log_scale"
        )

    def log_prob(self, z: Tensor) -> Tensor:
        standardized = (z - self.shift) * ops.exp(-self.log_scale)
        eps, log_det = self.flow.inverse(standardized)
        log_density = ops.sum(gaussian_log_prob(eps, 0.0, 0.0), axis=-1)
        return log_density + log_det - ops.sum(self.log_scale)

    def transform(self, normal: Tensor, uniform: Tensor | None) -> Tensor:
        z, _ = self.flow(normal)
        return self.shift + ops.exp(self.log_scale) * z

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "hidden_units": self.hidden_units,
        }
