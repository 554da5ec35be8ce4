"""Residual convolutional networks for pictures of any size.

Sizes change by averages of 2x2 pixels and by repeating them, never by a stride,
so that there is no checkerboard (Odena et al. 2016). There is no batch
normalisation: kernels start so that layers keep the variance, and a block adds its
two branches in equal parts. Averages of pixels take some of it on the way down, the
more the rougher the maps are.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from kgen.errors import invalid
from kgen.layers import Dense, GainAndShift, MinibatchStdDev
from kgen.networks import common
from kgen.networks.halving import stages
from kgen.params import Built


@common.picture_builder
def encoder(
    input_shape: Sequence[int],
    latent_dim: int,
    *,
    gaussian: bool = True,
    context_dim: int = 0,
    filters: int = 16,
    max_filters: int = 128,
    hidden_units: Sequence[int] = (256,),
    blocks: int = 1,
    attention: int | None = None,
    activation: common.Activation = "leaky_relu",
    kernel_regularizer: common.Regularizer = None,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a residual encoder.

    A convolution of the picture, residual blocks for each halving, with twice
    the filters each time, then dense layers. `kgen.networks` describes the
    arguments.

    Returns:
        A `keras.Model` from x to `[mean, log_var]`, perhaps with a context, or to z
        alone.

    References:
        He et al. (2016), arXiv 1603.05027 (activations before the layers).
    """
    inputs = common.Inputs(input_shape, "images", num_classes)
    make = _Layers(
        activation,
        _checked_attention(attention, input_shape),
        inputs,
        kernel_regularizer=kernel_regularizer,
    )
    counts = _filters(input_shape, filters, max_filters)
    x = make.activated(_shrunk(make, inputs.x, counts, blocks))
    x = common.Flatten()(x)
    for units in hidden_units:
        x = make.activated(make.dense(x, units, make.scale))
    outputs = common.latent_outputs(x, latent_dim, gaussian, context_dim)
    return inputs.network(outputs, "encoder")


