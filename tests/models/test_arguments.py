"""Arguments of the wrong name or type are told in words, wherever they are."""

import keras
import pytest

import kgen
from kgen.densities import FullGaussian
from kgen.errors import InvalidArgument
from kgen.networks import convolutional, dense
from kgen.params import Boolean
from tests.models import contract

VAE = contract.small_model


def create(**options):
    return kgen.create_model(
        "vae", **{"input_shape": (8, 8, 1), "network": "dense", **options}
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: create(latent_dims=3), "`latent_dims` .* mean 'latent_dim'"),
        (lambda: create(hidden_unit=(3,)), "mean 'hidden_units'"),
        (lambda: VAE("vae", networks=3), "mean 'network'"),
        (lambda: VAE("vae").compile(optimiser="adam"), "mean 'optimizer'"),
        (lambda: VAE("gan").compile(penaltty=None), "mean 'penalty'"),
        (
            lambda: dense.encoder((8,), 2, hiden_units=(3,)),
            "`dense.encoder`.* mean 'hidden_units'",
        ),
        (
            lambda: kgen.VAE(
                VAE("vae").encoder, VAE("vae").decoder, kl_wieght=2.0
            ),
            "`kl_wieght` of `VAE` .*mean 'kl_weight'",
        ),
        (
            lambda: kgen.hypermodels.VAE((8, 8, 1), spaces={}),
            "mean 'space'",
        ),
    ],
    ids=["create", "builder", "typed", "compile", "players", "networks"]
    + ["class", "hypermodel"],
)
def test_an_unknown_argument_is_answered_with_the_nearest(call, message):
    with pytest.raises(InvalidArgument, match=message) as raised:
        call()
    assert isinstance(raised.value, TypeError)  # as Python's own


def test_keras_own_arguments_are_taken():
    vae = VAE("vae")
    model = kgen.VAE(vae.encoder, vae.decoder, name="mine", trainable=False)
    assert model.name == "mine" and not model.trainable


@pytest.mark.parametrize("value", ["off", "False", 0, 1, None, [], 0.0])
def test_what_is_no_boolean_does_not_count_as_one(value):
    calls = [
        lambda: Boolean().check("x", "f", value),
        lambda: create(batch_normalization=value, network="conv"),
        lambda: dense.discriminator((8,), spectral_normalization=value),
        lambda: convolutional.discriminator(
            (8, 8, 1), spectral_normalization=value
        ),
        lambda: kgen.losses.Gaussian(learn_stddev=value),
        lambda: FullGaussian((8,), 2, shared=value),
        lambda: VAE("vae").compile(jit_compile=value),
        lambda: kgen.load_model("x.keras", compile=value),
    ]
    for call in calls[: None if value == "off" else 1]:
        with pytest.raises(InvalidArgument, match="Expected True or False"):
            call()


BAD = [
    pytest.param({"a": 1}, id="no class"),
    pytest.param({}, id="empty"),
    pytest.param({"class_name": "Foo", "config": {}}, id="unknown class"),
    pytest.param("foo", id="unknown name"),
    pytest.param(3, id="number"),
    pytest.param(object(), id="object"),
]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize(
    "argument",
    ["activation", "output_activation", "kernel_regularizer", "likelihood"],
)
def test_what_keras_can_not_read_is_told_by_the_arguments_name(argument, value):
    with pytest.raises(InvalidArgument, match=f"argument `{argument}`"):
        kgen.create_model(
            "autoencoder",
            input_shape=(8, 8, 1),
            network="dense",
            **{argument: value},
        )


@pytest.mark.parametrize("value", BAD)
def test_what_is_no_optimizer_or_constraint_is_told(value):
    gan = contract.small_model("gan")
    for argument in ("optimizer", "discriminator_optimizer", "penalty"):
        with pytest.raises(InvalidArgument, match=f"argument `{argument}`"):
            gan.compile(**{argument: value})
    with pytest.raises(InvalidArgument, match="argument `kernel_constraint`"):
        dense.discriminator((8,), kernel_constraint=value)


def test_configs_of_keras_are_read():
    config = keras.optimizers.serialize(keras.optimizers.SGD(0.5))
    model = create(
        kernel_regularizer={"class_name": "L2", "config": {"l2": 0.1}},
        activation=keras.activations.serialize(keras.activations.gelu),
        hidden_units=(4,),
    )
    model.compile(optimizer=config)
    assert float(model.optimizer.learning_rate) == 0.5
    layer = model.encoder.layers[2]
    assert layer.activation is keras.activations.gelu
    assert float(layer.kernel_regularizer.l2) == pytest.approx(0.1)


@pytest.mark.parametrize("value", [10**30, 2**31])
def test_numbers_that_tensorflow_can_not_hold(value):
    with pytest.raises(InvalidArgument, match="an integer of at most"):
        create(latent_dim=value)
    with pytest.raises(InvalidArgument, match="kl_weight"):
        create(kl_weight=float(10**39))
    with pytest.raises(InvalidArgument, match="kl_weight"):
        create(kl_weight=True)
