"""A run's logs by epoch, as history.csv keeps them."""

import csv
import errno
import io
import math
import os
import pathlib
from collections.abc import Iterable

import keras

from kgen import files
from kgen.errors import say
from kgen.runs.history_file import DamagedHistory, read_history

_DAMAGED, _OTHER = ".damaged", ".before"
# Earlier versions logged these, too, where they are always 0.
_ZERO = {"regularization_loss", "penalty"}


class History(keras.callbacks.Callback):
    """Writes a row of logs after each epoch, in the form of Keras's `CSVLogger`.

    A file that is no history any more is set aside: the model and its
    checkpoints do not need it.

    Args:
        path: The file.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        super().__init__()
        self.path = pathlib.Path(path)
        # Logs that few epochs have; in others, their fields are empty.
        self.sparse: tuple[str, ...] = ()

    def read(self, before: int | None = None) -> dict[str, list[float]]:
        """Returns the logs by epoch, as `read_history` does."""
        return read_history(self.path, before)

    def trim(self, before: int) -> None:
        """Drops the rows from epoch `before` on, which a resume repeats.

        A damaged file is set aside.

        Args:
            before: The number of the epoch.
        """
        try:
            history = self.read(before)
        except DamagedHistory as error:
            self._set_aside(_DAMAGED, error)
            return
        if not history:
            self.path.unlink(missing_ok=True)
            return
        history["epoch"] = [int(epoch) for epoch in history["epoch"]]
        names = ["epoch", *sorted({*history, *self.sparse} - {"epoch"})]
        lines = io.StringIO(newline="")
        writer = csv.writer(lines)
        writer.writerow(names)
        for values in zip(*history.values()):
            writer.writerow(self._row(names, dict(zip(history, values))))
        with files.new_file(self.path) as temporary:
            temporary.write_bytes(lines.getvalue().encode())

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        columns = self._columns()
        values = {n: 0.0 for n in columns if n.removeprefix("val_") in _ZERO}
        values |= {name: float(x) for name, x in (logs or {}).items()}
        names = ["epoch", *sorted({*values, *self.sparse})]
        if names != columns:
            if self.path.exists() and self.path.stat().st_size:
                self._set_aside(
                    _OTHER,
                    f"{self.path} has other columns than this training logs",
                )
            self._append(names)
        self._append(self._row(names, {"epoch": epoch, **values}))

    def _row(self, names: list[str], values: dict[str, float]) -> list:
        """The fields of a row; those of `sparse` are empty where nothing is known."""
        return [
            ""
            if name in self.sparse and math.isnan(values.get(name, math.nan))
            else values[name]
            for name in names
        ]

    def _columns(self) -> list[str]:
        try:
            with open(self.path, newline="") as lines:
                return next(csv.reader(lines), [])
        except (FileNotFoundError, UnicodeDecodeError, csv.Error):
            return []

    def _append(self, fields: Iterable) -> None:
        line = io.StringIO(newline="")
        csv.writer(line).writerow(fields)
        # Without Python's buffer, which would fail a second time when closed.
        row = line.getvalue().encode()
        with (
            files.naming(self.path),
            open(self.path, "ab", buffering=0) as file,
        ):
            if file.write(row) < len(row):  # a disk that is almost full
                raise OSError(
                    errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path)
                )
            os.fsync(file.fileno())

    def _set_aside(self, ending: str, reason: object) -> None:
        path = self.path.with_name(self.path.name + ending)
        if path.exists():
            path = files.free_path(path, first=2)
        self.path.rename(path)
        say(f"{reason}. It is now {path.name}; a new one begins.")