@common.picture_builder
def decoder(
    input_shape: Sequence[int],
    latent_dim: int,
    *,
    filters: int = 16,
    max_filters: int = 128,
    hidden_units: Sequence[int] = (256,),
    blocks: int = 1,
    attention: int | None = None,
    activation: common.Activation = "leaky_relu",
    output_activation: common.Activation = None,
    kernel_regularizer: common.Regularizer = None,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a residual decoder, the mirror of `encoder`.

    Where the encoder had rounded up, the last row and column are cropped.
    `kgen.networks` describes the arguments; the dense layers have the
    *encoder's* `hidden_units`, in reverse.

    Returns:
        A `keras.Model` from z to a likelihood's parameters.
    """
    inputs = common.Inputs((latent_dim,), "z", num_classes)
    make = _Layers(
        activation,
        _checked_attention(attention, input_shape),
        inputs,
        kernel_regularizer=kernel_regularizer,
    )
    counts = _filters(input_shape, filters, max_filters)
    x = _grown(make, inputs.x, input_shape, counts, hidden_units, blocks)
    x = make.end(x, input_shape[-1], output_activation, name="parameters")
    return inputs.network(x, "decoder")


@common.picture_builder
def generator(
    input_shape: Sequence[int],
    latent_dim: int,
    *,
    filters: int = 16,
    max_filters: int = 128,
    hidden_units: Sequence[int] = (256,),
    blocks: int = 1,
    attention: int | None = None,
    activation: common.Activation = "leaky_relu",
    output_activation: common.Activation = "sigmoid",
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a residual generator, which is a `decoder` that ends in pictures.

    `kgen.networks` describes the arguments; the dense layers have the
    *discriminator's* `hidden_units`, in reverse.

    Returns:
        A `keras.Model` from z to pictures.
    """
    inputs = common.Inputs((latent_dim,), "z", num_classes)
    attention = _checked_attention(attention, input_shape)
    make = _Layers(activation, attention, inputs)
    counts = _filters(input_shape, filters, max_filters)
    x = _grown(make, inputs.x, input_shape, counts, hidden_units, blocks)
    x = make.end(x, input_shape[-1], output_activation)
    return inputs.network(x, "generator")


@common.picture_builder
def discriminator(
    input_shape: Sequence[int],
    *,
    pack: int = 1,
    filters: int = 16,
    max_filters: int = 128,
    hidden_units: Sequence[int] = (256,),
    blocks: int = 1,
    attention: int | None = None,
    minibatch_std: bool = True,
    activation: common.Activation = "leaky_relu",
    spectral_normalization: bool = False,
    kernel_constraint: common.KernelConstraint = None,
    num_classes: int | None = None,
) -> keras.Model:
    """Builds a residual discriminator, without batch normalisation.

    `minibatch_std` is `kgen.layers.MinibatchStdDev`, behind the layer
    `"features"`, the last maps. With labels these count by projection alone.
    `kgen.networks` describes the arguments.

    Returns:
        A `keras.Model` from pictures to a logit.
    """
    inputs = common.Inputs(
        common.packed(input_shape, pack), "images", num_classes
    )
    normalise = common.normalised(spectral_normalization)
    kwargs: dict[str, Any] = {"kernel_constraint": kernel_constraint}
    attention = _checked_attention(attention, input_shape)
    make = _Layers(activation, attention, normalise=normalise, **kwargs)
    counts = _filters(input_shape, filters, max_filters)
    x = _shrunk(make, inputs.x, counts, blocks)
    x = make.activated(x, name="features")
    if minibatch_std:
        x = MinibatchStdDev()(x)
    x = common.Flatten()(x)
    for units in hidden_units:
        x = make.activated(make.dense(x, units, make.scale))
    logit = inputs.logit(x, normalise, **kwargs)
    return inputs.network(logit, "discriminator")


def _filters(shape, filters, max_filters):
    """The filters at each size, from the picture's own down."""
    return common.doubling(len(stages(shape)), filters, max_filters)


def _checked_attention(attention, shape):
    sides = [max(size) for size in stages(shape)]
    if attention not in (None, *sides):
        names = ", ".join(map(str, sides))
        expected = f"the longer side of maps of this network ({names}), or None"
        raise invalid("attention", common.OWNER, expected, attention)
    return attention


def _shrunk(make, x, counts, blocks):
    """From the picture to maps of about 4x4."""
    x = make.attended(make.chosen(make.convolved(x, counts[0])))
    for count in counts[1:]:
        x = make.block(x, count, common.AveragePooling2D(2, padding="same"))
        for _ in range(blocks - 1):
            x = make.block(x, count)
        x = make.attended(x)
    return x


def _grown(make, x, shape, counts, hidden_units, blocks):
    """From z to maps of the picture's size."""
    scale = 1.0  # z is not activated
    for units in hidden_units[::-1]:
        x, scale = make.activated(make.dense(x, units, scale)), make.scale
    *sizes, smallest = stages(shape)
    top = (*smallest, counts[-1])
    x = layers.Reshape(top)(make.dense(x, math.prod(top), scale))
    x = make.attended(make.chosen(x))
    for size, count in zip(sizes[::-1], counts[-2::-1]):
        for _ in range(blocks - 1):
            x = make.block(x, x.shape[-1])
        x = make.attended(
            make.block(x, count, functools.partial(_doubled, size=size))
        )
    return x


def _doubled(x, size):
    return common.cropped(common.UpSampling2D(2)(x), size)


def _same(x):
    return x


class _Layers:
    """Makes the layers of a network, each of which keeps the variance at first.

    Where the inputs of a layer have a mean square of 1 before they are
    activated, so have its outputs, in the mean over the weights that are drawn
    (He et al. 2015, arXiv 1502.01852), the zeros around a map allowed for.

    Args:
        activation: Keras activation, or its name.
        attention: Longer side of the maps that get self-attention, or None.
        inputs: `common.Inputs` whose labels, if any, choose gains and shifts; None
            for neither.
        normalise: Function that each layer goes through.
        **kwargs: For all layers that have a kernel.
    """

    def __init__(
        self,
        activation: common.Activation,
        attention: int | None,
        inputs: common.Inputs | None = None,
        normalise: Callable = _same,
        **kwargs: Any,
    ) -> None:
        self.activation = keras.activations.get(activation)
        self.scale = _SCALE.check("activation", common.OWNER, self.activation)
        self.attention = attention
        self.inputs = inputs
        self.normalise = normalise
        self.kwargs = kwargs

    def activated(self, x: KerasTensor, name: str | None = None) -> KerasTensor:
        return layers.Activation(self.activation, name=name)(x)

    def dense(self, x: KerasTensor, units: int, scale: float) -> KerasTensor:
        """A dense layer; `scale` is over the mean square of its inputs."""
        layer = Dense(units, kernel_initializer=_drawn(scale), **self.kwargs)
        return self.normalise(layer)(x)

    def convolved(
        self,
        x: KerasTensor,
        count: int,
        size: int = 3,
        scale: float = 1.0,
        use_bias: bool = True,
    ) -> KerasTensor:
        """A convolution; `scale` is over the mean square of its inputs."""
        kwargs = {**self.kwargs, "use_bias": use_bias}
        layer = _convolution(x, count, size, scale, **kwargs)
        return self.normalise(layer)(x)

    def end(
        self,
        x: KerasTensor,
        channels: int,
        activation: common.Activation,
        name: str | None = None,
    ) -> KerasTensor:
        """The last layer of what ends in pictures; in float32."""
        layer = _convolution(
            x,
            channels,
            scale=self.scale,
            activation=activation,
            dtype="float32",
            name=name,
        )
        return layer(self.activated(x))

    def block(
        self, x: KerasTensor, count: int, resize: Callable = _same
    ) -> KerasTensor:
        """Two convolutions with a change of size in between, and a way past them.

        Both ways have the mean square of x, and so has what is returned, but for
        what an average of pixels takes from it.
        """
        before = x.shape[-1]
        inside = self.convolved(
            self.activated(x), min(before, count), scale=self.scale
        )
        inside = resize(self.chosen(inside))
        inside = self.convolved(self.activated(inside), count, scale=self.scale)
        # Channels are mixed where there are fewer pixels. The way past has no bias:
        # it would add to the same maps as the other's and have its very gradient, and
        # TensorFlow adds three or more gradients in an order that then varies.
        if count < before:
            x = self.convolved(x, count, 1, use_bias=False)
        x = resize(x)
        if count > before:
            x = self.convolved(x, count, 1, use_bias=False)
        return layers.Rescaling(math.sqrt(0.5))(layers.Add()([x, inside]))

    def chosen(self, x: KerasTensor) -> KerasTensor:
        """x with the gains and shifts of its labels, if there are any."""
        inputs = self.inputs
        if inputs is None or inputs.num_classes is None:
            return x
        return GainAndShift(inputs.num_classes)([x, inputs.labels])

    def attended(self, x: KerasTensor) -> KerasTensor:
        """x, and what its positions tell each other if it has the size for it.

        By half the channels; at the start it changes nothing.

        References:
            Wang et al. (2018), arXiv 1711.07971, section 3.3; Zhang et al.
            (2019), arXiv 1805.08318 (in GANs).
        """
        height, width, count = x.shape[1:]
        if max(height, width) != self.attention:
            return x
        half = max(1, count // 2)
        query, key, value = (
            layers.Reshape((height * width, half))(self.convolved(x, half, 1))
            for _ in range(3)
        )
        query = layers.Rescaling(half**-0.5)(query)
        found = layers.Attention()([query, value, key])
        found = layers.Reshape((height, width, half))(found)
        # Not normalised, since it starts as zeros.
        end = common.Conv2D(count, 1, kernel_initializer="zeros", **self.kwargs)
        return layers.Add()([x, end(found)])


def _convolution(x, count, size=3, scale=1.0, **kwargs):
    """A convolution of maps like x, which allows for the zeros around them."""
    covered = math.prod(_covered(side, size) for side in x.shape[1:3])
    return common.Conv2D(
        count,
        size,
        padding="same",
        kernel_initializer=_drawn(scale / covered),
        **kwargs,
    )


def _covered(side, size):
    """The share of a kernel that lies on the map, in the mean over a side."""
    reach = size // 2
    ends = ((max(0, i - reach), min(side, i + reach + 1)) for i in range(side))
    return sum(end - start for start, end in ends) / (side * size)


def _drawn(scale):
    """A new one for each layer: an initializer draws the same again."""
    return keras.initializers.VarianceScaling(scale)


def _scale(activation):
    """1 over the mean square of an activation of N(0, 1)."""
    u = np.linspace(-8.0, 8.0, 2001, dtype="float32")[:, None]
    values = ops.convert_to_numpy(activation(ops.convert_to_tensor(u)))
    return 1.0 / float(np.average(values**2, weights=np.exp(-0.5 * u**2)))


_SCALE = Built(
    _scale, "an activation of single numbers that is not 0 everywhere"
)
