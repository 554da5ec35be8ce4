"""Random changes of pictures that can be differentiated by the pictures.

Each is a function of pictures in [0, 1], of shape `(batch, height, width, channels)`,
and of uniform draws in [0, 1), each of shape `(batch, 1, 1, 1)`. It returns pictures
of the same shape.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
from tensorflow import Tensor

# A picture's largest shift, and the sides of its hole, in its own sides; and the
# largest change of its brightness (Zhao et al. 2020).
_SHIFT, _HOLE, _BRIGHTNESS = 1 / 8, 1 / 2, 1 / 4
# What fills the places outside of the picture, and holes.
_GRAY = 0.5
# The largest change of its size, as a factor.
_SCALE = 1.25


class Transformation(NamedTuple):
    """A change of pictures.

    Args:
        draws: How many uniform draws it needs for each picture.
        apply: Function of the pictures and a list of so many draws.
    """

    draws: int
    apply: Callable[[Tensor, list[Tensor]], Tensor]


def color(x: Tensor, draws: list[Tensor]) -> Tensor:
    """Another brightness, saturation and contrast; not clipped to [0, 1].

    Of four channels the last one is the opacity, which stays.
    """
    if x.shape[3] == 4:
        return tf.concat([color(x[..., :3], draws), x[..., 3:]], axis=3)
    brightness, saturation, contrast = draws
    x += (2.0 * brightness - 1.0) * _BRIGHTNESS
    x = _spread(x, 2.0 * saturation, axis=[3])
    return _spread(x, contrast + 0.5, axis=[1, 2, 3])


def _spread(x, factor, axis):
    """x with distances from its means that are larger by a factor."""
    mean = tf.reduce_mean(x, axis=axis, keepdims=True)
    return (x - mean) * factor + mean


def translation(x: Tensor, draws: list[Tensor]) -> Tensor:
    """Moved by whole pixels, up to 1/8 of the sides; gray comes in."""
    places = []
    for place, draw, side in zip(_places(x), draws, x.shape[1:3]):
        most = _rounded(_SHIFT * side)
        places.append(place + tf.floor(draw * (2 * most + 1)) - most)
    return _taken(x, *places)


def flip(x: Tensor, draws: list[Tensor]) -> Tensor:
    """Every other one mirrored, left to right."""
    (draw,) = draws
    return tf.where(draw < 0.5, x, tf.reverse(x, [2]))


def affine(x: Tensor, draws: list[Tensor]) -> Tensor:
    """Turned by any angle, and 0.8 to 1.25 times as large; gray comes in."""
    turn, size = draws
    angle = 2.0 * math.pi * turn
    factor = _SCALE ** (2.0 * size - 1.0)
    cos, sin = tf.cos(angle) / factor, tf.sin(angle) / factor
    middle = [0.5 * (side - 1) for side in x.shape[1:3]]
    row, column = (p - m for p, m in zip(_places(x), middle))
    return _interpolated(
        x,
        cos * row - sin * column + middle[0],
        sin * row + cos * column + middle[1],
    )


def cutout(x: Tensor, draws: list[Tensor]) -> Tensor:
    """With a gray hole of half the sides, whose middle is anywhere."""
    is_out = tf.constant(False)
    for place, draw, side in zip(_places(x), draws, x.shape[1:3]):
        hole = _rounded(_HOLE * side)
        first = tf.floor(draw * (side + 1 - hole % 2)) - hole // 2
        is_out = tf.logical_or(
            is_out, tf.logical_or(place < first, place >= first + hole)
        )
    return tf.where(is_out, x, _GRAY)


def _rounded(number):
    return math.floor(number + 0.5)  # where Python's `round` makes 2 of 2.5


def _places(x):
    """The rows and the columns, of shapes that broadcast to the pictures'."""
    height, width = x.shape[1:3]
    rows = tf.reshape(tf.range(height, dtype="float32"), (1, height, 1, 1))
    return rows, tf.reshape(tf.range(width, dtype="float32"), (1, 1, width, 1))


def _taken(x, rows, columns):
    """Pixels of x by their places; gray where there are none.

    Args:
        x: Pictures.
        rows: Whole numbers as float32; they and `columns` broadcast to
            `(batch, height, width, 1)`.
        columns: The same.
    """
    height, width, channels = x.shape[1:]
    is_inside = (rows >= 0) & (rows < height) & (columns >= 0)
    is_inside = is_inside & (columns < width)
    index = tf.clip_by_value(rows, 0, height - 1) * width
    index = tf.cast(index + tf.clip_by_value(columns, 0, width - 1), "int32")
    pixels = tf.reshape(x, (-1, height * width, channels))
    index = tf.reshape(index, (-1, height * width))
    taken = tf.gather(pixels, index, axis=1, batch_dims=1)
    taken = tf.reshape(taken, (-1, height, width, channels))
    return tf.where(is_inside, taken, _GRAY)


def _interpolated(x, rows, columns):
    """Like `_taken`, between the four pixels around each place."""
    top, left = tf.floor(rows), tf.floor(columns)
    total = 0.0
    for row, by_row in ((top, top + 1 - rows), (top + 1, rows - top)):
        for column, by_column in (
            (left, left + 1 - columns),
            (left + 1, columns - left),
        ):
            total += by_row * by_column * _taken(x, row, column)
    return total


TRANSFORMATIONS = {
    "flip": Transformation(1, flip),
    "affine": Transformation(2, affine),
    "translation": Transformation(2, translation),
    "color": Transformation(3, color),
    "cutout": Transformation(2, cutout),
}
