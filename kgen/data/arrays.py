"""Examples out of arrays, .npy and .npz files."""

import contextlib
import functools
import math
import pathlib
import tempfile
import tokenize
import zipfile
import zlib

import numpy as np

from kgen.data import examples
from kgen.data.examples import Examples
from kgen.errors import InvalidArgument, invalid

_IMAGES = ("x", "images", "data", "arr_0")
_LABELS = ("y", "labels", "target", "arr_1")

_CHECKED_BYTES = 2**24
_MAX_LABEL = 2**31 - 1

# What NumPy and zipfile raise for damaged files.
_UNREADABLE = (
    ValueError,
    EOFError,
    MemoryError,
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
    images = _as_array(images, name)
    if images.ndim < 2 or not images.size:
        raise invalid(
            name,
            "load",
            "an array of shape (n, ...) with at least one example",
            f"shape {images.shape}",
        )
    if images.ndim == 3:
        images = images[..., None]
    check_dtype(images.dtype, name)
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


def _as_array(values, name):
    if isinstance(values, np.ndarray):
        return values
    try:
        return np.asarray(values)
    except ValueError as error:  # lists of several lengths
        raise invalid(
            name, "load", "examples of one shape", f"{error}"
        ) from error


def check_dtype(dtype, name):
    """Raises unless examples of `dtype` can be used."""
    if dtype not in (np.uint8, bool) and not np.issubdtype(dtype, np.floating):
        raise invalid(
            name,
            "load",
            "uint8 pictures (0 to 255), or floats; convert with "
            '`x.astype("uint8")`, or scale to [0, 1] as float32',
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
    labels = _as_array(labels, "labels")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise invalid(
            "labels",
            "load",
            f"{count} labels, one for each example of {name}",
            f"shape {labels.shape}",
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise invalid(
            "labels", "load", "integers", f"an array of {labels.dtype}"
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


def _from_npy(path, any_range):
    with _readable(path):
        images = np.lib.format.open_memmap(path, mode="r")
        if images.nbytes <= examples.IN_MEMORY_BYTES:
            images = np.array(images)
    return from_arrays(images, name=path.name, any_range=any_range)


def _from_npz(path, images, labels, any_range):
    with _readable(path), zipfile.ZipFile(path) as archive:
        images = _read_member(archive, images)
        labels = labels and _read_member(archive, labels)
    return from_arrays(images, labels, path.name, any_range)


def _read_member(archive, name):
    """An array of an .npz, unpacked to a temporary file if it is large."""
    member = f"{name}.npy"
    if archive.getinfo(member).file_size <= examples.IN_MEMORY_BYTES:
        with archive.open(member) as file:
            return np.lib.format.read_array(file)
    # Linux keeps the mapped bytes of a removed file until the map is closed.
    with tempfile.TemporaryDirectory(prefix="kgen-") as directory:
        file = archive.extract(member, directory)
        return np.lib.format.open_memmap(file, mode="r")
