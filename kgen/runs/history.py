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

_DAMAGED, _OTHER = ".damaged", ".before"


class DamagedHistory(ValueError):
    """A history is not what a training wrote."""


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

    def read(self, before: int | None = None) -> dict[str, list[float]]:
        """The logs by epoch, those from epoch `before` on left out.

        Args:
            before: The number of an epoch, or None for all logs.

        Returns:
            Dictionary from names to lists of floats; `{}` where there are none.

        Raises:
            DamagedHistory: If the file is not what a training wrote.
        """
        if not self.path.exists():
            return {}
        try:
            text = self.path.read_bytes().decode()
            rows = list(csv.DictReader(io.StringIO(text), strict=True))
            rows = [row for row in rows if None not in row.values()]
            _check_names(rows)
            names = [k for row in rows[:1] for k in row if _is_logged(k, rows)]
            rows = [{k: _number(row[k]) for k in names} for row in rows]
            _check_order([row["epoch"] for row in rows])
        except (ValueError, csv.Error) as error:
            raise DamagedHistory(f"{self.path} is damaged: {error}") from error
        rows = [row for row in rows if before is None or row["epoch"] < before]
        return {name: [row[name] for row in rows] for name in names if rows}

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
        lines = io.StringIO(newline="")
        writer = csv.writer(lines)
        writer.writerow(history)
        writer.writerows(zip(*history.values()))
        with files.new_file(self.path) as temporary:
            temporary.write_bytes(lines.getvalue().encode())

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        values = sorted((logs or {}).items())
        row = {"epoch": epoch, **{name: float(x) for name, x in values}}
        if list(row) != self._columns():
            if self.path.exists() and self.path.stat().st_size:
                self._set_aside(
                    _OTHER,
                    f"{self.path} has other columns than this training logs",
                )
            self._append(row)
        self._append(row.values())

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


def _check_names(rows: list[dict]) -> None:
    """Raises if a row has too many fields, or lacks `epoch` or `loss`."""
    for row in rows:
        if None in row:
            raise ValueError("a row is longer than the first line")
        if "epoch" not in row or "loss" not in row:
            raise ValueError("the first line lacks `epoch` or `loss`")


def _check_order(epochs: list[float]) -> None:
    """Raises unless epochs are whole numbers that rise."""
    for epoch, later in zip(epochs, [*epochs[1:], math.inf]):
        if not epoch.is_integer() or later <= epoch:
            raise ValueError("its epochs are not whole numbers in order")


def _is_logged(name: str, rows: list[dict]) -> bool:
    """Whether a column has logs: without validation, Keras writes only NA."""
    return name == "epoch" or any(row[name] != "NA" for row in rows)


def _number(text: str) -> float:
    """A field as a float; Keras writes NA for what was not computed."""
    return math.nan if text == "NA" else float(text)
