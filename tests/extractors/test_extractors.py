"""The one interface, on every kind of extractor."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgen import extractors
from kgen.data import load
from kgen.errors import InvalidArgument
from tests.extractors.common import Graph, bright_or_dark, source

RNG = np.random.default_rng(0)
SHAPE = (8, 8, 1)
X = RNG.uniform(size=(23, *SHAPE)).astype("float32")


class Brightness(extractors.Extractor):
    """The example of the docstring, with two classes."""

    def __init__(self):
        super().__init__("brightness", (None, None, 1), 1, num_classes=2)

    def features_of(self, images):
        return tf.reduce_mean(images, axis=(1, 2))

    def probabilities_of(self, images):
        bright = self.features_of(images)
        return tf.concat([1.0 - bright, bright], axis=1)


def network():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(3, 3, activation="relu", name="conv"),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(4, name="logits"),
        ]
    )


def inception(folder):
    path = folder / "graph.pb"
    path.write_bytes(Graph().graph_def.SerializeToString())
    return extractors.get(path)


def classifier(folder):
    patch = pytest.MonkeyPatch()
    with patch.context() as context:
        context.setenv("KGEN_CACHE", str(folder))
        context.setattr(extractors.classifier, "_MOST_EPOCHS", 2)
        return extractors.get("classifier", source())


def saved_model(folder):
    network().export(folder / "saved", verbose=False)
    return extractors.get(folder / "saved", classes="logits")


KINDS = {
    "own": lambda folder: Brightness(),
    "pixels": lambda folder: extractors.get("pixels", source()),
    "random": lambda folder: extractors.get("random", source()),
    "model": lambda folder: extractors.get(
        network(), layer="conv", classes="logits"
    ),
    "saved": saved_model,
    "classifier": classifier,
    "inception": inception,
}


@pytest.fixture(scope="module", params=KINDS)
def extractor(request, tmp_path_factory):
    return KINDS[request.param](tmp_path_factory.mktemp(request.param))


def methods(extractor):
    yield extractor.features, extractor.num_features
    if extractor.num_classes is not None:
        yield extractor.probabilities, extractor.num_classes


def same(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_shape_and_type(extractor):
    for method, size in methods(extractor):
        got = method(X)
        assert got.shape == (23, size) and got.dtype == np.float32
        assert np.ptp(got, axis=0).max() > 0  # it looks at the pictures


def test_probabilities_are_such(extractor):
    if extractor.num_classes is None:
        with pytest.raises(InvalidArgument, match="tells no classes.*trained"):
            extractor.probabilities(X)
        with pytest.raises(InvalidArgument, match="tells no classes"):
            extractor.probabilities_of(tf.constant(X))
        return
    got = extractor.probabilities(X)
    assert got.min() >= 0
    same(got.sum(axis=1), np.ones(23))


@pytest.mark.parametrize("batch_size", [1, 5, 23, 1000])
def test_in_batches_as_at_once(extractor, batch_size):
    for method, _ in methods(extractor):
        same(method(X, batch_size=batch_size), method(X, 23))


def test_no_more_than_a_batch_at_a_time(extractor, monkeypatch):
    seen = []
    monkeypatch.setattr(extractor, "check", lambda x: seen.append(len(x)))
    extractor.features([X, X[:1]], batch_size=10)
    assert seen == [10, 10, 3, 1]


FORMS = {
    "array": lambda: X,
    "float64": lambda: X.astype("float64"),
    "tensor": lambda: tf.constant(X),
    "dataset": lambda: tf.data.Dataset.from_tensor_slices(X).batch(7),
    "pairs": lambda: load((X, np.arange(23)), "all", batch_size=7, labels=True),
    "list": lambda: [X[:20], X[20:]],
    "generator": lambda: (X[i : i + 4] for i in range(0, 23, 4)),
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_data(extractor, form):
    for method, _ in methods(extractor):
        same(method(FORMS[form]()), method(X))


def test_a_file_is_read_by_the_piece(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    got = extractors.PixelExtractor(SHAPE).features(mapped, batch_size=4)
    np.testing.assert_array_equal(got, X.reshape(23, 64))


def test_tensors_in_a_function(extractor):
    x = tf.constant(X)
    inside = tf.function(extractor.features_of)
    same(inside(x), extractor.features(X))
    same(extractor.features_of(x), extractor.features(X))
    if extractor.num_classes is not None:
        inside = tf.function(extractor.probabilities_of)
        same(inside(x), extractor.probabilities(X))


def test_one_trace_for_all_sizes(extractor):
    for count in (3, 4, 23):
        extractor.features(X[:count])
    assert extractor._features.experimental_get_tracing_count() == 1


def test_what_it_says_of_itself(extractor):
    assert isinstance(extractor.name, str) and extractor.name
    assert len(extractor.input_shape) == 3
    is_inception = isinstance(extractor, extractors.InceptionExtractor)
    assert extractor.is_inception == is_inception


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (X[0], "shape (n, "),
        (X[:, 0], "shape (n, "),
        (X[:0], "at least one"),
        ([], "at least one"),
        ((X * 255).astype("uint8"), '`x.astype("float32") / 255`'),
        (np.where(X > 0.5, np.nan, X), "finite"),
        (np.where(X > 0.5, np.inf, X), "finite"),
        (X * 255, "pictures in [0, 1]"),
        (X - 0.5, "clip"),
        (None, "an array, or batches"),
        (3, "an array, or batches"),
        ("digits", "batches of examples"),
        ([[1.0, 2.0]], "batches of examples"),
        (np.float32(1), "batches of examples"),
        (
            tf.data.Dataset.from_tensors(X).repeat(),
            "a dataset that ends",
        ),
    ],
)
def test_bad_examples(extractor, images, message):
    for method, _ in methods(extractor):
        with pytest.raises(InvalidArgument) as error:
            method(images)
        assert message in str(error.value)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "2"])
def test_bad_batch_size(extractor, batch_size):
    with pytest.raises(InvalidArgument, match="batch_size"):
        extractor.features(X, batch_size)


def test_an_extractor_that_breaks_its_promise():
    class Wrong(Brightness):
        def features_of(self, images):
            return tf.reduce_mean(images, axis=(1, 2, 3))

    with pytest.raises(InvalidArgument, match=r"promises .*\(n, 1\).*\(23,\)"):
        Wrong().features(X)


def test_an_extractor_needs_features():
    class Empty(extractors.Extractor):
        pass

    with pytest.raises(TypeError, match="features_of"):
        Empty("empty", SHAPE, 1)


class TestPixels:
    def test_they_are_the_numbers(self):
        x, _ = bright_or_dark(9, (3, 4, 2))
        got = extractors.PixelExtractor((3, 4, 2)).features(x)
        np.testing.assert_array_equal(got, x.reshape(9, 24))

    def test_vectors_have_any_range(self):
        x = RNG.normal(size=(9, 3)).astype("float32") * 100
        extractor = extractors.PixelExtractor((3,))
        np.testing.assert_array_equal(extractor.features(x), x)
        assert extractor.name == "raw numbers"

    @pytest.mark.parametrize("shape", [(), None, (0, 3), (None, 8, 1), "ab"])
    def test_bad_shape(self, shape):
        with pytest.raises(InvalidArgument, match="input_shape"):
            extractors.PixelExtractor(shape)


class TestGet:
    def test_an_extractor_is_itself(self):
        own = Brightness()
        assert extractors.get(own) is own

    def test_the_kinds(self, tmp_path):
        network().save(tmp_path / "a.keras")
        got = extractors.get(str(tmp_path / "a.keras"), layer="conv")
        assert type(got) is extractors.ModelExtractor
        assert got.num_features == 6 * 6 * 3
        got = extractors.get("pixels", bright_or_dark(9, (4, 4, 3)))
        assert type(got) is extractors.PixelExtractor
        assert got.input_shape == (4, 4, 3)

    @pytest.mark.parametrize("name", ["classifier", "pixels"])
    def test_a_source_is_needed(self, name):
        with pytest.raises(InvalidArgument, match=f'set, for "{name}"'):
            extractors.get(name)

    @pytest.mark.parametrize("identifier", ["clasifier", "", None, 3, X])
    def test_what_stands_for_none(self, identifier):
        with pytest.raises(InvalidArgument, match='"classifier", "pixels"'):
            extractors.get(identifier)

    @pytest.mark.parametrize("name", ["no.keras", "no.pb", "a/b", "no.tgz"])
    def test_paths_without_a_file(self, tmp_path, monkeypatch, name):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(FileNotFoundError, match="There is no file"):
            extractors.get(name)
