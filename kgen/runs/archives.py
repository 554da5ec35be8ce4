"""model.keras: Keras's archive of a model, and how far it was trained."""

import hashlib
import json
import tempfile
import zipfile

import numpy as np

from kgen import files
from kgen.errors import InvalidArgument
from kgen.models import factory

# Beside Keras's own files in the archive.
_FACTS = "kgen.json"


def save(path, model, facts):
    """Writes the archive, whole or not at all.

    Args:
        path: The file.
        model: A `keras.Model`.
        facts: What `facts` will return.
    """
    with files.new_file(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(_FACTS, json.dumps(facts))


def facts(path):
    """Returns the `facts` that `save` was given; `{}` if there are none.

    Args:
        path: The file.

    Returns:
        Dictionary.

    Raises:
        ValueError: If what the file tells can't be understood.
    """
    with zipfile.ZipFile(path) as archive:
        if _FACTS not in archive.namelist():
            return {}
        try:
            found = json.loads(archive.read(_FACTS))
        except (RecursionError, zipfile.BadZipFile) as error:
            raise ValueError(str(error)) from error
    if not isinstance(found, dict):
        raise ValueError(f"{_FACTS} in it is no object")
    return found


def load(path, again):
    """Loads a model.

    Args:
        path: The file.
        again: A sentence that says how to create the file again.

    Returns:
        The model.

    Raises:
        InvalidArgument: If the file is damaged, or needs a class that is not
            known.
        OSError: If the fault is the system's: a full disk, no permission, ...
    """
    try:
        return factory.load_model(path)
    except factory.UnknownClass as error:
        raise InvalidArgument(
            f"{error} The commands of kgen know its own classes alone: use such "
            "a model in Python."
        ) from error
    except MemoryError:
        raise
    except Exception as error:
        _raise_systems(error, path)
        damage = files.archive_damage(path, factory.MEMBERS)
        if damage:
            raise InvalidArgument(
                f"{path} can't be read: it is damaged ({damage}). {again}"
            ) from error
        raise InvalidArgument(
            f"{path} can't be loaded, although the file is not damaged: "
            f"{type(error).__name__}: {error}"
        ) from error


def _raise_systems(error, path):
    """Raises an error of the system's, which says nothing about the content."""
    if not isinstance(error, OSError) or error.errno is None:
        return
    if error.filename is None and error.errno in files.ADVICE:
        folder = tempfile.gettempdir()
        raise OSError(
            error.errno,
            f"{error.strerror} (Keras unpacks {path} there)",
            folder,
        ) from error
    raise error


def fingerprint(model):
    """A hash of a model's weights, by which figures are known to be theirs.

    Args:
        model: A `keras.Model`.

    Returns:
        String of 32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    for weight in model.weights:
        digest.update(np.ascontiguousarray(weight))
    return digest.hexdigest()
