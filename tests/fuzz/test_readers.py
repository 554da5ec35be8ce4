"""Files that are nearly valid: each is read, or refused in words."""

import gzip
import io
import json
import struct
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kgen.data import open_source
from kgen.runs import Run
from tests.fuzz.common import examples, mutated, only_invalid, refused

pytestmark = pytest.mark.slow


def _idx(shape=(3, 2, 2), kind=0x08):
    count = int(np.prod(shape))
    header = struct.pack(f">BBBB{len(shape)}i", 0, 0, kind, len(shape), *shape)
    return header + bytes(range(count))


def _array(save, *arrays, **options):
    file = io.BytesIO()
    save(file, *arrays, **options)
    return file.getvalue()


def _picture(kind, mode="RGB", **options):
    file = io.BytesIO()
    pixels = np.arange(8 * 8 * 3, dtype="uint8").reshape(8, 8, 3)
    image = Image.fromarray(pixels).convert(mode)
    image.save(file, kind, **options)
    return file.getvalue()


_NPY = [
    _array(np.save, np.zeros((3, 2, 2, 1), "uint8")),
    _array(np.save, np.zeros((3, 4), "float64")),
]
_ARRAYS = {"x": np.zeros((3, 2, 2), "uint8"), "y": np.arange(3)}
_NPZ = [
    _array(np.savez, **_ARRAYS),
    _array(np.savez_compressed, **_ARRAYS),
]
_PICTURES = {
    "png": [_picture("PNG"), _picture("PNG", "P"), _picture("PNG", "I;16")],
    "jpg": [_picture("JPEG"), _picture("JPEG", "L")],
    "gif": [_picture("GIF", "P")],
    "bmp": [_picture("BMP"), _picture("BMP", "1")],
}
_CONFIG = {
    "model": "vae",
    "data": "digits",
    "image_shape": None,
    "data_dir": None,
    "network": "conv",
    "latent_dim": 8,
    "epochs": 2,
    "batch_size": 64,
    "seed": 0,
    "conditional": False,
    "binarize": False,
    "kl_warmup": 0.0,
    "options": {"hidden_units": [8]},
}
_HISTORY = "epoch,loss,val_loss\r\n0,1.5,2.5\r\n1,1.25,2.25\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def _read(path, image_shape=None):
    """All of a source, as a training reads it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of damaged pictures
        source = open_source(path, image_shape)
        for split in source.readers:
            found = source.examples(split)
            next(iter(found.batches(batch_size=2)))


def _check_file(path, data, read):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    refused(read, path, allowed=only_invalid)


@examples(400)
@given(mutated(_idx()), st.booleans())
def test_idx(folder, data, packed):
    name = "train-images-idx3-ubyte" + ".gz" * packed
    data = gzip.compress(data, mtime=0) if packed else data
    path = folder / f"idx-{packed}" / name
    _check_file(path, data, lambda path: _read(path.parent))


@examples(300)
@given(mutated(_idx((3,))))
def test_idx_labels(folder, data):
    path = folder / "labels" / "train-labels-idx1-ubyte"
    path.parent.mkdir(exist_ok=True)
    (path.parent / "train-images-idx3-ubyte").write_bytes(_idx())
    _check_file(path, data, lambda path: _read(path.parent))


@examples(300)
@given(mutated(gzip.compress(_idx(), mtime=0), header=16))
def test_gz(folder, data):
    path = folder / "gz" / "train-images-idx3-ubyte.gz"
    _check_file(path, data, lambda path: _read(path.parent))


@examples(600)
@given(st.sampled_from(_NPY).flatmap(lambda data: mutated(data, header=128)))
def test_npy(folder, data):
    _check_file(folder / "array.npy", data, _read)


@examples(600)
@given(st.sampled_from(_NPZ).flatmap(mutated))
def test_npz(folder, data):
    _check_file(folder / "arrays.npz", data, _read)


@examples(300)
@pytest.mark.parametrize("ending", _PICTURES)
@given(data=st.data())
def test_pictures(folder, ending, data):
    whole = data.draw(st.sampled_from(_PICTURES[ending]))
    data = data.draw(mutated(whole))
    path = folder / ending / f"1.{ending}"
    _check_file(path, data, lambda path: _read(path.parent))


def _all_of_run(path):
    run = Run(path.parent)
    run.config  # noqa: B018
    run.source()
    run.history()
    run.is_trained()


@examples(400)
@given(mutated(json.dumps(_CONFIG).encode(), header=400))
def test_config_bytes(folder, data):
    _check_file(folder / "run" / "config.json", data, _all_of_run)
