"""The files in a trial's folder, beside those of Keras Tuner.

A trial's folder holds Keras Tuner's `trial.json`, which its oracle writes, and
our `record.json`, which the process writes that runs the trial. Results, the
picture and HParams are made from both, by the chief or the only process alone.
"""

import contextlib
import os
import pathlib
from collections.abc import Iterable, Iterator

import keras_tuner

from kgen import files
from kgen.errors import InvalidArgument
from kgen.hypermodels import HyperModel

_DAMAGES = (ValueError, TypeError, LookupError, AttributeError, RuntimeError)


def attempts_file(folder: str | os.PathLike) -> pathlib.Path:
    """The file that holds a byte for each time that a trial was begun.

    It is deleted when the trial ends or is interrupted, so that the bytes that
    remain count the processes that died.

    Args:
        folder: The trial's folder.
    """
    return pathlib.Path(folder, "attempts")


def record_file(folder: str | os.PathLike) -> pathlib.Path:
    """The file that says what a trial was given, and what came of it.

    Args:
        folder: The trial's folder.
    """
    return pathlib.Path(folder, "record.json")


def describe(hypermodel: HyperModel, hp: keras_tuner.HyperParameters) -> dict:
    """What a record says of a trial that has not begun.

    Args:
        hypermodel: The study's.
        hp: The trial's hyperparameters.

    Returns:
        Dictionary with all `settings`, and those that are searched as
        `parameters`.
    """
    return {
        "settings": hypermodel.settings(hp),
        "parameters": hypermodel.space.chosen(hp),
    }


def read(path: pathlib.Path, keys: Iterable[str] = ()) -> dict:
    """Reads a JSON file of a study.

    Args:
        path: The file.
        keys: The keys that it must have.

    Raises:
        InvalidArgument: If the file is damaged.
    """
    with explain_damage(path):
        content = files.read_json(path)
        for key in keys:
            content[key]
    return content


def mean_value(record: dict) -> float:
    """The objective's mean over the seeds that a trial was trained with."""
    values = [run["value"] for run in record["runs"]]
    return sum(values) / len(values)


@contextlib.contextmanager
def explain_damage(path: pathlib.Path) -> Iterator[None]:
    """Turns the errors of a damaged file into one that says what to do.

    Args:
        path: The file or folder that is read.
    """
    try:
        yield
    except _DAMAGES as error:
        raise InvalidArgument(
            f"{path} can't be read ({type(error).__name__}: {error}). Put it "
            "back from a copy, or move the folder of the trials away and begin "
            "again (--overwrite would delete them all)."
        ) from error
