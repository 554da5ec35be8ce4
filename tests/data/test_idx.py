import gzip
import pathlib
import struct
import tracemalloc

import numpy as np
import pytest

from kgen.data import idx, load, open_source, rows
from kgen.errors import InvalidArgument
from tests.data.common import (
    as_floats,
    random_uint8,
    read,
    what_the_system_lacks,
)

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
TRAIN, TEST = random_uint8(12, 5, 4), random_uint8(7, 5, 4, seed=1)
FASHION_MNIST = pathlib.Path("/usr/share/datasets/fashion-mnist")


def encode(array):
    array = np.asarray(array)
    code = CODES[array.dtype.str[1:]]
    header = bytes([0, 0, code, array.ndim])
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return (
        header + shape + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wb") as file:
        file.write(encode(array))
    return path


def write_folder(folder, *names):
    """Train and test files, images and labels, under four names."""
    labels = [np.arange(len(part), dtype="u1") for part in (TRAIN, TEST)]
    for name, array in zip(names, (TRAIN, labels[0], TEST, labels[1])):
        write(folder / name, array)
    return folder


MNIST = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
EMNIST = tuple(
    f"emnist-letters-{split}-{part}-ubyte"
    for split in ("train", "test")
    for part in ("images-idx3", "labels-idx1")
)
DOTTED = tuple(name.replace("-idx", ".idx") for name in MNIST)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("names", [MNIST, DOTTED, EMNIST])
def test_names_of_the_family(tmp_path, names, ending):
    folder = write_folder(tmp_path, *(name + ending for name in names))
    assert open_source(folder).splits == ("test", "train")
    x, y = read(load(folder, "test", labels=True, batch_size=3))
    np.testing.assert_allclose(x[..., 0], as_floats(TEST), atol=1e-7)
    np.testing.assert_array_equal(y, np.arange(7))
    x, y = read(load(folder, "train", labels=True, batch_size=5))
    np.testing.assert_allclose(x[..., 0], as_floats(TRAIN)[y], atol=1e-7)
    assert open_source(folder).examples("train").images.dtype == np.uint8


def test_qmnist(tmp_path):
    labels = np.stack([np.arange(7) + k for k in range(8)], 1).astype("i4")
    for split in ("train", "test", "test50k"):
        start = f"qmnist-{split}"
        write(tmp_path / f"{start}-images-idx3-ubyte.gz", TEST)
        write(tmp_path / f"{start}-labels-idx2-int.gz", labels)
        (tmp_path / f"{start}-labels.tsv.gz").write_bytes(b"not this one")
    assert set(open_source(tmp_path).splits) == {"train", "test", "test50k"}
    _, y = read(load(tmp_path, "test50k", labels=True))
    np.testing.assert_array_equal(y, np.arange(7))


def test_the_plain_file_goes_before_the_packed_one(tmp_path):
    write_folder(tmp_path, *MNIST)
    for name in MNIST:
        (tmp_path / f"{name}.gz").write_bytes(b"damaged")
    assert len(read(load(tmp_path, "test", labels=True))[1]) == 7


def test_a_folder_with_the_name_of_a_file(tmp_path):
    write_folder(tmp_path, *DOTTED)
    for name in MNIST:
        (tmp_path / name).mkdir()
    assert len(read(load(tmp_path, "test", labels=True))[1]) == 7


def test_without_labels(tmp_path):
    write(tmp_path / MNIST[0], TRAIN)
    write(tmp_path / MNIST[2], TEST)
    assert read(load(tmp_path, "test")).shape == (7, 5, 4, 1)
    with pytest.raises(InvalidArgument, match="has no labels"):
        load(tmp_path, "test", labels=True)


def test_nothing_but_a_train_file_is_divided(tmp_path):
    write(tmp_path / MNIST[0], TRAIN)
    assert open_source(tmp_path).splits == ("train", "test", "all")
    assert len(read(load(tmp_path, "test"))) == 3


def test_several_data_sets_in_one_folder(tmp_path):
    write_folder(tmp_path, *EMNIST)
    write(tmp_path / "emnist-digits-train-images-idx3-ubyte", TRAIN)
    with pytest.raises(InvalidArgument, match="emnist-digits-, emnist-lett"):
        load(tmp_path)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("code", CODES)
def test_every_type(tmp_path, code, ending):
    values = np.arange(12).reshape(3, 2, 2).astype(code)
    found = idx.read_file(write(tmp_path / f"a{ending}", values))
    assert found.dtype == values.dtype and found.dtype.isnative
    np.testing.assert_array_equal(found, values)


WHOLE = encode(TRAIN)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0",
        b"this is no IDX file",
        b"\0\0\x07\x03" + WHOLE[4:],
        b"\0\1" + WHOLE[2:],
        WHOLE[:10],
        WHOLE[:-1],
        WHOLE + b"\0",
        WHOLE[:4] + b"\x7f\xff\xff\xff" * 3 + WHOLE[16:],
        WHOLE[:4] + b"\x80\0\0\0" + WHOLE[8:],
        WHOLE[:4] + b"\xff\xff\xff\xff" + WHOLE[8:],
        b"\0\0\x08\xff" + WHOLE[4:],
    ],
    ids=[
        "empty",
        "two-bytes",
        "text",
        "type",
        "zeros",
        "header",
        "short",
        "long",
        "sizes",
        "sign",
        "minus-one",
        "axes",
    ],
)
def test_damaged_files(tmp_path, data, packed):
    name = MNIST[0] + (".gz" if packed else "")
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(
        InvalidArgument, match=f"{name} can't be read as an IDX"
    ):
        load(tmp_path, "all")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "data, message",
    [
        (WHOLE[:-9], "announces 240 bytes of values, .* holds only 231"),
        (WHOLE + b"\0", "announces 240 bytes of values, .* holds more$"),
    ],
)
def test_a_header_that_lies_is_told(tmp_path, data, message, packed):
    path = tmp_path / ("a.gz" if packed else "a")
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(InvalidArgument, match=message):
        idx.read_file(path)


