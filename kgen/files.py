"""Files and directories that appear whole or not at all."""

import contextlib
import os
import pathlib
import shutil
import tempfile


@contextlib.contextmanager
def new_directory(path, overwrite=False):
    """Gives a temporary directory beside `path`; renames it when all is done.

    Args:
        path: The directory to make.
        overwrite: Whether an existing one may be replaced.

    Raises:
        FileExistsError: If it exists and `overwrite` is False.
    """
    path = pathlib.Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists already. Choose another place, or say that it may "
            "be overwritten."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    # The dot keeps TF Serving, which looks for numbers, from loading it.
    temporary = tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        os.chmod(temporary, 0o755)  # mkdtemp's is 0700: a server can't read it
        yield temporary
        if overwrite and path.exists():
            shutil.rmtree(path)
        os.rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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
