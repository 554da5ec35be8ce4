"""`load` itself, and that a source is the same in memory and streamed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgen.data import examples, load, set_epoch
from kgen.data.rows import in_memory
from kgen.errors import InvalidArgument
from tests.data.common import random_uint8, read, save_picture, sizes

IMAGES, LABELS = random_uint8(30, 6, 5), np.arange(30) % 3


def arrays(folder):
    return IMAGES, LABELS


def npy(folder):
    np.save(folder / "a.npy", IMAGES)
    return folder / "a.npy"


def npy_of_floats(folder):
    np.save(folder / "a.npy", IMAGES[..., None] / np.float64(255))
    return folder / "a.npy"


def npz(folder):
    np.savez_compressed(folder / "a.npz", x=IMAGES, y=LABELS)
    return folder / "a.npz"


def npz_of_keras(folder):
    names = ("x_train", "y_train", "x_test", "y_test")
    parts = (IMAGES[:20], LABELS[:20], IMAGES[20:], LABELS[20:])
    np.savez(folder / "a.npz", **dict(zip(names, parts)))
    return folder / "a.npz"


def folder_of_pictures(folder):
    for number, image in enumerate(IMAGES):
        name = f"{LABELS[number]}/{number:02}.png"
        save_picture(folder / "pictures" / name, image)
    return folder / "pictures"


def memory_map(folder):
    return np.load(npy(folder), mmap_mode="r"), LABELS


def digits(folder):
    return "digits"


FILES = [npy, npy_of_floats, npz, npz_of_keras, folder_of_pictures]
each_source = pytest.mark.parametrize(
    "make", [arrays, memory_map, digits, *FILES]
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


@pytest.mark.parametrize("image_shape", [None, (4, 4, 3)])
@pytest.mark.parametrize("make", FILES)
def test_streamed_batches_are_those_from_memory(
    tmp_path, monkeypatch, make, image_shape
):
    source = make(tmp_path)

    def batches(split):
        dataset = load(
            source, split, batch_size=7, seed=3, image_shape=image_shape
        )
        return read(dataset)

    splits = ("train", "test[50%:]")
    from_memory = [batches(split) for split in splits]
    monkeypatch.setattr(examples, "IN_MEMORY_BYTES", 1)
    for split, expected in zip(splits, from_memory):
        np.testing.assert_allclose(batches(split), expected, atol=1e-6)


def test_streamed_digits_are_those_from_memory(data_dir, monkeypatch):
    def whole(split, **options):
        options |= {"labels": True, "data_dir": data_dir}
        return read(load("digits", split, **options))

    expected, train = whole("test"), whole("train", seed=1)
    monkeypatch.setattr(examples, "IN_MEMORY_BYTES", 1)
    for part, found in zip(expected, whole("test")):
        np.testing.assert_array_equal(part, found)
    streamed = whole("train", seed=1)
    order, streamed_order = (
        np.lexsort((y, *x.reshape(len(x), -1).T)) for x, y in (train, streamed)
    )
    for part, found in zip(train, streamed):
        np.testing.assert_array_equal(part[order], found[streamed_order])


@pytest.mark.parametrize(
    "make",
    [arrays, npy, npz, npz_of_keras, folder_of_pictures, digits],
)
def test_what_fits_in_memory_stays_uint8(tmp_path, data_dir, make):
    from kgen.data import open_source

    source = open_source(make(tmp_path), data_dir=data_dir)
    for split in source.splits:
        images = source.examples(split).images
        assert in_memory(images) and images.dtype == np.uint8


@each_source
def test_batches(tmp_path, data_dir, make):
    options = {"batch_size": 7, "seed": 0, "data_dir": data_dir}
    source = make(tmp_path)
    datasets = load(source, ("train", "test"), **options)
    assert isinstance(datasets, tuple)
    for dataset in datasets:
        assert isinstance(dataset, tf.data.Dataset)
        *whole, last = sizes(dataset)
        assert set(whole) <= {7} and 0 < last <= 7
        assert int(dataset.cardinality()) == len(whole) + 1
        x = read(dataset)
        assert x.dtype == np.float32 and x.ndim == 4
        assert 0 <= x.min() < x.max() <= 1
    train, test = datasets
    again = load(source, **options)
    first = read(again)
    set_epoch(train, 0)
    np.testing.assert_array_equal(read(train), first)
    assert (read(again) != first).any()
    np.testing.assert_array_equal(read(test), read(test))


@pytest.mark.parametrize(
    "make",
    [arrays, memory_map, npz, npz_of_keras, folder_of_pictures, digits],
)
def test_labels(tmp_path, data_dir, make):
    dataset = load(make(tmp_path), labels=True, data_dir=data_dir)
    x, y = read(dataset)
    assert y.dtype == np.int32 and y.shape == x.shape[:1]
    if make is digits:
        return
    rows = {image.tobytes(): label for image, label in zip(IMAGES, LABELS)}
    levels = np.round(x * 255).astype("uint8")
    assert [rows[image.tobytes()] for image in levels] == y.tolist()


@pytest.mark.parametrize("source", [IMAGES, [*IMAGES[:5, ..., None] / 255]])
def test_labels_where_there_are_none(source):
    with pytest.raises(InvalidArgument, match="arrays has no labels. Labels"):
        load(source, labels=True)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True, None, "8"])
def test_bad_batch_size(batch_size):
    with pytest.raises(InvalidArgument, match="`batch_size` of `load`"):
        load(IMAGES, batch_size=batch_size)


@pytest.mark.parametrize("image_shape", [(0, 1, 1), (8, 8), (8, 8, 2), "no"])
def test_bad_image_shape(image_shape):
    with pytest.raises(InvalidArgument, match="`image_shape` of `load`"):
        load(IMAGES, image_shape=image_shape)


def test_vectors_have_no_image_shape():
    with pytest.raises(InvalidArgument, match="no pictures"):
        load(np.zeros((9, 16), "float32"), image_shape=(4, 4, 1))


def test_without_a_seed_keras_decides():
    def order(seed):
        keras.utils.set_random_seed(seed)
        return read(load(IMAGES))

    np.testing.assert_array_equal(order(1), order(1))
    assert (order(1) != order(2)).any()


def test_a_model_fits_on_it():
    model = keras.Sequential(
        [keras.Input((6, 5, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    train, test = load((IMAGES, LABELS), ("train", "test"), labels=True)
    history = model.fit(
        train, validation_data=test, epochs=2, shuffle=False, verbose=0
    )
    assert np.isfinite(history.history["val_loss"]).all()


@pytest.mark.parametrize("make", [arrays, npy, folder_of_pictures])
@pytest.mark.parametrize("split", ["train", "test"])
def test_binary_pixels(tmp_path, monkeypatch, make, split):
    monkeypatch.setattr(examples, "IN_MEMORY_BYTES", 1)
    dataset = load(make(tmp_path), split, binarize=True, seed=0)
    first, second = read(dataset), read(dataset)
    assert set(np.unique(first)) == {0, 1}
    assert (first != second).any() == (split == "train")
