"""Applies a model's methods to arrays and datasets, batch by batch."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgen import arrays
from kgen.errors import invalid
from kgen.models import checks, graph_checks
from kgen.parallel import replicas
from kgen.params import Integer


class CheckedBatches:
    """A dataset whose batches are checked when they are read.

    Args:
        model: A `GenerativeModel`.
        dataset: `tf.data.Dataset` of examples, or of pairs with labels.
        support: Pair of bounds that values must keep, or None.
    """

    def __init__(
        self,
        model: keras.Model,
        dataset: tf.data.Dataset,
        support: arrays.Support,
    ):
        @tf.autograph.experimental.do_not_convert
        def inputs_of(*batch):
            inputs, _ = model.unpack(batch)
            return tuple(inputs) if isinstance(inputs, list) else inputs

        self._model, self._support = model, support
        self._batches = dataset.map(inputs_of)
        self.element_spec = self._batches.element_spec
        self.cardinality = self._batches.cardinality

    def __iter__(self) -> Iterator:
        owner = type(self._model).__name__
        shape = self._model.input_shapes[0]
        with graph_checks.in_words():
            for inputs in self._batches:
                x = np.asarray(_as_list(inputs)[0])
                arrays.check_array(x, shape, self._support, owner)
                yield inputs


class ArrayBatches:
    """Arrays in memory, cut into batches.

    These are plain slices: a dataset would take some milliseconds before its
    first batch, longer than a small model takes for all of them.

    Args:
        inputs: Array or tensor, or a structure of these, of one length.
        size: Examples in a batch.
    """

    def __init__(self, inputs: Any, size: int):
        self._inputs, self._size = inputs, size
        self._count = len(tf.nest.flatten(inputs)[0])
        self.element_spec = tf.nest.map_structure(
            lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), inputs
        )

    def cardinality(self) -> int:
        """How many batches there are."""
        return -(-self._count // self._size)

    def __iter__(self) -> Iterator:
        for start in range(0, self._count, self._size):
            part = slice(start, start + self._size)
            yield tf.nest.map_structure(
                lambda x, part=part: tf.convert_to_tensor(x[part]), self._inputs
            )


def of(
    model: keras.Model, inputs: Any, batch_size: int, any_range: bool = False
) -> CheckedBatches | ArrayBatches:
    """Cuts a dataset or arrays into checked batches of a model's inputs.

    Args:
        model: A `GenerativeModel`.
        inputs: Array of shape `(n, *input_shape)`, `[x, labels]` for a
            conditional model, or a dataset of batches of these.
        batch_size: For arrays.
        any_range: Whether values may lie outside the model's support.

    Returns:
        What `apply` takes.
    """
    if isinstance(inputs, tf.data.Dataset):
        if inputs.cardinality() == tf.data.INFINITE_CARDINALITY:
            expected = "a dataset that ends: leave out `repeat()`"
            raise invalid("x", type(model).__name__, expected, inputs)
        support = None if any_range else model.support
        return CheckedBatches(model, inputs, support)
    inputs = model.checked_inputs(inputs, any_range)
    return of_arrays(inputs, batch_size, type(model).__name__)


def some(
    model: keras.Model, x: Any, y: Any, count: int, validation_split: float
) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Some of the examples that `fit` was given.

    Of arrays they are drawn, always the same; of a dataset they are the first
    ones, and reading them is no pass over the data.

    Args:
        model: A `GenerativeModel`.
        x: What `fit` takes as `x`.
        y: What it takes as `y`.
        count: How many.
        validation_split: As in `fit`.

    Returns:
        Array of shape `(n, *input_shape)`, with n of at most `count`, and their
        labels or None; or None where the data can be read only once.
    """
    owner = type(model).__name__
    if isinstance(x, tf.data.Dataset):
        with checks.no_pass(x):
            parts = _until(count, (checks.parts_of(one, owner) for one in x))
    elif isinstance(x, keras.utils.PyDataset):
        endless = x.num_batches is None
        numbers = itertools.count() if endless else range(x.num_batches)
        parts = _until(count, (checks.parts_of(x[i], owner) for i in numbers))
    elif isinstance(x, (tuple, list)) or hasattr(x, "shape"):
        data = tuple(x) if isinstance(x, (tuple, list)) else (x, y)
        x, y = checks.parts_of(data, owner)
        # `fit` trains on the first ones.
        trained = int(len(x) * (1.0 - (validation_split or 0.0)))
        order = np.random.default_rng(0).permutation(trained)[:count]
        parts = [
            (np.asarray(x)[order], y if y is None else np.asarray(y)[order])
        ]
    else:
        return None
    images, labels = zip(*parts)
    labels = None if labels[0] is None else np.concatenate(labels)
    return np.concatenate(images), labels


def _until(count, pairs):
    """Pairs of arrays until there are so many examples."""
    found, have = [], 0
    for images, labels in pairs:
        found.append(
            (np.asarray(images), None if labels is None else np.asarray(labels))
        )
        have += len(images)
        if have >= count:
            break
    return found


def of_arrays(inputs: Any, batch_size: int, owner: str) -> ArrayBatches:
    """Cuts arrays that were checked already into batches."""
    return ArrayBatches(
        inputs, Integer(1).check("batch_size", owner, batch_size)
    )


def apply(
    model: keras.Model,
    method: Callable,
    batches: CheckedBatches | tf.data.Dataset,
    *extra: tf.Tensor,
    verbose: int | str = 0,
) -> Any:
    """Applies a method to each batch, in a graph, and joins the results.

    The graph is kept until the next `compile`, since what the method calls may
    depend on it.

    Args:
        model: A `GenerativeModel`.
        method: Method of a batch of inputs, its number and `extra`, to a tensor
            or tuple of tensors.
        batches: What `of` or `of_arrays` returns.
        *extra: Tensors for each call.
        verbose: 1 shows a progress bar.

    Returns:
        NumPy array or tuple of them, for all examples.
    """
    steps = int(batches.cardinality())
    bar = keras.utils.Progbar(
        steps if steps > 0 else None,
        verbose=1 if verbose == "auto" else verbose,
    )
    # Without AutoGraph, as in training, errors in words stay what they are.
    function = model.traces.by_name.setdefault(
        method.__name__,
        tf.function(method, autograph=False, reduce_retracing=True),
    )
    # One trace for all batch sizes: the element_spec leaves them open.
    spec = _as_inputs(batches.element_spec)
    number = tf.TensorSpec((), "int32")
    with replicas.frees_graphs():
        concrete = function.get_concrete_function(spec, number, *extra)
    results = []
    for step, batch in enumerate(batches):
        output = concrete(_as_inputs(batch), tf.constant(step), *extra)
        results.append(tf.nest.map_structure(np.asarray, output))
        bar.add(1)
    if not results:
        raise invalid("x", type(model).__name__, "some data", "no data")
    return tf.nest.map_structure(lambda *parts: np.concatenate(parts), *results)


def _as_inputs(element):
    """A dataset's element as networks take it: a pair is a list."""
    return list(element) if isinstance(element, tuple) else element


def _as_list(inputs):
    return inputs if isinstance(inputs, tuple) else [inputs]
