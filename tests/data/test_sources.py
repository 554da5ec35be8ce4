import math
import os

import numpy as np
import pytest
import tensorflow as tf

from kgen.data import Source, load, numpy_files, open_source
from kgen.data.examples import StreamedExamples
from kgen.errors import InvalidArgument
from tests.data.common import as_rows, random_uint8, read

IMAGES = random_uint8(23, 4, 4, 1)


def numbered(size):
    """Vectors that are their own number."""
    return np.arange(size, dtype="float32")[:, None]


def members(source, split):
    return open_source(source).examples(split).images[:, 0].tolist()


@pytest.mark.parametrize("size", [2, 3, 5, 15, 23, 35, 1000])
def test_a_fifth_is_for_tests(size):
    source = numbered(size)
    train, test = members(source, "train"), members(source, "test")
    assert len(test) == math.ceil(size / 5)
    assert sorted(train + test) == members(source, "all") == [*range(size)]
    assert train == sorted(train) and test == sorted(test)


def test_the_fifth_is_always_the_same():
    fifth = members(numbered(23), "test")
    assert fifth != [*range(5)] and fifth != [*range(18, 23)]
    for seed in (0, 1, None):
        dataset = load(numbered(23), "test", seed=seed)
        assert read(dataset)[:, 0].tolist() == fifth
    np.random.seed(5)
    assert members(numbered(23), "test") == fifth


def test_labels_are_divided_along():
    x, y = read(load((numbered(23), np.arange(23)), "test", labels=True))
    np.testing.assert_array_equal(x[:, 0], y)


def with_rare_classes(size, count):
    """Labels of which `count` are at one place only, each in the test fifth."""
    labels = np.zeros(size, int)
    labels[np.array(members(numbered(size), "test"), int)[:count]] = range(
        1, count + 1
    )
    return labels


def divided(labels):
    source = open_source((numbered(len(labels)), labels))
    return [source.examples(split) for split in ("train", "test")]


@pytest.mark.parametrize("size, count", [(10, 1), (10, 2), (1000, 150)])
def test_no_class_is_for_tests_alone(size, count):
    labels = with_rare_classes(size, count)
    train, test = divided(labels)
    assert set(train.labels) == set(labels)
    assert len(test) == math.ceil(size / 5)
    both = np.concatenate([train.images[:, 0], test.images[:, 0]])
    assert sorted(both) == [*range(size)]
    np.testing.assert_array_equal(
        labels[train.images[:, 0].astype(int)], train.labels
    )


def test_a_fifth_of_each_class_where_one_would_be_missing():
    labels = np.arange(1000) % 4
    labels[int(members(numbered(1000), "test")[0])] = 9
    train, test = divided(labels)
    counts = np.unique(train.labels, return_counts=True)[1]
    assert sorted(counts) == [1, 199, 200, 200, 200]


@pytest.mark.parametrize("labels", [np.arange(23) % 3, np.arange(23)])
def test_labels_change_no_split_that_has_all_classes_or_can_t(labels):
    train, test = divided(labels)
    assert test.images[:, 0].tolist() == members(numbered(23), "test")


def test_one_example_can_t_be_divided():
    with pytest.raises(InvalidArgument, match='one example.* split="all"'):
        load(numbered(1))
    assert len(read(load(numbered(1), "all"))) == 1


@pytest.mark.parametrize("names", [["x"], ["x_train", "x_test"]])
def test_files_are_read_once(tmp_path, monkeypatch, names):
    np.savez(tmp_path / "x.npz", **dict.fromkeys(names, IMAGES))
    calls = []
    read = numpy_files._read_npz
    monkeypatch.setattr(
        numpy_files,
        "_read_npz",
        lambda *args, **options: calls.append(1) or read(*args, **options),
    )
    source = open_source(tmp_path / "x.npz")
    for split in (*source.splits, *source.splits, "train[:5]"):
        source.examples(split)
    assert len(calls) == len(names)


@pytest.mark.parametrize(
    "part, expected",
    [
        ("[:10]", slice(0, 10)),
        ("[10:]", slice(10, None)),
        ("[-3:]", slice(20, None)),
        ("[:-3]", slice(0, 20)),
        ("[2:4]", slice(2, 4)),
        ("[:23]", slice(0, 23)),
        ("[50%:]", slice(12, None)),
        ("[:50%]", slice(0, 12)),
        ("[25%:75%]", slice(6, 17)),
    ],
)
def test_slices(part, expected):
    every = [*range(23)]
    assert members(numbered(23), f"all{part}") == every[expected]


