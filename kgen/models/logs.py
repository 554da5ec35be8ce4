"""Epoch means of the figures that a train_step reports."""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from kgen import registry
from kgen.parallel import replicas


class LogMeans(keras.metrics.Metric):
    """Means of several scalars over the examples of an epoch, by name.

    One metric for all of a model's logs: a vector is added at each step, where
    a `keras.metrics.Mean` apiece would cost a handful of small ops each.

    Args:
        names: The scalars' names, in the logs' order.

    Attributes:
        logged: Those of them that the last step computed: a figure that is always
            0, as the loss of regularizers where there are none, is not logged.
    """

    def __init__(self, names: Iterable[str], name: str = "log_means"):
        super().__init__(name=name, dtype="float32")
        self.names = self.logged = tuple(names)
        self.total = self.add_variable(
            (len(self.names),), initializer="zeros", name="total"
        )
        self.count = self.add_variable((), initializer="zeros", name="count")

    def update_state(self, values: dict, batch_size: int | tf.Tensor) -> None:
        """Adds a batch's means.

        Args:
            values: Dictionary of scalars, one for each name; the Python number 0.0
                stands for what this step does not compute.
            batch_size: How many examples they are means of.
        """
        self.logged = tuple(
            name for name in self.names if not isinstance(values[name], float)
        )
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
        logs = dict(zip(self.names, ops.unstack(means, len(self.names))))
        return {name: logs[name] for name in self.logged}


class ProgressBar(keras.callbacks.ProgbarLogger):
    """Keras's progress bar, with the logs that matter most.

    With `verbose="auto"` it shows up to three logs that the model's entry in
    `kgen.registry` names, and those that callbacks add. Otherwise, or if the model has
    no entry, it shows all logs but those that equal `loss` up to the sign: without
    weights and regularizers, the ELBO of a VAE is minus its loss. The history has all.
    """

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        self._figures = registry.figures_of(type(self.model))
        self._is_brief = params["verbose"] == "auto" and bool(self._figures)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._hidden: set[str] | None = None
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        super().on_train_batch_end(batch, self._brief(logs))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        super().on_epoch_end(epoch, self._brief(logs))

    def _brief(self, logs):
        if not logs:
            return logs
        if self._hidden is None:  # decided at an epoch's first batch, and kept
            self._hidden = self._hidden_names(logs)
        shown = registry.shown(self._figures, logs) if self._is_brief else ()
        return {
            name: value
            for name, value in logs.items()
            if name in shown or name.removeprefix("val_") not in self._hidden
        }

    def _hidden_names(self, logs):
        if self._is_brief:
            return set(self.model.metrics_names)
        return registry.equal_to_loss(logs)
