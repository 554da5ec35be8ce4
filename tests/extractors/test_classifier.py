import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgen import extractors
from kgen.data import load, open_source
from kgen.errors import InvalidArgument
from kgen.extractors import ClassifierExtractor, classifier
from tests.extractors.common import bright_or_dark, source

RNG = np.random.default_rng(0)
X, Y = bright_or_dark()


@pytest.fixture
def briefly(monkeypatch):
    monkeypatch.setattr(classifier, "_MOST_EPOCHS", 2)


@pytest.fixture
def trainings(monkeypatch):
    """The list of all trainings, which grows; they leave the first weights."""
    done = []

    def train(source, examples, seed, verbose):
        done.append(seed)
        return classifier._network(examples.shape, 2, seed)

    monkeypatch.setattr(classifier, "_trained", train)
    return done


def weights(extractor):
    return extractor.model.get_weights()


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other))


def test_it_learns(monkeypatch):
    """Its accuracy is what its probabilities have, by hand."""
    monkeypatch.setattr(classifier, "_MOST_EPOCHS", 20)
    extractor = ClassifierExtractor(source(count=200))
    x, y = next(iter(load(bright_or_dark(200), "test", labels=True)))
    right = extractor.probabilities(x).argmax(axis=1) == y.numpy()
    assert extractor.accuracy == pytest.approx(right.mean())
    assert extractor.accuracy > 0.95
    got = f"a classifier of arrays (test accuracy {right.mean():.3f})"
    assert extractor.name == got


@pytest.mark.parametrize("shape", [(2, 3, 2, 2), (1, 1, 2), (9, 3, 2)])
def test_all_shapes(briefly, shape):
    extractor = ClassifierExtractor(bright_or_dark(30, shape))
    assert extractor.input_shape == shape
    x, _ = bright_or_dark(5, shape)
    assert extractor.features(x).shape == (5, 128)
    assert extractor.probabilities(x).shape == (5, 2)


def test_vectors_of_any_scale(monkeypatch):
    monkeypatch.setattr(classifier, "_MOST_EPOCHS", 20)
    y = np.arange(300) % 2
    x = (RNG.normal(size=(300, 2)) + 3 * y[:, None]) * [1e4, 1e-1]
    extractor = ClassifierExtractor((x, y))
    assert extractor.accuracy > 0.9
    assert extractor.input_shape == (2,)
    assert extractor.features(x[:5]).shape == (5, 128)
    assert extractor.probabilities(x[:5]).shape == (5, 2)


def test_it_is_trained_once(trainings, cache_folder):
    first = ClassifierExtractor(source())
    second = extractors.get("classifier", bright_or_dark())
    assert len(trainings) == 1
    assert equal(weights(first), weights(second))
    assert (first.name, first.accuracy) == (second.name, second.accuracy)
    np.testing.assert_array_equal(first.features(X), second.features(X))
    (path,) = cache_folder.iterdir()
    assert path.suffix == ".keras"
    assert keras.saving.load_model(path).count_params() > 0


def others():
    """What differs from the source of the tests in one thing each."""
    moved = X.copy()
    moved[7, 0, 0, 0] += 1e-3
    yield "a pixel", (moved, Y)
    yield "a label", (X, np.where(np.arange(60) == 7, 1 - Y, Y))
    yield "their order", (X[::-1], Y[::-1])
    yield "one less", (X[:-1], Y[:-1])
    yield "the shape", (X.reshape(60, 4, 16, 1), Y)


@pytest.mark.parametrize(("what", "data"), list(others()))
def test_other_data_have_another(trainings, cache_folder, what, data):
    ClassifierExtractor((X, Y))
    ClassifierExtractor(data)
    assert len(trainings) == len(list(cache_folder.iterdir())) == 2, what


def test_another_seed_and_recipe_have_another(trainings, monkeypatch):
    first = ClassifierExtractor((X, Y))
    other = ClassifierExtractor((X, Y), seed=1)
    assert not equal(weights(first), weights(other))
    monkeypatch.setattr(classifier, "_RECIPE", classifier._RECIPE + 1)
    ClassifierExtractor((X, Y))
    assert len(trainings) == 3


