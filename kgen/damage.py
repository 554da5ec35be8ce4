"""What is wrong with a file that can't be read: its damage, or its kind."""

import contextlib
import errno
import os
import stat
import zipfile
from collections.abc import Iterable, Iterator

from kgen.errors import InvalidArgument, one_line
from kgen.files import ADVICE, Path


def archive_damage(path: Path, members: Iterable[str] = ()) -> str | None:
    """How a zip archive is damaged by its own checksums, or None if it is not.

    Args:
        path: The file.
        members: The names of files that it must hold.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
            names = archive.namelist()
    except Exception as error:  # zipfile raises much where headers are damaged
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        return _reason(error)
    if bad:
        return f"{bad} in it has a wrong checksum"
    for name in members:
        if name not in names:
            return f"it lacks {name}"
    return None


def check_regular(path: Path) -> None:
    """Raises if `path` is a pipe, a socket or a device.

    Reading these could wait, or go on, for ever. A path that does not exist is
    left to the reader, whose error names it.
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


def check_size(size: int, expected: int) -> None:
    """Raises ValueError unless a file has the size that its header announces.

    Args:
        size: The number of bytes after the header.
        expected: The number of bytes that the header announces.
    """
    if size != expected:
        held = f"only {size:,}" if size < expected else "more"
        raise ValueError(
            f"its header announces {expected:,} bytes of values, but the file "
            f"holds {held}"
        )


@contextlib.contextmanager
def reading(path: Path, kind: str = "", advice: str = "") -> Iterator[None]:
    """Within it, the errors of a damaged file name it and say what is wrong.

    Args:
        path: The file.
        kind: What it is read as, for the message, such as `"an IDX file"`.
        advice: The end of the message.

    Raises:
        InvalidArgument: If the file is damaged, or no regular file.
        Exception: What `raise_system_error` raises again.
    """
    check_regular(path)
    try:
        yield
    except InvalidArgument:
        raise
    except Exception as error:  # damaged files make readers raise of all kinds
        raise_system_error(error)
        kind = f" as {kind}" if kind else ""
        raise InvalidArgument(
            f"{path} can't be read{kind}: {_reason(error)}{advice}"
        ) from error


def _reason(error):
    # What zipfile and NumPy raise where they are to go to such a place.
    if getattr(error, "errno", None) == errno.EINVAL:
        return "it points to places outside of itself"
    return one_line(error) or type(error).__name__


def raise_system_error(error: BaseException) -> None:
    """Raises an error again if it does not mean that the file is damaged.

    Such as for lack of memory, of file handles or of permissions.
    """
    number = getattr(error, "errno", None)
    if number in ADVICE or isinstance(error, MemoryError):
        raise error
