"""Many picture files as rows, which a few threads read."""

import concurrent.futures
import functools
import itertools
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgen.data import (
    arrays,
    examples,
    picture_cache,
    pictures,
    plain_png,
    rows,
)
from kgen.data.conversion import WHITE
from kgen.data.rows import Lazy
from kgen.errors import say_once

# Decoding runs outside Python's lock, but more threads than these would wait.
_MOST_THREADS = 8
_MOST_TOGETHER = 16  # files that a thread reads before it asks for more


def open_pictures(
    paths: Sequence, image_shape: tuple, background: str = WHITE, name: Any = ""
) -> np.ndarray | Lazy:
    """Picture files as uint8 rows.

    They are kept in memory if they fit. If not, each batch is read when it is
    needed, from the files or from `picture_cache`.

    Args:
        paths: The files.
        image_shape: `(height, width, channels)` that they are brought to.
        background: The colour on which transparent pictures are shown.
        name: The name of all of them in messages.

    Returns:
        An array, or `Lazy` rows.

    Raises:
        InvalidArgument: If one of them can't be read as a picture.
    """
    paths = np.asarray([str(path) for path in paths], dtype=object)
    decode = functools.partial(_decode, paths, image_shape, background)
    stored = picture_cache.stored(paths, image_shape, background, decode)

    numbers = np.arange(len(paths))

    def read(index):
        positions = np.atleast_1d(numbers[index])
        pixels, was_transparent = (stored or decode)(positions)
        if was_transparent.any():
            say_once(
                f"{name} holds pictures with transparent parts; they are shown "
                f"on {background}. Choose the colour with `background` "
                "(--background), or keep the transparency with an `image_shape` "
                "of 4 channels."
            )
        return pixels

    images = Lazy(read, (len(paths), *image_shape), np.dtype("uint8"))
    if math.prod(images.shape) <= examples.IN_MEMORY_BYTES:
        # While some are decoded, the next ones are read.
        pixels = rows.read_all(images, for_each=in_threads)
        with arrays.read_from(name):
            arrays.check_bytes(pixels)
        return pixels
    if not stored:
        # A picture that can't be read is named now, not hours into a training.
        for part in rows.parts(images.shape, images.dtype):
            _, _, others = _plain(paths[part], image_shape)
            in_threads(pictures.check_readable, paths[part][others])
    return images


def _plain(paths, image_shape):
    """Positions of plain PNG files, their pixels, and the other positions."""
    contents = [plain_png.read(path, image_shape) for path in paths]
    plain = [n for n, content in enumerate(contents) if content]
    contents = [contents[n] for n in plain]
    pixels = plain_png.decode(contents, image_shape) if plain else None
    if pixels is None:  # or if one of them is damaged: it is to be named
        plain, pixels = [], np.empty((0, *image_shape), "uint8")
    others = np.delete(np.arange(len(paths)), plain)
    return np.array(plain, int), pixels, others


def _decode(paths, image_shape, background, positions):
    """Pixels, and whether transparent parts were replaced, of some files."""
    paths = paths[positions]
    pixels = np.empty((len(paths), *image_shape), "uint8")
    transparent = np.zeros(len(paths), bool)
    plain, plain_pixels, others = _plain(paths, image_shape)
    pixels[plain] = plain_pixels

    def read(number):
        pixels[number], transparent[number] = pictures.read_picture(
            paths[number], image_shape, background
        )

    in_threads(read, others)
    return pixels, transparent


def in_threads(function: Callable, values: Sequence) -> list:
    """What a function returns of each value, in their order.

    Args:
        function: Called by a few threads at the same time.
        values: Anything that can be sliced.

    Raises:
        Exception: The one of the first value that has one.
    """
    threads = min(_cores(), _MOST_THREADS)
    size = min(_MOST_TOGETHER, max(1, len(values) // (4 * threads)))
    parts = [values[n : n + size] for n in range(0, len(values), size)]
    if threads == 1 or len(parts) <= 1:
        return [function(value) for value in values]
    # Of this call alone: threads would be missing in a process that was forked.
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        results = pool.map(lambda part: [function(v) for v in part], parts)
        return list(itertools.chain.from_iterable(results))


def _cores():
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
