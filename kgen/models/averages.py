"""The exponential average of a network's weights."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kgen")
class WeightAverage(keras.layers.Layer):
    """A copy of a network whose weights are averages of the network's.

    At update n, counted from 0, `average = d * average + (1 - d) * weight` with
    `d = min(decay, (1 + n) / (10 + n))`, so that the first weights are soon
    forgotten. What is not trained (moving means) is copied.

    Args:
        network: The `keras.Model` to follow, or another layer; it is not kept.
        copy: A layer with the same weights, to hold the averages; None for a
            clone of a `keras.Model`.
    """

    def __init__(
        self,
        network: keras.layers.Layer,
        copy: keras.layers.Layer | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.copy = keras.models.clone_model(network) if copy is None else copy
        self.updates = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", name="updates"
        )
        self.trainable = False
        self.built = True
        self.reset(network)

    def reset(self, network: keras.Model) -> None:
        """Starts anew from the network's weights."""
        self.copy.set_weights(network.get_weights())
        self.updates.assign(0)

    def update(self, network: keras.Model, decay: float) -> None:
        """Moves the average on.

        Args:
            network: The network to follow.
            decay: Number in [0, 1).
        """
        number = ops.cast(self.updates.value, "float32")
        decay = ops.minimum(decay, (1.0 + number) / (10.0 + number))
        trained = {id(weight) for weight in network.trainable_weights}
        for average, weight in zip(self.copy.weights, network.weights):
            if id(weight) in trained:
                average.assign_sub((1.0 - decay) * (average - weight))
            else:
                average.assign(weight)
        self.updates.assign_add(1)
