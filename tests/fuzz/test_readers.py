"""Files that are nearly valid: each is read, or refused in words."""

import gzip
import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import kgen
from tests.fuzz.common import examples, mutated
from tests.fuzz.readers import CONFIG, check

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
    "webp": [_picture("WEBP")],
    "tif": [_picture("TIFF"), _picture("TIFF", "I;16")],
    "ppm": [_picture("PPM"), _picture("PPM", "L")],
}
_HISTORY = "epoch,loss,val_loss\r\n0,1.5,2.5\r\n1,1.25,2.25\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@examples(120)
@given(mutated(_idx()), st.booleans())
def test_idx(folder, data, packed):
    if packed:
        check(folder, "gz", gzip.compress(data, mtime=0))
    else:
        check(folder, "idx", data)


@examples(80)
@given(mutated(_idx((3,))))
def test_idx_labels(folder, data):
    check(folder, "idx_labels", data)


@examples(100)
@given(mutated(gzip.compress(_idx(), mtime=0), header=16))
def test_gz(folder, data):
    check(folder, "gz", data)


@examples(150)
@given(st.sampled_from(_NPY).flatmap(lambda data: mutated(data, header=128)))
def test_npy(folder, data):
    check(folder, "npy", data)


@examples(150)
@given(st.sampled_from(_NPZ).flatmap(mutated))
def test_npz(folder, data):
    check(folder, "npz", data)


@pytest.mark.parametrize("kind", _PICTURES)
@examples(50)
@given(data=st.data())
def test_pictures(folder, kind, data):
    whole = data.draw(st.sampled_from(_PICTURES[kind]))
    check(folder, kind, data.draw(mutated(whole)))


@examples(200)
@given(mutated(_HISTORY.encode(), header=60))
def test_history(folder, data):
    check(folder, "history", data)


@examples(50)
@given(mutated(json.dumps(CONFIG).encode(), header=400))
def test_config_bytes(folder, data):
    check(folder, "config", data)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The bytes of a small model's file."""
    path = tmp_path_factory.mktemp("model") / "model.keras"
    kgen.create_model(
        "autoencoder",
        input_shape=(3,),
        network="dense",
        latent_dim=1,
        hidden_units=(),
    ).save(path)
    return path.read_bytes()


@examples(40)
@given(data=st.data())
def test_models(folder, model, data):
    check(folder, "keras", data.draw(mutated(model, header=len(model) // 2)))
