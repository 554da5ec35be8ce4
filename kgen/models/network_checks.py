"""Looks at the networks that a model is given."""

import keras

from kgen.errors import invalid


def check_network(name, owner, network):
    """Raises unless a network is a `keras.Model` of known inputs and outputs.

    Args:
        name: The argument's name.
        owner: Name of the model.
        network: What was given.
    """
    is_model = isinstance(network, keras.Model)
    if not (is_model and getattr(network, "inputs", None)):
        raise invalid(
            name,
            owner,
            "a built keras.Model, functional or sequential: give a Sequential "
            "a `keras.Input` first",
            network,
        )


def check_precision(model, networks):
    """Raises unless a model and its networks keep their weights in float32.

    Args:
        model: A `GenerativeModel`.
        networks: Dictionary from its arguments' names to its networks.
    """
    owner = type(model).__name__
    _check_float32(owner, "dtype", model.variable_dtype)
    for name, network in networks.items():
        for variable in network.variables:
            if variable.dtype.startswith(("float", "bfloat")):
                _check_float32(owner, name, variable.dtype)


def _check_float32(owner, argument, dtype):
    if dtype != "float32":
        raise invalid(
            argument,
            owner,
            "weights in float32, as under the policies float32, mixed_float16 "
            'and mixed_bfloat16. Call `keras.config.set_dtype_policy("float32")` '
            "before the networks are made",
            f"weights in {dtype}",
        )


def check_nothing_shared(owner, networks):
    """Raises if two networks have weights in common.

    Keras would save them once for both, and could not load what it saved.

    Args:
        owner: Name of the model, for the message.
        networks: Dictionary from its arguments' names to its networks.
    """
    owners = {}
    for name, network in networks.items():
        for variable in network.variables:
            other = owners.setdefault(id(variable), name)
            if other != name:
                raise invalid(
                    name,
                    owner,
                    f"a network that shares no layer with `{other}`: the saved "
                    "model could not be loaded. Give each network its own",
                    f"one that shares {variable.path}",
                )