def test_pictures_and_their_floats_are_one(trainings):
    """uint8 is what it stands for."""
    x = (X * 255).astype("uint8")
    ClassifierExtractor((x, Y))
    ClassifierExtractor((x * np.float32(1 / 255), Y))
    assert len(trainings) == 1


@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
def test_a_damaged_file_is_made_anew(trainings, cache_folder, damage):
    first = ClassifierExtractor((X, Y))
    (path,) = cache_folder.iterdir()
    if damage == "other":
        x = keras.Input((2,))
        keras.Model(x, keras.layers.ReLU()(x)).save(path)
    else:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] * (damage == "cut"))
    with pytest.warns(UserWarning, match="trained anew"):
        second = ClassifierExtractor((X, Y))
    assert equal(weights(first), weights(second))
    ClassifierExtractor((X, Y))
    assert len(trainings) == 2


def test_a_folder_that_can_t_be_written(trainings, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KGEN_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="Set KGEN_CACHE"):
        assert ClassifierExtractor((X, Y)).features(X).shape == (60, 128)


def test_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KGEN_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    usual = tmp_path / ".cache" / "kgen" / "extractors"
    assert extractors.cache.directory() == usual
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert extractors.cache.directory() == usual
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert extractors.cache.directory() == tmp_path / "x/kgen/extractors"
    monkeypatch.setenv("KGEN_CACHE", "~/mine")
    assert extractors.cache.directory() == tmp_path / "mine/extractors"


def draws():
    """One of each generator that a caller may use."""
    layer = keras.layers.Dense(2)
    layer.build((None, 2))
    return [
        random.random(),
        np.random.uniform(),
        float(keras.random.uniform(())),
        float(tf.random.uniform(())),
        *np.ravel(layer.kernel).tolist(),
    ]


def test_the_caller_s_state_is_not_its_own(briefly, monkeypatch, tmp_path):
    """Random numbers stay; and it is the same whatever they or the policy are."""
    keras.utils.set_random_seed(7)
    expected = draws()
    for _ in range(2):  # trained, then read
        keras.utils.set_random_seed(7)
        first = ClassifierExtractor((X, Y), seed=5)
        first.features(X)
        assert draws() == expected
    monkeypatch.setenv("KGEN_CACHE", str(tmp_path / "other"))
    keras.utils.set_random_seed(8)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        second = ClassifierExtractor((X, Y), seed=5)
    finally:
        keras.config.set_dtype_policy(before)
    assert equal(weights(first), weights(second))


def test_a_stream_is_an_array(trainings, monkeypatch):
    """What is read on is hashed and learnt alike."""
    from kgen.data import examples

    digits = open_source("digits")
    key = extractors.cache.fingerprint([digits.examples("test")], {})
    monkeypatch.setattr(examples, "IN_MEMORY_BYTES", 1)
    streamed = open_source("digits").examples("test")
    assert isinstance(streamed, examples.StreamedExamples)
    assert extractors.cache.fingerprint([streamed], {}) == key


def test_without_a_split_that_is_held_out(trainings, tmp_path):
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y, x_test=X, y_test=Y)
    whole = open_source(tmp_path / "a.npz")
    readers = {"train": whole.readers["train"], "more": whole.readers["test"]}
    only = type(whole)("a", readers)
    assert "(train accuracy " in ClassifierExtractor(only).name
    assert "(test accuracy " in ClassifierExtractor(whole).name


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (X, "no labels to train a classifier on"),
        ((X, np.zeros(60, int)), "one class"),
        ((X, np.full(60, 3)), "one class"),
    ],
)
def test_bad_data(data, message):
    with pytest.raises(InvalidArgument, match=message):
        ClassifierExtractor(data)


@pytest.mark.parametrize("seed", [-1, None, 1.5])
def test_bad_seed(seed):
    with pytest.raises(InvalidArgument, match="seed"):
        ClassifierExtractor((X, Y), seed=seed)
