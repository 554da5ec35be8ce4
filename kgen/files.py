"""Files and directories that appear whole or not at all."""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import tempfile
import time
import zipfile

# Ends the names of what is not done yet; after so many seconds it never will be.
_ENDING = ".kgen-new"
# What is replaced has it meanwhile, and is never deleted as a left-over.
_REPLACED = ".kgen-old"
STALE = 24 * 3600
# A temporary file's name tells the process that writes it, and a temporary
# directory's the machine, too.
_TEMPORARY = re.compile(r"\.(\d+)-(.+)", re.DOTALL)
_OWNED = re.compile(rf"\..+-(\d+)\.([0-9a-f]{{6}})-[^-]+{re.escape(_ENDING)}")

# What the operating system says when the fault is not that of a file's content,
# and what helps.
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
    errno.ENAMETOOLONG: "Choose a shorter name",
}


def error_number(error):
    """The operating system's number of what went wrong, or None.

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
def naming(path, temporary=None):
    """Within it, the operating system's errors name the file that is written.

    Args:
        path: The file or directory to name.
        temporary: What is written in its place, whose name tells a user nothing.

    Raises:
        OSError: With the number, the usual words and `path`.
    """
    try:
        yield
    except Exception as error:
        number = error_number(error)
        if number is None and type(error) is OSError and temporary:
            number = _asked(temporary)
        if number not in ADVICE:
            raise
        named = getattr(error, "filename", None)
        if named and not (temporary and str(temporary) in str(named)):
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _asked(path):
    """The error that one more write to a file meets, or None.

    NumPy tells of a write that failed without saying why.
    """
    try:
        with open(path, "ab", buffering=0) as file:
            file.write(bytes(2**16))
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno
    return None


@contextlib.contextmanager
def new_directory(path, overwrite=False):
    """Gives a temporary directory beside `path`; renames it when all is done.

    What a killed process left of an earlier one is deleted; not what it was
    about to replace, which is in `.NAME-....kgen-old` then.

    Args:
        path: The directory to make.
        overwrite: Whether an existing one may be replaced.

    Raises:
        FileExistsError: If it exists and `overwrite` is False, or comes into
            being meanwhile.
        NotADirectoryError: If there can be no directory to make it in.
    """
    path = pathlib.Path(path)
    if os.path.lexists(path) and not overwrite:
        raise _exists(path)
    _make_parent(path)
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
                # Gone by its name at once: half of it would be loaded, too.
                old = stack.enter_context(_temporary(path, _REPLACED))
                os.rename(path, os.path.join(old, path.name))
            try:
                os.rename(temporary, path)
            except OSError as error:
                if os.path.lexists(path):
                    raise _exists(path) from error
                raise
        _sync_directory(path.parent)


def _make_parent(path):
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(
            f"{path.parent} is a file, or a link to nothing. Choose another "
            "place."
        ) from error


@contextlib.contextmanager
def _temporary(path, ending):
    # The dot keeps TF Serving, which looks for numbers, from loading it.
    start = f".{path.name}-{os.getpid()}.{_machine()}-"
    found = tempfile.mkdtemp(ending, start, path.parent)
    try:
        yield found
    finally:
        shutil.rmtree(found, ignore_errors=True)


def _machine():
    """Six digits that tell machines apart: they may share a file system."""
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
            is_ours = owner and owner[2] == _machine()
            is_dead = is_ours and not is_running(int(owner[1]))
            if is_dead or time.time() - old.stat().st_mtime > STALE:
                shutil.rmtree(old)


def is_running(process):
    """Whether there is a process of a number on this machine, or may be.

    Args:
        process: Integer.
    """
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
def new_file(path):
    """Gives the path of a temporary file; renames it to `path` when done.

    The temporary name ends as `path` does, since writers choose their format
    by the ending. An existing file is replaced.
    """
    path = pathlib.Path(path)
    _make_parent(path)
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
    """Has the disk take a file, before its name says that it is whole."""
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def _sync_directory(path):
    """Has the disk take names; not every file system and machine can."""
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


def sweep(directory, is_ours, age=0):
    """Deletes what killed processes have left half written in a directory.

    Call it only while holding the directory's lock. `is_ours` must name only
    files that are written under that lock.

    Args:
        directory: Its path.
        is_ours: Function of the name that a file would have got, to whether it is
            written only under the lock.
        age: Seconds that must have passed since a file was last written; then
            it may also be one that is written without the lock.
    """
    with contextlib.suppress(OSError):
        for path in pathlib.Path(directory).iterdir():
            match = _TEMPORARY.fullmatch(path.name)
            if not match or not is_ours(match[2]):
                continue
            process = int(match[1])
            if time.time() - path.stat().st_mtime < age:
                continue
            # In containers, a dead process has often had this one's number.
            if process == os.getpid() or not is_running(process):
                path.unlink(missing_ok=True)


def is_left_over(name):
    """Whether a file's name is one that `sweep` knows.

    Args:
        name: String.

    Returns:
        The name that the file would have got, or None.
    """
    match = _TEMPORARY.fullmatch(name)
    return match and match[2]


def digest(path, more=b""):
    """BLAKE2 of a file, and of what belongs to it.

    Args:
        path: The file.
        more: Bytes that are taken as if they followed in the file.

    Returns:
        String of 64 hexadecimal digits.
    """
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, _blake2)
    found.update(more)
    return found.hexdigest()


def digest_of(content, more=b""):
    """As `digest`, of bytes or a view of them."""
    found = _blake2(content)
    found.update(more)
    return found.hexdigest()


def _blake2(content=b""):
    return hashlib.blake2b(content, digest_size=32)


def write_json(path, value, **options):
    """Writes a JSON file, whole or not at all.

    Args:
        path: The file; an existing one is replaced.
        value: What JSON can hold.
        **options: Passed to `json.dumps`.
    """
    text = json.dumps(value, indent=2, **options)
    with new_file(path) as temporary:
        temporary.write_text(text + "\n")


def read_json(path):
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


def archive_damage(path, members=()):
    """What is wrong with a zip archive by its own checksums, or None.

    Args:
        path: The file.
        members: What there must be in it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
            names = archive.namelist()
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return "it points to places outside of itself"
    except Exception as error:  # zipfile raises much where headers are damaged
        return " ".join(str(error).split()) or type(error).__name__
    if bad:
        return f"{bad} in it has a wrong checksum"
    for name in members:
        if name not in names:
            return f"it lacks {name}"
    return None
