"""What convolutional networks of pictures and of sequences share.

An encoder and a discriminator halve an example until it is small, and go on with dense
layers. A decoder and a generator begin with dense layers, and double.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import KerasTensor, layers

from kgen.layers import Dense
from kgen.networks import common

# Halving stops when no side is longer than this.
_SMALLEST = 4
# What `common.hidden_layers` returns.
_Hidden = tuple[dict[str, Any], Callable[[KerasTensor], KerasTensor]]


def stages(input_shape: Sequence[int]) -> list[tuple[int, ...]]:
    """The sides at each halving, from the whole example down.

    Odd sizes are rounded up: `(25, 25)` gives 25, 13, 7, 4.

    Args:
        input_shape: Shape of one example, `(height, width, channels)` or
            `(length, channels)`.
    """
    found = [tuple(input_shape[:-1])]
    while max(found[-1]) > _SMALLEST:
        found.append(tuple(math.ceil(side / 2) for side in found[-1]))
    return found


def filters_of(
    input_shape: Sequence[int], filters: int, max_filters: int
) -> list[int]:
    """The filters at each halving, from the whole example down.

    Args:
        input_shape: As in `stages`.
        filters: At the first halving; twice as many at each further one.
        max_filters: The most filters of a halving.
    """
    halvings = len(stages(input_shape)) - 1
    return common.doubling(halvings, filters, max_filters)


def decoder_filters(
    input_shape: Sequence[int], filters: int, max_filters: int
) -> list[int]:
    """As `filters_of`, of a decoder, which has maps even where nothing is halved."""
    return filters_of(input_shape, filters, max_filters) or [filters]


def dense_layers(
    x: KerasTensor, hidden_units: Sequence[int], hidden: _Hidden
) -> KerasTensor:
    """Applies dense layers.

    Args:
        x: Tensor of shape `(batch, count)`.
        hidden_units: Widths of the layers, in their order.
        hidden: What `common.hidden_layers` returned.
    """
    kwargs, activated = hidden
    for units in hidden_units:
        x = activated(Dense(units, **kwargs)(x))
    return x


def smallest_maps(
    inputs: common.Inputs,
    shape: Sequence[int],
    hidden_units: Sequence[int],
    hidden: _Hidden,
) -> KerasTensor:
    """From a code by dense layers to maps, with which a decoder begins.

    Args:
        inputs: Its inputs.
        shape: Shape of the maps, without the batch.
        hidden_units: Widths of the dense layers, in reverse.
        hidden: What `common.hidden_layers` returned.
    """
    kwargs, activated = hidden
    x = dense_layers(inputs.with_labels(inputs.x), hidden_units[::-1], hidden)
    x = Dense(math.prod(shape), **kwargs)(x)
    return activated(layers.Reshape(shape)(x))


def discriminator_of(
    inputs: common.Inputs,
    x: KerasTensor,
    hidden_units: Sequence[int],
    activation: common.Activation,
    normalise: Callable,
    **kwargs: Any,
) -> keras.Model:
    """The discriminator whose smallest maps are x: dense layers and a logit follow.

    Args:
        inputs: Its inputs.
        x: Tensor of shape `(batch, ..., channels)`. The layer that flattens it is
            named `"features"`.
        hidden_units: Widths of the dense layers.
        activation: Activation of the dense layers.
        normalise: What `common.normalised` returned.
        **kwargs: Further arguments of the dense layers.
    """
    x = common.Flatten(name="features")(x)
    for units in hidden_units:
        x = normalise(Dense(units, activation, **kwargs))(x)
    logit = inputs.logit(x, normalise, **kwargs)
    return inputs.network(logit, "discriminator")
