"""Examples out of arrays, .npy and .npz files."""

import pathlib
import tempfile
import zipfile

import numpy as np

from kgen.data import examples
from kgen.data.examples import Examples
from kgen.errors import InvalidArgument, invalid

_IMAGES = ("x", "images", "data", "arr_0")
_LABELS = ("y", "labels", "target", "arr_1")


def from_arrays(images, labels=None, name="source"):
    """Checks arrays and gives them the form of examples.

    uint8 stays as it is; floats become float32. Pictures without an axis of
    channels, `(n, height, width)`, get one.

    Args:
        images: Array of shape `(n, ...)`, or a memory map.
        labels: Integers of shape `(n,)`, or None.
        name: What the error message calls it.

    Returns:
        `Examples`.
    """
    images = images if isinstance(images, np.ndarray) else np.asarray(images)
    if images.ndim < 2 or not images.size:
        raise invalid(
            name,
            "load",
            "an array of shape (n, ...) with at least one example",
            f"shape {images.shape}",
        )
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8:
        images = _floats(images, name)
    if labels is not None:
        labels = check_labels(labels, len(images), name)
    return Examples(images, labels)


def _floats(images, name):
    if images.dtype == bool:
        return images.astype("float32")
    if not np.issubdtype(images.dtype, np.floating):
        raise invalid(
            name,
            "load",
            "uint8 pictures (0 to 255), or floats; convert with "
            '`x.astype("uint8")`, or scale to [0, 1] as float32',
            f"an array of {images.dtype}",
        )
    if not examples.in_memory(images):
        _check_values(images, name, step=10_000)
        return images
    _check_values(images, name, step=len(images))
    return images.astype("float32", copy=False)


def _check_values(images, name, step):
    """Raises unless all is finite, and pictures are in [0, 1]."""
    for start in range(0, len(images), step):
        part = images[start : start + step]
        low, high = part.min(), part.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            raise invalid(name, "load", "finite numbers", "NaN or infinity")
        if images.ndim == 4 and (low < 0 or high > 1):
            raise invalid(
                name,
                "load",
                "pictures with values in [0, 1]; scale the data, or pass uint8",
                f"values from {low:g} to {high:g}",
            )


def check_labels(labels, count, name="labels"):
    """Returns labels as int32 of shape `(count,)`, or raises."""
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise invalid(
            "labels",
            "load",
            f"{count} labels, one for each example of {name}",
            f"shape {labels.shape}",
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise invalid(
            "labels", "load", "integers from 0", f"an array of {labels.dtype}"
        )
    return labels.astype("int32")


def from_file(path):
    """Reads a .npy or .npz file; memory maps what is larger than the budget.

    An .npz may hold the splits of Keras's own files (`x_train`, `y_train`,
    `x_test`, `y_test`), or images under `x`, `images`, `data` or `arr_0`, and
    labels under `y`, `labels`, `target` or `arr_1`.

    Args:
        path: The file.

    Returns:
        Dictionary from splits to functions that give their `Examples`; one
        entry `"all"` where the file has no splits.
    """
    path = pathlib.Path(path)
    try:
        if path.suffix == ".npy":
            images = _read_npy(path)
            return {"all": lambda: from_arrays(images, name=path.name)}
        with zipfile.ZipFile(path) as archive:
            names = [pathlib.Path(name).stem for name in archive.namelist()]
            read = {name: _read_member(archive, name) for name in names}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidArgument(f"{path} can't be read: {error}") from error
    splits = {
        split: (read[f"x_{split}"], read.get(f"y_{split}"))
        for split in ("train", "validation", "test")
        if f"x_{split}" in read
    }
    if not splits:
        splits = {"all": _undivided(read, path)}
    return {
        split: lambda pair=pair: from_arrays(*pair, name=path.name)
        for split, pair in splits.items()
    }


def _undivided(read, path):
    images = next((read[name] for name in _IMAGES if name in read), None)
    if images is None and len(read) == 1:
        images = next(iter(read.values()))
    if images is None:
        raise InvalidArgument(
            f"{path} holds the arrays {', '.join(read)}. Expected images under "
            f"one of {', '.join(_IMAGES)}, or under x_train and x_test."
        )
    return images, next((read[name] for name in _LABELS if name in read), None)


def _read_npy(path):
    array = np.load(path, mmap_mode="r")
    if array.nbytes > examples.IN_MEMORY_BYTES:
        return array
    return np.array(array)


def _read_member(archive, name):
    """An array of an .npz, unpacked to a temporary file if it is large."""
    member = f"{name}.npy"
    if archive.getinfo(member).file_size <= examples.IN_MEMORY_BYTES:
        with archive.open(member) as file:
            return np.lib.format.read_array(file)
    directory = tempfile.TemporaryDirectory(prefix="kgen-")
    array = np.load(archive.extract(member, directory.name), mmap_mode="r")
    # Linux keeps the mapped bytes of a removed file until the map is closed.
    directory.cleanup()
    return array
