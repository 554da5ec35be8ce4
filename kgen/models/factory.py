"""`create_model`: puts networks and a model together."""

import inspect

from kgen.errors import unknown_name
from kgen.models.vae import VAE
from kgen.networks import convolutional, dense

MODELS = {"vae": VAE}
NETWORKS = {"dense": dense, "conv": convolutional}


def create_model(
    name, *, input_shape, network="conv", latent_dim=8, num_classes=None, **options
):
    """Builds a model with networks of kgen's own.

    Args:
        name: `"vae"`.
        input_shape: Shape of one example, without the batch.
        network: `"conv"` (pictures of any size) or `"dense"` (any shape).
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
    if name not in MODELS:
        raise unknown_name("name", "create_model", MODELS, name)
    if network not in NETWORKS:
        raise unknown_name("network", "create_model", NETWORKS, network)
    cls, builders = MODELS[name], NETWORKS[network]
    of_network, of_model = options_of(name, network)
    for option in options:
        if option not in {*of_network, *of_model}:
            known = [*of_network, *of_model]
            raise unknown_name("options", "create_model", known, option)
    shared = {key: options[key] for key in options if key in of_network}
    shared["num_classes"] = num_classes
    return cls(
        builders.encoder(input_shape, latent_dim, **shared),
        builders.decoder(input_shape, latent_dim, **shared),
        **{key: options[key] for key in options if key in of_model},
    )


def options_of(name, network):
    """The options of `create_model` for a model: names and defaults.

    Args:
        name: A model's name.
        network: A network family's name.

    Returns:
        Dictionary from the builders' options to their defaults, and one from
        the model's.
    """
    return (
        _options(NETWORKS[network].encoder, "gaussian", "num_classes"),
        _options(MODELS[name], "encoder", "decoder"),
    )


def _options(function, *without):
    return {
        parameter.name: parameter.default
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is not parameter.empty
        and parameter.name not in without
    }
