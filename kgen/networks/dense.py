"""Fully connected networks, for vectors and for pictures of any shape."""

import math

from keras import layers

from kgen.errors import check_int
from kgen.layers import Dense, GatedDense
from kgen.networks import common


@common.builder
def encoder(
    input_shape,
    latent_dim,
    *,
    gaussian=True,
    hidden_units=(512, 256),
    activation="relu",
    kernel_regularizer=None,
    num_classes=None,
):
    """Builds a dense encoder.

    Args:
        input_shape: Shape of one example, without the batch.
        latent_dim: Size of z.
        gaussian: Whether it ends in `(mean, log_var)` or in z alone.
        hidden_units: Widths of the hidden layers; `()` gives a linear map.
        activation: Activation of the hidden layers, or `"gated"` for
            `GatedDense` layers.
        kernel_regularizer: Regularizer of the hidden layers.
        num_classes: If given, the network takes `[x, labels]`.

    Returns:
        A `keras.Model`.
    """
    inputs = common.Inputs(
        common.check_shape(input_shape), "images", num_classes
    )
    x = inputs.with_labels(common.Flatten()(inputs.x))
    hidden_units = common.check_widths("hidden_units", hidden_units)
    x = _hidden(x, hidden_units, activation, kernel_regularizer)
    outputs = common.latent_outputs(x, latent_dim, gaussian)
    return inputs.network(outputs, "encoder")


@common.builder
def decoder(
    input_shape,
    latent_dim,
    *,
    hidden_units=(512, 256),
    activation="relu",
    output_activation=None,
    kernel_regularizer=None,
    num_classes=None,
):
    """Builds a dense decoder, the mirror of `encoder`.

    Args:
        input_shape: Shape of one example, the decoder's output.
        latent_dim: Size of z.
        hidden_units: The *encoder's* widths; used in reverse.
        activation: Activation of the hidden layers, or `"gated"` for
            `GatedDense` layers.
        output_activation: Activation of the output.
        kernel_regularizer: Regularizer of the hidden layers.
        num_classes: If given, the network takes `[z, labels]`.

    Returns:
        A `keras.Model` from z to a likelihood's parameters.
    """
    shape = common.check_shape(input_shape)
    latent_dim = check_int("latent_dim", common.OWNER, latent_dim)
    inputs = common.Inputs((latent_dim,), "z", num_classes)
    x = inputs.with_labels(inputs.x)
    hidden_units = common.check_widths("hidden_units", hidden_units)
    x = _hidden(x, hidden_units[::-1], activation, kernel_regularizer)
    x = Dense(
        math.prod(shape),
        activation=output_activation,
        dtype="float32",
        name="parameters",
    )(x)
    return inputs.network(layers.Reshape(shape)(x), "decoder")


def _hidden(x, units, activation, kernel_regularizer):
    for size in units:
        if activation == "gated":
            layer = GatedDense(size, kernel_regularizer)
        else:
            layer = Dense(
                size, activation, kernel_regularizer=kernel_regularizer
            )
        x = layer(x)
    return x


@common.builder
def generator(
    input_shape,
    latent_dim,
    *,
    hidden_units=(128, 128, 128, 128),
    activation="relu",
    output_activation=None,
    num_classes=None,
):
    """Builds a dense generator.

    Args:
        input_shape: Shape of one example, the output.
        latent_dim: Size of z.
        hidden_units: Widths of the hidden layers.
        activation: Activation of the hidden layers.
        output_activation: Activation of the output.
        num_classes: If given, the network takes `[z, labels]`, and the labels
            are appended to z, one-hot.

    Returns:
        A `keras.Model` from z to examples.
    """
    shape = common.check_shape(input_shape)
    latent_dim = check_int("latent_dim", common.OWNER, latent_dim)
    inputs = common.Inputs((latent_dim,), "z", num_classes)
    x = inputs.with_labels(inputs.x)
    for units in common.check_widths("hidden_units", hidden_units):
        x = Dense(units, activation, kernel_initializer="he_normal")(x)
    x = layers.Dense(
        math.prod(shape), activation=output_activation, dtype="float32"
    )(x)
    return inputs.network(layers.Reshape(shape)(x), "generator")


@common.builder
def discriminator(
    input_shape,
    *,
    pack=1,
    hidden_units=(128, 128, 128, 128),
    activation="relu",
    spectral_normalization=False,
    kernel_constraint=None,
    num_classes=None,
):
    """Builds a dense discriminator; `"features"` is its last hidden layer.

    Args:
        input_shape: Shape of one example.
        pack: How many examples are seen at once, side by side in the last axis.
        hidden_units: Widths of the hidden layers.
        activation: Activation of the hidden layers.
        spectral_normalization: Whether every layer has a norm of 1.
        kernel_constraint: Keras constraint of all kernels, or `"clip:0.01"`.
        num_classes: If given, the network takes `[x, labels]`, by projection.

    Returns:
        A `keras.Model` from examples to a logit.
    """
    shape = common.packed(common.check_shape(input_shape), pack)
    inputs = common.Inputs(shape, "images", num_classes)
    make = common.normalised(spectral_normalization)
    kwargs = {"kernel_constraint": kernel_constraint}
    x = common.Flatten()(inputs.x)
    for units in common.check_widths("hidden_units", hidden_units):
        layer = Dense(
            units, activation, kernel_initializer="he_normal", **kwargs
        )
        x = make(layer)(x)
    x = layers.Identity(name="features")(x)
    return inputs.network(inputs.logit(x, make, **kwargs), "discriminator")
