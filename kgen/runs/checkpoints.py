"""When a training keeps checkpoints, and how it goes on from them."""

import dataclasses
import math
import os
import pathlib
import re
import time
from collections.abc import Iterator
from typing import Any

import keras

from kgen import interrupts
from kgen.callbacks.guard import are_finite
from kgen.errors import InvalidArgument, say
from kgen.params import Number
from kgen.runs.checkpoint_files import (
    DAMAGED,
    NAME,
    Checkpoint,
    DamagedCheckpoint,
    content_of,
)

_INTERVAL = re.compile(r"([0-9]+)|([0-9]*\.?[0-9]+)m|([0-9]+)e")
_KEPT = 2
# The least time from one checkpoint to the next, where the user has not said it.
# Writing one of a small model takes longer than an epoch of it.
_SECONDS = 15.0
# Seconds that a signal waits for the end of validation.
_PATIENCE = 5.0


@dataclasses.dataclass(frozen=True)
class Interval:
    """How often a checkpoint is kept: one of three is set.

    Args:
        steps: After so many steps, within an epoch.
        seconds: After so many seconds, within an epoch.
        epochs: After so many whole epochs.
    """

    steps: int | None = None
    seconds: float | None = None
    epochs: int | None = None

    @classmethod
    def of(cls, text: str) -> "Interval":
        """The interval that `--checkpoint-every` means.

        Args:
            text: A number of steps, such as `"500"`, of minutes, such as
                `"10m"`, or of epochs, such as `"2e"`.
        """
        match = _INTERVAL.fullmatch(str(text))
        number = float(next(filter(None, match.groups()))) if match else 0
        if not match or not number:
            raise InvalidArgument(
                "--checkpoint-every: expected a number of steps, such as 500, of "
                "minutes, such as 10m, or of epochs, such as 2e. Received: "
                f"{text}"
            )
        if match[1]:
            return cls(steps=int(match[1]))
        if match[3]:
            return cls(epochs=int(match[3]))
        return cls(seconds=60 * Number().check("minutes", "Interval", number))

    @property
    def within_epochs(self) -> bool:
        """Whether checkpoints are kept within an epoch, too."""
        return self.epochs is None

    def is_over(self, steps: int, seconds: float) -> bool:
        """Whether it is time for a checkpoint within an epoch.

        Args:
            steps: Those since the last checkpoint.
            seconds: Those since the last checkpoint.
        """
        if self.steps is not None:
            return steps >= self.steps
        return self.seconds is not None and seconds >= self.seconds


