"""One process at a time in a directory."""

import contextlib
import errno
import os
import pathlib
import socket

from kgen import files
from kgen.errors import InvalidArgument

NAME = ".kgen.lock"
# File systems that have no such locks; then nobody is kept out.
_WITHOUT = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}


@contextlib.contextmanager
def directory(path, wait=False):
    """Within it, no other process of kgen writes in a directory.

    The directory is made if it isn't there, and removed again if it is still
    empty in the end.

    Args:
        path: The directory.
        wait: Whether to wait for another process that holds it.

    Raises:
        InvalidArgument: If another process holds it and `wait` is False; the
            message names it.
        NotADirectoryError: If there is a file in its place.
    """
    path = pathlib.Path(path)
    for one in (path, *path.parents):
        if os.path.lexists(one) and not one.is_dir():
            raise NotADirectoryError(
                f"{one} is a file, or a link to nothing, and not a directory. "
                "Choose another place."
            )
    made = [one for one in (path, *path.parents) if not os.path.lexists(one)]
    path.mkdir(parents=True, exist_ok=True)
    try:
        with alone(path / NAME, str(path), wait):
            yield
    finally:
        with contextlib.suppress(OSError):  # it is no longer empty
            for one in made:
                one.rmdir()


@contextlib.contextmanager
def alone(path, what, wait=False):
    """Within it, this process alone holds a lock file.

    A process that is killed lets go of it. The file that it leaves means nothing.

    Args:
        path: The lock file, in a directory that is there.
        what: What the lock protects, for the message, such as a directory's
            path.
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
    file = _opened(path)
    while _lock(fcntl, file, what, wait) and not _is_at(file, path):
        file.close()  # its holder has deleted it since it was opened
        file = _opened(path)
    with file:
        with contextlib.suppress(OSError):  # the disk may be full
            os.ftruncate(file.fileno(), 0)
            holder = f"PID {os.getpid()} on {socket.gethostname()}"
            os.write(file.fileno(), holder.encode())
        try:
            yield
        finally:
            # Before it is let go: whoever opened it meanwhile sees that.
            if _is_at(file, path):
                os.unlink(path)


def _opened(path):
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
        if error.errno not in _WITHOUT:
            raise
        return False
    return True


def _is_at(file, path):
    """Whether an open file is still the one at its path."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(file.fileno()))
