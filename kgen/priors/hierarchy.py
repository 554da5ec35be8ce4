"""A code of two levels, the lower one drawn given the upper one."""

from typing import Any, Self

import keras
from keras import ops
from tensorflow import Tensor

from kgen.errors import invalid
from kgen.losses.divergences import gaussian_log_prob
from kgen.params import Instance, Integer, checked
from kgen.priors.base import Prior
from kgen.priors.flows import Flow
from kgen.priors.normal import NormalPrior

# Units of the network that gives a level from the one above it.
_HIDDEN_UNITS = 256


@keras.saving.register_keras_serializable(package="kgen")
class HierarchicalPrior(Prior):
    """`p(z) = p(z2) p(z1|z2)`: the upper level z2, and the lower level z1.

    z2 is the first half of the code, and z1 the second half. p(z1|z2) is a diagonal
    Gaussian whose mean and standard deviation are a network's functions of z2; the
    standard deviation is between exp(-2) and exp(2).

    Args:
        top: p(z2), a `Prior`; None for N(0, I).
        hidden_units: Units of the hidden layer of the network.

    References:
        Sonderby et al. (2016), arXiv 1602.02282, equations 1 to 3; Tomczak &
        Welling (2018), arXiv 1705.07120, section 4, equation 12.
    """

    needs_uniform = True

    @checked(hidden_units=Integer(1))
    def __init__(
        self,
        top: Prior | None = None,
        hidden_units: int = _HIDDEN_UNITS,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        top = NormalPrior() if top is None else top
        self.top = Instance(Prior, "a `Prior`").check(
            "top", "HierarchicalPrior", top
        )
        self.hidden_units = hidden_units
        # z1 is an affine function of noise whose coefficients depend on z2.
        self.below = Flow(
            1, hidden_units, split="halves", trainable=self.trainable
        )

    @property
    def num_start_examples(self) -> int:
        return self.top.num_start_examples

    def _prepare(self, model, size, serving):
        self.top.build_for(model, size // 2, serving)

    def build(self, input_shape: tuple) -> None:
        size = input_shape[-1]
        if size % 2:
            raise invalid(
                "latent_dim",
                type(self).__name__,
                "an even number, for two levels of half the size each",
                size,
            )
        super().build(input_shape)
        if not self.top.built:
            self.top.build((None, size // 2))
        self.below.build(input_shape)

    def get_build_config(self) -> None:
        """Returns None: the model that loads the prior builds it."""

    def start_from(self, x: Any, labels: Any) -> None:
        self.top.start_from(x, labels)

    def log_prob(self, z: Tensor) -> Tensor:
        z2_and_noise, log_det = self.below.inverse(z)
        z2, noise = ops.split(z2_and_noise, 2, axis=-1)
        log_noise = ops.sum(gaussian_log_prob(noise, 0.0, 0.0), axis=-1)
        return self.top.log_prob(z2) + log_noise + log_det

    def transform(self, normal: Tensor, uniform: Tensor) -> Tensor:
        upper, lower = ops.split(normal, 2, axis=-1)
        z2 = self.top.transform(upper, uniform)
        z, _ = self.below(ops.concatenate([z2, lower], axis=-1))
        return z

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "top": keras.saving.serialize_keras_object(self.top),
            "hidden_units": self.hidden_units,
        }

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Builds the prior that `get_config` described."""
        top = keras.saving.deserialize_keras_object(config["top"])
        return cls(**{**config, "top": top})


def with_levels(
    levels: int, prior: Prior, flow: Flow | None
) -> tuple[Prior, Flow | None]:
    """The prior and the posterior's flow of a code of one or two levels.

    Args:
        levels: 1 or 2.
        prior: p(z) of one level, p(z2) of two; or the prior of both already.
        flow: The flow behind the Gaussian, or None. With two levels it is None, or
            that of two levels already: a function of z2, and of the encoder's
            context, takes noise to a draw of q(z1|x, z2).

    Returns:
        The prior and the flow.

    Raises:
        InvalidArgument: If there is another flow behind two levels.
    """
    if levels == 1:
        return prior, flow
    if not isinstance(prior, HierarchicalPrior):
        prior = HierarchicalPrior(prior)
    if flow is None:
        flow = Flow(1, _HIDDEN_UNITS, split="halves")
    if flow.split != "halves":
        raise invalid(
            "posterior",
            "VAE",
            '"gaussian" with levels=2, or a flow of split="halves"',
            f'a flow of split="{flow.split}"',
        )
    return prior, flow