def test_slices_of_a_part():
    train = members(numbered(23), "train")
    assert members(numbered(23), "train[:4]") == train[:4]
    sliced = load(numbered(23), "train[:4]", seed=0)
    orders = [tuple(read(sliced)[:, 0]) for _ in range(6)]
    assert len(set(orders)) > 1
    assert {tuple(sorted(order)) for order in orders} == {tuple(train[:4])}


@pytest.mark.parametrize("split", ["all[5:5]", "all[9:3]", "all[:0]"])
def test_empty_slices(split):
    with pytest.raises(InvalidArgument, match="is empty"):
        load(IMAGES, split)


@pytest.mark.parametrize(
    "split",
    ["all[", "all[]", "all[::2]", "all[3]", "all[:200%]", "all[99:]",
     "all[:24]", "all[a:b]", "all[:2]+all[3:4]", "all[:2]+test[:2]"],
)  # fmt: skip
def test_bad_slices(split):
    with pytest.raises(InvalidArgument) as caught:
        load(IMAGES, split)
    assert f"split={split!r}, of 23 examples" in str(caught.value)


@pytest.mark.parametrize("split", ["trian", "", None, 3, "train+test", b"all"])
def test_unknown_split(split):
    with pytest.raises(InvalidArgument, match="one of 'train', 'test', 'all'"):
        load(IMAGES, split)


@pytest.mark.parametrize("as_path", [str, lambda path: path])
def test_missing_paths(tmp_path, monkeypatch, as_path):
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "nothing", tmp_path / "no.npy"):
        with pytest.raises(FileNotFoundError, match="no file or folder"):
            load(as_path(path))


@pytest.mark.parametrize(
    "source", ["./mnist", "../no", "~/no-such", "~no-such-user/x", "no.npz"]
)
def test_names_that_look_like_paths(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        load(source)


def test_a_path_is_never_a_data_sets_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    missing = type(tmp_path)("mnist")
    with pytest.raises(FileNotFoundError, match="mnist"):
        load(missing)


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    np.save(tmp_path / "a.npy", IMAGES)
    assert len(read(load("~/a.npy", "all"))) == 23


def test_the_empty_name():
    with pytest.raises(InvalidArgument, match="source=''"):
        load("")


def test_a_file_of_an_unknown_kind(tmp_path):
    (tmp_path / "a.txt").write_text("1,2")
    with pytest.raises(InvalidArgument, match="a.txt is a file of an unknown"):
        load(tmp_path / "a.txt")


def test_vectors_out_of_range_are_no_probabilities():
    with pytest.raises(InvalidArgument, match=r"\[0, 1\].*from 0 to 22"):
        load(numbered(23), "all", binarize=True)
    assert set(np.unique(read(load(numbered(2), "all", binarize=True)))) == {
        0,
        1,
    }


def test_sources_have_names(tmp_path):
    np.save(tmp_path / "cats.npy", IMAGES)
    assert open_source(tmp_path / "cats.npy").name == "cats"
    assert open_source(IMAGES).name == "arrays"


@pytest.mark.parametrize(
    ("labels", "classes", "number"),
    [
        ({"y_train": [3, 1, 1], "y_test": [5, 0, 0]}, [0, 1, 3, 5], 6),
        ({"y_train": [0, 0, 0], "y_test": [0, 0, 0]}, [0], 1),
        ({}, [], None),
    ],
)
def test_classes_without_names_are_those_that_occur(
    tmp_path, labels, classes, number
):
    images = {f"x_{split}": IMAGES[:3] for split in ("train", "test")}
    np.savez(tmp_path / "a.npz", **images, **labels)
    source = open_source(tmp_path / "a.npz")
    assert source.classes.tolist() == classes
    assert source.num_classes == number


def test_classes_of_what_can_t_be_divided_and_of_what_is_unknown():
    one = open_source((IMAGES[:1], np.array([4])))
    assert one.classes.tolist() == [4]
    stream = tf.data.Dataset.from_tensor_slices((IMAGES, np.arange(23) - 1))
    source = Source("s", {"train": lambda: StreamedExamples(stream, 23)})
    assert source.classes.tolist() == [*range(22)]


def test_names_say_which_classes_there_are():
    """Without a look at the examples."""
    source = Source("s", {"train": None}, ("a", "b", "c"))
    assert source.classes.tolist() == [0, 1, 2] and source.num_classes == 3


def test_the_first_of_some_splits():
    source = Source("s", {"test": None, "train": None})
    assert source.first_of("validation", "test", "train") == "test"
    assert source.first_of("validation") is None


def test_split_is_the_union_with_image_shape():
    source = open_source(IMAGES, image_shape=(2, 2, 3))
    parts = [source.examples(split).images for split in ("train", "test")]
    whole = source.examples("all").images
    assert whole.shape == (23, 2, 2, 3)
    assert as_rows(np.concatenate(parts)) == as_rows(whole)