@pytest.mark.parametrize("count", [2**13, 2**32 - 1])
def test_no_more_is_unpacked_than_the_header_announces(tmp_path, count):
    """Of a few bytes that are packed, many would fill the memory."""
    path = tmp_path / "a.gz"
    header = b"\0\0\x08\x01" + struct.pack(">I", count)
    path.write_bytes(gzip.compress(header + bytes(2**24)))
    tracemalloc.start()
    with pytest.raises(InvalidArgument, match="can't be read as an IDX"):
        idx.read_file(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21


@pytest.mark.parametrize("cut", [3, 12, -9, -1])
def test_damaged_gzip(tmp_path, cut):
    (tmp_path / f"{MNIST[0]}.gz").write_bytes(gzip.compress(WHOLE)[:cut])
    with pytest.raises(InvalidArgument, match="can't be read as an IDX"):
        load(tmp_path, "all")


def test_flipped_bits_in_gzip(tmp_path):
    data = bytearray(gzip.compress(WHOLE))
    data[len(data) // 2] ^= 0xFF
    (tmp_path / f"{MNIST[0]}.gz").write_bytes(data)
    with pytest.raises(InvalidArgument, match="can't be read as an IDX"):
        load(tmp_path, "all")


def test_labels_of_another_number(tmp_path):
    write(tmp_path / MNIST[0], TRAIN)
    write(tmp_path / MNIST[1], np.arange(7, dtype="u1"))
    with pytest.raises(InvalidArgument, match=r"12 labels.*\(7,\)"):
        load(tmp_path)


def test_images_that_are_no_pixels(tmp_path):
    write(tmp_path / MNIST[0], TRAIN.astype("i4"))
    with pytest.raises(InvalidArgument, match="array of int32"):
        load(tmp_path)


@pytest.mark.skipif(
    not FASHION_MNIST.is_dir(), reason="needs Debian's dataset-fashion-mnist"
)
def test_fashion_mnist_as_debian_installs_it():
    x, y = next(iter(load(FASHION_MNIST, "test", labels=True)))
    assert x.shape == (128, 28, 28, 1) and float(x[0].numpy().max()) == 1
    assert y[:8].numpy().tolist() == [9, 2, 1, 1, 6, 1, 4, 6]


def test_a_large_plain_file_is_mapped(tmp_path, no_memory):
    folder = write_folder(tmp_path, *MNIST)
    found = open_source(folder).examples("train")
    assert not isinstance(found.images, np.ndarray) or isinstance(
        found.images, np.memmap
    )
    batches = load(folder, "test", batch_size=3)
    np.testing.assert_allclose(
        np.concatenate(list(batches)), as_floats(TEST)[..., None], atol=1e-6
    )


def test_a_large_file_that_is_cut_short_is_refused(tmp_path, no_memory):
    path = write(tmp_path / MNIST[0], TRAIN)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InvalidArgument, match="can't be read as an IDX"):
        open_source(tmp_path).examples("train")


@what_the_system_lacks
def test_what_the_system_lacks_is_no_damage(tmp_path, monkeypatch, error):
    def fail(*args):
        raise error

    path = write(tmp_path / MNIST[0], TRAIN)
    monkeypatch.setattr(rows, "read_values", fail)
    with pytest.raises(type(error), match=str(error.args[-1])):
        idx.read_file(path)
