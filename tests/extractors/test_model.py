import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import kgen
from kgen.errors import InvalidArgument
from kgen.extractors import ModelExtractor
from kgen.extractors import model as extractor
from tests.data.common import what_the_system_lacks

RNG = np.random.default_rng(0)
X = RNG.uniform(size=(5, 6, 6, 1)).astype("float32")


def functional(shared=False):
    keras.utils.set_random_seed(0)
    x = keras.Input((6, 6, 1))
    conv = layers.Conv2D(1, 3, padding="same", name="conv")
    y = conv(conv(x)) if shared else conv(x)
    features = layers.Dense(7, name="features")(layers.Flatten()(y))
    y = layers.BatchNormalization()(layers.Dropout(0.5)(features))
    return keras.Model(x, layers.Dense(3, name="logits")(y))


def of_layer(model, name, x):
    return keras.Model(model.inputs[0], model.get_layer(name).output)(x).numpy()


def softmax(x):
    odds = np.exp(x)
    return odds / odds.sum(axis=1, keepdims=True)


def same(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_the_output_or_a_layer():
    model = functional()
    same(ModelExtractor(model).features(X), model.predict(X, verbose=0))
    got = ModelExtractor(model, layer="features").features(X)
    same(got, of_layer(model, "features", X))
    got = ModelExtractor(model, layer="conv").features(X)
    same(got, of_layer(model, "conv", X).reshape(5, 36))


def test_a_layer_where_this_model_applies_it():
    """Not where another one did before."""
    conv = layers.Conv2D(2, 3, name="conv")
    conv(keras.Input((6, 6, 1)))
    x = keras.Input((6, 6, 1))
    model = keras.Model(x, layers.Flatten()(conv(x * 2.0)))
    same(ModelExtractor(model, "conv").features(X), model.predict(X, verbose=0))


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_classes(kind):
    model = functional()
    expected = softmax(model.predict(X, verbose=0))
    if kind == "probabilities":
        model = keras.Sequential([model, layers.Softmax()])
        model.build((None, 6, 6, 1))
    extractor = ModelExtractor(model, classes=kind)
    assert extractor.num_classes == 3
    same(extractor.probabilities(X), expected)


def test_files(tmp_path):
    model = functional()
    path = tmp_path / "mine.keras"
    model.save(path)
    extractor = ModelExtractor(str(path), layer="features")
    same(extractor.features(X), of_layer(model, "features", X))
    assert extractor.name == "the model mine.keras, layer 'features'"


class Module(tf.Module):
    """Two signatures; one with two outputs."""

    def __init__(self):
        self.weight = tf.Variable([2.0, 3.0])

    @tf.function(input_signature=[tf.TensorSpec((None, 6, 6, 1), name="x")])
    def maps(self, x):
        return {"maps": x * self.weight}

    @tf.function(input_signature=[tf.TensorSpec((None, 6, 6, 1), name="x")])
    def both(self, x):
        total = tf.reduce_sum(x, (1, 2))
        return {"total": total, "twice": 2.0 * total}

    @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.int32, "x")])
    def integers(self, x):
        return {"y": x}

    @tf.function(input_signature=[tf.TensorSpec((2, 4), name="x")])
    def fixed(self, x):
        return {"y": x}

    @tf.function(input_signature=[tf.TensorSpec(None, name="x")])
    def unknown(self, x):
        return {"y": x}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model"
    module = Module()
    names = ("maps", "both", "integers", "fixed", "unknown")
    signatures = {name: getattr(module, name) for name in names}
    tf.saved_model.save(module, path, signatures=signatures)
    return path


def test_saved_models(saved):
    got = ModelExtractor(saved, signature="maps").features(X)
    same(got, (X * [2.0, 3.0]).reshape(5, 72))
    extractor = ModelExtractor(saved, "twice", signature="both")
    same(extractor.features(X), 2 * X.sum(axis=(1, 2)))
    assert extractor.num_features == 1


def test_an_export_of_kgen(tmp_path):
    vae = kgen.create_model("vae", input_shape=(6, 6, 1), latent_dim=2)
    vae.compile()
    vae.export(tmp_path / "1")
    extractor = ModelExtractor(tmp_path / "1", "mean", signature="encode")
    same(extractor.features(X), vae.encode(X))


def two_inputs():
    x, y = keras.Input((2,), name="x"), keras.Input((2,), name="y")
    return keras.Model([x, y], layers.Add()([x, y]))


def two_outputs():
    x = keras.Input((2,))
    return keras.Model(x, [layers.ReLU()(x), layers.Softmax()(x)])


def fixed_batch():
    x = keras.Input(batch_shape=(4, 2))
    return keras.Model(x, layers.ReLU()(x))


def any_size():
    x = keras.Input((None, None, 1))
    return keras.Model(x, layers.Conv2D(1, 3)(x))


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (functional, {"layer": "featurs"}, "did you mean 'features'?"),
        (lambda: functional(shared=True), {"layer": "conv"}, "applies once"),
        (functional, {"classes": "odds"}, "'logits', 'probabilities'"),
        (lambda: any_size(), {}, "features of a fixed number"),
        (
            lambda: keras.Sequential([keras.Input((6, 6, 1)), layers.ReLU()]),
            {"classes": "logits"},
            "(n, num_classes)",
        ),
        (two_inputs, {}, "one input"),
        (two_outputs, {}, "one output; say which by `layer`"),
        (fixed_batch, {}, "any number of examples"),
        (lambda: keras.Sequential([layers.Dense(2)]), {}, "can't be seen"),
        (
            lambda: kgen.create_model("vae", input_shape=(8, 8, 1)),
            {},
            "can't be seen",
        ),
        (lambda: 3, {}, "a keras.Model, the path"),
        (lambda: functional, {}, "a keras.Model, the path"),
    ],
)
def test_bad_models(make, options, message):
    with pytest.raises(InvalidArgument) as error:
        ModelExtractor(make(), **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "one of 'both', 'fixed', 'integers', 'maps'"),
        ({"signature": "map"}, "did you mean 'maps'?"),
        ({"signature": "both"}, "one output"),
        ({"signature": "both", "layer": "x"}, "one of 'total', 'twice'"),
        ({"signature": "integers"}, "takes float32"),
        ({"signature": "fixed"}, "any number of examples"),
        ({"signature": "unknown"}, "known shapes"),
    ],
)
def test_bad_signatures(saved, options, message):
    with pytest.raises(InvalidArgument) as error:
        ModelExtractor(saved, **options)
    assert message in str(error.value)


def test_bad_paths(tmp_path):
    with pytest.raises(FileNotFoundError, match="no.keras"):
        ModelExtractor(tmp_path / "no.keras")
    with pytest.raises(InvalidArgument, match="without a SavedModel"):
        ModelExtractor(tmp_path)
    (tmp_path / "bad.keras").write_bytes(b"no model")
    with pytest.raises(InvalidArgument, match="bad.keras can't be read"):
        ModelExtractor(tmp_path / "bad.keras")
    (tmp_path / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(InvalidArgument, match="can't be read as a model"):
        ModelExtractor(tmp_path)


@what_the_system_lacks
def test_what_the_system_lacks_is_no_damage(tmp_path, monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    (tmp_path / "a.keras").touch()
    monkeypatch.setattr(extractor, "load_model", fail)
    with pytest.raises(type(error), match=str(error.args[-1])):
        ModelExtractor(tmp_path / "a.keras")
