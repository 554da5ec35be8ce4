"""Convolutional networks with skip connections, to keep detail."""

import math

from keras import layers

from kgen.errors import check_int
from kgen.networks import common
from kgen.networks.convolutional import stages


@common.builder
def encoder(
    input_shape,
    latent_dim,
    *,
    filters=32,
    max_filters=128,
    blocks=2,
    activation="relu",
    kernel_regularizer=None,
    num_classes=None,
):
    """Builds the way down of a U-Net.

    `blocks` convolutions at each size, from the picture's own down; a strided
    one between them.

    Args:
        input_shape: `(height, width, channels)`.
        latent_dim: Size of z, the code of the smallest maps.
        filters: Filters at the picture's own size; twice as many at each
            halving.
        max_filters: The most that any convolution has.
        blocks: Convolutions at each size.
        activation: Activation of the hidden layers.
        kernel_regularizer: Regularizer of the hidden layers.
        num_classes: If given, the network takes `[x, labels]`.

    Returns:
        A `keras.Model` from x to a list: z, the maps of each size from the
        largest down, and x itself.

    References:
        Ronneberger et al. (2015), U-Net, arXiv 1505.04597.
    """
    shape = common.check_shape(input_shape, picture=True)
    inputs = common.Inputs(shape, "images", num_classes)
    conv = _convolution(activation, kernel_regularizer)
    x, maps = inputs.with_labels(inputs.x), []
    for number, count in enumerate(_filters(shape, filters, max_filters)):
        if number:
            x = conv(count, strides=2)(x)
        for _ in range(check_int("blocks", common.OWNER, blocks)):
            x = conv(count)(x)
        maps.append(x)
    z = common.latent_outputs(
        common.Flatten()(x),
        latent_dim,
        gaussian=False,
    )
    return inputs.network([z, *maps, inputs.x], "encoder")


@common.builder
def decoder(
    input_shape,
    latent_dim,
    *,
    filters=32,
    max_filters=128,
    blocks=2,
    activation="relu",
    output_activation=None,
    kernel_regularizer=None,
    num_classes=None,
):
    """Builds the way up of a U-Net, for what `encoder` gives.

    Args:
        input_shape: `(height, width, channels)`, the decoder's output.
        latent_dim: Size of z.
        filters: As in `encoder`.
        max_filters: As in `encoder`.
        blocks: As in `encoder`.
        activation: Activation of the hidden layers.
        output_activation: Activation of the output.
        kernel_regularizer: Regularizer of the hidden layers.
        num_classes: If given, the network takes the labels last.

    Returns:
        A `keras.Model` from `[z, *maps, x]` to a likelihood's parameters.
    """
    shape = common.check_shape(input_shape, picture=True)
    latent_dim = check_int("latent_dim", common.OWNER, latent_dim)
    counts = _filters(shape, filters, max_filters)
    sizes = stages(shape)[: len(counts)]
    inputs = common.Inputs((latent_dim,), "z", num_classes)
    maps = [
        layers.Input((*size, count), name=f"maps_{number}")
        for number, (size, count) in enumerate(zip(sizes, counts))
    ]
    corrupted = layers.Input(shape, name="images")
    conv = _convolution(activation, kernel_regularizer)
    top = (*sizes[-1], counts[-1])
    x = layers.Dense(math.prod(top))(inputs.with_labels(inputs.x))
    x = layers.Add()([layers.Reshape(top)(x), maps[-1]])
    x = layers.Activation(activation)(x)
    for size, count, skip in zip(sizes[-2::-1], counts[-2::-1], maps[-2::-1]):
        x = common.UpSampling2D(2)(conv(count)(x))
        x = layers.Concatenate()([common.cropped(x, size), skip])
        for _ in range(check_int("blocks", common.OWNER, blocks)):
            x = conv(count)(x)
    x = common.Conv2D(
        shape[-1],
        3,
        padding="same",
        activation=output_activation,
        dtype="float32",
        name="parameters",
    )(layers.Concatenate()([x, corrupted]))
    return inputs.network(x, "decoder", [*maps, corrupted])


def _filters(shape, filters, max_filters):
    """The filters at each size; below 7 pixels there is nothing to gain."""
    count = max(1, sum(max(size) >= 7 for size in stages(shape)))
    return common.doubling(count, filters, max_filters)


def _convolution(activation, kernel_regularizer):
    def convolution(filters, strides=1):
        return common.Conv2D(
            filters,
            3,
            strides=strides,
            padding="same",
            activation=activation,
            kernel_regularizer=kernel_regularizer,
        )

    return convolution
