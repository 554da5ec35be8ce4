"""Files that are written whole or not at all."""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

Path = str | os.PathLike

# The ending of directories that are being written, and of those that are being
# replaced, which are never deleted as left-overs.
_ENDING, _REPLACED = ".kgen-new", ".kgen-old"
# A file or directory that has not been written to for so many seconds counts as
# abandoned.
STALE = 24 * 3600
# The name of a temporary file holds the number of the process that writes it; that of
# a temporary directory identifies the machine, too.
_TEMPORARY = re.compile(r"\.(\d+)-(.+)", re.DOTALL)
_OWNED = re.compile(rf"\..+-(\d+)\.([0-9a-f]{{6}})-[^-]+{re.escape(_ENDING)}")

# The operating system's errors that do not mean that a file's content is at
# fault, and what helps.
ADVICE = {
    errno.ENOSPC: "Free some space there",
    errno.EDQUOT: "Free some space there: the user's quota is used up",
    errno.EFBIG: "Raise the limit of a file's size (ulimit -f)",
    errno.EMFILE: "Raise the limit of open files (ulimit -n)",
    errno.ENFILE: "Close other programs: the machine has too many files open",
    errno.ENOMEM: "Free some memory",
    errno.EACCES: "Check its permissions, or choose another place",
    errno.EPERM: "Check its permissions, or choose another place",
    errno.EROFS: "Choose a place that can be written to",
    errno.EIO: "Check the disk or the network connection",
    errno.ESTALE: "Check the disk or the network connection",
    errno.ENAMETOOLONG: "Choose a shorter name",
}


def error_number(error: BaseException) -> int | None:
    """The operating system's number of an error (errno), or None.

    TensorFlow and HDF5 hide it in their messages.

    Args:
        error: An exception.
    """
    if isinstance(error, OSError) and error.errno:
        return error.errno
    hides = isinstance(error, OSError) or "tensorflow" in type(error).__module__
    text = str(error) if hides else ""
    for number in ADVICE:
        if os.strerror(number) in text:
            return number
    return None


