"""One batch for several replicas: what each has of it, and what all have.

Under a `tf.distribute` strategy each replica runs a step on its part of the
batch. With the functions of this module the step computes what one device would
compute from the whole batch: where there is one replica, they do nothing.
"""

import contextlib
import functools
import threading
import typing
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from tensorflow import Tensor
from tensorflow.python.framework import ops as tf_ops

_SUM = tf.distribute.ReduceOp.SUM


class Part(typing.NamedTuple):
    """A replica's part of a batch.

    Args:
        examples: How many examples it has; perhaps none.
        most: How many the first replica has; no other one has more.
        total: How many all replicas have.
    """

    examples: tf.Tensor
    most: tf.Tensor
    total: tf.Tensor


# MirroredStrategy runs each replica in a thread of its own.
_current = threading.local()


def count() -> int:
    """How many replicas run what is running; 1 outside of a step."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def step(function: Callable) -> Callable:
    """Makes a `train_step` or `test_step` one of a replica among others.

    A replica without an example, at the end of the data, gets one of zeros that
    counts for nothing: layers can't run on none.
    """

    @functools.wraps(function)
    def on_part(model, data):
        if count() == 1:
            # Not for several, whose threads differentiate side by side.
            with frees_graphs():
                return function(model, data)
        _current.part = part = _part_of(data)
        try:
            return function(model, _filled(data, part))
        finally:
            _current.part = None

    return on_part


def _part_of(data):
    examples = tf.shape(tf.nest.flatten(data)[0])[0]
    first = tf.cast(_index() == 0, "int32")
    sizes = tf.cast(tf.stack([first * examples, examples]), "float32")
    most, total = tf.unstack(tf.cast(all_sum(sizes), "int32"), 2)
    return Part(examples, most, total)


def _filled(data, part):
    missing = tf.cast(part.examples == 0, "int32")

    def fill(x):
        if x is None:
            return None
        # Where a last batch is smaller, some replicas' numbers of examples are known
        # in the graph, and others' are not. Then their steps would be traced in
        # another order, and would wait for each other's sums for ever.
        x = tf.raw_ops.PlaceholderWithDefault(
            input=x, shape=(None, *x.shape[1:])
        )
        return tf.pad(x, [[0, missing]] + [[0, 0]] * (x.shape.rank - 1))

    return tf.nest.map_structure(fill, data)


def _part():
    return getattr(_current, "part", None)


def _index():
    """Which of the replicas this is, from 0."""
    index = tf.distribute.get_replica_context().replica_id_in_sync_group
    return tf.cast(index, "int32")


def share() -> Tensor | float:
    """This replica's share of the batch's examples, from 0 to 1."""
    part = _part()
    if part is None:
        return 1.0 / count()
    return tf.cast(part.examples, "float32") / tf.cast(part.total, "float32")


def num_examples(x: Tensor) -> Tensor:
    """How many examples of the data are in x."""
    part = _part()
    return tf.shape(x)[0] if part is None else part.examples


def without_padding(x: Tensor) -> Tensor:
    """x without the example of zeros that `step` gives to an empty replica.

    Args:
        x: Tensor with one row or several for each example.
    """
    part = _part()
    if part is None:
        return x
    return x[: tf.where(part.examples > 0, tf.shape(x)[0], 0)]


def all_sum(x: Tensor) -> Tensor:
    """The sum over all replicas, to be differentiated."""
    return x if count() == 1 else _all_sum(x)


def gathered(x: Tensor) -> Tensor:
    """The rows of all replicas, in the batch's order, to be differentiated.

    TensorFlow's sums over replicas keep their shape within a call, so that each
    call must be a single step: see `needs_single_steps` of a model.

    Args:
        x: Tensor with one row for each example.
    """
    if count() == 1:
        return x
    rows, index = without_padding(x), _index()
    size = tf.shape(rows)[0]
    own = tf.one_hot(index, count()) * tf.cast(size, "float32")
    sizes = tf.cast(all_sum(own), "int32")  # of all replicas
    start = tf.reduce_sum(sizes[:index])
    rest = tf.reduce_sum(sizes) - start - size
    places = [[start, rest]] + [[0, 0]] * (x.shape.rank - 1)
    return all_sum(tf.pad(rows, places))


@contextlib.contextmanager
def frees_graphs() -> Iterator[None]:
    """Lets graphs that are made within it be freed: some 10 MB of a model.

    TensorFlow registers the use of a custom gradient by a name, and keeps the whole
    graph for ever with it. `kgen.layers.Dense`, Keras's optimizers and some
    activations have custom gradients. What is computed within can only be
    differentiated by a tape within.
    """
    known = getattr(tf_ops.gradient_registry, "_registry", {})
    before = set(known)
    try:
        yield
    finally:
        for name in known.keys() - before:
            if name.startswith("CustomGradient-"):
                known.pop(name, None)


@tf.custom_gradient
def _all_sum(x):
    """A sum over replicas, whose gradient is again a sum over replicas."""
    context = tf.distribute.get_replica_context()
    # Of one worker among several, the sum needs to know x's device.
    return context.all_reduce(_SUM, tf.identity(x)), _all_sum


def values_of(variable: tf.Variable) -> list[np.ndarray]:
    """What each replica has in a variable that it keeps for itself.

    All workers must ask for it.

    Args:
        variable: `tf.Variable`.

    Returns:
        List of arrays, one for each replica.
    """
    if not isinstance(variable, tf.distribute.DistributedValues):
        return [variable.numpy()]
    strategy = variable.distribute_strategy
    local = strategy.experimental_local_results(variable)
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return [value.numpy() for value in local]

    def gather():
        context = tf.distribute.get_replica_context()
        return context.all_gather(variable.read_value()[None], axis=0)

    gathered = strategy.experimental_local_results(strategy.run(gather))
    return list(gathered[0].numpy())


def mean(x: Tensor, axis: int | Sequence[int] | None = None) -> Tensor:
    """The mean over the examples of all replicas, to be differentiated.

    A mean that is added to a loss does not need it, since `update` weights the losses
    of the replicas. It is for means from which something else is computed.

    Args:
        x: Tensor whose first axis is the batch.
        axis: As in `keras.ops.mean`; the batch is among them.
    """
    local = ops.mean(x, axis=axis)
    if count() == 1:
        return local
    return all_sum(local * tf.cast(share(), local.dtype))


def std(x: Tensor) -> Tensor:
    """The standard deviation of all numbers of the batch."""
    if count() == 1:
        return ops.std(x)
    return ops.sqrt(mean(ops.square(x - mean(x))))


def normal(
    shape: Sequence, seed: keras.random.SeedGenerator, axis: int = 0
) -> Tensor:
    """Draws from N(0, 1): the part of what one device would draw for all.

    So the draws of the replicas differ, and all of them together do not depend on
    the number of replicas.

    Args:
        shape: That of the replica's part.
        seed: `keras.random.SeedGenerator`.
        axis: That of the batch.
    """
    draw = functools.partial(keras.random.normal, dtype="float32", seed=seed)
    return _part_of_draws(draw, tuple(shape), axis)


def uniform(
    shape: Sequence,
    seed: keras.random.SeedGenerator,
    low: float = 0.0,
    high: float = 1.0,
) -> Tensor:
    """Like `normal`, from the uniform distribution on [low, high)."""
    draw = functools.partial(
        keras.random.uniform,
        minval=low,
        maxval=high,
        dtype="float32",
        seed=seed,
    )
    return _part_of_draws(draw, tuple(shape), 0)


def _part_of_draws(draw, shape, axis):
    if count() == 1:
        return draw(shape)
    rows, part = shape[axis], _part()
    most, total = rows, count() * rows
    if part is not None:  # of the whole part, or of a piece of it
        most = part.most * rows // tf.maximum(part.examples, 1)
        is_whole = rows == part.examples
        most = tf.where(is_whole, part.most, tf.maximum(most, rows))
        total = tf.where(is_whole, part.total, count() * most)
    # As many numbers as one device draws; with another size of this axis, all axes
    # before it would get other numbers.
    drawn = draw((*shape[:axis], total, *shape[axis + 1 :]))
    missing = [[0, 0]] * len(shape)
    missing[axis] = [0, count() * most - total]
    start = most * _index()
    rows = (slice(None),) * axis + (slice(start, start + rows),)
    return tf.pad(drawn, missing)[rows]


def needs_own_loop(strategy: tf.distribute.Strategy) -> bool:
    """Whether `steps` has to replace Keras's loop of steps.

    Keras's own (3.15) fails on several steps in MirroredStrategy, and under
    MultiWorkerMirroredStrategy on logs that are scalars.

    Args:
        strategy: `tf.distribute.Strategy`.
    """
    workers = tf.distribute.MultiWorkerMirroredStrategy  # or one of them
    has_replicas = strategy.num_replicas_in_sync > 1
    return has_replicas or isinstance(strategy, workers)


def steps(
    step_function: Callable,
    strategy: tf.distribute.Strategy,
    number: int,
    eagerly: bool = False,
    single: bool = False,
) -> Callable:
    """`number` steps in one call, on what a strategy has distributed.

    Args:
        step_function: Function of a replica's data that returns its logs,
            equal on all replicas.
        strategy: `tf.distribute.Strategy`.
        number: How many steps, or fewer where the data ends.
        eagerly: Whether they run as plain Python.
        single: Whether each is a call into TensorFlow of its own.

    Returns:
        Function of an iterator, as `keras.Model.train_function` is.
    """

    def run_step(data):
        logs = strategy.run(step_function, args=(data,))
        return {
            name: strategy.experimental_local_results(value)[0]
            for name, value in logs.items()
        }

    if not eagerly:
        run_step = tf.function(run_step, autograph=False, reduce_retracing=True)

    @tf.function(autograph=False, reduce_retracing=True)
    def run_steps(iterator, number):
        """Runs the steps in a loop.

        There is no `tf.cond` around a step: replicas can't communicate in one.
        """
        _, logs = tf.while_loop(
            lambda done, _: done < number,
            lambda done, _: (done + 1, run_step(iterator.get_next())),
            (tf.constant(1), run_step(iterator.get_next())),
        )
        return logs

    def function(iterator):
        is_distributed = isinstance(iterator, tf.distribute.DistributedIterator)
        following = None
        if is_distributed and not (eagerly or single):
            following = _following(iterator, number)
        if following is not None:
            return run_steps(iterator, tf.constant(following, "int32"))
        logs = None
        for _, data in zip(range(number), iterator):
            logs = run_step(data)
        if logs is None:
            raise StopIteration
        return logs

    return function


def _following(iterator, number):
    """How many of the next `number` batches there are; None if not known."""
    unknown = tf.data.UNKNOWN_CARDINALITY
    left = getattr(iterator, "left", getattr(iterator, "_cardinality", unknown))
    if left == tf.data.INFINITE_CARDINALITY:
        return number
    if left < 0:
        return None
    iterator.left = max(left - number, 0)
    return min(left, number)
