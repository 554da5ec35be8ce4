"""Convolutional networks for pictures of any size."""

import math

from keras import layers

from kgen.errors import check_int
from kgen.layers import Dense
from kgen.networks import common

# Halving stops when no side is longer than this.
_SMALLEST = 4


def stages(input_shape):
    """The (height, width) at each halving, from the picture down.

    Odd sizes are rounded up: `(25, 25)` gives 25, 13, 7, 4.
    """
    sizes = [tuple(input_shape[:2])]
    while max(sizes[-1]) > _SMALLEST:
        sizes.append(tuple(math.ceil(side / 2) for side in sizes[-1]))
    return sizes


@common.builder
def encoder(
    input_shape,
    latent_dim,
    *,
    gaussian=True,
    filters=32,
    max_filters=256,
    hidden_units=(256,),
    activation="relu",
    batch_normalization=False,
    kernel_regularizer=None,
    num_classes=None,
):
    """Builds a convolutional encoder.

    A stride-2 convolution for each halving, with twice the filters each time,
    then dense layers.

    Args:
        input_shape: `(height, width, channels)`.
        latent_dim: Size of z.
        gaussian: Whether it ends in `(mean, log_var)` or in z alone.
        filters: Filters of the first convolution.
        max_filters: The most that any has.
        hidden_units: Widths of the dense layers.
        activation: Activation of the hidden layers.
        batch_normalization: Whether hidden layers have it.
        kernel_regularizer: Regularizer of the hidden layers.
        num_classes: If given, the network takes `[x, labels]`.

    Returns:
        A `keras.Model`.
    """
    shape = common.check_shape(input_shape, picture=True)
    inputs = common.Inputs(shape, "images", num_classes)
    kwargs, hidden = common.hidden_layers(
        activation, batch_normalization, kernel_regularizer
    )
    x = inputs.with_labels(inputs.x)
    for count in _filters(stages(shape), filters, max_filters):
        convolution = common.Conv2D(
            count,
            3,
            strides=2,
            padding="same",
            **kwargs,
        )
        x = hidden(convolution(x))
    x = common.Flatten()(x)
    for units in common.check_widths("hidden_units", hidden_units):
        x = hidden(Dense(units, **kwargs)(x))
    outputs = common.latent_outputs(x, latent_dim, gaussian)
    return inputs.network(outputs, "encoder")


@common.builder
def decoder(
    input_shape,
    latent_dim,
    *,
    filters=32,
    max_filters=256,
    hidden_units=(256,),
    activation="relu",
    output_activation=None,
    batch_normalization=False,
    kernel_regularizer=None,
    num_classes=None,
):
    """Builds a convolutional decoder, the mirror of `encoder`.

    Transposed convolutions double the size; where the encoder had rounded up,
    the last row and column are cropped. The kernel of 4 is a multiple of the
    stride, which avoids checkerboards (Odena et al. 2016).

    Args:
        input_shape: `(height, width, channels)`, the decoder's output.
        latent_dim: Size of z.
        filters: Filters of the last hidden stage.
        max_filters: The most that any stage has.
        hidden_units: The *encoder's* dense widths; used in reverse.
        activation: Activation of the hidden layers.
        output_activation: Activation of the output.
        batch_normalization: Whether hidden layers have it.
        kernel_regularizer: Regularizer of the hidden layers.
        num_classes: If given, the network takes `[z, labels]`.

    Returns:
        A `keras.Model` from z to a likelihood's parameters.
    """
    inputs, shape = _from_z(input_shape, latent_dim, num_classes)
    layer = common.hidden_layers(
        activation, batch_normalization, kernel_regularizer
    )
    end = {"activation": output_activation, "name": "parameters"}
    x = _grown(inputs, shape, filters, max_filters, hidden_units, layer, end)
    return inputs.network(x, "decoder")


def _from_z(input_shape, latent_dim, num_classes):
    """The inputs of a network that starts from z, and the checked shape."""
    shape = common.check_shape(input_shape, picture=True)
    latent_dim = check_int("latent_dim", common.OWNER, latent_dim)
    return common.Inputs((latent_dim,), "z", num_classes), shape


