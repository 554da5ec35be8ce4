"""Labels as an input of a network."""

from typing import Any

import keras
from keras import ops
from tensorflow import Tensor

from kgen.params import Integer, checked


@keras.saving.register_keras_serializable(package="kgen")
class ConcatenateLabels(keras.layers.Layer):
    """Appends one-hot labels to the last axis of `x`.

    On pictures and feature maps each class becomes a channel, constant over
    the positions.

    Args:
        num_classes: Positive integer; labels are 0 to `num_classes - 1`.

    Call arguments:
        inputs: Pair `(x, labels)`: a tensor of shape `(batch, ..., channels)`
            and integers of shape `(batch,)`.

    Returns:
        Tensor of shape `(batch, ..., channels + num_classes)`.
    """

    @checked(num_classes=Integer(1))
    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.built = True

    def call(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        x, labels = inputs
        labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
        # Rows of a table, and not `ops.one_hot`: LiteRT's int8 is wrong about
        # it. The last row, of zeros, is for labels that are no class.
        count = self.num_classes
        known = ops.logical_and(labels >= 0, labels < count)
        table = ops.eye(count + 1, count, dtype=x.dtype)
        hot = ops.take(table, ops.where(known, labels, count), axis=0)
        batch, *middle, _ = ops.shape(x)
        hot = ops.reshape(hot, (-1, *(1 for _ in middle), count))
        hot = ops.broadcast_to(hot, (batch, *middle, count))
        return ops.concatenate([x, hot], axis=-1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        shape = input_shape[0]
        return (*shape[:-1], shape[-1] + self.num_classes)

    def get_config(self) -> dict:
        return {**super().get_config(), "num_classes": self.num_classes}