@contextlib.contextmanager
def naming(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Within it, the operating system's errors name the file that is written.

    Args:
        path: The file or directory to name.
        temporary: The one that is written in its place, which is not named.

    Raises:
        OSError: With the number, the usual words and `path`.
    """
    try:
        yield
    except Exception as error:
        number = error_number(error)
        if number is None and type(error) is OSError and temporary:
            number = _error_of_writing(temporary)
        if number not in ADVICE:
            raise
        named = getattr(error, "filename", None)
        if named and not (temporary and str(temporary) in str(named)):
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _error_of_writing(path):
    """The error that one more write to a file meets, or None.

    NumPy does not say why a write has failed.
    """
    try:
        with open(path, "ab", buffering=0) as file:
            file.write(bytes(2**16))
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno
    return None


@contextlib.contextmanager
def new_directory(path: Path, overwrite: bool = False) -> Iterator[str]:
    """Yields a temporary directory beside `path`; renames it in the end.

    Directories that killed processes have left half written are deleted, but not
    those that they were about to replace, named `.NAME-....kgen-old`.

    Args:
        path: The directory to make.
        overwrite: Whether an existing one may be replaced.

    Raises:
        FileExistsError: If it exists and `overwrite` is False, or is made by
            another process meanwhile.
        NotADirectoryError: If its parent can't be a directory.
    """
    path = pathlib.Path(path)
    if os.path.lexists(path) and not overwrite:
        raise _exists(path)
    _make_directory(path.parent)
    _delete_abandoned(path.parent)
    with (
        naming(path),
        _temporary(path, _ENDING) as temporary,
        naming(path, temporary),
    ):
        # mkdtemp's is 0700, and a server could not read that. None but the
        # owner may write.
        os.chmod(temporary, 0o755)  # nosec B103
        yield temporary
        _sync_tree(temporary)
        with contextlib.ExitStack() as stack:
            if overwrite and os.path.lexists(path):
                # Renamed before it is deleted, since a server would load a
                # half of it.
                old = stack.enter_context(_temporary(path, _REPLACED))
                os.rename(path, os.path.join(old, path.name))
            try:
                os.rename(temporary, path)
            except OSError as error:
                if os.path.lexists(path):
                    raise _exists(path) from error
                raise
        _sync_directory(path.parent)


@contextlib.contextmanager
def directory_if_filled(path: Path) -> Iterator[None]:
    """Makes a directory, and removes it in the end if it was new and is empty.

    Args:
        path: The directory; its parents are made, too.

    Raises:
        NotADirectoryError: If there is a file in its place.
    """
    new = _make_directory(pathlib.Path(path))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it is no longer empty
            for folder in new:
                folder.rmdir()


def _make_directory(path):
    """Makes a directory; returns it and its parents, as far as they are new."""
    new = []
    for folder in (path, *path.parents):
        if not os.path.lexists(folder):
            new.append(folder)
        elif not folder.is_dir():
            raise NotADirectoryError(
                f"{folder} is a file, or a link to nothing. Choose another place."
            )
    path.mkdir(parents=True, exist_ok=True)
    return new


def free_path(stem: Path, ending: str = "", first: int = 1) -> pathlib.Path:
    """The first of `STEM-1ENDING`, `STEM-2ENDING`, ... that isn't there yet."""
    while os.path.lexists(path := f"{stem}-{first}{ending}"):
        first += 1
    return pathlib.Path(path)


@contextlib.contextmanager
def _temporary(path, ending):
    # The dot keeps TF Serving, which looks for numbers, from loading it.
    start = f".{path.name}-{os.getpid()}.{_machine()}-"
    directory = tempfile.mkdtemp(ending, start, path.parent)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _machine():
    """Six digits that identify this machine among those of a shared disk."""
    name = socket.gethostname().encode(errors="replace")
    return hashlib.blake2b(name, digest_size=3).hexdigest()


def _exists(path):
    return FileExistsError(
        f"{path} exists already. Choose another place, or say that it may be "
        "overwritten."
    )


def _delete_abandoned(parent):
    for old in parent.glob(f".*{_ENDING}"):
        with contextlib.suppress(OSError):  # another process deletes it, too
            owner = _OWNED.fullmatch(old.name)
            is_local = owner and owner[2] == _machine()
            is_dead = is_local and not is_running(int(owner[1]))
            if is_dead or time.time() - old.stat().st_mtime > STALE:
                shutil.rmtree(old)


def is_running(process: int) -> bool:
    """Whether a process of this number may be running on this machine."""
    if os.name == "nt":
        return True  # there, `os.kill` would end it
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[pathlib.Path]:
    """Yields the path of a temporary file; renames it to `path` in the end.

    The temporary name ends as `path` does, since writers choose their format
    by the ending. An existing file is replaced.
    """
    path = pathlib.Path(path)
    _make_directory(path.parent)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        with naming(path, temporary):
            yield temporary
            _sync_file(temporary)
            os.replace(temporary, path)
            _sync_directory(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _sync_file(path):
    """Has the disk take a file before it gets its name."""
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def _sync_directory(path):
    """Has the disk take the names in a directory, where that is possible."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_tree(directory):
    for folder, _, names in os.walk(directory):
        for name in names:
            _sync_file(os.path.join(folder, name))
        _sync_directory(folder)


def sweep(
    directory: Path, is_locked: Callable[[str], Any], age: float = 0
) -> None:
    """Deletes files that killed processes have left half written in a directory.

    Call it only while holding the directory's lock.

    Args:
        directory: Its path.
        is_locked: Function of the name that a file would have got, to whether
            it is to be deleted: only files that are written under the lock, or
            that are older than `age`.
        age: Seconds that must have passed since a file was last written.
    """
    with contextlib.suppress(OSError):
        for path in pathlib.Path(directory).iterdir():
            match = _TEMPORARY.fullmatch(path.name)
            if not match or not is_locked(match[2]):
                continue
            process = int(match[1])
            if time.time() - path.stat().st_mtime < age:
                continue
            # In containers, a dead process has often had this one's number.
            if process == os.getpid() or not is_running(process):
                path.unlink(missing_ok=True)


def is_left_over(name: str) -> str | None:
    """The name that a temporary file would have got; None for other names."""
    match = _TEMPORARY.fullmatch(name)
    return match and match[2]


def digest(path: Path, more: bytes = b"") -> str:
    """The BLAKE2 checksum of a file.

    Args:
        path: The file.
        more: Bytes that are taken as if they followed in the file.

    Returns:
        String of 64 hexadecimal digits.
    """
    with open(path, "rb") as file:
        checksum = hashlib.file_digest(file, _blake2)
    checksum.update(more)
    return checksum.hexdigest()


def digest_of(content: bytes | memoryview, more: bytes = b"") -> str:
    """Like `digest`, of bytes in memory."""
    checksum = _blake2(content)
    checksum.update(more)
    return checksum.hexdigest()


def _blake2(content=b""):
    return hashlib.blake2b(content, digest_size=32)


def versions(*names: str) -> dict[str, str]:
    """The versions of packages that are imported, as kgen's files hold them."""
    return {name: sys.modules[name].__version__ for name in names}


def write_json(path: Path, value: Any, **options: Any) -> None:
    """Writes a JSON file, whole or not at all.

    Args:
        path: The file; an existing one is replaced.
        value: Anything that JSON can hold.
        **options: Passed to `json.dumps`.
    """
    text = json.dumps(value, indent=2, **options)
    with new_file(path) as temporary:
        temporary.write_text(text + "\n")


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Args:
        path: The file.

    Raises:
        OSError: If it can't be read.
        ValueError: If it is no JSON, or nests too deep to be understood.
    """
    try:
        return json.loads(pathlib.Path(path).read_bytes())
    except RecursionError as error:
        raise ValueError("it nests too deep") from error
