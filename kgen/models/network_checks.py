"""Looks at the networks that a model is given."""

from typing import Any

import keras

from kgen.errors import InvalidArgument, invalid
from kgen.models import outputs
from kgen.priors import Flow


def check_network(name: str, owner: str, network: Any) -> None:
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


def check_precision(
    model: keras.Model, networks: dict[str, keras.Model]
) -> None:
    """Raises unless a model and its networks keep their weights in float32.

    Args:
        model: A `GenerativeModel`.
        networks: Dictionary from its arguments' names to its networks.
    """
    owner = type(model).__name__
    _check_float32(owner, "dtype", model.variable_dtype)
    if keras.config.floatx() != "float32":
        raise InvalidArgument(
            f"`{owner}` computes in float32, and Keras's default is "
            f'{keras.config.floatx()}. Call `keras.config.set_floatx("float32")`.'
        )
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


def check_nothing_shared(owner: str, networks: dict[str, keras.Model]) -> None:
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


def num_classes_of(network: keras.Model) -> int | None:
    """The number of classes that a network's layers were built for, or None."""
    for layer in network.layers:
        layer = getattr(layer, "layer", layer)  # out of a wrapper
        if isinstance(layer, keras.layers.Embedding):
            return layer.input_dim
        if getattr(layer, "num_classes", None):
            return layer.num_classes
    return None


def check_discriminator(
    owner: str, generator: keras.Model, discriminator: keras.Model
) -> int:
    """Raises unless a discriminator fits the generated examples.

    Args:
        owner: Name of the model.
        generator: The network that generates.
        discriminator: The discriminator.

    Returns:
        How many examples it sees at once: 1, or more for packing.
    """
    shape = tuple(generator.outputs[0].shape[1:])
    inputs = len(generator.inputs)
    if len(generator.outputs) != 1 or not shape or inputs not in (1, 2):
        raise invalid(
            "generator",
            owner,
            "one output, the examples, and z or [z, labels] as inputs",
            f"{len(generator.outputs)} outputs, the first of shape {shape}, and "
            f"{inputs} inputs",
        )
    seen = tuple(discriminator.inputs[0].shape[1:])
    fits = seen[:-1] == shape[:-1] and None not in seen + shape
    pack, rest = divmod(seen[-1], shape[-1]) if fits and seen else (0, 0)
    if rest or not pack:
        raise invalid(
            "discriminator",
            owner,
            f"an input of the generated examples' shape {shape}, or with m "
            "times the channels (packing)",
            f"shape {seen}",
        )
    shapes = [tuple(output.shape[1:]) for output in discriminator.outputs]
    if shapes != [(1,)]:
        raise invalid(
            "discriminator",
            owner,
            "one output of shape (batch, 1), a logit",
            f"outputs of shape {shapes}",
        )
    outputs.check_logits(
        "discriminator",
        owner,
        discriminator,
        "end it in a Dense(1) layer without activation, since the loss applies "
        "the sigmoid itself",
    )
    counts = [num_classes_of(x) for x in (generator, discriminator)]
    if None not in counts and counts[0] != counts[1]:
        raise invalid(
            "discriminator",
            owner,
            f"{counts[0]} classes, as the generating network has",
            f"{counts[1]} classes",
        )
    if len(generator.inputs) != len(discriminator.inputs):
        raise invalid(
            "discriminator",
            owner,
            "labels as a second input of both networks or of none",
            f"{len(discriminator.inputs)} inputs",
        )
    if pack > 1 and len(generator.inputs) > 1:
        raise invalid(
            "discriminator", owner, "no packing with labels", f"packs {pack}"
        )
    return pack


def check_posterior(
    owner: str, encoder: keras.Model, flow: Flow | None = None
) -> None:
    """Raises unless the encoder ends in what the posterior needs.

    Args:
        owner: Name of the model, for the message.
        encoder: The encoder.
        flow: The flow behind the Gaussian, to which the encoder may give a
            context, or None.
    """
    shapes = [output.shape for output in encoder.outputs]
    gaussian, contexts = shapes[:2], shapes[2:]
    most_contexts = 0 if flow is None else 1
    are_vectors = all(len(s) == 2 and s[1] is not None for s in contexts)
    right = len(gaussian) == 2 and gaussian[0] == gaussian[1]
    if not right or len(contexts) > most_contexts or not are_vectors:
        expected = "two outputs of one shape, (mean, log_var)"
        if flow is not None:
            expected += (
                ", and perhaps a third one, the flow's context, of shape "
                "(batch, context_dim)"
            )
        raise invalid("encoder", owner, expected, shapes)
    outputs.check_log_var(owner, encoder)
