"""Whether two folders hold the same work, bit for bit."""

import csv
import io
import json
import pathlib
import re
import zipfile

import h5py
import numpy as np
from PIL import Image

# What is not done yet, or was about to be replaced.
_LEFT_OVER = re.compile(r"^\.\d+-|\.kgen-(new|old)$|^\..*\.trials$|^attempts$")
# Times, versions, checksums of files whose arrays are compared, addresses in
# memory, which Keras writes, and in which order workers ran trials.
_PASSED_OVER = {
    "date",
    "seconds",
    "versions",
    "blake2b",
    "shared_object_id",
    "start_order",
    "end_order",
    "run_times",
    "tried_so_far",
    "ongoing_trials",
}
# TensorBoard's files, whose names hold the time; the cache; a lock's holder.
_NOT_COMPARED = re.compile(r"(^|/)(logs|cache)(/|$)|(^|[/.])lock$|\.log$")


def files(folder):
    """The files that are compared, by their paths in the folder."""
    folder = pathlib.Path(folder)
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not _NOT_COMPARED.search(name):
            found[name] = path
    return found


def left_over(folder):
    """What a killed command has left behind, as sentences."""
    return [
        f"{path.relative_to(folder)} was left over"
        for path in sorted(pathlib.Path(folder).rglob("*"))
        if _LEFT_OVER.search(path.name)
    ]


def differences(folder, wanted):
    """How the work in a folder differs from what is wanted.

    Args:
        folder: `pathlib.Path`.
        wanted: `pathlib.Path`.

    Returns:
        List of sentences; an empty one where there is no difference.
    """
    ours, theirs = files(folder), files(wanted)
    said = left_over(folder)
    left = [name for name in ours if _is_left_over(name)]
    said += [f"{name} is missing" for name in theirs if name not in ours]
    said += [
        f"{name} should not be there"
        for name in ours
        if name not in theirs and name not in left
    ]
    for name in theirs:
        if name in ours:
            said += _compared(name, ours[name], theirs[name])
    return said


def unreadable(folder):
    """What can't be read in a folder, as sentences.

    A history may lack a part of its last row, and TensorBoard's files a record.
    """
    said = []
    for name, path in files(folder).items():
        if path.suffix in (".csv", ".pb") or _is_left_over(name):
            continue
        try:
            read(path)
        except Exception as error:  # whatever a reader raises
            said.append(f"{name} can't be read: {error}")
    return said


def _is_left_over(name):
    return any(_LEFT_OVER.search(part) for part in name.split("/"))


def _compared(name, path, wanted):
    try:
        found = read(path)
    except Exception as error:  # whatever a reader raises
        return [f"{name} can't be read: {error}"]
    wanted = read(wanted)
    if isinstance(wanted, dict):
        keys = [
            key
            for key in sorted({*found, *wanted})
            if not _are_equal(found.get(key), wanted.get(key))
        ]
        return [f"{name} differs in {', '.join(keys[:5])}"] if keys else []
    return [] if found == wanted else [f"{name} differs"]


def _are_equal(one, other):
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    return one == other  # of JSON: lists may have parts of several lengths


def read(path):
    """What a file holds that must be the same in two runs.

    Args:
        path: `pathlib.Path`.

    Returns:
        A dictionary, or anything else that `==` compares.
    """
    reader = _READERS.get(path.suffix, pathlib.Path.read_bytes)
    return reader(path)


def _weights(file):
    """All arrays of an HDF5 file, by their paths in it."""
    found = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(file) as weights:
        weights.visititems(keep)
    return found


def _model(path):
    """Weights, optimizer state, random streams, structure and kgen's facts."""
    with zipfile.ZipFile(path) as archive:
        found = _weights(io.BytesIO(archive.read("model.weights.h5")))
        for name in archive.namelist():
            if name.endswith(".json") and name != "metadata.json":
                found[name] = _lasting(json.loads(archive.read(name)))
    return found


def _history(path):
    with open(path, newline="") as lines:
        head, *rows = csv.reader(lines)
    columns = {
        # A field is empty between two looks.
        name: [float(row[i] or "inf") for row in rows]
        for i, name in enumerate(head)
    }
    return {name: np.array(column) for name, column in columns.items()}


def _json(path):
    found = _lasting(json.loads(path.read_text()))
    return found if isinstance(found, dict) else {"": found}


def _lasting(value):
    """A value of JSON without what differs from run to run."""
    if isinstance(value, dict):
        return {
            key: _lasting(one)
            for key, one in value.items()
            if key not in _PASSED_OVER
        }
    return (
        [_lasting(one) for one in value] if isinstance(value, list) else value
    )


def _picture(path):
    with Image.open(path) as picture:
        return {"": np.asarray(picture)}


def _arrays(path):
    found = np.load(path)
    return {"": found} if isinstance(found, np.ndarray) else dict(found)


def _page(path):
    """Only that it is whole: a page holds the date."""
    return path.read_text().rstrip().endswith("</html>")


def _is_there(path):
    return path.stat().st_size > 0


_READERS = {
    ".keras": _model,
    ".h5": _weights,
    ".csv": _history,
    ".json": _json,
    ".png": _picture,
    ".npy": _arrays,
    ".npz": _arrays,
    ".html": _page,
    # Of a SavedModel, whose order differs: see `tasks.export_differences`.
    ".pb": _is_there,
    ".index": _is_there,
    ".data-00000-of-00001": _is_there,
}
