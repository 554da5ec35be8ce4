"""What is kept in the folder of a study's trials, read back."""

import contextlib

from kgen import files
from kgen.errors import InvalidArgument

_DAMAGES = (ValueError, TypeError, LookupError, AttributeError, RuntimeError)


def read(path, keys=()):
    """Reads a JSON file.

    Args:
        path: The file.
        keys: What it must hold.

    Returns:
        Dictionary.

    Raises:
        InvalidArgument: If it is damaged.
    """
    with reading(path):
        found = files.read_json(path)
        for key in keys:
            found[key]
    return found


@contextlib.contextmanager
def reading(path):
    """Within it, what can't be understood is one clear error.

    Args:
        path: What is read.
    """
    try:
        yield
    except _DAMAGES as error:
        raise InvalidArgument(
            f"{path} can't be read ({type(error).__name__}: {error}). Put it "
            "back from a copy, or move the folder of the trials away and begin "
            "again (--overwrite would delete them all)."
        ) from error
