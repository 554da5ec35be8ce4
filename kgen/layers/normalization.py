"""Batch normalisation by the whole batch, where replicas share it."""

import keras
from keras import ops

from kgen.parallel import replicas


@keras.saving.register_keras_serializable(package="kgen")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, by the examples of all replicas.

    What stands for the example of a replica that has none counts for nothing.

    Args:
        synchronized: None for whether there are several replicas, wherever the
            layer was made. False for each replica's own part of the batch.

    Others are those of `keras.layers.BatchNormalization`.
    """

    def __init__(self, synchronized=None, **kwargs):
        super().__init__(synchronized=synchronized, **kwargs)

    def _moments(self, inputs, mask):
        # Keras counts a mask's examples by each replica.
        if (
            replicas.count() == 1
            or self.synchronized is False
            or mask is not None
        ):
            return super()._moments(inputs, mask)
        return ops.moments(
            replicas.real(inputs), axes=self._reduction_axes, synchronized=True
        )
