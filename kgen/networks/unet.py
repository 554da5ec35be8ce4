"""Convolutional networks with skip connections, to keep detail."""

import functools
import math
from collections.abc import Sequence

import keras
from keras import layers

from kgen.networks import common
from kgen.networks.halving import stages


@common.picture_builder
def encoder(
    input_shape: Sequence[int],
    latent_dim: int,
    *,
    filters: int = 32,
    max_filters: int = 128,
    blocks: int = 2,
    activation: common.Activation = "relu",
    kernel_regularizer: common.Regularizer = None,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds the way down of a U-Net.

    `blocks` convolutions at each size, from the picture's own down; a strided
    one between them. z is the code of the smallest maps. `kgen.networks`
    describes the arguments.

    Returns:
        A `keras.Model` from x to a list: z, the maps of each size from the
        largest down, and x itself.

    References:
        Ronneberger et al. (2015), U-Net, arXiv 1505.04597.
    """
    inputs = common.Inputs(input_shape, "images", num_classes)
    convolution = _convolution(activation, kernel_regularizer)
    x, maps = inputs.with_labels(inputs.x), []
    for number, count in enumerate(_filters(input_shape, filters, max_filters)):
        if number:
            x = convolution(count, strides=2)(x)
        for _ in range(blocks):
            x = convolution(count)(x)
        maps.append(x)
    x = common.Flatten()(x)
    z = common.latent_outputs(x, latent_dim, gaussian=False)
    return inputs.network([z, *maps, inputs.x], "encoder")


@common.picture_builder
def decoder(
    input_shape: Sequence[int],
    latent_dim: int,
    *,
    filters: int = 32,
    max_filters: int = 128,
    blocks: int = 2,
    activation: common.Activation = "relu",
    output_activation: common.Activation = None,
    kernel_regularizer: common.Regularizer = None,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds the way up of a U-Net, for the outputs of `encoder`.

    `kgen.networks` describes the arguments; `filters`, `max_filters` and
    `blocks` must be those of the encoder.

    Returns:
        A `keras.Model` from `[z, *maps, x]` to a likelihood's parameters.
    """
    counts = _filters(input_shape, filters, max_filters)
    sizes = stages(input_shape)[: len(counts)]
    inputs = common.Inputs((latent_dim,), "z", num_classes)
    maps = [
        layers.Input((*size, count), name=f"maps_{number}")
        for number, (size, count) in enumerate(zip(sizes, counts))
    ]
    corrupted = layers.Input(input_shape, name="images")
    convolution = _convolution(activation, kernel_regularizer)
    top = (*sizes[-1], counts[-1])
    x = layers.Dense(math.prod(top))(inputs.with_labels(inputs.x))
    x = layers.Add()([layers.Reshape(top)(x), maps[-1]])
    x = layers.Activation(activation)(x)
    for size, count, skip in zip(sizes[-2::-1], counts[-2::-1], maps[-2::-1]):
        x = common.UpSampling2D(2)(convolution(count)(x))
        x = layers.Concatenate()([common.cropped(x, size), skip])
        for _ in range(blocks):
            x = convolution(count)(x)
    x = common.Conv2D(
        input_shape[-1],
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
    return functools.partial(
        common.Conv2D,
        kernel_size=3,
        padding="same",
        activation=activation,
        kernel_regularizer=kernel_regularizer,
    )
