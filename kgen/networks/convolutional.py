"""Convolutional networks for pictures of any size."""

import math
from collections.abc import Sequence

import keras
from keras import layers

from kgen.layers import Dense, NoCheckerboard, ResizeConvolution
from kgen.networks import common

# Halving stops when no side is longer than this.
_SMALLEST = 4


def stages(input_shape: Sequence[int]) -> list[tuple[int, int]]:
    """The (height, width) at each halving, from the picture down.

    Odd sizes are rounded up: `(25, 25)` gives 25, 13, 7, 4.

    Args:
        input_shape: Shape of one picture.
    """
    height, width = input_shape[:2]
    sizes = [(height, width)]
    while max(height, width) > _SMALLEST:
        height, width = math.ceil(height / 2), math.ceil(width / 2)
        sizes.append((height, width))
    return sizes


@common.picture_builder
def encoder(
    input_shape: Sequence[int],
    latent_dim: int,
    *,
    gaussian: bool = True,
    context_dim: int = 0,
    filters: int = 32,
    max_filters: int = 256,
    hidden_units: Sequence[int] = (256,),
    activation: common.Activation = "relu",
    batch_normalization: bool = False,
    kernel_regularizer: common.Regularizer = None,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a convolutional encoder.

    A stride-2 convolution for each halving, with twice the filters each time,
    then dense layers. `kgen.networks` describes the arguments.

    Returns:
        A `keras.Model` from x to `[mean, log_var]`, perhaps with a context, or to z
        alone.
    """
    inputs = common.Inputs(input_shape, "images", num_classes)
    kwargs, activated = common.hidden_layers(
        activation, batch_normalization, kernel_regularizer
    )
    x = inputs.with_labels(inputs.x)
    for count in _filters(stages(input_shape), filters, max_filters):
        layer = common.Conv2D(count, 3, strides=2, padding="same", **kwargs)
        x = activated(layer(x))
    x = common.Flatten()(x)
    for units in hidden_units:
        x = activated(Dense(units, **kwargs)(x))
    outputs = common.latent_outputs(x, latent_dim, gaussian, context_dim)
    return inputs.network(outputs, "encoder")


@common.picture_builder
def decoder(
    input_shape: Sequence[int],
    latent_dim: int,
    *,
    filters: int = 32,
    max_filters: int = 256,
    hidden_units: Sequence[int] = (256,),
    activation: common.Activation = "relu",
    output_activation: common.Activation = None,
    batch_normalization: bool = False,
    kernel_regularizer: common.Regularizer = None,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a convolutional decoder, the mirror of `encoder`.

    Transposed convolutions double the size; where the encoder had rounded up,
    the last row and column are cropped. They start as convolutions of resized
    maps, and `kgen.layers.NoCheckerboard` holds in training, too.
    `kgen.networks` describes the arguments; the dense layers have the
    *encoder's* `hidden_units`, in reverse.

    Returns:
        A `keras.Model` from z to a likelihood's parameters.
    """
    inputs = common.Inputs((latent_dim,), "z", num_classes)
    layer = common.hidden_layers(
        activation, batch_normalization, kernel_regularizer
    )
    counts = filters, max_filters
    end = {"activation": output_activation, "name": "parameters"}
    x = _grown(inputs, input_shape, counts, hidden_units, layer, end)
    return inputs.network(x, "decoder")


def _grown(inputs, shape, counts, hidden_units, layer, end):
    """Dense layers to a map of about 4x4, and transposed convolutions.

    Args:
        inputs: `common.Inputs` that start from z.
        shape: `(height, width, channels)` of the output.
        counts: Pair of `filters` and `max_filters`.
        hidden_units: Widths of the dense layers, in reverse.
        layer: What `common.hidden_layers` returned.
        end: Arguments of the last layer.
    """
    kwargs, activated = layer
    end = {**end, "dtype": "float32"}
    sizes = stages(shape)
    counts = _filters(sizes, *counts) or counts[:1]
    top = (*sizes[-1], counts[-1])
    x = inputs.with_labels(inputs.x)
    for units in hidden_units[::-1]:
        x = activated(Dense(units, **kwargs)(x))
    x = activated(layers.Reshape(top)(Dense(math.prod(top), **kwargs)(x)))
    for size, count in zip(sizes[-2:0:-1], counts[-2::-1]):
        x = activated(_double(x, size, count, **kwargs))
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
    both_odd = all(2 * side > limit for side, limit in zip(x.shape[1:3], size))
    x = common.Conv2DTranspose(
        filters,
        4,
        strides=2,
        padding="same",
        output_padding=1 if both_odd else None,
        kernel_initializer=ResizeConvolution(),
        kernel_constraint=NoCheckerboard(),
        **kwargs,
    )(x)
    return common.cropped(x, size)


@common.picture_builder
def generator(
    input_shape: Sequence[int],
    latent_dim: int,
    *,
    filters: int = 32,
    max_filters: int = 128,
    hidden_units: Sequence[int] = (256,),
    activation: common.Activation = "relu",
    output_activation: common.Activation = "sigmoid",
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a generator like DCGAN's.

    Dense layers to a map of about 4x4, then transposed convolutions that double
    the size; all with batch normalisation, but for the last one.
    `kgen.networks` describes the arguments; the dense layers have the
    *discriminator's* `hidden_units`, in reverse.

    Returns:
        A `keras.Model` from z to pictures.

    References:
        Radford et al. (2016), arXiv 1511.06434, section 3.
    """
    inputs = common.Inputs((latent_dim,), "z", num_classes)
    layer = common.hidden_layers(activation, batch_normalization=True)
    counts = filters, max_filters
    end = {"activation": output_activation}
    x = _grown(inputs, input_shape, counts, hidden_units, layer, end)
    return inputs.network(x, "generator")


@common.picture_builder
def discriminator(
    input_shape: Sequence[int],
    *,
    pack: int = 1,
    filters: int = 32,
    max_filters: int = 128,
    hidden_units: Sequence[int] = (256,),
    activation: common.Activation = "leaky_relu",
    spectral_normalization: bool = False,
    kernel_constraint: common.KernelConstraint = None,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a discriminator like DCGAN's, without batch normalisation.

    With it the examples of a batch would affect each other, which no penalty on
    the gradient of each example allows. The layer `"features"` is the last
    convolution's output. `kgen.networks` describes the arguments.

    Returns:
        A `keras.Model` from pictures to a logit.

    References:
        Radford et al. (2016), arXiv 1511.06434, section 3.
    """
    inputs = common.Inputs(
        common.packed(input_shape, pack), "images", num_classes
    )
    normalise = common.normalised(spectral_normalization)
    kwargs = {"kernel_constraint": kernel_constraint}
    x = inputs.x
    for count in _filters(stages(input_shape), filters, max_filters):
        layer = common.Conv2D(
            count,
            4,
            strides=2,
            padding="same",
            activation=activation,
            **kwargs,
        )
        x = normalise(layer)(x)
    x = common.Flatten(name="features")(x)
    for units in hidden_units:
        x = normalise(Dense(units, activation, **kwargs))(x)
    logit = inputs.logit(x, normalise, **kwargs)
    return inputs.network(logit, "discriminator")
