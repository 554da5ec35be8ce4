"""Models with networks of one's own: their files, layers and precision."""

import json

import keras
import numpy as np
import pytest
from keras import layers

import kgen
from kgen import runs
from kgen.errors import InvalidArgument
from tests.models.contract import X


def encoder(*hidden):
    """x to two heads without a type of their own, by way of `hidden`."""
    x = keras.Input((8, 8, 1))
    h = layers.Flatten()(x)
    for layer in hidden:
        h = layer(h)
    return keras.Model(x, [layers.Dense(3)(h), layers.Dense(3)(h)])


def decoder(*hidden):
    z = h = keras.Input((3,))
    for layer in hidden:
        h = layer(h)
    h = layers.Dense(64, "sigmoid")(h)
    return keras.Model(z, layers.Reshape((8, 8, 1))(h))


def discriminator():
    x = keras.Input((8, 8, 1))
    h = layers.Dense(4, "relu", name="features")(layers.Flatten()(x))
    return keras.Model(x, layers.Dense(1)(h))


def test_a_layer_of_two_networks_is_refused():
    shared = layers.Dense(3)
    with pytest.raises(InvalidArgument, match="shares no layer with `encoder`"):
        kgen.VAE(encoder(layers.Dense(3), shared), decoder(shared))
    kgen.VAE(encoder(layers.Activation("relu")), decoder())


@pytest.mark.parametrize("name", ["model.h5", "model.hdf5"])
def test_a_file_that_could_not_be_loaded_is_not_written(name, tmp_path):
    model = kgen.VAE(encoder(), decoder())
    with pytest.raises(InvalidArgument, match="ends in .keras"):
        model.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


class Double(layers.Layer):
    """A layer that no decorator has registered."""

    def call(self, x):
        return 2 * x


Double.__module__ = "not_imported"  # where Keras would look for it


def test_a_class_that_is_not_known_is_named_first(tmp_path):
    model = kgen.VAE(encoder(Double()), decoder())
    model.save(tmp_path / "model.keras")
    with pytest.raises(InvalidArgument) as error:
        kgen.load_model(tmp_path / "model.keras")
    text = str(error.value)
    assert text.startswith("The class `Double` of ")
    assert "custom_objects={'Double': Double}" in text and len(text) < 500
    loaded = kgen.load_model(
        tmp_path / "model.keras", custom_objects={"Double": Double}
    )
    np.testing.assert_array_equal(loaded.encode(X), model.encode(X))


def test_a_run_with_a_class_that_is_not_known(tmp_path):
    config = {
        **dict.fromkeys(["image_shape", "data_dir"]),
        **dict.fromkeys(["latent_dim", "epochs", "batch_size"], 1),
        **dict.fromkeys(["conditional", "binarize"], False),
        **dict.fromkeys(["seed", "kl_warmup"], 0),
        **{"model": "vae", "data": "digits", "network": "dense", "options": {}},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    model = kgen.VAE(encoder(Double()), decoder())
    model.save(tmp_path / "model.keras")
    with pytest.raises(InvalidArgument) as error:
        runs.Run(tmp_path).model()
    assert "`Double`" in str(error.value) and "in Python" in str(error.value)
    assert "Delete" not in str(error.value)


def test_safe_mode(tmp_path):
    model = kgen.VAE(encoder(layers.Lambda(lambda x: 2 * x)), decoder())
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="safe_mode=False"):
        kgen.load_model(tmp_path / "model.keras")
    loaded = kgen.load_model(tmp_path / "model.keras", safe_mode=False)
    np.testing.assert_array_equal(loaded.encode(X), model.encode(X))


MODELS = {
    "VAE": lambda: kgen.VAE(encoder(), decoder()),
    "VAE by importance": lambda: kgen.VAE(
        encoder(), decoder(), importance_samples=2
    ),
    "VAEGAN": lambda: kgen.VAEGAN(encoder(), decoder(), discriminator()),
    "GAN": lambda: kgen.GAN(decoder(), discriminator()),
    "VAEDensity": lambda: kgen.BayesClassifier(
        kgen.VAEDensity([kgen.VAE(encoder(), decoder()) for _ in range(2)]),
        prior="uniform",
    ),
}


@pytest.fixture
def policy():
    """Sets a policy; the usual one is back afterwards."""
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("name", MODELS)
def test_heads_in_half_precision(name, policy):
    policy("mixed_float16")
    model = MODELS[name]()
    model.compile()
    labels = np.arange(len(X)) % 2 if model.needs_labels else None
    logs = model.train_on_batch(X, labels, return_dict=True)
    assert np.isfinite(list(logs.values())).all()


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float64"])
def test_other_precisions_are_refused(name, policy):
    policy(name)
    networks = encoder(), decoder()
    with pytest.raises(InvalidArgument, match=f"in float32.*in {name}"):
        kgen.VAE(*networks)
    policy("float32")
    with pytest.raises(InvalidArgument, match="`encoder` of `VAE`.*in float32"):
        kgen.VAE(*networks)


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("vae", "conv"),
        ("gan", "conv"),
        ("gan", "resnet"),
        ("denoising_autoencoder", "unet"),
    ],
)
def test_channels_are_last_whatever_keras_json_says(name, network):
    def make():
        keras.utils.set_random_seed(0)
        return kgen.create_model(
            name, input_shape=(8, 8, 1), network=network, filters=4
        )

    def predict(model):
        rng = np.random.default_rng(0)
        shape, _ = model._called_with
        return model.predict_on_batch(rng.random((2, *shape), "float32"))

    expected = predict(make())
    keras.config.set_image_data_format("channels_first")
    try:
        found = predict(make())
    finally:
        keras.config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(found, expected)
