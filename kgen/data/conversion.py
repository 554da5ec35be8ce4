"""Pictures brought to one shape: their size, their channels, their background."""

import math
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import ImageColor

from kgen.data import rows
from kgen.data.rows import Lazy
from kgen.errors import invalid, say_once

# The colour on which transparent pictures are shown.
WHITE = "white"

_MAX_SIDE = 2**15  # pixels


def check_background(background: Any) -> str:
    """Returns the name of an opaque colour, or raises."""
    try:
        colour = ImageColor.getrgb(background)
    except (ValueError, AttributeError, TypeError):
        colour = ()
    if len(colour) != 3 or not 0 <= min(colour) <= max(colour) <= 255:
        raise invalid(
            "background",
            "load",
            'an opaque colour by its name or its digits, such as "white" or '
            '"#ff8000"',
            repr(background),
        )
    return background


def check_image_shape(image_shape: Any) -> tuple[int, ...]:
    """Returns `(height, width, channels)` with 1, 3 or 4 channels, or raises.

    `(length, channels)` of sequences is returned, too.
    """
    try:
        sizes = tuple(int(size) for size in image_shape)
        if len(sizes) == 2 and min(sizes) >= 1:
            return sizes
        height, width, channels = sizes
        fits = min(height, width) >= 1 and max(height, width) <= _MAX_SIDE
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits or channels not in (1, 3, 4):
        raise invalid(
            "image_shape",
            "load",
            "(height, width, channels), with 1 channel (grey), 3 (colour) or 4 "
            f"(colour and opacity), and sides of at most {_MAX_SIDE} pixels; or "
            "(length, channels) of sequences",
            image_shape,
        )
    return height, width, channels


def check_convertible(shape: tuple, image_shape: tuple) -> None:
    """Raises unless examples of `shape` are pictures that can be converted."""
    if len(image_shape) == 2:
        raise invalid(
            "image_shape",
            "load",
            f"None or {tuple(shape)}, the shape of the examples: sequences are "
            "not brought to another length",
            image_shape,
        )
    if len(shape) != 3 or shape[-1] not in (1, 3, 4, None):
        raise invalid(
            "image_shape",
            "load",
            f"None: examples of shape {tuple(shape)} are no pictures with 1, 3 "
            "or 4 channels",
            image_shape,
        )


def convert(
    images: np.ndarray, image_shape: tuple, background: str = WHITE
) -> np.ndarray:
    """Resizes a batch of pictures and makes them grey or coloured.

    Args:
        images: Array of shape `(batch, height, width, 1, 3 or 4)`.
        image_shape: `(height, width, channels)` to bring them to.
        background: The colour behind pictures of 4 channels, of which the last
            is the opacity, where fewer are asked for.

    Returns:
        Array of the same dtype.
    """
    height, width, channels = image_shape
    if images.shape[1:] == tuple(image_shape):
        return images
    white = 255.0 if images.dtype == np.uint8 else 1.0
    x = _with_channels(tf.cast(images, "float32"), channels, white, background)
    if channels == 4:
        # Weighted by the opacity, so that transparent pixels do not colour
        # their neighbours.
        x = tf.concat([x[..., :3] * x[..., 3:], x[..., 3:]], -1)
    x = tf.image.resize(x, (height, width), antialias=True)
    if channels == 4:
        x = tf.concat(
            [tf.math.divide_no_nan(x[..., :3], x[..., 3:]), x[..., 3:]], -1
        )
    x = x.numpy()
    if images.dtype == np.uint8:
        return np.clip(np.round(x), 0, 255).astype("uint8")
    # Noisy pictures may leave [0, 1].
    low, high = min(0, images.min()), max(1, images.max())
    return np.clip(x, low, high).astype(images.dtype)


def _with_channels(x, channels, white, background):
    """Converts pictures of 1, 3 or 4 channels to one of these numbers."""
    if x.shape[-1] == 4 and channels < 4:
        say_once(
            f"Pictures with an opacity are shown on a {background} background."
        )
        colour = np.array(ImageColor.getrgb(background), "float32") / 255
        opacity = x[..., 3:] / white
        x = x[..., :3] * opacity + white * colour * (1 - opacity)
    if x.shape[-1] == 3 and channels == 1:
        x = tf.image.rgb_to_grayscale(x)
    if x.shape[-1] == 1 and channels > 1:
        x = tf.image.grayscale_to_rgb(x)
    if x.shape[-1] == 3 and channels == 4:
        x = tf.concat([x, tf.fill((*x.shape[:-1], 1), white)], -1)
    return x


def convert_all(
    images: np.ndarray | Lazy, image_shape: tuple, background: str = WHITE
) -> np.ndarray | Lazy:
    """Converts an array in memory at once, anything else when it is read."""
    if images.shape[1:] == tuple(image_shape):
        return images
    check_convertible(images.shape[1:], image_shape)

    def read(positions):
        return convert(images[positions], image_shape, background)

    shape = (len(images), *image_shape)
    if isinstance(images, Lazy) and not images.chosen:
        return Lazy(read, shape, images.dtype)
    converted = rows.empty(shape, images.dtype)
    # Parts are measured as floats of the larger of both shapes, which is what a
    # conversion holds in memory.
    largest = max(images.shape[1:], image_shape, key=math.prod)
    for part in rows.parts((len(images), *largest), np.dtype("float32")):
        converted[part] = read(part)
    return rows.make_read_only(converted)
