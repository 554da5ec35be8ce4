"""Checks which arrays can be used as examples, and how to convert others."""

import numpy as np

from kgen.errors import invalid
from kgen.networks.common import is_channels_first

# An axis of at most this length is more likely channels than pixels.
_CHANNELS = 4
# An array with one side more than this many times the other may be a sequence,
# and not a picture.
_LENGTH = 8


def check_shape(images, name):
    """Raises where an array of examples could mean several things."""
    shape = images.shape
    if len(shape) == 3 and _is_ambiguous(*shape[1:]):
        _, height, width = shape
        one = f", or `x[None]` if it is one picture with {width} channels"
        raise invalid(
            name,
            "load",
            f"vectors or pictures, and {shape} could mean several things. Pass "
            f"`x[..., None]` if these are grey pictures of {height}x{width}, "
            f"`x.reshape(len(x), -1)` for vectors of {height * width} numbers"
            + (one if width <= _CHANNELS else ""),
            f"an array of shape {shape}",
        )
    if len(shape) == 4 and is_channels_first(shape[1:]):
        raise invalid(
            name,
            "load",
            "pictures of shape (n, height, width, channels); these seem to have "
            "their channels first: pass `np.moveaxis(x, 1, -1)`",
            f"an array of shape {shape}",
        )


def _is_ambiguous(height, width):
    short, long = sorted((height, width))
    return height != width and (short <= _CHANNELS or long > _LENGTH * short)


def advice(images):
    """How to convert an array to a supported type, without loss."""
    dtype = images.dtype
    if dtype.kind == "c":
        return "pass the real and the imaginary part, or `np.abs(x)`"
    if dtype.kind not in "iu":
        return 'convert them to numbers, such as by `x.astype("float32")`'
    is_vectors = images.ndim == 2
    low, high = images.min(), images.max()
    if not is_vectors and low >= 0 and high <= 255:
        return 'convert with `x.astype("uint8")` if 255 is white, else ' + (
            'divide by what is: `x.astype("float32") / white`'
        )
    if dtype.itemsize > 2:
        if is_vectors:
            return 'convert with `x.astype("float32")`'
        return 'scale by the largest possible: `x.astype("float32") / largest`'
    return f"scale with `{_scaled(np.iinfo(dtype), is_vectors)}`"


def _scaled(kind, is_vectors):
    x = 'x.astype("float32")'
    if kind.min == 0:
        return f"{x} / {kind.max}"
    if is_vectors:
        return f"{x} / {-kind.min}"
    return f"({x} + {-kind.min}) / {kind.max - kind.min}"


def as_array(values, name, one_shape="examples of one shape"):
    """Converts `values` to an array; raises if that is not possible."""
    if isinstance(values, np.ma.MaskedArray):
        raise invalid(
            name,
            "load",
            "values without gaps; fill them with `x.filled(value)`",
            "a masked array",
        )
    if isinstance(values, np.ndarray):
        return values
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:  # lists of several lengths
        raise invalid(
            name, "load", one_shape, _shapes(values) or error
        ) from error
    if array.dtype == object and not array.ndim:
        raise invalid(
            name,
            "load",
            "a path, the name of a data set, an array of shape (n, ...) or a "
            "pair (images, labels)",
            f"a {type(values).__name__}, of shape ()",
        )
    return array


def _shapes(values):
    """The first two different shapes in a list of arrays, in words."""
    found = list(dict.fromkeys(map(_shape_of, values)))
    return f"shapes {found[0]} and {found[1]}" if len(found) > 1 else ""


def is_pair(source):
    """Whether `source` is (examples, labels), not a list of two examples."""
    if not isinstance(source, (tuple, list)) or len(source) != 2:
        return False
    if isinstance(source, tuple):
        return True
    images, labels = map(_shape_of, source)
    one_each = labels == (*images[:1], 1) != images
    return one_each or len(images) != len(labels)


def _shape_of(values):
    try:
        return np.shape(values)
    except ValueError:  # of lists of several lengths
        return (len(values), "?")
