"""One step of training: losses, gradients of named variables, optimizers."""

import typing
from collections.abc import Callable

import keras
import tensorflow as tf
from keras import ops

from kgen.models import faults
from kgen.parallel import gradients as parallel_gradients


class Player(typing.NamedTuple):
    """A part of a model that minimises its own loss by its own variables.

    Args:
        optimizer: A built Keras optimizer.
        variables: The variables that its step may change, and no others.
        loss: The field of the losses that it minimises.
        gate: The field that says whether it takes its step, or None for always.
    """

    optimizer: keras.optimizers.Optimizer
    variables: list
    loss: str = "loss"
    gate: str | None = None


def regularizers(*layers: keras.layers.Layer) -> tf.Tensor | float:
    """The sum of the losses that layers added when they were last called.

    Call this right after the layers: their next call replaces the losses, also if
    another replica makes it.

    Args:
        *layers: Networks, or other layers.

    Returns:
        Scalar; the number 0.0 where there are no losses, so that it is not logged.
    """
    # Those of activities have the type that layers compute in.
    losses = [ops.cast(x, "float32") for layer in layers for x in layer.losses]
    return sum(losses, start=0.0)


def update(objective: Callable, *players: Player) -> typing.Any:
    """Computes losses, and changes each player's variables by its gradient.

    Every update of every model goes through here, so that the loss is scaled
    for mixed precision and for several devices in one place. Players that are
    given together step at the same time: all gradients are those before the
    step.

    Args:
        objective: Function without arguments that returns a named tuple of
            scalars, among them the players' losses.
        *players: `Player`s.

    Returns:
        That named tuple.
    """
    values = [[v.value for v in player.variables] for player in players]
    with tf.GradientTape(
        persistent=len(players) > 1, watch_accessed_variables=False
    ) as tape:
        tape.watch(values)
        losses = objective()
        scaled = [
            player.optimizer.scale_loss(
                parallel_gradients.weighted(getattr(losses, player.loss))
            )
            for player in players
        ]
    gradients = [tape.gradient(*pair) for pair in zip(scaled, values)]
    parts = {k: v for k, v in losses._asdict().items() if v is not None}
    is_finite = faults.check(parts, players, gradients)
    for player, gradient in zip(players, gradients):
        plays = _and(player.gate and getattr(losses, player.gate), is_finite)
        parallel_gradients.apply(
            player.optimizer, gradient, player.variables, plays
        )
    return losses


def _and(one, other):
    """Whether both are true; None stands for true."""
    if one is None or other is None:
        return other if one is None else one
    return tf.logical_and(one, other)
