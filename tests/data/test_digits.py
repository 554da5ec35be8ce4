import numpy as np
import pytest
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits

from kgen.data import load, open_source
from kgen.data.digits import Digits
from tests.data.common import read


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture
def splits(data_dir):
    """Images and labels of both splits, the train split unshuffled."""
    source = open_source("digits", data_dir=data_dir)
    return [
        read(
            source.examples(split).batches(
                labels=True, batch_size=500, shuffle=False
            )
        )
        for split in ("train", "test")
    ]


def lookup():
    """scikit-learn's labels by its pictures, which are all different."""
    digits = load_digits()
    return {
        tuple(np.round(image.ravel() * 255 / 16).astype(int)): label
        for image, label in zip(digits.images, digits.target)
    }


def test_sizes(splits):
    (train, _), (test, _) = splits
    assert train.shape == (1437, 8, 8, 1)
    assert test.shape == (360, 8, 8, 1)
    assert train.dtype == np.float32


def test_every_picture_once_with_its_label(splits):
    labels = lookup()
    assert len(labels) == 1797
    found = {
        tuple(np.round(image.ravel() * 255).astype(int)): label
        for images, numbers in splits
        for image, label in zip(images, numbers)
    }
    assert found == labels


def test_values_are_the_shades(splits):
    shades = np.round(np.arange(17) * 255 / 16) / 255
    for images, _ in splits:
        distance = np.abs(images[..., None] - shades).min(axis=-1)
        assert distance.max() < 1e-7


def test_the_split_is_stratified(splits):
    (_, train), (_, test) = splits
    share = np.bincount(test) / (np.bincount(train) + np.bincount(test))
    np.testing.assert_allclose(share, 0.2, atol=0.005)


def test_a_builder_like_any_other(data_dir):
    builder = tfds.builder("digits", data_dir=data_dir)
    assert isinstance(builder, Digits)
    builder.download_and_prepare()
    assert builder.info.supervised_keys == ("image", "label")
    assert builder.info.splits["train"].num_examples == 1437
    example = next(iter(builder.as_dataset(split="test[:1]")))
    assert example["image"].dtype == "uint8"


def test_no_word_about_it(data_dir, tmp_path, capsys):
    load("digits", data_dir=tmp_path)
    assert capsys.readouterr().out == ""


def test_class_names(data_dir):
    source = open_source("digits", data_dir=data_dir)
    assert source.splits == ("train", "test")
    assert source.class_names == tuple("0123456789")


def test_the_next_load_reads_the_prepared_files(data_dir, monkeypatch):
    open_source("digits", data_dir=data_dir)
    monkeypatch.setattr(Digits, "_split_generators", None)
    assert len(read(load("digits", "test", data_dir=data_dir))) == 360
