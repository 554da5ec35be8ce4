"""Checks a run's directory during training, and explains errors of the disk."""

import contextlib
import os
from collections.abc import Iterator

import keras
import tensorflow as tf

from kgen import files
from kgen.errors import InvalidArgument, command
from kgen.runs.directory import Run


class DirectoryCheck(keras.callbacks.Callback):
    """Stops training when the run's directory is removed or moved.

    Otherwise, the next file that is written would create the directory again,
    with only a part of the run in it.

    Args:
        run: The run, which has begun.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self._at_start = os.stat(run.path)

    def check(self) -> None:
        """Raises if the directory is not the one that the training began in."""
        try:
            os.stat(self.run.config_file)
            now = os.stat(self.run.path)
        except (FileNotFoundError, NotADirectoryError):
            now = None
        if now is None or not os.path.samestat(now, self._at_start):
            raise InvalidArgument(
                f"The directory {self.run.path} was removed or moved during "
                "training. Training has stopped."
            )

    def on_train_batch_begin(
        self, batch: int, logs: dict | None = None
    ) -> None:
        self.check()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.check()

    def on_train_end(self, logs: dict | None = None) -> None:
        self.check()


@contextlib.contextmanager
def explain_disk_errors(run: Run, model: str) -> Iterator[None]:
    """Within it, errors of the disk say how to continue the training.

    Args:
        run: The run, which has begun.
        model: The name of its model.
    """
    directory = DirectoryCheck(run)
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        directory.check()
        number = files.error_number(error)
        if number not in files.ADVICE:
            raise
        file = getattr(error, "filename", None) or run.path
        newest, _ = run.checkpoints.newest()
        last = "no state is kept"
        if newest:
            last = f"{newest} holds the last state that was kept"
        line = command("train", model, "--resume", "--out", run.path)
        raise OSError(
            f"{file}: {os.strerror(number)}. The training has ended; {last}. "
            f"{files.ADVICE[number]}, and go on with: {line}"
        ) from error
