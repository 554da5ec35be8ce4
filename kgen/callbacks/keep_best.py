"""The best state of a training so far, by one of its logs."""

import math
import warnings

import keras

from kgen.params import Boolean, Integer, Options, Text, checked


class BestSoFar:
    """The best value of a log, and how many looks there were since.

    Args:
        mode: `"min"` or `"max"`: which values are better.
        patience: After how many looks without a better one it is over; 0 for never.

    Attributes:
        value: The best value, or None.
        epoch: The number of epochs after which it was found, or 0.
        waited: Looks since then.
        last: The newest value, or None.
    """

    def __init__(self, mode: str = "min", patience: int = 0) -> None:
        self.mode, self.patience = mode, patience
        self.value: float | None = None
        self.last: float | None = None
        self.epoch = self.waited = 0

    def update(self, epoch: int, value: float) -> bool:
        """Takes the value of a look; returns whether it is the best one."""
        self.last = value
        sign = 1.0 if self.mode == "min" else -1.0
        best = math.inf if self.value is None else sign * self.value
        if sign * value < best:  # NaN never is
            self.value, self.epoch, self.waited = value, epoch, 0
            return True
        self.waited += 1
        return False

    @property
    def is_over(self) -> bool:
        """Whether there were `patience` looks without a better value."""
        return 0 < self.patience <= self.waited


class KeepBest(keras.callbacks.Callback):
    """Keeps the weights of the best epoch, and stops the training after it.

    Unlike Keras's `EarlyStopping`, it counts looks: epochs without the log, as
    `FrechetWatch` leaves them, are passed over. It warns where no epoch had the log.

    Args:
        monitor: Name of the log.
        mode: `"min"` or `"max"`: which values are better.
        patience: After how many looks without a better value the training stops; 0
            for never.
        restore: Whether the model has the best weights when the training ends; they
            are in `weights` in any case.

    Attributes:
        best: The best value, or None.
        best_epoch: The number of epochs after which it was found, or 0.
        weights: What `get_weights` gave then, of all networks and averages; or None.
    """

    @checked(
        monitor=Text("the name of a log"),
        mode=Options(("min", "max")),
        patience=Integer(0),
        restore=Boolean(),
    )
    def __init__(
        self,
        monitor: str = "val_frechet_distance",
        mode: str = "min",
        patience: int = 0,
        restore: bool = True,
    ):
        super().__init__()
        self.monitor, self.mode = monitor, mode
        self.patience, self.restore = patience, restore
        self._forget()

    def _forget(self):
        self._so_far = BestSoFar(self.mode, self.patience)
        self._lacks_log = False  # as some epoch does
        self.weights: list | None = None

    @property
    def best(self) -> float | None:
        """The best value, or None."""
        return self._so_far.value

    @property
    def best_epoch(self) -> int:
        """The number of epochs after which it was found, or 0."""
        return self._so_far.epoch

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._forget()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        value = (logs or {}).get(self.monitor)
        if value is None:
            self._lacks_log = True
            return
        if self._so_far.update(epoch + 1, float(value)):
            self.weights = self.model.get_weights()
        if self._so_far.is_over:
            self.model.stop_training = True

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._lacks_log and self._so_far.last is None:
            warnings.warn(
                f"KeepBest has kept nothing: no epoch had the log "
                f"{self.monitor!r}. Look at the spelling of `monitor`, and put the "
                "callback that writes it, such as FrechetWatch, before KeepBest.",
                stacklevel=2,
            )
        if self.restore and self.weights is not None:
            self.model.set_weights(self.weights)
