"""One checkpoint: a file of weights that is whole, and a note with its checksum."""

import dataclasses
import io
import json
import os
import pathlib
import re
import warnings
from typing import Any

import h5py
import keras
from keras.src.saving import saving_lib

from kgen import files
from kgen.errors import InvalidArgument

NAME = re.compile(r"epoch-(\d+)(?:-step-(\d+))?\.weights\.h5")
# Ends the names of damaged checkpoints, which are never loaded.
DAMAGED = ".damaged"
# What Keras and h5py raise for a file that they can't use.
_UNUSABLE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    RuntimeError,
    UserWarning,
)


@dataclasses.dataclass(frozen=True, order=True)
class Checkpoint:
    """A file of weights, optimizer and random streams.

    Args:
        epochs: How many whole ones the training has seen.
        steps: How many it has seen of the next one.
        path: The file.
    """

    epochs: int
    steps: int
    path: pathlib.Path

    @classmethod
    def named(
        cls, folder: str | os.PathLike, epochs: int, steps: int = 0
    ) -> "Checkpoint":
        """The checkpoint in a folder that is of a moment of the training."""
        within = f"-step-{steps:08d}" if steps else ""
        name = f"epoch-{epochs:05d}{within}.weights.h5"
        return cls(epochs, steps, pathlib.Path(folder, name))

    @property
    def note_file(self) -> pathlib.Path:
        """The JSON file with its checksum and, within an epoch, the sums."""
        stem = self.path.name.removesuffix(".weights.h5")
        return self.path.with_name(f"{stem}.json")

    def note(self) -> dict[str, Any]:
        """What `note_file` holds; `{}` where there is none.

        Runs of older versions have no notes.

        Raises:
            OSError: If the system can't read it.
            DamagedCheckpoint: If it isn't what was written.
        """
        damaged = f"{self.note_file} is damaged"
        try:
            note = files.read_json(self.note_file)
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise DamagedCheckpoint(f"{damaged}: {error}") from error
        if not isinstance(note, dict) or "blake2b" not in note:
            raise DamagedCheckpoint(f"{damaged}: it has no checksum")
        return note

    def write(
        self, content: bytes | memoryview, sums: list | None = None
    ) -> None:
        """Writes the file, whole or not at all, and its note.

        Args:
            content: Its bytes, or a view of them.
            sums: The logs' sums over the epoch so far, or None.
        """
        checksum = files.digest_of(content, _as_bytes(sums))
        note = {"blake2b": checksum, "sums": sums}
        files.write_json(self.note_file, note)
        try:
            with files.new_file(self.path) as temporary:
                temporary.write_bytes(content)
        except OSError:
            self.note_file.unlink(missing_ok=True)
            raise

    def load(self, model: keras.Model) -> None:
        """Brings a model to the checkpoint's state.

        Raises:
            InvalidArgument: If the file is whole, and of another model.
            OSError: If the system can't read it.
            DamagedCheckpoint: If it isn't what was written.
        """
        note = self.note()
        expected, sums = note.get("blake2b"), _as_bytes(note.get("sums"))
        damaged = f"{self.path} is damaged"
        if expected and files.digest(self.path, sums) != expected:
            raise DamagedCheckpoint(f"{damaged}: its checksum is wrong")
        if self.steps and not expected:
            raise DamagedCheckpoint(f"{self.note_file} is not there")
        try:
            with warnings.catch_warnings():
                # Keras only warns when it has left some weights out.
                warnings.simplefilter("error", UserWarning)
                model.load_weights(self.path)
        except _UNUSABLE as error:
            if files.error_number(error) in files.ADVICE:
                raise
            if not expected and not _is_hdf5(self.path):
                raise DamagedCheckpoint(damaged) from error
            reason = str(error).strip().partition("\n")[0]
            raise InvalidArgument(
                f"{self.path} and config.json do not fit each other: the "
                "checkpoint is whole, but of another model than config.json "
                "describes. Was config.json changed? Then change it back. Was the "
                "run made by an earlier version of kgen, whose networks had other "
                "layers? Then train again with a new --out. "
                f"({reason})"
            ) from error

    def set_aside(self) -> None:
        """Renames it to `*.damaged`, so that it is never loaded."""
        self.path.rename(f"{self.path}{DAMAGED}")
        self.note_file.unlink(missing_ok=True)

    def delete(self) -> None:
        """Deletes the file and its note."""
        self.path.unlink(missing_ok=True)
        self.note_file.unlink(missing_ok=True)


def _as_bytes(sums: list | None) -> bytes:
    return json.dumps(sums).encode()


class DamagedCheckpoint(InvalidArgument):
    """A checkpoint is not what was written."""


def _is_hdf5(path: pathlib.Path) -> bool:
    """Whether all of an HDF5 file can be read."""
    try:
        with h5py.File(path, "r") as file:
            file.visititems(
                lambda _, item: (
                    item[()] if isinstance(item, h5py.Dataset) else None
                )
            )
    except (OSError, RuntimeError, KeyError, ValueError):
        return False
    return True


def content_of(model: keras.Model) -> memoryview:
    """What `model.save_weights` would write, as a view of bytes.

    The HDF5 library writes to memory here, not to the disk: on a full disk, it
    would print tracebacks and might crash with a segmentation fault. The
    Keras function used here is private; `test_a_checkpoint_is_keras_s` checks
    that the bytes are those of `save_weights`.

    Args:
        model: A built `keras.Model`.
    """
    buffer = io.BytesIO()
    store = saving_lib.H5IOStore(buffer, mode="w")
    saving_lib._save_state(
        model,
        weights_store=store,
        assets_store=None,
        inner_path="",
        visited_saveables=set(),
    )
    store.close()
    return buffer.getbuffer()  # a large model's bytes are not copied
