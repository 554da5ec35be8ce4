"""A file system that fills up while a command writes."""

import contextlib
import functools
import pathlib
import shutil
import subprocess
import tempfile

from tests.faults import compare, processes

_PAGE = 4096
_LEAST = 16 * 1024  # bytes of a file: the messages, too, are one


@functools.cache
def can_mount():
    """Whether this process may mount file systems."""
    if not shutil.which("mount"):
        return False
    with tempfile.TemporaryDirectory() as place:
        mounted = _mount(place, _PAGE).returncode == 0
        if mounted:
            _unmount(place)
    return mounted


def fill(bench, task, folder, share):
    """A disk that holds only a share of what the undisturbed command writes.

    Where no small file system can be mounted, no file may grow beyond that.

    Args:
        bench: A `Bench`.
        task: A `Task`.
        folder: A fresh one.
        share: From 0 to 1.

    Returns:
        What is wrong in the end, as sentences.
    """
    wanted = bench.undisturbed(task).folder
    before, after = _size(folder), _size(wanted)
    if can_mount():
        limit = None
        small = _small(folder, int(before + float(share) * (after - before)))
    else:
        limit = max(_LEAST, int(float(share) * after))
        small = contextlib.nullcontext(lambda: None)
    with small as grow:
        ended = processes.run(folder, task.command, limit=limit)
        said = [] if ended.status == 0 or ended.refused() else ended.problems()
        said += compare.unreadable(folder)
        grow()
        return said + bench.mended(task, folder)


def _size(folder):
    """Bytes of whole pages that all files of a folder take."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return sum(-(-path.stat().st_size // _PAGE) * _PAGE for path in found)


@contextlib.contextmanager
def _small(folder, size):
    """Within it, a folder is a small file system; gives what makes it large."""
    kept = pathlib.Path(tempfile.mkdtemp(dir=folder.parent))
    shutil.copytree(folder, kept, dirs_exist_ok=True)
    done = _mount(folder, size)
    if done.returncode:
        raise OSError(done.stderr)
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    try:
        yield lambda: _mount(folder, 2**30, "remount,")
    finally:
        shutil.rmtree(kept)
        shutil.copytree(folder, kept, dirs_exist_ok=True)
        _unmount(folder)
        shutil.rmtree(folder)
        kept.rename(folder)


def _mount(place, size, more=""):
    options = f"{more}size={max(size, _PAGE)}"
    return subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)],
        capture_output=True,
        text=True,
    )


def _unmount(place):
    subprocess.run(["umount", str(place)], check=True)
