"""Examples into batches: an order for each epoch, then a gather and a cast."""

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from kgen.data import rows
from kgen.data.rows import Lazy, in_memory
from kgen.errors import invalid
from kgen.params import Integer, checked

# Each use of a seed has a random stream of its own.
_ORDER, _BINARIZE = 0, 1

_PREFETCH = 4

# The buffer over which a stream without random access is shuffled holds at most so
# many examples, and so many bytes.
_SHUFFLE_BUFFER = 10_000
_SHUFFLE_BYTES = 2**28


def batches(
    images: Any,
    labels: np.ndarray | None,
    *,
    batch_size: int,
    shuffle: bool = False,
    seed: int | None = None,
    binarize: bool = False,
) -> tf.data.Dataset:
    """Makes a dataset of float32 batches, in an order that each epoch draws.

    The order is a function of the seed and the epoch's number alone; see
    `set_epoch`. An array in memory is gathered from as it is, and cast by the
    batch; from anything else that can be indexed with an array of positions
    (a memory map, `Lazy` rows) only the batch is read.

    Args:
        images: Indexable with positions, with `shape` and `dtype`; uint8 is
            scaled to [0, 1].
        labels: Integer array, or None for batches of images alone.
        batch_size: Positive integer; the last batch may be smaller.
        shuffle: Whether the order changes with each epoch.
        seed: Integer, or None for a draw from Python's generator.
        binarize: Whether each pixel is drawn as 0 or 1 with its value as the
            probability: anew each epoch if shuffled, else always the same.

    Returns:
        `tf.data.Dataset` of images, or of pairs.
    """
    size, seed = len(images), _checked_seed(seed)
    read = _reader(images)
    labels = None if labels is None else tf.constant(labels, "int32")

    def of_epoch(epoch):
        order = tf.range(size, dtype="int64")
        if shuffle:
            key = _key(seed, _ORDER, epoch)
            order = tf.random.experimental.stateless_shuffle(order, key)

        def batch(start):
            index = order[start : start + batch_size]
            x = scale(read(index))
            if binarize:
                x = _binarized(x, seed, epoch * size + start)
            return x if labels is None else (x, tf.gather(labels, index))

        # A single function, since each costs milliseconds in every epoch. While a
        # batch of files is decoded, the files of the next one are read.
        calls = 1 if in_memory(_array_of(images)[0]) else 2
        return _starts(size, batch_size).map(batch, num_parallel_calls=calls)

    return _by_epochs(of_epoch, size, batch_size, shuffle)


