"""Epoch means of the figures that a train_step reports."""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from kgen.parallel import replicas


class LogMeans(keras.metrics.Metric):
    """Means of several scalars over the examples of an epoch, by name.

    One metric for all of a model's logs: a vector is added at each step, where
    a `keras.metrics.Mean` apiece would cost a handful of small ops each.

    Args:
        names: The scalars' names, in the logs' order.
    """

    def __init__(self, names: Iterable[str], name: str = "log_means"):
        super().__init__(name=name, dtype="float32")
        self.names = tuple(names)
        self.total = self.add_variable(
            (len(self.names),), initializer="zeros", name="total"
        )
        self.count = self.add_variable((), initializer="zeros", name="count")

    def update_state(self, values: dict, batch_size: int | tf.Tensor) -> None:
        """Adds a batch's means.

        Args:
            values: Dictionary of scalars, one for each name.
            batch_size: How many examples they are means of.
        """
        weight = ops.cast(batch_size, "float32")
        vector = ops.stack(
            [ops.cast(values[name], "float32") for name in self.names]
        )
        # A replica without examples has no means.
        self.total.assign_add(tf.math.multiply_no_nan(vector, weight))
        self.count.assign_add(weight)

    # Not saved: they belong to an epoch, and reading them takes all workers,
    # while only the chief saves.

    def save_own_variables(self, store: Any) -> None:
        """Keeps nothing."""

    def load_own_variables(self, store: Any) -> None:
        """Leaves the sums as they are."""

    def seen(self) -> tf.Tensor:
        """How many examples all replicas have added."""
        return replicas.all_sum(self.count.value)

    def result(self) -> dict[str, tf.Tensor]:
        total = replicas.all_sum(self.total.value)
        means = ops.divide_no_nan(total, self.seen())
        return dict(zip(self.names, ops.unstack(means, len(self.names))))
