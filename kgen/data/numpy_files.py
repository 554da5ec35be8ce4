"""Examples out of .npy and .npz files."""

import functools
import math
import os
import pathlib
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from kgen import damage
from kgen.data import examples, rows
from kgen.data.arrays import from_arrays, read_from
from kgen.errors import InvalidArgument

_IMAGES = ("x", "images", "data", "arr_0")
_LABELS = ("y", "labels", "target", "arr_1")

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def find(
    path: str | os.PathLike,
    any_range: bool = False,
    image_shape: tuple | None = None,
) -> dict[str, Callable]:
    """Opens a .npy or .npz file; what is larger than the budget is mapped.

    An .npz may hold the splits of Keras's own files (`x_train`, `y_train`,
    `x_test`, `y_test`), or images under `x`, `images`, `data` or `arr_0`, and
    labels under `y`, `labels`, `target` or `arr_1`.

    Args:
        path: The file.
        any_range: As in `from_arrays`.
        image_shape: As in `from_arrays`.

    Returns:
        Dictionary from splits to functions that return their `Examples`; one
        entry `"all"` where the file has no splits.
    """
    path = pathlib.Path(path)
    options = {"any_range": any_range, "image_shape": image_shape}
    if path.suffix == ".npy":
        return {"all": functools.partial(_read_npy, path, **options)}
    with damage.reading(path), zipfile.ZipFile(path) as archive:
        names = [
            name.removesuffix(".npy")
            for name in archive.namelist()
            if name.endswith(".npy")
        ]
    return {
        split: functools.partial(_read_npz, path, images, labels, **options)
        for split, (images, labels) in _pairs(names, path).items()
    }


def _pairs(names, path):
    """The names of each split's images and labels (or None)."""

    def first(options):
        return next((name for name in options if name in names), None)

    splits = {
        split: (f"x_{split}", first([f"y_{split}"]))
        for split in ("train", "validation", "test")
        if f"x_{split}" in names
    }
    if splits:
        return splits
    images = names[0] if len(names) == 1 else first(_IMAGES)
    if images is None:
        raise InvalidArgument(
            f"{path} holds the arrays {', '.join(names) or '(none)'}. Expected "
            f"images under one of {', '.join(_IMAGES)}, or under x_train and "
            "x_test."
        )
    return {"all": (images, first(_LABELS))}


def _read_npy(path, **options):
    with damage.reading(path):
        with open(path, "rb") as file:
            images = _read_values(file, path.stat().st_size)
        if images is None:
            images = np.lib.format.open_memmap(path, mode="r")
    with read_from(path):
        return from_arrays(images, is_own=True, **options)


def _read_values(file, size, floats="float32"):
    """The array in an open .npy file of `size` bytes, or None if it is large.

    Floats and booleans become `floats`, or stay what they are if that is None.
    """
    shape, is_fortran, dtype = _read_header(file, size)
    if math.prod(shape) * dtype.itemsize > examples.IN_MEMORY_BYTES:
        return None
    memory_dtype = np.dtype(floats) if floats and dtype.kind in "fb" else dtype
    if is_fortran:
        return rows.read_values(file, shape[::-1], dtype, memory_dtype).T
    return rows.read_values(file, shape, dtype, memory_dtype)


def _read_header(file: BinaryIO, size: int) -> tuple[tuple, bool, np.dtype]:
    """The shape, whether in Fortran's order, and the type, in a .npy's header.

    It raises ValueError unless the header is that of `size` bytes.
    """
    version = np.lib.format.read_magic(file)
    read = _HEADERS.get(version)
    if read is None:
        raise ValueError(f"its format {version} is not that of plain numbers")
    shape, is_fortran, dtype = read(file)
    if dtype.hasobject:
        raise ValueError(
            "it holds Python objects, and these are never loaded; save an array "
            "of numbers"
        )
    if min(shape, default=0) < 0:
        raise ValueError(f"its header announces the shape {shape}")
    damage.check_size(size - file.tell(), math.prod(shape) * dtype.itemsize)
    return shape, is_fortran, dtype


def _read_npz(path, images, labels, **options):
    with damage.reading(path), zipfile.ZipFile(path) as archive:
        images = _read_member(archive, images)
        labels = labels and _read_member(archive, labels, floats=None)
    with read_from(path):
        return from_arrays(images, labels, is_own=True, **options)


def _read_member(archive, name, **options):
    """An array of an .npz, unpacked to a temporary file if it is large."""
    member = f"{name}.npy"
    size = archive.getinfo(member).file_size
    with archive.open(member) as file:
        array = _read_values(file, size, **options)
    if array is not None:
        return array
    # Linux keeps the mapped bytes of a removed file until the map is closed.
    with tempfile.TemporaryDirectory(prefix="kgen-") as directory:
        free = shutil.disk_usage(directory).free
        if size > free:
            raise ValueError(
                f"its array {name} takes {size:,} bytes unpacked, and {free:,} "
                f"are free in {tempfile.gettempdir()} (TMPDIR)"
            )
        file = archive.extract(member, directory)
        return np.lib.format.open_memmap(file, mode="r")
