"""Folders of IDX files, the format of MNIST and its family."""

import functools
import gzip
import math
import os
import pathlib
import re
from collections.abc import Callable

import numpy as np

from kgen import damage
from kgen.data import examples, rows
from kgen.data.arrays import from_arrays, read_from
from kgen.data.examples import Examples
from kgen.errors import InvalidArgument

# train-images-idx3-ubyte, t10k-images.idx3-ubyte.gz,
# emnist-letters-train-images-idx3-ubyte.gz, qmnist-test50k-images-idx3-ubyte.
_IMAGES = re.compile(
    r"(?P<family>.*?)(?P<split>train|t10k|test\w*)-images"
    r"[-.]idx\d-ubyte(?P<gz>\.gz)?$"
)
_TYPES = {
    0x08: ">u1",
    0x09: ">i1",
    0x0B: ">i2",
    0x0C: ">i4",
    0x0D: ">f4",
    0x0E: ">f8",
}
_MOST_AXES = 8
# No .gz file unpacks to more bytes than this for each of its own.
_MOST_UNPACKED = 1032


def find(folder: str | os.PathLike) -> dict[str, Callable]:
    """Finds the image files of a folder.

    Args:
        folder: Path of the folder.

    Returns:
        Dictionary from splits (`"train"`, `"test"`) to functions that return
        their `Examples`; `{}` if there are none.

    Raises:
        InvalidArgument: If there are files of several data sets.
    """
    readers, families = {}, set()
    for path in sorted(pathlib.Path(folder).iterdir()):
        match = _IMAGES.match(path.name)
        if match and not path.is_dir():
            split = match["split"].replace("t10k", "test")
            # Of a plain and a packed file, the plain one sorts first.
            readers.setdefault(split, functools.partial(read_split, path))
            families.add(match["family"])
    if len(families) > 1:
        raise InvalidArgument(
            f"{folder} holds the files of several data sets "
            f"({', '.join(sorted(families))}). Put each into a folder of its own."
        )
    return readers


def read_split(path: pathlib.Path) -> Examples:
    """Examples of an image file, with the label file beside it if any."""
    images = read_file(path)
    if images.ndim == 3:
        images = images[..., None]  # the format says that these are pictures
    labels = _labels_beside(path)
    if labels is not None and labels.ndim == 2:
        labels = labels[:, 0]  # QMNIST: the class, then who wrote it
    with read_from(path):
        return from_arrays(images, labels, is_own=True)


def _labels_beside(path):
    start = path.name[: path.name.rindex("-images")]
    name = re.compile(re.escape(start) + r"-labels[-.]idx\d-\w+(\.gz)?$")
    beside = sorted(
        other
        for other in path.parent.iterdir()
        if name.match(other.name) and not other.is_dir()
    )
    return read_file(beside[0]) if beside else None


def read_file(path: pathlib.Path) -> np.ndarray:
    """Reads one IDX file, plain or .gz, as an array.

    A plain file that is larger than `IN_MEMORY_BYTES` is memory mapped.

    The format: two zero bytes, the type, the number of axes, the size of each
    as a big-endian unsigned 32-bit integer, the values.

    Raises:
        InvalidArgument: If it is damaged or is no IDX file.
    """
    packed = path.suffix == ".gz"
    with damage.reading(path, "an IDX file"):
        size = path.stat().st_size
        with (gzip.open if packed else open)(path, "rb") as file:
            kind, shape = _header(file)
            expected = math.prod(shape) * kind.itemsize
            if not packed:
                damage.check_size(size - file.tell(), expected)
                if size > examples.IN_MEMORY_BYTES:
                    return np.memmap(path, kind, "r", file.tell(), shape)
            elif expected > size * _MOST_UNPACKED:
                raise ValueError(
                    f"its header announces {expected:,} bytes of values, more "
                    f"than {size:,} packed bytes can hold"
                )
            memory_dtype = kind.newbyteorder("=")
            return rows.read_values(file, shape, kind, memory_dtype)


def _header(file):
    """The type and the shape of the values that follow."""
    start = file.read(4)
    if start[:2] != b"\0\0" or start[2] not in _TYPES:
        raise ValueError("it does not start as one")
    axes = start[3]
    if axes > _MOST_AXES:
        raise ValueError(f"its header announces {axes} axes")
    shape = np.frombuffer(file.read(4 * axes), ">u4", count=axes)
    return np.dtype(_TYPES[start[2]]), tuple(map(int, shape))