def _grown(inputs, shape, filters, max_filters, hidden_units, layer, end):
    """Dense layers to a map of about 4x4, and transposed convolutions.

    Args:
        inputs: `common.Inputs`.
        shape: `(height, width, channels)` of the output.
        filters: As in `decoder`.
        max_filters: As in `decoder`.
        hidden_units: As in `decoder`.
        layer: What `common.hidden_layers` returned.
        end: Arguments of the last layer.
    """
    kwargs, hidden = layer
    end = {**end, "dtype": "float32"}
    sizes = stages(shape)
    counts = _filters(sizes, filters, max_filters) or [filters]
    top = (*sizes[-1], counts[-1])
    x = inputs.with_labels(inputs.x)
    for units in common.check_widths("hidden_units", hidden_units)[::-1]:
        x = hidden(Dense(units, **kwargs)(x))
    x = hidden(layers.Reshape(top)(Dense(math.prod(top), **kwargs)(x)))
    for size, count in zip(sizes[-2:0:-1], counts[-2::-1]):
        x = hidden(_double(x, size, count, **kwargs))
    if len(sizes) > 1:
        return _double(x, sizes[0], shape[-1], **end)
    return common.Conv2D(shape[-1], 3, padding="same", **end)(x)


def _filters(sizes, filters, max_filters):
    return common.doubling(len(sizes) - 1, filters, max_filters)


def _double(x, size, filters, **kwargs):
    """Doubles the height and width of `x`, or one less where `size` is odd.

    With `output_padding=1` Keras gives twice the size less 1, which is cheaper
    than a crop; the crop is for pictures with one odd side.
    """
    both_odd = all(2 * have > want for have, want in zip(x.shape[1:3], size))
    x = common.Conv2DTranspose(
        filters,
        4,
        strides=2,
        padding="same",
        output_padding=1 if both_odd else None,
        **kwargs,
    )(x)
    return common.cropped(x, size)


@common.builder
def generator(
    input_shape,
    latent_dim,
    *,
    filters=32,
    max_filters=128,
    hidden_units=(256,),
    activation="relu",
    output_activation="sigmoid",
    num_classes=None,
):
    """Builds a generator like DCGAN's.

    Dense layers to a map of about 4x4, then transposed convolutions that double
    the size; all with batch normalisation, but for the last one.

    Args:
        input_shape: `(height, width, channels)`, the output.
        latent_dim: Size of z.
        filters: Filters of the last hidden stage; twice as many at each halving.
        max_filters: The most that any stage has.
        hidden_units: The *discriminator's* dense widths; used in reverse.
        activation: Activation of the hidden layers.
        output_activation: Activation of the output.
        num_classes: If given, the network takes `[z, labels]`, and the labels
            are appended to z, one-hot.

    Returns:
        A `keras.Model` from z to pictures.

    References:
        Radford et al. (2016), arXiv 1511.06434, section 3.
    """
    inputs, shape = _from_z(input_shape, latent_dim, num_classes)
    layer = common.hidden_layers(activation, batch_normalization=True)
    end = {"activation": output_activation}
    x = _grown(inputs, shape, filters, max_filters, hidden_units, layer, end)
    return inputs.network(x, "generator")


@common.builder
def discriminator(
    input_shape,
    *,
    pack=1,
    filters=32,
    max_filters=128,
    hidden_units=(256,),
    activation="leaky_relu",
    spectral_normalization=False,
    kernel_constraint=None,
    num_classes=None,
):
    """Builds a discriminator like DCGAN's, without batch normalisation.

    That would let the examples of a batch meet, which no penalty on the gradient
    of each example allows. The layer `"features"` is the last convolution's
    output.

    Args:
        input_shape: `(height, width, channels)`.
        pack: How many pictures are seen at once, as more channels.
        filters: Filters of the first convolution; twice as many at each halving.
        max_filters: The most that any has.
        hidden_units: Widths of the dense layers after the convolutions.
        activation: Activation of the hidden layers.
        spectral_normalization: Whether every layer has a norm of 1.
        kernel_constraint: Keras constraint of all kernels, or `"clip:0.01"`.
        num_classes: If given, the network takes `[x, labels]`, by projection.

    Returns:
        A `keras.Model` from pictures to a logit.

    References:
        Radford et al. (2016), arXiv 1511.06434, section 3.
    """
    shape = common.check_shape(input_shape, picture=True)
    shape = common.packed(shape, pack)
    inputs = common.Inputs(shape, "images", num_classes)
    make = common.normalised(spectral_normalization)
    kwargs = {"kernel_constraint": kernel_constraint}
    x = inputs.x
    for count in _filters(stages(shape), filters, max_filters):
        layer = common.Conv2D(
            count,
            4,
            strides=2,
            padding="same",
            activation=activation,
            **kwargs,
        )
        x = make(layer)(x)
    x = common.Flatten(name="features")(x)
    for units in common.check_widths("hidden_units", hidden_units):
        x = make(Dense(units, activation, **kwargs))(x)
    return inputs.network(inputs.logit(x, make, **kwargs), "discriminator")
