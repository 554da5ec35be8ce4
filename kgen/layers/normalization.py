"""Batch normalisation by the whole batch, where replicas share it."""

from typing import Any

import keras
from keras import ops

from kgen.parallel import replicas


@keras.saving.register_keras_serializable(package="kgen")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, by the examples of all replicas.

    Args:
        synchronized: None or True for statistics of the whole batch, wherever
            the layer was made; False for those of each replica's own part.

    Other arguments are those of `keras.layers.BatchNormalization`.
    """

    def __init__(self, synchronized: bool | None = None, **kwargs: Any) -> None:
        super().__init__(synchronized=synchronized, **kwargs)

    def _moments(self, inputs, mask):
        is_local = replicas.count() == 1 or self.synchronized is False
        # With a mask, Keras itself counts the examples of each replica.
        if is_local or mask is not None:
            return super()._moments(inputs, mask)
        # A replica without an example has one of zeros, which must not count.
        return ops.moments(
            replicas.without_padding(inputs),
            axes=self._reduction_axes,
            synchronized=True,
        )
