"""Gradients of one batch that several replicas share."""

import keras
import tensorflow as tf

from kgen.errors import invalid
from kgen.parallel import replicas


def weighted(loss: tf.Tensor) -> tf.Tensor:
    """A mean over a replica's examples, weighted by how many it has.

    Optimizers add up the gradients of all replicas.
    """
    if replicas.count() == 1:
        return loss
    return loss * tf.cast(replicas.share(), loss.dtype)


def apply(
    optimizer: keras.optimizers.Optimizer,
    gradients: list,
    variables: list,
    condition: tf.Tensor | None = None,
) -> None:
    """Lets an optimizer change variables.

    Args:
        optimizer: A built Keras optimizer.
        gradients: A gradient for each variable, or None.
        variables: The variables.
        condition: Boolean tensor: whether it does, or None for yes.
    """

    def step():
        optimizer.apply(gradients, variables)
        return True

    if replicas.count() > 1:
        gradients = _of_whole_batch(optimizer, [_dense(x) for x in gradients])
    if condition is None:
        step()
    elif replicas.count() == 1:
        tf.cond(condition, step, lambda: False)
    else:
        _step_or_undo(optimizer, step, variables, condition)


def _dense(gradient):
    """A gradient as a tensor: that of an `Embedding` has only the rows in use.

    Replicas that have different numbers of rows can't add these up.
    """
    return None if gradient is None else tf.convert_to_tensor(gradient)


def _step_or_undo(optimizer, step, variables, condition):
    """Steps, and undoes it where the condition is false.

    The optimizer communicates with the other replicas, which no branch of a
    `tf.cond` may do.
    """
    variables = [*variables, *optimizer.variables]
    before = [tf.identity(variable.value) for variable in variables]
    step()
    for variable, value in zip(variables, before):
        variable.assign(tf.where(condition, variable.value, value))


def _of_whole_batch(optimizer, gradients):
    """Gradients over all replicas, for optimizers that look at them.

    Keras clips, and looks for infinities, before it sums over the replicas.
    """
    is_scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    inner = optimizer.inner_optimizer if is_scaled else optimizer
    clips = inner.clipnorm or inner.clipvalue or inner.global_clipnorm
    if is_scaled and clips:
        raise invalid(
            "optimizer",
            "compile",
            "one that does not clip, for several replicas in mixed_float16",
            inner.name,
        )
    if not (is_scaled or clips):
        return gradients
    sums = [replicas.all_sum(x) for x in gradients if x is not None]
    sums = iter(optimizer._clip_gradients(sums))
    # The optimizer sums over the replicas once more.
    return [
        None if x is None else next(sums) / replicas.count() for x in gradients
    ]