class Checkpoints(keras.callbacks.Callback):
    """Keeps states of a training: weights, optimizer, random streams.

    Each checkpoint is a file, written whole or not at all, with the epoch in
    its name, and a JSON file with its checksum. They are kept

    - after the first epoch, and after an epoch that ends 15 seconds or more
      after the last checkpoint; or after every N epochs, as `interval` says;
    - within an epoch, if `interval` says so;
    - after the last epoch;
    - where a signal ends the training, if it can go on from there.

    The last two stay, and always the newest one after a whole epoch.

    Args:
        directory: Where to keep them.
        interval: `Interval`, or None.
        can_resume_within_epochs: Whether the training can go on from a state
            within an epoch.
        interrupt: The `interrupts.Deferred` of the training, or None.
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        interval: Interval | None = None,
        can_resume_within_epochs: bool = True,
        interrupt: interrupts.Deferred | None = None,
    ) -> None:
        super().__init__()
        self.directory = pathlib.Path(directory)
        self.interval, self.interrupt = interval, interrupt
        self.can_resume_within_epochs = can_resume_within_epochs
        # The file that `restore` has read
        self.restored: pathlib.Path | None = None
        # What keeps the best state until each checkpoint, a `best.BestModel`
        self.best: Any = None
        self.epochs = 0  # how many whole ones the training has seen
        # The checkpoint within an epoch to go on from
        self.partial_epoch: Checkpoint | None = None
        # The steps and the time of the last checkpoint within this epoch
        self._last_steps, self._last_time = 0, time.monotonic()
        self._has_stepped = False
        # When the last checkpoint of whole epochs was written
        self._epoch_saved_at = -math.inf

    def all(self) -> list[Checkpoint]:
        """All checkpoints, the newest one first."""
        checkpoints = [
            Checkpoint(int(match[1]), int(match[2] or 0), path)
            for path in self.directory.glob("epoch-*.weights.h5")
            if (match := NAME.fullmatch(path.name))
        ]
        return sorted(checkpoints, reverse=True)

    def newest(self) -> tuple[pathlib.Path | None, int]:
        """The newest file and the number of whole epochs it has seen; or None, 0."""
        for checkpoint in self.all():
            return checkpoint.path, checkpoint.epochs
        return None, 0

    def restore(self, model: keras.Model) -> int:
        """Loads the newest state that is whole; a damaged one is set aside.

        If it is a state within an epoch, the next epoch that begins passes over
        the batches that were trained on before. Where a training can't go on
        within an epoch, it says which states are left out. They belong to another
        continuation, and are deleted if there is a state after a whole epoch.

        Args:
            model: The model.

        Returns:
            The number of whole epochs that it has seen.

        Raises:
            InvalidArgument: If there are damaged checkpoints and no other one,
                or if it doesn't fit.
        """
        lost, passed_over = False, []
        for checkpoint in self.all():
            if checkpoint.steps and not self.can_resume_within_epochs:
                passed_over.append(checkpoint)
                continue
            try:
                checkpoint.load(model)
            except DamagedCheckpoint as error:
                lost = True
                checkpoint.set_aside()
                say(f"{error}. It is set aside as *.damaged.")
                continue
            if lost:
                say(f"Going on from {checkpoint.path}, the one before.")
            self.restored, self.epochs = checkpoint.path, checkpoint.epochs
            self.partial_epoch = checkpoint if checkpoint.steps else None
            _tell_left_out(passed_over, checkpoint.epochs)
            for other in passed_over:
                other.delete()
            self._delete_old()  # which a kill may have left
            return checkpoint.epochs
        self._check_none_damaged()
        _tell_left_out(passed_over, 0)
        return 0

    def _check_none_damaged(self) -> None:
        """Raises if a damaged checkpoint was set aside, now or earlier.

        To begin at the first epoch would replace what the run still has.
        """
        damaged = sorted(map(str, self.directory.glob(f"*{DAMAGED}")))
        if damaged:
            raise InvalidArgument(
                f"There is no checkpoint in {self.directory} that can be read. "
                f"Damaged: {', '.join(damaged)}. Train again with a new --out."
            )

    def on_train_begin(self, logs: dict | None = None) -> None:
        # If it is gone later on, the checkpoints in it are lost.
        self.directory.mkdir(parents=True, exist_ok=True)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epochs = epoch
        self._last_steps, self._last_time = 0, time.monotonic()
        partial, self.partial_epoch = self.partial_epoch, None
        if partial and partial.epochs == epoch:
            _set_sums(self.model, partial.note()["sums"])
            self.model.train_function = PassOver(self.model, partial.steps)
            self._last_steps = partial.steps

    def on_train_batch_begin(
        self, batch: int, logs: dict | None = None
    ) -> None:
        # Tracing the first step takes long; until then a signal ends at once,
        # since there is no new state to keep.
        self._wait(self._has_stepped)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        # Keras counts whole calls of `steps_per_execution` steps: after a shorter
        # last call of an epoch, this number is too high.
        steps = batch + 1
        is_due = self.interval and self.interval.is_over(
            steps - self._last_steps, time.monotonic() - self._last_time
        )
        ends = self.interrupt and self.interrupt.error
        is_due = is_due or (ends and self.can_resume_within_epochs)
        if is_due and steps > self._last_steps:
            if _is_finite(self.model, logs):
                self._save(Checkpoint.named(self.directory, self.epochs, steps))
                self._last_steps, self._last_time = steps, time.monotonic()
        if ends:
            raise ends
        self._has_stepped = True

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        # No state within validation can be kept: it sets the sums of the logs to
        # 0. A short one is waited for.
        if self.interrupt:
            self.interrupt.raise_after(_PATIENCE)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.epochs = epoch + 1
        # If the state is not finite, an earlier checkpoint is the one to keep.
        if self._is_due(epoch + 1) and _is_finite(self.model, logs):
            self._save(Checkpoint.named(self.directory, epoch + 1))
            self._epoch_saved_at = time.monotonic()
        if self.interrupt:
            self.interrupt.raise_after(0.0)

    def on_train_end(self, logs: dict | None = None) -> None:
        self._wait(False)
        # Callbacks before this one may have taken long, as those that draw do.
        if self.interrupt:
            self.interrupt.raise_after(0.0)

    def _is_due(self, epochs: int) -> bool:
        """Whether there is a checkpoint after so many epochs."""
        is_last = epochs == (self.params or {}).get("epochs")
        is_over = self.best and self.best.so_far.is_over
        if is_last or is_over or (self.interrupt and self.interrupt.error):
            return True
        if self.interval and self.interval.epochs:
            return epochs % self.interval.epochs == 0
        return time.monotonic() - self._epoch_saved_at >= _SECONDS

    def _wait(self, waits: bool) -> None:
        """Sets whether a signal waits for a moment where the state can be kept."""
        if self.interrupt:
            self.interrupt.waits = waits

    def _save(self, checkpoint: Checkpoint) -> None:
        if self.best:
            self.best.write()  # first: so it is there wherever a training goes on
        sums = _sums(self.model) if checkpoint.steps else None
        checkpoint.write(content_of(self.model), sums)
        self._delete_old()

    def _delete_old(self) -> None:
        """Deletes checkpoints before the last ones, and notes without weights."""
        checkpoints = self.all()
        whole = [c for c in checkpoints if not c.steps]
        kept = [*checkpoints[:_KEPT], *whole[:1]]
        for checkpoint in checkpoints:
            if checkpoint not in kept:
                checkpoint.delete()
        for note in self.directory.glob("*.json"):
            weights = note.with_name(f"{note.stem}.weights.h5")
            if not weights.exists():  # a kill came between the two
                note.unlink(missing_ok=True)
        if self.best:
            self.best.delete_old([checkpoint.epochs for checkpoint in kept])


def _tell_left_out(checkpoints: list[Checkpoint], epochs: int) -> None:
    """Says which states within an epoch a training does not go on from.

    Args:
        checkpoints: These states.
        epochs: The number of whole epochs that it goes on after.
    """
    if not checkpoints:
        return
    names = ", ".join(checkpoint.path.name for checkpoint in checkpoints)
    then = f"goes on after epoch {epochs}" if epochs else "begins at epoch 1"
    say(
        f"{names}: left out, since a training with this --on-nan or --strategy "
        f"can't go on within an epoch. It {then}."
    )


def _is_finite(model: keras.Model, logs: dict | None) -> bool:
    """Whether the loss and all trainable weights are.

    A finite loss is not enough: its update may have made a weight overflow.
    """
    loss = float((logs or {}).get("loss", 0.0))
    return math.isfinite(loss) and are_finite(model.trainable_weights)


def _sums(model: keras.Model) -> list:
    """The values of all variables of the metrics, as JSON can hold them."""
    return [variable.numpy().tolist() for variable in model.metrics_variables]


def _set_sums(model: keras.Model, sums: list) -> None:
    for variable, value in zip(model.metrics_variables, sums, strict=True):
        variable.assign(value)


class PassOver:
    """Replaces the train function for batches that were trained on before.

    It reads these batches without training on them, and then restores the train
    function. So callbacks get the same batch numbers as without a resume.

    Args:
        model: The model, within `fit`.
        batches: How many.
    """

    def __init__(self, model: keras.Model, batches: int) -> None:
        self.model, self.left = model, batches
        self.function = model.train_function

    def __call__(self, iterator: Iterator) -> dict[str, Any]:
        for _ in range(min(self.left, self.model.steps_per_execution)):
            next(iterator, None)
            self.left -= 1
        if not self.left:
            self.model.train_function = self.function
        return self.model.get_metrics_result()
