"""How much the examples of a batch differ, as a feature of each."""

from typing import Any

import keras
from keras import ops
from tensorflow import Tensor

from kgen.parallel import replicas
from kgen.params import Number, checked

# Added to a variance, since the derivative of the root at 0 would be infinite.
_EPSILON = 1e-8


@keras.saving.register_keras_serializable(package="kgen")
class MinibatchStdDev(keras.layers.Layer):
    """Appends a channel that tells how much the examples of the batch differ.

    It is the standard deviation of each number over the batch, in the mean over
    all numbers: the same at all positions and of all examples. A discriminator
    sees by it that generated examples are too much alike.

    In training it is the deviation of the batch; several devices take that of the
    whole batch. A logit then depends on all examples, and the gradient that a
    penalty judges includes an example's effect on the logits of the others. After
    training it is a moving average of the batches that were seen, so that a logit
    depends on its own example alone.

    Args:
        momentum: Number in [0, 1): `average = momentum * average +
            (1 - momentum) * value`.

    Call arguments:
        x: Tensor of shape `(batch, ..., channels)`.
        training: Whether the batch is looked at, and the average moves on.

    Returns:
        Tensor of shape `(batch, ..., channels + 1)`.

    References:
        Karras et al. (2018), arXiv 1710.10196, section 3.
    """

    @checked(momentum=Number(0.0, below=1.0))
    def __init__(self, momentum: float = 0.9, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.average = self.add_weight(
            shape=(),
            initializer="zeros",
            trainable=False,
            autocast=False,
            name="average",
        )

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        value = ops.convert_to_tensor(self.average)
        if training:
            rest = 1.0 - self.momentum
            average, value = value, _mean_std(ops.cast(x, "float32"))
            moved = self.momentum * average + rest * ops.stop_gradient(value)
            self.average.assign(moved)
        shape = (*ops.shape(x)[:-1], 1)
        channel = ops.broadcast_to(ops.cast(value, x.dtype), shape)
        return ops.concatenate([x, channel], axis=-1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], input_shape[-1] + 1)

    def get_config(self) -> dict:
        return {**super().get_config(), "momentum": self.momentum}


def _mean_std(x):
    """The standard deviation over the batch, in the mean over all numbers."""
    variance = replicas.mean(ops.square(x - replicas.mean(x, axis=0)), axis=0)
    return ops.mean(ops.sqrt(variance + _EPSILON))
