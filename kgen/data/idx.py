"""Folders of IDX files, the format of MNIST and its family."""

import gzip
import pathlib
import re
import zlib

import numpy as np

from kgen.data.arrays import from_arrays
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
_UNREADABLE = (
    ValueError,
    KeyError,
    IndexError,
    EOFError,
    OSError,
    zlib.error,
)


def find(folder):
    """Finds the image files of a folder.

    Args:
        folder: Path of the folder.

    Returns:
        Dictionary from splits (`"train"`, `"test"`) to files; `{}` if there
        are none.

    Raises:
        InvalidArgument: If there are files of several data sets.
    """
    found, families = {}, set()
    for path in sorted(pathlib.Path(folder).iterdir()):
        match = _IMAGES.match(path.name)
        if match:
            split = match["split"].replace("t10k", "test")
            # Where a file is there both plain and packed, the plain one sorts
            # first.
            found.setdefault(split, path)
            families.add(match["family"])
    if len(families) > 1:
        raise InvalidArgument(
            f"{folder} holds the files of several data sets "
            f"({', '.join(sorted(families))}). Put each into a folder of its "
            "own."
        )
    return found


def read_split(path):
    """Examples of an image file, with the label file beside it if any."""
    images = read_file(path)
    labels = _labels_beside(path)
    if labels is not None and labels.ndim == 2:
        labels = labels[:, 0]  # QMNIST: the class, then who wrote it
    return from_arrays(images, labels, name=path.name)


def _labels_beside(path):
    start = path.name[: path.name.index("-images")] + "-labels"
    beside = sorted(
        other for other in path.parent.iterdir() if other.name.startswith(start)
    )
    return read_file(beside[0]) if beside else None


def read_file(path):
    """Reads one IDX file, plain or .gz, as an array.

    The format: two zero bytes, the type, the number of axes, the size of each
    as a big-endian 32-bit integer, the values.

    Raises:
        InvalidArgument: If it is damaged or is no IDX file.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            data = file.read()
        zeros, kind, axes = data[:2], data[2], data[3]
        shape = np.frombuffer(data, ">i4", count=axes, offset=4)
        if zeros != b"\0\0":
            raise ValueError("it does not start as an IDX file")
        values = np.frombuffer(data, _TYPES[kind], offset=4 + 4 * axes)
        array = values.reshape(shape)
    except _UNREADABLE as error:
        raise InvalidArgument(
            f"{path} can't be read as an IDX file: {error}"
        ) from error
    return array.astype(array.dtype.newbyteorder("="))
