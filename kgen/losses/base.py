"""What a likelihood p(x|z) must do."""

from typing import Any

import keras
from keras import ops
from tensorflow import Tensor


def sum_over_event(values: Tensor, batch_axes: int = 1) -> Tensor:
    """Sums all axes of `values` behind the first `batch_axes`."""
    return ops.sum(values, axis=tuple(range(batch_axes, len(values.shape))))


class Likelihood(keras.layers.Layer):
    """Base of all observation models p(x|z).

    A decoder ends in *parameters* of the shape of `x`; a likelihood says what
    they mean. It is a layer, so that it may have weights and is saved with the
    model; it computes in float32 under every dtype policy.

    To add one: subclass, and implement `_log_prob_per_dim`, `sample`, and `mean`
    where the mean is neither the parameters nor their sigmoid.

    Attributes:
        support: The range of x as a pair, or None.
        bits: None for a density of x; else a name of how x is turned into the
            zeros and ones whose probability it is.
        parameters_are_mean: Whether the parameters are E[x|z], and must keep
            its bounds by themselves.
        parameters_are_logits: Whether they are logits, which can be any number.
        parameter_bounds: Bounds that they must keep by themselves, or None.
        is_density: Whether `log_prob` is a density of x, as bounds on log p(x)
            need.
    """

    support: tuple[float, float] | None = None
    bits: str | None = None
    parameters_are_mean = False
    parameters_are_logits = False
    parameter_bounds: tuple[float, float] | None = None
    is_density = True

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.built = True

    def log_prob(
        self, x: Tensor, parameters: Tensor, batch_axes: int = 1
    ) -> Tensor:
        """Log-likelihood of each example.

        Args:
            x: Tensor of shape `(..., *event)`, with values in [0, 1]. It may
                broadcast over leading axes of `parameters`.
            parameters: Tensor of shape `(..., *event)`, a decoder's output.
            batch_axes: How many leading axes of the broadcast shape are not
                part of the event.

        Returns:
            Tensor without the event's axes: nats per image.
        """
        parameters = ops.cast(parameters, "float32")
        x = ops.cast(x, "float32")
        return sum_over_event(self._log_prob_per_dim(x, parameters), batch_axes)

    def mean(self, parameters: Tensor) -> Tensor:
        """E[x|z], of the shape of `parameters`.

        These are the parameters, or their sigmoid where they are logits; a
        subclass whose mean is another one overrides it.
        """
        parameters = ops.cast(parameters, "float32")
        if self.parameters_are_logits:
            return ops.sigmoid(parameters)
        return parameters

    def example(self, parameters: Tensor) -> Tensor:
        """What a discriminator compares with real examples: E[x|z]."""
        return self.mean(parameters)

    def sample(self, parameters: Tensor, seed: Tensor) -> Tensor:
        """A draw of x given z, of the shape of `parameters`.

        Args:
            parameters: Tensor, a decoder's output.
            seed: Pair of integers, as stateless TensorFlow ops take it.
        """
        raise NotImplementedError

    def _log_prob_per_dim(self, x, parameters):
        """log p(x_i|z) in nats for each dimension; both are float32."""
        raise NotImplementedError
