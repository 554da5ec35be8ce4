"""Fully connected networks, for vectors and for pictures of any shape."""

import math
from collections.abc import Sequence

import keras
from keras import layers

from kgen.layers import Dense, GatedDense
from kgen.networks import common


@common.gated_builder
def encoder(
    input_shape: Sequence[int],
    latent_dim: int,
    *,
    gaussian: bool = True,
    context_dim: int = 0,
    hidden_units: Sequence[int] = (512, 256),
    activation: common.Activation = "relu",
    kernel_regularizer: common.Regularizer = None,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a dense encoder; `kgen.networks` describes the arguments.

    Returns:
        A `keras.Model` from x to `[mean, log_var]`, perhaps with a context, or to z
        alone.
    """
    inputs = common.Inputs(input_shape, "images", num_classes)
    x = inputs.with_labels(common.Flatten()(inputs.x))
    x = _hidden(x, hidden_units, activation, kernel_regularizer)
    outputs = common.latent_outputs(x, latent_dim, gaussian, context_dim)
    return inputs.network(outputs, "encoder")


@common.gated_builder
def decoder(
    input_shape: Sequence[int],
    latent_dim: int,
    *,
    hidden_units: Sequence[int] = (512, 256),
    activation: common.Activation = "relu",
    output_activation: common.Activation = None,
    kernel_regularizer: common.Regularizer = None,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a dense decoder, the mirror of `encoder`.

    `kgen.networks` describes the arguments; the hidden layers have the
    *encoder's* `hidden_units`, in reverse.

    Returns:
        A `keras.Model` from z to a likelihood's parameters.
    """
    inputs = common.Inputs((latent_dim,), "z", num_classes)
    x = inputs.with_labels(inputs.x)
    x = _hidden(x, hidden_units[::-1], activation, kernel_regularizer)
    end = Dense(
        math.prod(input_shape),
        activation=output_activation,
        dtype="float32",
        name="parameters",
    )
    return inputs.network(layers.Reshape(input_shape)(end(x)), "decoder")


def _hidden(x, hidden_units, activation, kernel_regularizer):
    for units in hidden_units:
        if activation == "gated":
            layer = GatedDense(units, kernel_regularizer)
        else:
            layer = Dense(
                units, activation, kernel_regularizer=kernel_regularizer
            )
        x = layer(x)
    return x


@common.builder
def generator(
    input_shape: Sequence[int],
    latent_dim: int,
    *,
    hidden_units: Sequence[int] = (128, 128, 128, 128),
    activation: common.Activation = "relu",
    output_activation: common.Activation = None,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a dense generator; `kgen.networks` describes the arguments.

    Returns:
        A `keras.Model` from z to examples.
    """
    inputs = common.Inputs((latent_dim,), "z", num_classes)
    x = inputs.with_labels(inputs.x)
    for units in hidden_units:
        x = Dense(units, activation, kernel_initializer="he_normal")(x)
    # A layer, such as that of a table's rows, is one of the network's own.
    end = (
        output_activation
        if isinstance(output_activation, layers.Layer)
        else None
    )
    activation = None if end else output_activation
    size = math.prod(input_shape)
    x = layers.Dense(size, activation=activation, dtype="float32")(x)
    x = layers.Reshape(input_shape)(x)
    return inputs.network(end(x) if end else x, "generator")


@common.builder
def discriminator(
    input_shape: Sequence[int],
    *,
    pack: int = 1,
    hidden_units: Sequence[int] = (128, 128, 128, 128),
    activation: common.Activation = "relu",
    spectral_normalization: bool = False,
    kernel_constraint: common.KernelConstraint = None,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a dense discriminator; `"features"` is its last hidden layer.

    `kgen.networks` describes the arguments.

    Returns:
        A `keras.Model` from examples to a logit.
    """
    inputs = common.Inputs(
        common.packed(input_shape, pack), "images", num_classes
    )
    normalise = common.normalised(spectral_normalization)
    kwargs = {"kernel_constraint": kernel_constraint}
    x = common.Flatten()(inputs.x)
    for units in hidden_units:
        layer = Dense(
            units, activation, kernel_initializer="he_normal", **kwargs
        )
        x = normalise(layer)(x)
    x = layers.Identity(name="features")(x)
    logit = inputs.logit(x, normalise, **kwargs)
    return inputs.network(logit, "discriminator")