def stream(
    examples: tf.data.Dataset,
    size: int,
    *,
    batch_size: int,
    shuffle: bool = False,
    seed: int | None = None,
    binarize: bool = False,
) -> tf.data.Dataset:
    """Like `batches`, for a dataset of single examples without random access.

    Args:
        examples: `tf.data.Dataset` of uint8 or float images, or of pairs.
        size: The number of examples.
        batch_size: As in `batches`.
        shuffle: As in `batches`; the order is mixed over 10,000 examples.
        seed: As in `batches`.
        binarize: As in `batches`.

    Returns:
        `tf.data.Dataset` of images, or of pairs.
    """
    seed = _checked_seed(seed)
    spec = tf.nest.flatten(examples.element_spec)[0]
    example_bytes = spec.dtype.size * math.prod(spec.shape)
    buffer = min(size, _SHUFFLE_BUFFER, max(1, _SHUFFLE_BYTES // example_bytes))

    def of_epoch(epoch):
        dataset = examples
        if shuffle:
            key = _key(seed, _ORDER, epoch)
            # Of this function alone: the global one would change the order.
            tf.compat.v1.set_random_seed(1)
            dataset = dataset.shuffle(
                buffer,
                seed=tf.random.stateless_uniform((), key, None, None, "int64"),
                reshuffle_each_iteration=False,
            )

        def batch(start, values):
            is_pair = isinstance(values, tuple)
            x = scale(values[0] if is_pair else values)
            if binarize:
                x = _binarized(x, seed, epoch * size + start)
            return (x, tf.cast(values[1], "int32")) if is_pair else x

        starts = _starts(size, batch_size)
        pairs = tf.data.Dataset.zip(starts, dataset.batch(batch_size))
        return pairs.map(batch, num_parallel_calls=1)

    return _by_epochs(of_epoch, size, batch_size, shuffle)


@checked(epoch=Integer(0))
def set_epoch(dataset: tf.data.Dataset, epoch: int) -> None:
    """Makes the next pass over `dataset` that of an epoch's number.

    The passes count up by themselves from 0; setting the number lets a
    training that resumes go on in the order it would have had.

    Args:
        dataset: What `kgen.data.load` returned.
        epoch: Integer >= 0.
    """
    if not hasattr(dataset, "epoch_counter"):
        raise invalid(
            "dataset",
            "set_epoch",
            "what `kgen.data.load` returned, as it is",
            dataset,
        )
    if dataset.epoch_counter is not None:
        dataset.epoch_counter.assign(epoch)


def scale(images: tf.Tensor) -> tf.Tensor:
    """uint8 images as float32 in [0, 1]; others as float32."""
    if images.dtype == tf.uint8:
        return tf.cast(images, "float32") * np.float32(1 / 255)
    return tf.cast(images, "float32")


def _reader(images: Any) -> Callable:
    """A function from positions to the images there, as a tensor."""
    array, chosen = _array_of(images)
    if in_memory(array):
        tensor = _shared(array)
        if chosen is None:
            return lambda index: tf.gather(tensor, index)
        chosen = tf.constant(chosen)
        return lambda index: tf.gather(tensor, tf.gather(chosen, index))

    def read(index):
        batch = tf.numpy_function(
            lambda i: np.ascontiguousarray(images[i]), [index], images.dtype
        )
        return tf.ensure_shape(batch, (None, *images.shape[1:]))

    return read


def _array_of(images):
    """The array that rows are chosen from, and their positions; None for all."""
    if isinstance(images, Lazy) and images.chosen:
        return images.chosen
    return images, None


def _shared(array):
    """An array as a tensor: in the same memory if it is sealed, else a copy."""
    if array.flags.writeable or not array.flags.c_contiguous:
        array = rows.read_all(array, array.dtype.newbyteorder("="))
    lent = array.view()
    try:
        lent.flags.writeable = True  # NumPy exports no read-only memory
    except ValueError:  # the memory belongs to another object
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(lent.__dlpack__())


def _by_epochs(of_epoch, size, batch_size, shuffle):
    """The dataset of all epochs, one after another.

    Args:
        of_epoch: Function from an epoch's number to a dataset of its batches.
        size: The number of examples.
        batch_size: As in `batches`.
        shuffle: Whether the epochs differ, so that they are counted.
    """
    counter = None
    if shuffle:
        counter = tf.Variable(0, dtype="int64", trainable=False)
        dataset = tf.data.Dataset.from_tensors(0).flat_map(
            lambda _: of_epoch(counter.assign_add(1) - 1)
        )
    else:
        dataset = of_epoch(tf.constant(0, "int64"))
    count = -(-size // batch_size)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    dataset = dataset.prefetch(_PREFETCH)
    options = tf.data.Options()
    # The thread of the autotuning could stall the end of an epoch.
    options.autotune.enabled = False
    # To rewrite the graph, TensorFlow would copy all that it refers to.
    options.experimental_optimization.apply_default_optimizations = False
    # Of several workers, each keeps its part of every batch.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    dataset = dataset.with_options(options)
    dataset.epoch_counter = counter
    return dataset


def _checked_seed(seed):
    """A seed as `_key` takes it; None is a draw."""
    if seed is None:
        return random.randrange(2**31)
    return Integer(0, math.inf).check("seed", "load", seed) % 2**63


def _starts(size, batch_size):
    """The positions at which the batches of an epoch start, as a dataset."""
    return tf.data.Dataset.range(0, size, batch_size)


def _binarized(x, seed, number):
    """Draws each pixel of a batch as 0 or 1, with its value as probability.

    Args:
        x: Pictures in [0, 1].
        seed: Of the dataset.
        number: That of the batch's first example among those of all epochs.
    """
    uniform = tf.random.stateless_uniform(
        tf.shape(x), _key(seed, _BINARIZE, number)
    )
    return tf.cast(uniform < x, "float32")


def _key(seed, use, number):
    """A pair of integers for stateless random ops."""
    return tf.random.experimental.stateless_fold_in(
        tf.constant([seed, use], "int64"), number
    )
