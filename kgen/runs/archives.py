"""model.keras: Keras's archive of a model, and how far it was trained."""

import hashlib
import json
import os
import tempfile
import zipfile
from typing import Any

import keras
import numpy as np

from kgen import files
from kgen.errors import InvalidArgument
from kgen.models import factory

# Beside Keras's own files in the archive.
_FACTS = "kgen.json"


def save(
    path: str | os.PathLike, model: keras.Model, facts: dict[str, Any]
) -> None:
    """Writes the archive, whole or not at all.

    Args:
        path: The file.
        model: The model.
        facts: What the function `facts` will return.
    """
    with files.new_file(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(_FACTS, json.dumps(facts))


def facts(path: str | os.PathLike) -> dict[str, Any]:
    """Returns the `facts` that `save` was given; `{}` if there are none.

    Args:
        path: The file.

    Raises:
        ValueError: If what the file tells can't be understood.
    """
    with zipfile.ZipFile(path) as archive:
        if _FACTS not in archive.namelist():
            return {}
        try:
            content = json.loads(archive.read(_FACTS))
        except (RecursionError, zipfile.BadZipFile) as error:
            raise ValueError(str(error)) from error
    if not isinstance(content, dict):
        raise ValueError(f"{_FACTS} in it is no object")
    return content


def load(path: str | os.PathLike, advice: str) -> keras.Model:
    """Loads a model.

    Args:
        path: The file.
        advice: A sentence that says how to create a damaged file again, if
            there is no copy of it.

    Returns:
        The model.

    Raises:
        InvalidArgument: If the file is damaged, or needs a class that is not
            known.
        OSError: If the fault is the system's: a full disk, no permission, ...
    """
    # Where it can't be read, the system's words are better than Keras's.
    open(path, "rb").close()
    try:
        return factory.load_model(path)
    except factory.UnknownClass as error:
        raise InvalidArgument(
            f"{error} The commands of kgen know its own classes alone: use such "
            "a model in Python."
        ) from error
    except factory.DamagedFile as error:
        raise InvalidArgument(f"{error} {advice}") from error
    except MemoryError:
        raise
    except Exception as error:  # of any kind: it is Keras's code
        # An error of the system's says nothing about the file's content.
        if isinstance(error, OSError) and error.errno is not None:
            if error.filename is None and error.errno in files.ADVICE:
                raise OSError(
                    error.errno,
                    f"{error.strerror} (Keras unpacks {path} there)",
                    tempfile.gettempdir(),
                ) from error
            raise
        raise InvalidArgument(
            f"{path} can't be loaded, although the file is not damaged: "
            f"{type(error).__name__}: {error}"
        ) from error


def fingerprint(model: keras.Model) -> str:
    """A hash of a model's weights, by which figures are known to be theirs.

    `metrics.json` has that of the model that was judged, and an export takes
    the figures of its own model alone.

    Args:
        model: The model.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    for weight in model.weights:
        digest.update(np.ascontiguousarray(weight).data)
    return digest.hexdigest()
