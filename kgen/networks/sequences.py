"""Convolutional networks for sequences of any length."""

from collections.abc import Sequence

import keras
from keras import layers

from kgen.networks import common, halving

# How many steps a convolution sees; at each halving they are twice as long.
_KERNEL = 5


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
    hidden = common.hidden_layers(
        activation, batch_normalization, kernel_regularizer
    )
    kwargs, activated = hidden
    x = inputs.with_labels(inputs.x)
    for count in halving.filters_of(input_shape, filters, max_filters):
        x = activated(_convolution(count, strides=2, **kwargs)(x))
    x = halving.dense_layers(common.Flatten()(x), hidden_units, hidden)
    outputs = common.latent_outputs(x, latent_dim, gaussian, context_dim)
    return inputs.network(outputs, "encoder")


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
    counts = halving.decoder_filters(input_shape, filters, max_filters)
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
    counts = halving.decoder_filters(input_shape, filters, max_filters)
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
    for count in halving.filters_of(input_shape, filters, max_filters):
        x = normalise(_convolution(count, **layer))(x)
    return halving.discriminator_of(
        inputs, x, hidden_units, activation, normalise, **kwargs
    )


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
    sizes = halving.stages(shape)
    top = (*sizes[-1], counts[-1])
    x = halving.smallest_maps(inputs, top, hidden_units, hidden)
    for (length,), count in zip(sizes[-2::-1], [*counts[-2::-1], counts[0]]):
        x = layers.UpSampling1D(2)(x)
        if x.shape[1] > length:
            x = layers.Cropping1D((0, 1))(x)
        x = activated(_convolution(count, **kwargs)(x))
    return x
