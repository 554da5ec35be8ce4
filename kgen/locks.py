"""Locks by which one process at a time writes in a directory."""

import contextlib
import errno
import os
import pathlib
import socket
from collections.abc import Iterator

from kgen import files
from kgen.errors import InvalidArgument

NAME = ".kgen.lock"
# The errors of file systems without locks; then no process is kept out.
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}


@contextlib.contextmanager
def directory(path: str | os.PathLike, wait: bool = False) -> Iterator[None]:
    """Within it, no other process of kgen writes in a directory.

    The directory is made if it does not exist, and removed again if it is still
    empty in the end.

    Args:
        path: The directory.
        wait: Whether to wait for another process that holds it.

    Raises:
        InvalidArgument: If another process holds it and `wait` is False; the
            message names it.
        NotADirectoryError: If there is a file in its place.
    """
    lock = os.path.join(path, NAME)
    with files.directory_if_filled(path), alone(lock, str(path), wait):
        yield


@contextlib.contextmanager
def alone(
    path: str | os.PathLike, what: str, wait: bool = False
) -> Iterator[None]:
    """Within it, this process alone holds a lock file.

    The system releases the lock of a process that is killed; the file that it
    leaves has no meaning.

    Args:
        path: The lock file, in a directory that exists.
        what: The thing that the lock protects, for the message, such as a
            directory's path.
        wait: Whether to wait for another process that holds it.

    Raises:
        InvalidArgument: If another process holds it and `wait` is False; the
            message names it.
    """
    try:
        import fcntl
    except ImportError:  # Windows has other locks
        yield
        return
    path = pathlib.Path(path)
    file = _open(path)
    while _lock(fcntl, file, what, wait) and not _is_at(file, path):
        file.close()  # its holder has deleted it since it was opened
        file = _open(path)
    with file:
        with contextlib.suppress(OSError):  # the disk may be full
            os.ftruncate(file.fileno(), 0)
            holder = f"PID {os.getpid()} on {socket.gethostname()}"
            os.write(file.fileno(), holder.encode())
        try:
            yield
        finally:
            # Before the release, so that a process that has opened the file
            # meanwhile sees that it is gone.
            if _is_at(file, path):
                os.unlink(path)


def _open(path):
    with files.naming(path.parent, path):
        return open(path, "a+")


def _lock(fcntl, file, what, wait):
    """Locks a file; returns False where the file system can't."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError as error:
        with file:
            file.seek(0)
            holder = file.read() or "unknown PID"
        raise InvalidArgument(
            f"{what} is in use by another kgen process ({holder}). Wait until it "
            "ends, or stop it."
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _is_at(file, path):
    """Whether an open file is still the one at its path."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
