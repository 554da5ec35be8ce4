"""Examples out of arrays, .npy and .npz files."""

import contextlib
import errno
import functools
import math
import pathlib
import shutil
import tempfile
import tokenize
import zipfile
import zlib

import numpy as np

from kgen.data import examples, reading, shapes
from kgen.data.examples import Examples
from kgen.errors import InvalidArgument, invalid

_IMAGES = ("x", "images", "data", "arr_0")
_LABELS = ("y", "labels", "target", "arr_1")

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_CHECKED_BYTES = 2**24
_MAX_LABEL = 2**31 - 1

# What NumPy and zipfile raise for damaged files.
_UNREADABLE = (
    ValueError,
    EOFError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def from_arrays(images, labels=None, name="source", any_range=False):
    """Checks arrays and gives them the form of examples.

    uint8 stays as it is; floats become float32. Pictures without an axis of
    channels, `(n, height, width)`, get one.

    Args:
        images: Array of shape `(n, ...)`, or a memory map.
        labels: Integers of shape `(n,)`, or None.
        name: What the error message calls it.
        any_range: Whether pictures may have values outside [0, 1].

    Returns:
        `Examples`.
    """
    images = shapes.as_array(images, name)
    if images.ndim < 2 or not images.size:
        raise invalid(
            name,
            "load",
            "an array of shape (n, ...) with at least one example",
            f"shape {images.shape}",
        )
    check_dtype(images.dtype, name, lambda: shapes.advice(images))
    shapes.check_shape(images, name)
    if images.ndim == 3:
        images = images[..., None]
    if not examples.in_memory(images):
        images = examples.Mapped(images)
    elif images.dtype != np.uint8:
        with np.errstate(over="ignore"):
            images = images.astype("float32", copy=False)
    unit = len(images.shape) == 4 and not any_range
    check_values(images, name, unit)
    if labels is not None:
        labels = check_labels(labels, len(images), name)
    return Examples(images, labels)


def check_dtype(dtype, name, advice=lambda: "convert it to one of these"):
    """Raises unless examples of `dtype` can be used.

    Args:
        dtype: A NumPy dtype.
        name: What the error message calls the examples.
        advice: Function that says what to do.
    """
    if dtype not in (np.uint8, bool) and not np.issubdtype(dtype, np.floating):
        raise invalid(
            name,
            "load",
            f"uint8 pictures (0 to 255), or floats; {advice()}",
            f"an array of {dtype}",
        )


def check_values(images, name, unit):
    """Raises unless all is finite, and in [0, 1] if `unit`."""
    if images.dtype == np.uint8:
        return
    step = max(1, _CHECKED_BYTES // (4 * math.prod(images.shape[1:])))
    for start in range(0, len(images), step):
        part = images[start : start + step]
        low, high = part.min(), part.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            raise invalid(name, "load", "finite numbers", "NaN or infinity")
        if unit and (low < 0 or high > 1):
            raise invalid(
                name,
                "load",
                "values in [0, 1]; scale the data, or pass uint8 pictures",
                f"values from {low!s} to {high!s}",
            )


def check_labels(labels, count, name="labels"):
    """Returns labels as int32 of shape `(count,)`, or raises."""
    labels = shapes.as_array(labels, "labels", "an integer for each example")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,):
        one_hot = labels.ndim == 2 and len(labels) == count
        advice = "; of one-hot rows, `y.argmax(axis=1)`" if one_hot else ""
        raise invalid(
            "labels",
            "load",
            f"{count} labels, one for each example of {name}{advice}",
            f"shape {labels.shape}",
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise invalid(
            "labels",
            "load",
            f"integers, such as `{_as_integers(labels)}`",
            f"an array of {labels.dtype}",
        )
    low, high = labels.min(), labels.max()
    if low < 0 or high > _MAX_LABEL:
        raise invalid(
            "labels",
            "load",
            f"integers from 0 to {_MAX_LABEL}",
            f"values from {low} to {high}",
        )
    return labels.astype("int32")


def _as_integers(labels):
    """How to make integers of labels, and mix no classes up."""
    whole = labels.dtype.kind == "b" or (
        labels.dtype.kind == "f" and (labels == np.rint(labels)).all()
    )
    if whole:
        return 'y.astype("int32")'
    return "np.unique(y, return_inverse=True)[1]"


def from_file(path, any_range=False):
    """Reads a .npy or .npz file; memory maps what is larger than the budget.

    An .npz may hold the splits of Keras's own files (`x_train`, `y_train`,
    `x_test`, `y_test`), or images under `x`, `images`, `data` or `arr_0`, and
    labels under `y`, `labels`, `target` or `arr_1`.

    Args:
        path: The file.
        any_range: As in `from_arrays`.

    Returns:
        Dictionary from splits to functions that give their `Examples`; one
        entry `"all"` where the file has no splits.
    """
    path = pathlib.Path(path)
    if path.suffix == ".npy":
        return {"all": functools.partial(_from_npy, path, any_range)}
    with _readable(path), zipfile.ZipFile(path) as archive:
        names = [
            name.removesuffix(".npy")
            for name in archive.namelist()
            if name.endswith(".npy")
        ]
    return {
        split: functools.partial(_from_npz, path, *pair, any_range)
        for split, pair in _pairs(names, path).items()
    }


def _pairs(names, path):
    """The names of each split's images and labels (or None)."""

    def first(wanted):
        return next((name for name in wanted if name in names), None)

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


@contextlib.contextmanager
def _readable(path):
    """Turns the errors of damaged files into one that names the file."""
    try:
        yield
    except _UNREADABLE as error:
        raise InvalidArgument(f"{path} can't be read: {error}") from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise InvalidArgument(
            f"{path} can't be read: it points to places outside of itself"
        ) from error


def _from_npy(path, any_range):
    reading.check_regular(path)
    with _readable(path):
        with open(path, "rb") as file:
            check_header(file, path.stat().st_size)
        images = np.lib.format.open_memmap(path, mode="r")
        if images.nbytes <= examples.IN_MEMORY_BYTES:
            images = np.array(images)
    return from_arrays(images, name=path.name, any_range=any_range)


def check_header(file, size):
    """Raises ValueError unless a .npy's header is true.

    Args:
        file: The .npy, at its beginning.
        size: How many bytes it has.
    """
    version = np.lib.format.read_magic(file)
    read = _HEADERS.get(version)
    if read is None:
        raise ValueError(f"its format {version} is not that of plain numbers")
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError(
            "it holds Python objects, and these are never loaded; save an array "
            "of numbers"
        )
    if min(shape, default=0) < 0:
        raise ValueError(f"its header announces the shape {shape}")
    reading.check_size(size - file.tell(), math.prod(shape) * dtype.itemsize)


def _from_npz(path, images, labels, any_range):
    reading.check_regular(path)
    with _readable(path), zipfile.ZipFile(path) as archive:
        images = _read_member(archive, images)
        labels = labels and _read_member(archive, labels)
    return from_arrays(images, labels, path.name, any_range)


def _read_member(archive, name):
    """An array of an .npz, unpacked to a temporary file if it is large."""
    member = f"{name}.npy"
    size = archive.getinfo(member).file_size
    with archive.open(member) as file:
        check_header(file, size)
    if size <= examples.IN_MEMORY_BYTES:
        with archive.open(member) as file:
            return np.lib.format.read_array(file)
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
