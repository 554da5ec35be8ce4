"""Networks of one's own: of half precision, shared, frozen, of wrong shapes."""

import keras
import numpy as np
import pytest
from keras import layers

import kgen
from kgen.errors import InvalidArgument
from tests.models.contract import X

SHAPE = (8, 8, 1)


def encoder(heads=2):
    x = keras.Input(SHAPE)
    h = layers.Dense(8, "relu")(layers.Flatten()(x))
    outputs = [layers.Dense(3)(h) for _ in range(heads)]
    return keras.Model(x, outputs if heads > 1 else outputs[0])


def to_pictures(activation=None):
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(64, activation),
            layers.Reshape(SHAPE),
        ]
    )


def critic(shape=SHAPE, units=1):
    x = keras.Input(shape)
    h = layers.Dense(8, "relu", name="features")(layers.Flatten()(x))
    return keras.Model(x, layers.Dense(units)(h))


def vae(**options):
    return kgen.VAE(encoder(), to_pictures(), **options)


HALF = {
    "vae": vae,
    "importance": lambda: vae(importance_samples=3),
    "vaegan": lambda: kgen.VAEGAN(encoder(), to_pictures(), critic()),
    "gan": lambda: kgen.GAN(to_pictures("sigmoid"), critic()),
    "autoencoder": lambda: kgen.Autoencoder(encoder(1), to_pictures()),
    "denoising": lambda: kgen.DenoisingAutoencoder(encoder(1), to_pictures()),
}


@pytest.mark.parametrize("build", HALF.values(), ids=HALF)
def test_networks_that_end_in_half_precision(build):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build()
        model.compile(run_eagerly=True)
        # The first steps find how far the loss can be scaled, and change nothing.
        before = [weight.numpy() for weight in model.trainable_variables]
        logs = model.fit(X[:32], batch_size=4, verbose=0).history
        assert np.isfinite(list(logs.values())).all()
        after = [weight.numpy() for weight in model.trainable_variables]
        assert any((a != b).any() for a, b in zip(before, after))
        drawn = model.interpolate(
            *([2] if hasattr(model, "generator") else [X[:2], X[2:4]])
        )
        assert drawn.dtype == "float32" and np.isfinite(drawn).all()
        if hasattr(model, "elbo"):
            assert np.isfinite(model.elbo(X[:4], seed=0)).all()
            bound = model.log_likelihood(X[:4], num_samples=4, seed=0)
            assert np.isfinite(bound).all()
    finally:
        keras.config.set_dtype_policy("float32")


def shared_players():
    """A generator and a discriminator with one layer in both."""
    layer = layers.Dense(64)
    z = keras.Input((3,))
    generator = keras.Model(
        z, layers.Reshape(SHAPE)(layer(layers.Dense(64)(z)))
    )
    x = keras.Input(SHAPE)
    logit = layers.Dense(1)(layer(layers.Flatten()(x)))
    return generator, keras.Model(x, logit)


def test_players_that_share_weights_are_refused():
    with pytest.raises(InvalidArgument, match="shares no layer with `gen"):
        kgen.GAN(*shared_players())


@pytest.mark.parametrize(
    ("discriminator", "expected"),
    [
        (lambda: critic(units=2), "one output of shape"),
        (lambda: critic((7, 8, 1)), "an input of the generated examples"),
        (
            lambda: keras.Sequential(
                [
                    keras.Input((None, None, None)),
                    layers.GlobalMaxPooling2D(),
                    layers.Flatten(),
                ]
            ),
            "an input of the generated examples",
        ),
        (
            lambda: keras.Sequential([keras.Input(()), layers.Reshape((1,))]),
            "an input of the generated examples",
        ),
        (
            lambda: keras.Sequential(
                [keras.Input(SHAPE), layers.Flatten(), layers.Dense(1)]
                + [layers.Reshape(())]
            ),
            "one output of shape",
        ),
        (lambda: encoder(2), "one output of shape"),
        (lambda: keras.Sequential([layers.Dense(1)]), "keras.Input"),
        (lambda: None, "a built keras.Model"),
    ],
    ids=["two", "rows", "any", "scalar", "flat", "several"]
    + ["not built", "none"],
)
def test_discriminators_that_do_not_fit(discriminator, expected):
    with pytest.raises(InvalidArgument, match=expected):
        kgen.GAN(to_pictures("sigmoid"), discriminator())


@pytest.mark.parametrize("network", [None, "encoder", 3, {}, [1, 2]])
def test_what_is_no_network_is_refused(network):
    for build in (kgen.Autoencoder, kgen.DenoisingAutoencoder, kgen.VAE):
        with pytest.raises(InvalidArgument, match="a built keras.Model"):
            build(network, to_pictures())
