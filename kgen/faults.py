"""What may befall a run's directory while the run is trained."""

import contextlib
import os

import keras
import tensorflow as tf

from kgen import files
from kgen.errors import InvalidArgument


class Watch(keras.callbacks.Callback):
    """Ends a training as soon as its directory is gone.

    What writes there would make a half of it anew.

    Args:
        run: The `Run`, which has begun.
    """

    def __init__(self, run):
        super().__init__()
        self.run, self._place = run, _place(run.path)

    def check(self):
        """Raises if the directory is not the one that the training began in."""
        there = self.run.config_file.exists()
        if not there or _place(self.run.path) != self._place:
            raise InvalidArgument(
                f"The directory {self.run.path} was removed or moved while its "
                "training went on, which has ended with that."
            )

    def on_train_batch_begin(self, batch, logs=None):
        self.check()

    def on_epoch_end(self, epoch, logs=None):
        self.check()

    def on_train_end(self, logs=None):
        self.check()


def _place(path):
    """What tells a directory from all others; None if there is none."""
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_dev, found.st_ino
    return None


@contextlib.contextmanager
def watched(run, model):
    """Within it, what the disk refuses is said with the way to go on.

    Args:
        run: The `Run`, which has begun.
        model: Its model's name.
    """
    watch = Watch(run)
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        watch.check()
        number = files.error_number(error)
        if number not in files.ADVICE:
            raise
        file = getattr(error, "filename", None) or run.path
        newest, _ = run.checkpoints.newest()
        last = (
            f"{newest} holds its last state" if newest else "no state is kept"
        )
        raise OSError(
            f"{file}: {os.strerror(number)}. The training has ended; {last}. "
            f"{files.ADVICE[number]}, and go on with: kgen train {model} "
            f"--resume --out {run.path}"
        ) from error
