"""What a training tells on the screen: what is trained, and the time left."""

import datetime
import math
import time
from collections.abc import Callable

import keras

from kgen.data.sources import Source
from kgen.runs.data import validation_split
from kgen.runs.settings import TrainSettings


def describe(
    settings: TrainSettings, source: Source, model: keras.Model
) -> str:
    """Says what is going to be trained, and on what, in two lines.

    Args:
        settings: The run's settings.
        source: Where the data is from.
        model: The model.
    """
    sizes = f"{len(source.examples('train')):,} examples"
    validation = validation_split(source)
    if validation:
        sizes += f", and {len(source.examples(validation)):,} to validate"
    shape = "x".join(map(str, model.input_shapes[0]))
    count = sum(math.prod(x.shape) for x in model.trainable_weights)
    return (
        f"Data: {settings.data}, {sizes}, of shape {shape}.\n"
        f"Model: {settings.model}, {count:,} parameters to train."
    )


class TimeLeft(keras.callbacks.Callback):
    """Tells now and then how long a training will still take.

    Args:
        report: Function of a line.
        seconds: The least time between two lines.
    """

    def __init__(self, report: Callable[[str], None], seconds: float = 30.0):
        super().__init__()
        self.report, self.seconds = report, seconds

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._start: int | None = None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        now = time.monotonic()
        if self._start is None:
            # Measured from here: in the first epoch, the steps are traced.
            self._start, self._started, self._told = epoch, now, now
            return
        left = self.params["epochs"] - epoch - 1
        if left and now - self._told >= self.seconds:
            self._told = now
            each = (now - self._started) / (epoch - self._start)
            about = datetime.timedelta(seconds=math.ceil(left * each))
            epochs = self.params["epochs"]
            self.report(
                f"About {about} (h:mm:ss) left for {left} of {epochs} epochs."
            )
