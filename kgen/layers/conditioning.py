"""Labels as an input of a network."""

import keras
from keras import ops

from kgen.errors import check_int


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

    def __init__(self, num_classes, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = check_int(
            "num_classes", type(self).__name__, num_classes
        )
        self.built = True

    def call(self, inputs):
        x, labels = inputs
        labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
        # Rows of a table, not ops.one_hot, whose zeros LiteRT's int8 takes for
        # other numbers. The last row, of zeros, is for what is no class.
        count = self.num_classes
        known = ops.logical_and(labels >= 0, labels < count)
        table = ops.eye(count + 1, count, dtype=x.dtype)
        hot = ops.take(table, ops.where(known, labels, count), axis=0)
        middle = tuple(ops.shape(x)[1:-1])
        hot = ops.reshape(hot, (-1, *(1 for _ in middle), self.num_classes))
        hot = ops.broadcast_to(
            hot, (ops.shape(x)[0], *middle, self.num_classes)
        )
        return ops.concatenate([x, hot], axis=-1)

    def compute_output_shape(self, input_shape):
        shape = input_shape[0]
        return (*shape[:-1], shape[-1] + self.num_classes)

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}
