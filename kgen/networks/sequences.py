"""Convolutional networks for sequences of any length."""

import math
from collections.abc import Sequence

import keras
from keras import layers

from kgen.layers import Dense
from kgen.networks import common

# Halving stops when a sequence is no longer than this.
_SHORTEST = 4
# How many steps a convolution sees; at each halving they are twice as long.
_KERNEL = 5


def lengths(input_shape: Sequence[int]) -> list[int]:
    """The length at each halving, from the whole sequence down.

    Odd lengths are rounded up: 25 gives 25, 13, 7, 4.

    Args:
        input_shape: Shape of one sequence, `(length, channels)`.
    """
    found = [input_shape[0]]
    while found[-1] > _SHORTEST:
        found.append(math.ceil(found[-1] / 2))
    return found


@common.sequence_builder
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
    """Builds a convolutional encoder of sequences.

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
    for count in _filters(input_shape, filters, max_filters):
        x = activated(_convolution(count, strides=2, **kwargs)(x))
    x = common.Flatten()(x)
    for units in hidden_units:
        x = activated(Dense(units, **kwargs)(x))
    z = common.latent_outputs(x, latent_dim, gaussian, context_dim)
    return inputs.network(z, "encoder")


@common.sequence_builder
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
    """Builds a convolutional decoder of sequences, the mirror of `encoder`.

    Each step is repeated, and a convolution follows, which treats even and odd
    steps alike; where the encoder had rounded up, the last step is cropped.
    `kgen.networks` describes the arguments; the dense layers have the
    *encoder's* `hidden_units`, in reverse.

    Returns:
        A `keras.Model` from z to a likelihood's parameters.

    References:
        Odena et al. (2016), Deconvolution and checkerboard artifacts.
    """
    inputs = common.Inputs((latent_dim,), "z", num_classes)
    hidden = common.hidden_layers(
        activation, batch_normalization, kernel_regularizer
    )
    counts = _filters(input_shape, filters, max_filters) or [filters]
    x = _grown(inputs, input_shape, counts, hidden_units, hidden)
    end = {"activation": output_activation, "dtype": "float32"}
    x = _convolution(input_shape[-1], name="parameters", **end)(x)
    return inputs.network(x, "decoder")


@common.sequence_builder
def generator(
    input_shape: Sequence[int],
    latent_dim: int,
    *,
    filters: int = 32,
    max_filters: int = 128,
    hidden_units: Sequence[int] = (256,),
    activation: common.Activation = "relu",
    output_activation: common.Activation = None,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a generator of sequences: a `decoder` with batch normalisation.

    `kgen.networks` describes the arguments; the dense layers have the
    *discriminator's* `hidden_units`, in reverse.

    Returns:
        A `keras.Model` from z to sequences.
    """
    inputs = common.Inputs((latent_dim,), "z", num_classes)
    hidden = common.hidden_layers(activation, batch_normalization=True)
    counts = _filters(input_shape, filters, max_filters) or [filters]
    x = _grown(inputs, input_shape, counts, hidden_units, hidden)
    end = {"activation": output_activation, "dtype": "float32"}
    return inputs.network(_convolution(input_shape[-1], **end)(x), "generator")


@common.sequence_builder
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
    """Builds a discriminator of sequences, without batch normalisation.

    The layer `"features"` is the last convolution's output. `kgen.networks`
    describes the arguments.

    Returns:
        A `keras.Model` from sequences to a logit.
    """
    shape = common.packed(input_shape, pack)
    inputs = common.Inputs(shape, "images", num_classes)
    normalise = common.normalised(spectral_normalization)
    kwargs = {"kernel_constraint": kernel_constraint}
    layer = {"strides": 2, "activation": activation, **kwargs}
    x = inputs.x
    for count in _filters(input_shape, filters, max_filters):
        x = normalise(_convolution(count, **layer))(x)
    x = common.Flatten(name="features")(x)
    for units in hidden_units:
        x = normalise(Dense(units, activation, **kwargs))(x)
    return inputs.network(inputs.logit(x, normalise, **kwargs), "discriminator")


def _filters(input_shape, filters, max_filters):
    """The filters at each halving, from the whole sequence down."""
    halvings = len(lengths(input_shape)) - 1
    return common.doubling(halvings, filters, max_filters)


def _convolution(filters, **kwargs):
    return common.Conv1D(filters, _KERNEL, padding="same", **kwargs)


def _grown(inputs, shape, counts, hidden_units, hidden):
    """Dense layers to about four steps, which are doubled to the whole length.

    Args:
        inputs: `common.Inputs` that start from z.
        shape: `(length, channels)` of the output.
        counts: The filters at each halving.
        hidden_units: Widths of the dense layers, in reverse.
        hidden: What `common.hidden_layers` returned.
    """
    kwargs, activated = hidden
    sizes = lengths(shape)
    x = inputs.with_labels(inputs.x)
    for units in hidden_units[::-1]:
        x = activated(Dense(units, **kwargs)(x))
    first = Dense(sizes[-1] * counts[-1], **kwargs)(x)
    x = activated(layers.Reshape((sizes[-1], counts[-1]))(first))
    for size, count in zip(sizes[-2::-1], [*counts[-2::-1], counts[0]]):
        x = layers.UpSampling1D(2)(x)
        if x.shape[1] > size:
            x = layers.Cropping1D((0, 1))(x)
        x = activated(_convolution(count, **kwargs)(x))
    return x
