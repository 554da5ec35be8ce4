"""Plain PNG files, as most data sets have them, read many at a time.

A plain file has 8 bits a channel, no opacity, no palette, no interlacing, and nothing
but the size and the pixels in it. TensorFlow decodes such files in threads of its own
to the same pixels as Pillow. Damaged ones are left to Pillow, whose messages say what
is wrong.
"""

import functools
import os
import struct
import zlib
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
import tensorflow as tf
from PIL import Image

from kgen import damage

_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_HEADER = struct.Struct(">16x2I5BI")  # width, height, five bytes, checksum
_CHECKED = slice(12, 29)  # the bytes that the checksum covers
_CHUNK = struct.Struct(">I4s")  # a chunk's length and name

# Channels by the five bytes: depth, colours, compression, filters, interlacing.
_CHANNELS = {(8, 0, 0, 0, 0): 1, (8, 2, 0, 0, 0): 3}

# Larger pictures are not read many at a time.
_MOST_PIXELS = 2**22


def header(file: BinaryIO) -> tuple[int, int, int] | None:
    """Returns a picture's height, width and channels, 1 or 3.

    Args:
        file: The file, at its beginning. It is read up to the name of the first
            chunk after the header.

    Returns:
        The shape, or None if the file is not plain, or is damaged.
    """
    shape, _ = _header(file)
    return shape


def _header(file):
    """What `header` returns, and the bytes that were read."""
    start = file.read(_HEADER.size + _CHUNK.size)
    if len(start) < _HEADER.size + _CHUNK.size or start[:16] != _START:
        return None, start
    width, height, *kind, checksum = _HEADER.unpack_from(start)
    channels = _CHANNELS.get(tuple(kind))
    limit = min(Image.MAX_IMAGE_PIXELS or _MOST_PIXELS, _MOST_PIXELS)
    if (
        channels is None
        or not 0 < width * height <= limit
        or zlib.crc32(start[_CHECKED]) != checksum
        or not start.endswith(b"IDAT")
    ):
        return None, start
    return (height, width, channels), start


def read(path: str | os.PathLike, image_shape: tuple) -> bytes | None:
    """Returns a file's content, to be decoded as a picture of a shape.

    Args:
        path: The file.
        image_shape: `(height, width, channels)`; grey files can be decoded as
            coloured ones.

    Returns:
        The content, or None if it is no plain file, or has another shape.

    Raises:
        InvalidArgument: If it is no regular file.
    """
    if not str(path).lower().endswith(".png"):
        return None
    damage.check_regular(path)
    try:
        with open(path, "rb", buffering=0) as file:
            shape, start = _header(file)
            # Packed pixels can take a little more room than themselves.
            rest = shape and file.read(
                2 * shape[0] * shape[1] * shape[2] + 2**16
            )
    except OSError:
        return None
    same = [(*image_shape[:2], channels) for channels in (1, image_shape[2])]
    is_whole = (
        shape in same and image_shape[2] in (1, 3) and _is_whole(start + rest)
    )
    return start + rest if is_whole else None


def _is_whole(content):
    """Whether nothing but pixels stands between the header and the end."""
    start = _HEADER.size
    while start + _CHUNK.size <= len(content):
        size, name = _CHUNK.unpack_from(content, start)
        if name != b"IDAT":
            return (size, name) == (0, b"IEND")
        start += _CHUNK.size + size + 4  # the checksum
    return False


def decode(contents: Sequence[bytes], image_shape: tuple) -> np.ndarray | None:
    """Decodes the contents of files.

    Args:
        contents: What `read` returned, at least one.
        image_shape: `(height, width, channels)` of all.

    Returns:
        uint8 of shape `(n, height, width, channels)`; or None if one is damaged.
    """
    try:
        return _decoder(tuple(image_shape))(tf.constant(contents)).numpy()
    except tf.errors.InvalidArgumentError:
        return None


@functools.cache
def _decoder(image_shape):
    """A function from a tensor of contents to pixels."""
    picture = tf.TensorSpec(image_shape, tf.uint8)

    def decode_one(content):
        return tf.io.decode_png(content, channels=image_shape[2])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def decode_all(contents):
        with tf.device("CPU"):
            return tf.map_fn(decode_one, contents, fn_output_signature=picture)

    return decode_all
