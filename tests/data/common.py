"""What the tests of kgen.data share."""

import errno
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from kgen.data.examples import Lazy


def random_uint8(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype="uint8")


def as_floats(images):
    """What uint8 images must come out as."""
    return images.astype("float64") / 255


def lazy(images):
    """The rows of an array as if each were read from a file."""
    return Lazy(images.__getitem__, images.shape, images.dtype)


def read(dataset):
    """All images of a pass, or all images and all labels, as arrays."""
    batches = list(dataset.as_numpy_iterator())
    if isinstance(batches[0], tuple):
        return tuple(np.concatenate(part) for part in zip(*batches))
    return np.concatenate(batches)


def sizes(dataset):
    return [len(batch) for batch in dataset]


def as_rows(images):
    """The images as a sorted list, to compare sets of them."""
    return sorted(tuple(np.ravel(image).tolist()) for image in images)


def save_picture(path, pixels, mode=None, **options):
    """Writes an array as a picture, in its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    image.convert(mode or image.mode).save(path, **options)
    return path


# Errors of the operating system's, which do not mean that a file is damaged.
what_the_system_lacks = pytest.mark.parametrize(
    "error",
    [
        MemoryError("no memory"),
        OSError(errno.EMFILE, "Too many open files"),
        PermissionError(errno.EACCES, "Permission denied"),
    ],
    ids=["memory", "open files", "permission"],
)


def png_of(chunks):
    """The content of a PNG file of chunks, which are pairs of a name and data."""

    def whole(name, data):
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    return b"\x89PNG\r\n\x1a\n" + b"".join(whole(*pair) for pair in chunks)
