"""The same latent points, drawn as the training goes on."""

import os
import pathlib
import re
import time

import keras
import numpy as np

from kgen import files, plots
from kgen.errors import invalid
from kgen.params import Integer, Number, Path, checked
from kgen.plots.figures import class_name

# How many epochs' samples are kept, and how many of these the picture shows.
_KEPT, _SHOWN = 20, 10
_FRAME = re.compile(r"epoch-(\d+)\.npy$")


class SampleProgress(keras.callbacks.Callback):
    """Draws the same latent points after some epochs, as one picture.

    There are 20 of these epochs at most, evenly spread. The samples of each are
    kept in `directory`, so that a training that is resumed goes on with its
    picture, which shows 10 of them at most. The classes of a model that takes labels
    stand above the columns.

    Args:
        directory: Where to keep `epoch-00001.npy`, ...
        picture: The PNG file; drawn anew while the training runs.
        count: How many latent points; of points in the plane, 1,000 are drawn.
        seconds: The least time between two drawings of the picture.
    """

    @checked(
        directory=Path(), picture=Path(), count=Integer(1), seconds=Number()
    )
    def __init__(
        self,
        directory: str | os.PathLike,
        picture: str | os.PathLike,
        count: int = 12,
        seconds: float = 10.0,
    ):
        super().__init__()
        self.directory = pathlib.Path(directory)
        self.picture = pathlib.Path(picture)
        self.count, self.seconds = count, seconds
        self._drawn = 0.0
        self._epochs = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        model = self.model
        shape = model.input_shapes[0]
        if not hasattr(model, "sample") or not plots.is_drawable(shape):
            raise invalid(
                "model",
                "SampleProgress",
                "one that samples pictures, grey or RGB, or points in the plane",
                f"{type(model).__name__} of examples of shape {shape}",
            )

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._epochs = epoch + 1
        all_epochs = range(1, self.params["epochs"] + 1)
        if self._epochs not in _spread(all_epochs, _KEPT):
            return
        self._keep()
        if time.monotonic() - self._drawn > self.seconds:
            self._draw()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._epochs and not self._path().exists():  # it ended early
            self._keep()
        self._draw()

    def _path(self):
        return self.directory / f"epoch-{self._epochs:05d}.npy"

    def _keep(self):
        """Keeps the samples of the last epoch."""
        model = self.model
        count = 1000 if model.input_shapes[0] == (2,) else self.count
        labels = model.labels_in_turn(count)
        images = model.sample(count, labels=labels, seed=0)
        self.directory.mkdir(parents=True, exist_ok=True)
        with (
            files.new_file(self._path()) as temporary,
            open(temporary, "wb") as file,
        ):
            np.save(file, images.astype("float16"))

    def _draw(self):
        # Later epochs are of a training that went on from an earlier one.
        paths = {
            int(match[1]): path
            for path in sorted(self.directory.glob("epoch-*.npy"))
            if (match := _FRAME.match(path.name))
            and int(match[1]) <= self._epochs
        }
        if not paths:
            return
        frames = {
            f"epoch {epoch}": np.load(paths[epoch])
            for epoch in _spread(list(paths), _SHOWN)
        }
        plots.progress(
            frames, self.picture, column_labels=self._column_labels()
        )
        self._drawn = time.monotonic()

    def _column_labels(self):
        """The classes of the columns; none where the model takes none."""
        labels = self.model.labels_in_turn(self.count)
        if labels is None:
            return []
        names = self.model.class_names
        return [class_name(label, names) for label in labels.tolist()]


def _spread(items, most):
    """`most` of a sequence's items, or all, evenly spread from first to last."""
    places = np.linspace(0, len(items) - 1, min(len(items), most))
    return [items[place] for place in np.unique(places.round().astype(int))]
