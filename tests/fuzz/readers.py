"""Everything that reads files of others, each by the kind of the file."""

import json
import unittest.mock
import warnings

import kgen
from kgen import runs, studies
from kgen.data import open_source
from kgen.runs import training
from tests.fuzz.common import in_words, only_invalid, refused
from tests.settings import USUAL

CONFIG = {
    **USUAL,
    "model": "autoencoder",
    "epochs": 2,
    "options": {"hidden_units": [4]},
}


def _source(path):
    """All of a source, as a training reads it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of damaged pictures
        source = open_source(path)
        for split in source.readers:
            next(iter(source.examples(split).batches(batch_size=2)))


def _folder(path):
    _source(path.parent)


def _labels(path):
    images = b"\0\0\x08\3" + b"".join(n.to_bytes(4, "big") for n in (3, 2, 2))
    path.with_name(READERS["idx"][0]).write_bytes(images + bytes(12))
    _folder(path)


def _history(path):
    (path.parent / "config.json").write_text(json.dumps(CONFIG))
    run = runs.Run(path.parent)
    run.history()
    run.history_file.trim(1)


def _config(path):
    """What `kgen train --resume` does, but for the training."""
    nothing = unittest.mock.Mock()
    run = runs.Run(path.parent)
    with unittest.mock.patch.multiple(training, _fit=nothing, _end=nothing):
        runs.train(run, run.settings, resume=True)


# The name that a file of a kind must have, and what reads it.
READERS = {
    "idx": ("train-images-idx3-ubyte", _folder),
    "idx_labels": ("train-labels-idx1-ubyte", _labels),
    "gz": ("train-images-idx3-ubyte.gz", _folder),
    "npy": ("array.npy", _source),
    "npz": ("arrays.npz", _source),
    "png": ("1.png", _folder),
    "jpg": ("1.jpg", _folder),
    "gif": ("1.gif", _folder),
    "bmp": ("1.bmp", _folder),
    "webp": ("1.webp", _folder),
    "tif": ("1.tif", _folder),
    "ppm": ("1.ppm", _folder),
    "history": ("history.csv", _history),
    "config": ("config.json", _config),
    "study": ("study.toml", studies.read),
    "keras": ("model.keras", kgen.load_model),
}


def _may_be_raised(error):
    # What a file names may not be there: data, for one.
    return only_invalid(error) or isinstance(error, FileNotFoundError)


def check(place, kind, data):
    """Reads bytes as a file of a kind; they may be refused, in words.

    Args:
        place: A folder to write in.
        kind: Name out of `READERS`.
        data: The bytes.

    Returns:
        The error that refused them, or None.
    """
    name, read = READERS[kind]
    path = place / kind / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    # What safe mode refuses, Keras tells.
    allowed = in_words if kind == "keras" else _may_be_raised
    return refused(read, path, allowed=allowed)
