"""Convolutional networks for pictures of any size."""

from collections.abc import Sequence

import keras

from kgen.layers import NoCheckerboard, ResizeConvolution
from kgen.networks import common, halving


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
    hidden = common.hidden_layers(
        activation, batch_normalization, kernel_regularizer
    )
    kwargs, activated = hidden
    x = inputs.with_labels(inputs.x)
    for count in halving.filters_of(input_shape, filters, max_filters):
        layer = common.Conv2D(count, 3, strides=2, padding="same", **kwargs)
        x = activated(layer(x))
    x = halving.dense_layers(common.Flatten()(x), hidden_units, hidden)
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
    hidden = common.hidden_layers(
        activation, batch_normalization, kernel_regularizer
    )
    counts = halving.decoder_filters(input_shape, filters, max_filters)
    end = {"activation": output_activation, "name": "parameters"}
    x = _grown(inputs, input_shape, counts, hidden_units, hidden, end)
    return inputs.network(x, "decoder")


def _grown(inputs, shape, counts, hidden_units, hidden, end):
    """Dense layers to a map of about 4x4, and transposed convolutions.

    Args:
        inputs: `common.Inputs` that start from z.
        shape: `(height, width, channels)` of the output.
        counts: The filters at each halving.
        hidden_units: Widths of the dense layers, in reverse.
        hidden: What `common.hidden_layers` returned.
        end: Arguments of the last layer.
    """
    kwargs, activated = hidden
    end = {**end, "dtype": "float32"}
    sizes = halving.stages(shape)
    top = (*sizes[-1], counts[-1])
    x = halving.smallest_maps(inputs, top, hidden_units, hidden)
    for size, count in zip(sizes[-2:0:-1], counts[-2::-1]):
        x = activated(_double(x, size, count, **kwargs))
    if len(sizes) > 1:
        return _double(x, sizes[0], shape[-1], **end)
    return common.Conv2D(shape[-1], 3, padding="same", **end)(x)


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
    hidden = common.hidden_layers(activation, batch_normalization=True)
    counts = halving.decoder_filters(input_shape, filters, max_filters)
    end = {"activation": output_activation}
    x = _grown(inputs, input_shape, counts, hidden_units, hidden, end)
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
    for count in halving.filters_of(input_shape, filters, max_filters):
        layer = common.Conv2D(
            count,
            4,
            strides=2,
            padding="same",
            activation=activation,
            **kwargs,
        )
        x = normalise(layer)(x)
    return halving.discriminator_of(
        inputs, x, hidden_units, activation, normalise, **kwargs
    )
