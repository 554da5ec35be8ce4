"""Random streams and seeds of models."""

import contextlib
import random
from collections.abc import Iterator

import keras
import tensorflow as tf
from keras import ops

from kgen.params import SEED


def seed_generators(layer: keras.layers.Layer) -> list:
    """The random streams of a layer and all layers in it, in a fixed order."""
    return [
        generator
        for part in layer._flatten_layers()
        for generator in part._seed_generators
    ]


@contextlib.contextmanager
def fixed_draws(
    layer: keras.layers.Layer, seed: int, position: int | tf.Tensor
) -> Iterator[None]:
    """Within it, a layer's draws are a function of two numbers alone.

    Afterwards its random streams have the state that they had before.

    Args:
        layer: Keras layer.
        seed: Integer.
        position: Integer or tensor, such as the place of a batch in the data.
    """
    states = [generator.state for generator in seed_generators(layer)]
    before = [ops.copy(state.value) for state in states]
    for number, state in enumerate(states):
        place = 2**10 * ops.cast(position, state.dtype)
        state.assign([ops.cast(seed + number, state.dtype), place])
    try:
        yield
    finally:
        for state, value in zip(states, before):
            state.assign(value)


def new_seed(seed: int | None) -> int:
    """Returns `seed`, or for None a draw from Python's random generator.

    `keras.utils.set_random_seed` seeds that generator.
    """
    if seed is None:
        return random.randrange(2**31)
    return SEED.check("seed", "sample", seed)
