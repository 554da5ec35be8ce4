"""Batch normalisation by the whole batch, where replicas share it."""

import keras
import tensorflow as tf

from kgen import replicas


@keras.saving.register_keras_serializable(package="kgen")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, by the examples of all replicas.

    What stands for the example of a replica that has none counts for nothing.

    Args:
        synchronized: None for whether a strategy is there.
        **kwargs: Those of `keras.layers.BatchNormalization`.
    """

    def __init__(self, synchronized=None, **kwargs):
        if synchronized is None:
            synchronized = tf.distribute.has_strategy()
        super().__init__(synchronized=synchronized, **kwargs)

    def _moments(self, inputs, mask):
        return super()._moments(replicas.real(inputs), mask)
