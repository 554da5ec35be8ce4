"""Networks of one's own whose last activation does not fit their use."""

import keras
import numpy as np
import pytest
from keras import layers

import kgen
from kgen.errors import InvalidArgument
from kgen.models import outputs
from tests.models.contract import X

SHAPE = (8, 8, 1)


def network(inputs, *stack, name=None):
    return keras.Sequential(
        [keras.Input(inputs), layers.Flatten(), *stack], name=name
    )


def to_pictures(activation=None, latent_dim=3):
    stack = [layers.Dense(64, activation), layers.Reshape(SHAPE)]
    return network((latent_dim,), *stack)


def functional(end):
    """A discriminator whose logit goes through `end` at last."""
    x = keras.Input(SHAPE)
    logit = layers.Dense(1, name="logit")(
        layers.Dense(4, name="features")(layers.Flatten()(x))
    )
    return keras.Model(x, end(logit))


def encoder(end=lambda log_var: log_var):
    x = keras.Input(SHAPE)
    both = layers.Dense(6)(layers.Flatten()(x))
    mean, log_var = keras.ops.split(both, 2, axis=-1)
    return keras.Model(x, [mean, end(log_var)])


# Ways to end a network in a sigmoid, or in what is no logit either.
NO_LOGITS = {
    "argument": lambda x: layers.Dense(1, "sigmoid")(x),
    "layer": layers.Activation("sigmoid"),
    "operation": keras.ops.sigmoid,
    "behind a reshape": lambda x: layers.Reshape((1,))(
        layers.Activation("sigmoid")(x)
    ),
    "behind a linear activation": lambda x: layers.Activation("linear")(
        layers.Activation("sigmoid", dtype="float32")(x)
    ),
    "wrapper": lambda x: kgen.layers.SpectralNormalization(
        layers.Dense(1, "sigmoid")
    )(x),
    "nested": network((1,), layers.Dense(1, "sigmoid")),
    "own function": layers.Activation(lambda x: 0.5 + 0.5 * keras.ops.tanh(x)),
    "softmax": layers.Softmax(),
    "relu": layers.ReLU(),
    "tanh": layers.Dense(1, "tanh"),
    "softplus": layers.Dense(1, "softplus"),
}


@pytest.mark.parametrize("end", NO_LOGITS.values(), ids=NO_LOGITS)
def test_a_discriminator_that_ends_in_no_logit_is_refused(end):
    with pytest.raises(InvalidArgument) as raised:
        kgen.GAN(to_pictures("sigmoid"), functional(end))
    assert "`discriminator` of `GAN`. Expected logits" in str(raised.value)
    assert "end it in a Dense(1) layer without activation" in str(raised.value)
    with pytest.raises(InvalidArgument, match="`discriminator` of `VAEGAN`"):
        kgen.VAEGAN(encoder(), to_pictures(), functional(end))


@pytest.mark.parametrize(
    "end",
    [
        lambda x: x,
        layers.LeakyReLU(),
        layers.Dense(1, "leaky_relu"),
        layers.BatchNormalization(),
        layers.Activation(lambda x: 30.0 * keras.ops.tanh(x / 30.0)),
        layers.Rescaling(2.0),
    ],
    ids=["logit", "leaky", "argument", "norm", "wide", "rescaled"],
)
def test_a_discriminator_that_ends_in_a_logit_is_taken(end):
    kgen.GAN(to_pictures("sigmoid"), functional(end))


@pytest.mark.parametrize("activation", ["softplus", "relu", "sigmoid", "exp"])
def test_a_log_variance_that_can_not_be_negative_is_refused(activation):
    end = (
        keras.ops.exp if activation == "exp" else layers.Activation(activation)
    )
    with pytest.raises(InvalidArgument, match="a log-variance as the second"):
        kgen.VAE(encoder(end), to_pictures())
    kgen.VAE(encoder(layers.Activation("tanh")), to_pictures())


LOGITS = ["bernoulli", "continuous_bernoulli"]


@pytest.mark.parametrize("likelihood", LOGITS)
def test_a_decoder_is_not_squashed_twice(likelihood):
    with pytest.raises(InvalidArgument) as raised:
        kgen.VAE(encoder(), to_pictures("sigmoid"), likelihood=likelihood)
    assert "a network that ends in sigmoid, whose values go from 0 to 1" in str(
        raised.value
    )
    with pytest.raises(InvalidArgument, match="the likelihood applies"):
        kgen.create_model(
            "vae",
            input_shape=SHAPE,
            network="dense",
            hidden_units=(4,),
            likelihood=likelihood,
            output_activation="sigmoid",
        )
    kgen.VAE(encoder(), to_pictures(), likelihood=likelihood)


def test_logits_of_a_keras_loss_are_not_squashed_twice():
    coder = network(SHAPE, layers.Dense(3))
    logits = keras.losses.BinaryCrossentropy(from_logits=True)
    with pytest.raises(InvalidArgument, match="Expected logits"):
        kgen.Autoencoder(coder, to_pictures("sigmoid"), likelihood=logits)
    with pytest.raises(InvalidArgument, match="values from 0 to 1: end it in"):
        kgen.Autoencoder(coder, to_pictures(), likelihood="binary_crossentropy")


def test_pictures_do_not_end_in_tanh():
    critic = functional(lambda x: x)
    with pytest.raises(InvalidArgument, match="end it in a sigmoid"):
        kgen.GAN(to_pictures("tanh"), critic)
    with pytest.raises(InvalidArgument, match="`decoder` of `VAE`"):
        kgen.VAE(encoder(), to_pictures("tanh"))
    for activation in (None, "relu", "sigmoid"):
        kgen.GAN(to_pictures(activation), critic)


def test_rows_that_the_output_can_not_reach_are_refused():
    """Rows may have any bounds; those of the activation hold for the data."""
    rows = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    generator = network((3,), layers.Dense(4, "sigmoid"))
    gan = kgen.GAN(generator, network((4,), layers.Dense(1)))
    gan.compile()
    with pytest.raises(InvalidArgument, match=r"values in \[0, 1\]; scale"):
        gan.fit(rows, verbose=0)
    gan.fit(1.0 / (1.0 + np.exp(-rows)), verbose=0)
    coder, decoder = (
        network((4,), layers.Dense(4, end)) for end in (None, "tanh")
    )
    model = kgen.Autoencoder(coder, decoder)
    model.compile()
    with pytest.raises(InvalidArgument, match=r"values in \[-1, 1\]; scale"):
        model.fit(5.0 * rows, verbose=0)


def test_a_model_that_was_saved_without_the_check_loads(tmp_path):
    """It is warned of, not lost."""
    with (
        outputs.only_warn(),
        pytest.warns(UserWarning, match="Expected logits"),
    ):
        model = kgen.VAE(
            encoder(), to_pictures("sigmoid"), likelihood="bernoulli"
        )
    model.save(tmp_path / "model.keras")
    with pytest.warns(UserWarning, match="Expected logits"):
        loaded = kgen.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.reconstruct(X), model.reconstruct(X))
