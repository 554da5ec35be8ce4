"""A run's model.keras: errors about it in words, and a hash of its weights."""

import hashlib
import os
import tempfile

import keras
import numpy as np

from kgen import files
from kgen.errors import InvalidArgument
from kgen.models import factory


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
    # If the file can't be opened, the system's message is better than Keras's.
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
