"""Arrays that can be used as examples, and how to convert others."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kgen import arrays
from kgen.data import rows
from kgen.data.examples import Examples
from kgen.data.rows import Lazy, in_memory
from kgen.errors import InvalidArgument, invalid
from kgen.networks.common import is_channels_first

# An axis of at most this length is more likely channels than pixels.
_CHANNELS = 4
# Labels above this many times the number of classes are identifiers, and don't
# number the classes; a model would get an output for each number up to them.
_SPARSE = 1000
# Arrays of uint8 with one side more than this many times the other may be sequences,
# and not pictures.
_LENGTH = 4


@contextlib.contextmanager
def read_from(name: str | os.PathLike) -> Iterator[None]:
    """Within it, an error about arrays names the file or data set they are from."""
    try:
        yield
    except InvalidArgument as error:
        raise InvalidArgument(f"{name}: {error}") from error


def from_arrays(
    images: Any,
    labels: Any = None,
    any_range: bool = False,
    is_own: bool = False,
    image_shape: tuple | None = None,
    lowest_label: int = 0,
) -> Examples:
    """Checks arrays and gives them the form of examples.

    uint8 stays as it is; floats become float32. Pictures without an axis of
    channels, `(n, height, width)`, get one; sequences, `(n, length, channels)`,
    must be asked for by `image_shape`, and so must pictures that could be
    sequences.

    Args:
        images: Array of shape `(n, ...)`, or a memory map.
        labels: Integers of shape `(n,)`, or None.
        any_range: Whether pictures may have values outside [0, 1].
        is_own: Whether nobody else holds the images, so that they need no copy.
        image_shape: As in `kgen.data.load`.
        lowest_label: The least that a label may be; -1 where it marks an unknown
            class.

    Returns:
        `Examples`.
    """
    images = _as_array(images, "source")
    if images.ndim < 2 or not images.size:
        raise invalid(
            "source",
            "load",
            "an array of shape (n, ...) with at least one example",
            f"shape {images.shape}",
        )
    check_dtype(images.dtype, lambda: _conversion(images))
    if image_shape not in (images.shape[1:], (*images.shape[1:], 1)):
        _check_shape(images.shape, images.dtype)
    if images.ndim == 3 and image_shape != images.shape[1:]:
        images = images[..., None]
    dtype = np.dtype("uint8" if images.dtype == np.uint8 else "float32")
    if not in_memory(images):
        images = rows.as_lazy_rows(images)
    elif not (is_own and images.flags.c_contiguous and images.dtype == dtype):
        images = rows.read_all(images, dtype)
    check_values(images, len(images.shape) == 4 and not any_range)
    if labels is not None:
        labels = _as_labels(labels, len(images), lowest_label)
    return Examples(images, labels)


def check_dtype(
    dtype: np.dtype,
    advice: Callable[[], str] = lambda: "convert it to one of these",
) -> None:
    """Raises unless examples of `dtype` can be used.

    Args:
        dtype: A NumPy dtype.
        advice: Function that returns how to convert them.
    """
    if dtype not in (np.uint8, bool) and not np.issubdtype(dtype, np.floating):
        raise invalid(
            "source",
            "load",
            f"uint8 pictures (0 to 255), or floats; {advice()}",
            f"an array of {dtype}",
        )


def check_values(images: np.ndarray | Lazy, unit: bool) -> None:
    """Raises unless all values are finite, and in [0, 1] if `unit`.

    Only a part of lazy rows is in memory at a time.
    """
    if images.dtype == np.uint8:
        check_bytes(images)
        return
    for part in rows.parts(images.shape, images.dtype):
        arrays.check_range(
            "source",
            "load",
            images[part],
            (0, 1) if unit else None,
            "values in [0, 1]; scale the data, or pass uint8 pictures",
        )


def check_bytes(images: np.ndarray | Lazy) -> None:
    """Raises if all bytes are 0 or 1, and some are 1.

    These are truth values. As pictures from 0 to 255 they would be almost black.
    In most data, the first part has a larger value, and no more is read.

    Args:
        images: uint8 array, or `Lazy` rows.
    """
    largest = 0
    for part in rows.parts(images.shape, images.dtype):
        largest = max(largest, images[part].max())
        if largest > 1:
            return
    if largest == 1:
        raise invalid(
            "source",
            "load",
            "uint8 pictures from 0 to 255. Pass truth values as bool, such as "
            "`x.astype(bool)`, and pictures of two grey values as `255 * x`",
            "bytes that are all 0 or 1",
        )


def _as_labels(labels, count, lowest):
    """Labels as int32 of shape `(count,)`, or an error."""
    labels = _as_array(labels, "labels", "an integer for each example")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    arrays.check_labels(labels, 2**31, count, "load", lowest)
    classes = np.unique(labels)
    if len(classes) and classes[-1] > _SPARSE * len(classes):
        raise invalid(
            "labels",
            "load",
            "classes numbered from 0 on; `np.unique(labels, "
            "return_inverse=True)[1]` gives each class its number",
            f"{len(classes)} classes with numbers up to {classes[-1]}",
        )
    return labels.astype("int32")


def _as_array(values, name, one_shape="examples of one shape"):
    """Converts `values` to an array; raises if that is not possible."""
    if isinstance(values, np.ma.MaskedArray):
        raise arrays.masked(name, "load")
    if isinstance(values, np.ndarray):
        return values
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:  # lists of several lengths
        shapes = list(dict.fromkeys(map(_shape_of, values)))
        received = error
        if len(shapes) > 1:
            received = f"shapes {shapes[0]} and {shapes[1]}"
        raise invalid(name, "load", one_shape, received) from error
    if array.dtype == object and not array.ndim:
        raise invalid(
            name,
            "load",
            "a path, the name of a data set, an array of shape (n, ...) or a "
            "pair (images, labels)",
            f"a {type(values).__name__}, of shape ()",
        )
    return array


def is_pair(source: Any) -> bool:
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


def _check_shape(shape, dtype):
    """Raises where an array of examples could mean several things."""
    if len(shape) == 3 and _is_ambiguous(*shape[1:], dtype):
        _, height, width = shape
        hint = f", or `x[None]` if it is one picture with {width} channels"
        raise invalid(
            "source",
            "load",
            f"vectors, sequences or pictures, and {shape} could mean several "
            f"things. Pass `image_shape=({height}, {width})` (--image-shape "
            f"{height}x{width}) for sequences of length {height} with {width} "
            f"channels, `image_shape=({height}, {width}, 1)` (--image-shape "
            f"{height}x{width}x1) or `x[..., None]` for grey pictures of "
            f"{height}x{width}, "
            f"`x.reshape(len(x), -1)` for vectors of {height * width} numbers"
            + (hint if width <= _CHANNELS else ""),
            f"an array of shape {shape}",
        )
    if len(shape) == 4 and is_channels_first(shape[1:]):
        raise invalid(
            "source",
            "load",
            "pictures of shape (n, height, width, channels); these seem to have "
            "their channels first: pass `np.moveaxis(x, 1, -1)`",
            f"an array of shape {shape}",
        )


def _is_ambiguous(height, width, dtype):
    short, long = sorted((height, width))
    if dtype == np.uint8 and short > _CHANNELS and long <= _LENGTH * short:
        return False  # uint8 means pictures, but for very long ones
    return height != width


def _conversion(images):
    """How to convert an array to a supported type, without loss."""
    dtype = images.dtype
    if dtype.kind == "c":
        return "pass the real and the imaginary part, or `np.abs(x)`"
    if dtype.kind not in "iu":
        return 'convert them to numbers, such as by `x.astype("float32")`'
    is_vectors = images.ndim == 2
    as_floats = 'x.astype("float32")'
    if not is_vectors and images.min() >= 0 and images.max() <= 255:
        return (
            'convert with `x.astype("uint8")` if 255 is white, else divide by '
            f"what is: `{as_floats} / white`"
        )
    if dtype.itemsize > 2:
        if is_vectors:
            return f"convert with `{as_floats}`"
        return f"scale by the largest possible: `{as_floats} / largest`"
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    if low == 0:
        return f"scale with `{as_floats} / {high}`"
    if is_vectors:
        return f"scale with `{as_floats} / {-low}`"
    return f"scale with `({as_floats} + {-low}) / {high - low}`"
