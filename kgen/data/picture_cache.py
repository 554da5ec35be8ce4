"""Decoded pictures on disk, found by the names, sizes and times of their files.

Each entry is a .npy file of rows: a picture's pixels, whether transparent parts were
replaced in it, and a checksum of both. It is written whole or not at all, and belongs
to one state of its files: changed files belong to another entry.
"""

import contextlib
import hashlib
import json
import math
import os
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import PIL
import tensorflow as tf

from kgen import caches, files, locks
from kgen.data import rows
from kgen.errors import InvalidArgument, say_once

# How many GB of decoded pictures are kept; unset, or 0, for none.
LIMIT = "KGEN_PICTURE_CACHE_GB"
_GB = 10**9

# Count this up when the rows change, or what is read from the same files.
_FORMAT = 2
_HEADER_BYTES = 2**10  # more than the header of a .npy file of them takes

# A function from positions to pixels, uint8 of shape `(k, height, width, channels)`,
# and to whether transparent parts were replaced in each picture.
Decode = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class _OfPicture(Exception):
    """An OSError from reading a picture, not from writing the cache."""


def stored(
    paths: Sequence[str] | np.ndarray,
    image_shape: tuple,
    background: str,
    decode: Decode,
) -> Decode | None:
    """Returns a function that gives what `decode` gives, out of the cache.

    If the pictures are not in the cache, all of them are decoded once and written
    to it. The least recently used entries are deleted if there is no room.

    Args:
        paths: The pictures' files.
        image_shape: Their shape, once decoded.
        background: The colour on which transparent ones are shown.
        decode: Function that decodes some of them.

    Returns:
        The function. None if the user has not asked for a cache, or if it can't
        be used; a message then says why.
    """
    limit = _limit()
    if not limit:
        return None
    row = np.dtype(
        [("pixels", "u1", image_shape), ("transparent", "?"), ("sum", "<u4")]
    )
    size = _HEADER_BYTES + row.itemsize * len(paths)
    folder = caches.folder("pictures")
    try:
        key = _fingerprint(paths, image_shape, background)
    except OSError:
        return None  # `decode` says what is wrong with that file
    path = folder / f"{key}.npy"
    entry = _open_entry(path, row, len(paths))
    if entry is None and size > limit:
        say_once(
            f"{len(paths):,} pictures take {size / _GB:.3g} GB once decoded, and "
            f"{LIMIT} is {limit / _GB:g}: they are not kept."
        )
        return None
    try:
        if entry is None:
            entry = _make_entry(path, row, len(paths), limit - size, decode)
    except _OfPicture as error:
        raise error.args[0] from None
    except OSError as error:
        say_once(
            f"Decoded pictures can't be kept in {folder} ({error}). Set "
            "KGEN_CACHE to a folder that can be written."
        )
    if entry is None:
        return None
    with contextlib.suppress(OSError):  # another user's
        os.utime(path)

    def read(positions):
        copy = rows.copy_rows(entry, positions)
        pixels, transparent = copy["pixels"].copy(), copy["transparent"].copy()
        damaged = np.flatnonzero(_sums(pixels, transparent) != copy["sum"])
        if len(damaged):
            say_once(f"{path} is damaged, and will be made anew.")
            with contextlib.suppress(OSError):
                path.unlink()
            pixels[damaged], transparent[damaged] = decode(positions[damaged])
        return pixels, transparent

    return read


def _limit():
    """The bytes that may be kept, 0 for none."""
    text = os.environ.get(LIMIT, "").strip() or "0"
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not 0 <= limit < math.inf:
        raise InvalidArgument(
            f"Invalid value of the environment variable {LIMIT}. Expected how many "
            f"GB of decoded pictures to keep, or 0 for none. Received: {text!r}"
        )
    return int(limit * _GB)


def _fingerprint(paths, image_shape, background):
    """A hash of all that the decoded pictures follow from."""
    versions = PIL.__version__, tf.__version__  # the latter's resizes
    facts = [_FORMAT, *versions, image_shape, background, len(paths)]
    digest = hashlib.blake2b(json.dumps(facts).encode(), digest_size=16)
    for path in paths:
        state = os.stat(path)
        numbers = (state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        digest.update(os.fsencode(os.path.abspath(path)))
        digest.update(f"\0{numbers}\0".encode())
    return digest.hexdigest()


def _open_entry(path, row, count):
    """The rows of an entry, or None if it is not there, or damaged."""
    try:
        entry = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return entry if (entry.dtype, entry.shape) == (row, (count,)) else None


def _make_entry(path, row, count, room, decode):
    """The rows of an entry that is made, unless another process just has."""
    with locks.directory(path.parent, wait=True):
        entry = _open_entry(path, row, count)
        if entry is not None:
            return entry
        files.sweep(path.parent, lambda name: name.endswith(".npy"))
        _make_room(path.parent, room)
        with files.new_file(path) as temporary, open(temporary, "wb") as file:
            header = {"descr": np.lib.format.dtype_to_descr(row)}
            header |= {"fortran_order": False, "shape": (count,)}
            np.lib.format.write_array_header_2_0(file, header)
            for part in rows.parts((count,), row):
                some = np.empty(part.stop - part.start, row)
                try:
                    positions = np.arange(part.start, part.stop)
                    pixels, transparent = decode(positions)
                except OSError as error:
                    raise _OfPicture(error) from error
                some["pixels"], some["transparent"] = pixels, transparent
                some["sum"] = _sums(pixels, transparent)
                file.write(some.view("u1"))
    return _open_entry(path, row, count)


def _make_room(folder, most):
    """Deletes the entries longest unused, until they take `most` bytes."""
    entries = []
    for path in folder.glob("*.npy"):
        with contextlib.suppress(OSError):
            state = path.stat()
            entries.append((state.st_mtime, state.st_size, path))
    size = sum(size for _, size, _ in entries)
    for _, bytes_, path in sorted(entries):
        if size <= most:
            return
        with contextlib.suppress(OSError):  # Windows keeps what is in use
            path.unlink()
            size -= bytes_


def _sums(pixels, transparent):
    """The checksum of each picture."""
    return np.array(
        [
            zlib.crc32(picture, int(seed))
            for picture, seed in zip(pixels, transparent)
        ],
        "uint32",
    )
