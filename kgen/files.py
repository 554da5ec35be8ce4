"""Files and directories that appear whole or not at all."""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile
import time

# Ends the names of what is not done yet; after so many seconds it never will be.
_ENDING = ".kgen-new"
_STALE = 24 * 3600


@contextlib.contextmanager
def new_directory(path, overwrite=False):
    """Gives a temporary directory beside `path`; renames it when all is done.

    What a killed process left of an earlier one is deleted after a day.

    Args:
        path: The directory to make.
        overwrite: Whether an existing one may be replaced.

    Raises:
        FileExistsError: If it exists and `overwrite` is False, or comes into
            being meanwhile.
    """
    path = pathlib.Path(path)
    if path.exists() and not overwrite:
        raise _exists(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _delete_stale(path.parent)
    with _temporary(path) as temporary:
        os.chmod(temporary, 0o755)  # mkdtemp's is 0700: a server can't read it
        yield temporary
        with contextlib.ExitStack() as stack:
            if overwrite and path.exists():
                # Gone by its name at once: half of it would be loaded, too.
                old = stack.enter_context(_temporary(path))
                os.rename(path, os.path.join(old, path.name))
            try:
                os.rename(temporary, path)
            except OSError as error:
                if path.exists():
                    raise _exists(path) from error
                raise


@contextlib.contextmanager
def _temporary(path):
    # The dot keeps TF Serving, which looks for numbers, from loading it.
    found = tempfile.mkdtemp(_ENDING, f".{path.name}-", path.parent)
    try:
        yield found
    finally:
        shutil.rmtree(found, ignore_errors=True)


def _exists(path):
    return FileExistsError(
        f"{path} exists already. Choose another place, or say that it may be "
        "overwritten."
    )


def _delete_stale(parent):
    for old in parent.glob(f".*{_ENDING}"):
        with contextlib.suppress(OSError):  # another process deletes it, too
            if time.time() - old.stat().st_mtime > _STALE:
                shutil.rmtree(old)


@contextlib.contextmanager
def new_file(path):
    """Gives the path of a temporary file; renames it to `path` when done.

    The temporary name ends as `path` does, since writers choose their format
    by the ending. An existing file is replaced.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
