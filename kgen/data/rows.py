"""Rows of examples: in memory, chosen out of those, or read when asked for."""

import dataclasses
import math
import mmap
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

import numpy as np

from kgen import damage

# At most so many bytes are read, checked or converted at a time.
PART_BYTES = 2**21
# Chosen rows of this size or less are copied: that costs little.
COPIED_BYTES = 2**22
# TensorFlow uses the memory of an array that begins at a multiple of this, and
# copies any other.
_ALIGNMENT = 64


@dataclasses.dataclass(frozen=True)
class Lazy:
    """Rows that are read when they are asked for, indexable like an array.

    Args:
        read: Function from positions, an integer array or a slice, to an array.
        shape: The shape of all rows, `(n, ...)`.
        dtype: The NumPy dtype of what `read` returns.
        chosen: Where the rows are some of an array in memory: that array, and
            their positions in it; else None.
    """

    read: Callable
    shape: tuple
    dtype: np.dtype
    chosen: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, positions):
        return self.read(positions)


def in_memory(rows: Any) -> TypeGuard[np.ndarray]:
    """Whether `rows` is an array in memory."""
    return isinstance(rows, np.ndarray) and not isinstance(rows, np.memmap)


def choose(rows: np.ndarray | Lazy, index: np.ndarray) -> np.ndarray | Lazy:
    """The rows at the positions `index`; many of an array are not copied."""
    shape = (len(index), *rows.shape[1:])
    chosen = None
    if in_memory(rows):
        if math.prod(shape) * rows.itemsize <= COPIED_BYTES:
            copy = np.take(rows, index, 0, empty(shape, rows.dtype))
            return make_read_only(copy)
        chosen = rows, index
    elif isinstance(rows, Lazy) and rows.chosen:
        array, positions = rows.chosen
        return choose(array, positions[index])
    return Lazy(
        lambda positions: rows[index[positions]], shape, rows.dtype, chosen
    )


def as_lazy_rows(images: np.memmap) -> Lazy:
    """The rows of a memory map, copied when they are asked for.

    uint8 stays as it is, all else becomes float32.
    """
    dtype = np.dtype("uint8" if images.dtype == np.uint8 else "float32")

    def read(positions):
        with np.errstate(over="ignore"):
            return copy_rows(images, positions, dtype)

    return Lazy(read, images.shape, dtype)


def copy_rows(
    rows: np.memmap, positions: Any, dtype: np.dtype | None = None
) -> np.ndarray:
    """Returns a copy of rows of a memory map, whose pages are then released."""
    copy = np.array(rows[positions], dtype)
    if rows.mode == "r" and hasattr(mmap, "MADV_DONTNEED"):
        # Until they are released, pages that were read count as this process's
        # memory.
        rows._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
    return copy


def parts(shape: tuple, dtype: np.dtype) -> Iterator[slice]:
    """Slices of rows, each of `PART_BYTES` at most, or of one row."""
    size = np.dtype(dtype).itemsize * math.prod(shape[1:])
    step = max(1, PART_BYTES // max(1, size))
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0]))


def empty(shape: tuple, dtype: np.dtype) -> np.ndarray:
    """Like `np.empty`, where TensorFlow can use the memory."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = np.empty(size + _ALIGNMENT, "uint8")
    start = -buffer.ctypes.data % _ALIGNMENT
    return buffer[start : start + size].view(dtype).reshape(shape)


def make_read_only(array: np.ndarray) -> np.ndarray:
    """The array, which from now on can't be changed, and so can be shared."""
    array.flags.writeable = False
    return array


def read_all(
    rows: np.ndarray | Lazy,
    dtype: np.dtype | None = None,
    for_each: Callable = map,
) -> np.ndarray:
    """All rows in memory, read a part at a time; they can't be changed.

    Args:
        rows: The rows.
        dtype: The type that they get in memory; None for their own.
        for_each: Function that calls another one with each of a list of parts,
            such as `map`, or one that does so in several threads.
    """
    array = empty(rows.shape, dtype or rows.dtype)

    def fill(part):
        with np.errstate(over="ignore"):  # such numbers become infinite
            array[part] = rows[part]

    list(for_each(fill, list(parts(array.shape, array.dtype))))
    return make_read_only(array)


def read_values(
    file: Any, shape: tuple, dtype: np.dtype, memory_dtype: np.dtype
) -> np.ndarray:
    """Reads an array's values, which are what is left of a file.

    Args:
        file: The file, packed or not, at the first value.
        shape: The array's shape.
        dtype: The type of the values in the file.
        memory_dtype: The type that they get in memory, a part at a time.

    Returns:
        The array, which can't be changed.

    Raises:
        ValueError: If the file does not end with the last value.
    """
    array, size, is_same = empty(shape, memory_dtype), 0, memory_dtype == dtype
    flat = array.reshape(-1)
    for part in parts(flat.shape, dtype):
        target = flat[part]
        values = target if is_same else np.empty(len(target), dtype)
        buffer = values.view("uint8").data
        count = _read_into(file, buffer)
        size += count
        if count < len(buffer):
            break
        if not is_same:
            with np.errstate(over="ignore"):
                target[:] = values
    size += len(file.read(1))
    damage.check_size(size, math.prod(shape) * dtype.itemsize)
    return make_read_only(array)


def _read_into(file, buffer):
    """Fills bytes from a file; returns how many it had."""
    size = 0
    while size < len(buffer) and (count := file.readinto(buffer[size:])):
        size += count
    return size
