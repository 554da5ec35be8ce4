"""What the readers of files share."""

import errno
import functools
import logging
import os
import stat

from kgen.errors import InvalidArgument

# Too many open files, no memory, no permission, a disk or network that fails:
# the file may be a good one.
_NO_DAMAGE = {
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ESTALE,
}


def check_regular(path):
    """Raises if `path` is a pipe, a socket or a device.

    Reading these could wait, or go on, for ever. What does not exist is left to
    the reader, whose error names it.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InvalidArgument(
            f"{path} is not a regular file, but a pipe, a socket or a device. "
            "Copy what it gives into a file, or remove it."
        )


def raise_systems(error):
    """Raises an error again if the system is its cause, and not the file.

    Lack of memory, file handles or permissions does not mean that the file is
    damaged.
    """
    is_systems = getattr(error, "errno", None) in _NO_DAMAGE
    if is_systems or isinstance(error, MemoryError):
        raise error


def check_size(found, expected):
    """Raises ValueError unless a file holds the bytes that its header announces.

    Args:
        found: How many bytes follow the header.
        expected: How many bytes the header announces.
    """
    if found != expected:
        what = f"only {found:,}" if found < expected else "more"
        raise ValueError(
            f"its header announces {expected:,} bytes of values, but the file "
            f"holds {what}"
        )


@functools.cache
def tell(text):
    """Logs a line about the data, once in a process."""
    logging.getLogger("kgen.data").warning("%s", text)
