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
# What is replaced has it meanwhile, and is never deleted as a left-over.
_REPLACED = ".kgen-old"
_STALE = 24 * 3600


@contextlib.contextmanager
def new_directory(path, overwrite=False):
    """Gives a temporary directory beside `path`; renames it when all is done.

    What a killed process left of an earlier one is deleted after a day; not what
    it was about to replace, which is in `.NAME-....kgen-old` then.

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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(
            f"{path.parent} is a file, or a link to nothing. Choose another "
            "place."
        ) from error
    _delete_stale(path.parent)
    with _temporary(path, _ENDING) as temporary:
        os.chmod(temporary, 0o755)  # mkdtemp's is 0700: a server can't read it
        yield temporary
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


@contextlib.contextmanager
def _temporary(path, ending):
    # The dot keeps TF Serving, which looks for numbers, from loading it.
    found = tempfile.mkdtemp(ending, f".{path.name}-", path.parent)
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
