"""`create_model`: puts networks and a model together."""

import inspect

import keras

from kgen.errors import invalid, unknown_name
from kgen.losses import likelihoods
from kgen.models.autoencoder import Autoencoder, Reconstructing
from kgen.models.denoising import DenoisingAutoencoder
from kgen.models.vae import VAE
from kgen.networks import common, convolutional, dense, unet

MODELS = {
    "autoencoder": Autoencoder,
    "denoising_autoencoder": DenoisingAutoencoder,
    "vae": VAE,
}
NETWORKS = {"dense": dense, "conv": convolutional, "unet": unet}

# What the factory itself gives to builders and models.
_GIVEN = {"gaussian", "num_classes", "encoder", "decoder"}


def create_model(
    name,
    *,
    input_shape,
    network="conv",
    latent_dim=8,
    num_classes=None,
    **options,
):
    """Builds a model with networks of kgen's own.

    Where the decoder's output is the picture itself, as under a Gaussian
    likelihood, it ends in a sigmoid, so that what it decodes stays in [0, 1];
    `output_activation` changes that.

    Args:
        name: `"autoencoder"`, `"denoising_autoencoder"` or `"vae"`.
        input_shape: Shape of one example, without the batch.
        network: `"conv"` (pictures of any size), `"dense"` (any shape), or
            `"unet"` (convolutional with skip connections, to denoise).
        latent_dim: Size of z, a positive integer.
        num_classes: If given, the model is conditional: its networks take
            labels from 0 to `num_classes - 1`.
        **options: Arguments of the networks' builders (such as `hidden_units`,
            `filters`, `activation`) and of the model's class (such as
            `likelihood`, `kl_weight`).

    Returns:
        A model, not yet compiled.

    Raises:
        InvalidArgument: If a name is unknown (the nearest one is offered), or
            a value is out of range.
    """
    known = options_of(name, network)
    for option in options:
        if option not in known:
            raise unknown_name("options", "create_model", known, option)
    cls, builders = MODELS[name], NETWORKS[network]
    gaussian = not issubclass(cls, Reconstructing)
    options = {"num_classes": num_classes, "gaussian": gaussian, **options}
    if "likelihood" in known:
        likelihood = options.get("likelihood", known["likelihood"])
        likelihood = likelihoods.get(
            likelihood, cls.__name__, losses=issubclass(cls, Reconstructing)
        )
        options["likelihood"] = likelihood
        picture = len(common.check_shape(input_shape)) == 3
        bounded = picture and likelihood.parameters_are_mean
        options.setdefault("output_activation", "sigmoid" if bounded else None)

    def call(function, *args):
        names = inspect.signature(function).parameters
        return function(
            *args, **{key: options[key] for key in options if key in names}
        )

    return call(
        cls,
        call(builders.encoder, input_shape, latent_dim),
        call(builders.decoder, input_shape, latent_dim),
    )


def load_model(filepath, compile=True):
    """Loads a model that `save` wrote.

    As `keras.saving.load_model`, which finds kgen's classes only once they are
    imported.

    Args:
        filepath: The `.keras` file.
        compile: Whether to restore the optimizer and its state, too.

    Returns:
        The model, with its weights, optimizer and random streams.
    """
    return keras.saving.load_model(filepath, compile=compile)


def options_of(name, network):
    """The options that `create_model` takes for a model.

    Args:
        name: A model's name.
        network: A network family's name.

    Returns:
        Dictionary from names to defaults.

    Raises:
        InvalidArgument: If a name is unknown.
    """
    if name not in MODELS:
        raise unknown_name("name", "create_model", MODELS, name)
    if network not in NETWORKS:
        raise unknown_name("network", "create_model", NETWORKS, network)
    if network == "unet" and name != "denoising_autoencoder":
        raise invalid(
            "network",
            "create_model",
            f"dense or conv for {name}: skip connections would lead x past z",
            network,
        )
    builders = NETWORKS[network]
    return {
        parameter.name: parameter.default
        for function in (builders.encoder, builders.decoder, MODELS[name])
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is not parameter.empty
        and parameter.name not in _GIVEN
    }
