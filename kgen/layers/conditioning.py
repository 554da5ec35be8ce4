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
        hot = _at_all_positions(_one_hot(labels, self.num_classes, x.dtype), x)
        hot = ops.broadcast_to(hot, (*ops.shape(x)[:-1], self.num_classes))
        return ops.concatenate([x, hot], axis=-1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        shape = input_shape[0]
        return (*shape[:-1], shape[-1] + self.num_classes)

    def get_config(self) -> dict:
        return {**super().get_config(), "num_classes": self.num_classes}


@keras.saving.register_keras_serializable(package="kgen")
class GainAndShift(keras.layers.Layer):
    """Channels times a gain, plus a shift, which the class chooses.

    `(1 + g_y) x + s_y` for a label y; g and s, a number for each class and
    channel, are learnt from 0 on. What is no class changes nothing.

    Args:
        num_classes: Positive integer; labels are 0 to `num_classes - 1`.

    Call arguments:
        inputs: Pair `(x, labels)`: a tensor of shape `(batch, ..., channels)`
            and integers of shape `(batch,)`.

    Returns:
        Tensor of the shape of x.

    References:
        Perez et al. (2018), FiLM, arXiv 1709.07871, section 2.
    """

    @checked(num_classes=Integer(1))
    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes

    def build(self, input_shape: tuple) -> None:
        # One table, and one product, for both.
        shape = (self.num_classes, 2 * input_shape[0][-1])
        self.table = self.add_weight(
            shape=shape, initializer="zeros", name="gains_and_shifts"
        )

    def call(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        x, labels = inputs
        hot = _one_hot(labels, self.num_classes, x.dtype)
        rows = _at_all_positions(ops.matmul(hot, self.table), x)
        gain, shift = ops.split(rows, 2, axis=-1)
        return (1.0 + gain) * x + shift

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape[0]

    def get_config(self) -> dict:
        return {**super().get_config(), "num_classes": self.num_classes}


def _one_hot(labels, count, dtype):
    """A row for each label; of zeros for one that is no class."""
    labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
    # Rows of a table, and not `ops.one_hot`: LiteRT's int8 is wrong about it.
    known = ops.logical_and(labels >= 0, labels < count)
    table = ops.eye(count + 1, count, dtype=dtype)
    return ops.take(table, ops.where(known, labels, count), axis=0)


def _at_all_positions(rows, x):
    """Rows of shape `(batch, n)`, to be used beside `(batch, ..., channels)`."""
    middle = (1,) * (len(x.shape) - 2)
    return ops.reshape(rows, (-1, *middle, rows.shape[-1]))
