"""Examples into batches: an order for each epoch, then a gather and a cast."""

import math
import random

import numpy as np
import tensorflow as tf

from kgen.errors import check_int, invalid

# An own random stream for each use of a seed.
_ORDER, _BINARIZE = 0, 1

_PREFETCH = 4

# What a stream without random access is shuffled over: examples, and bytes.
_SHUFFLE_BUFFER = 10_000
_SHUFFLE_BYTES = 2**28


def batches(
    images,
    labels,
    *,
    batch_size,
    shuffle=False,
    seed=None,
    binarize=False,
):
    """A dataset of float32 batches, in an order that each epoch draws anew.

    The order is a function of the seed and the epoch's number alone; see
    `set_epoch`. An array in memory is gathered from as it is, and cast by the
    batch; from anything else that can be indexed with an array of positions
    (a memory map, a list of picture files) only the batch is read.

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
    size = len(images)
    seed = _check_seed(seed)
    read = _reader(images)
    labels = None if labels is None else tf.constant(labels, "int32")

    def positions(epoch):
        order = tf.range(size, dtype="int64")
        if shuffle:
            order = tf.random.experimental.stateless_shuffle(
                order, _key(seed, _ORDER, epoch)
            )
        starts = tf.data.Dataset.range(0, size, batch_size)
        return starts.map(
            lambda start: (
                order[start : start + batch_size],
                _key(seed, _BINARIZE, epoch * size + start),
            )
        )

    def examples(index, key):
        x = read(index)
        if binarize:
            x = _binarize(x, key)
        return x if labels is None else (x, tf.gather(labels, index))

    dataset, counter = _each_epoch(positions, shuffle)
    dataset = dataset.map(examples, num_parallel_calls=1)
    count = -(-size // batch_size)
    return _finish(dataset, count, counter)


def stream(
    examples, size, *, batch_size, shuffle=False, seed=None, binarize=False
):
    """Like `batches`, for a dataset of single examples that is only read on.

    Args:
        examples: `tf.data.Dataset` of uint8 or float images, or of pairs.
        size: How many there are.
        batch_size: As in `batches`.
        shuffle: As in `batches`; the order is mixed over 10,000 examples.
        seed: As in `batches`.
        binarize: As in `batches`.

    Returns:
        `tf.data.Dataset` of images, or of pairs.
    """
    seed = _check_seed(seed)

    def of_epoch(epoch):
        dataset = examples
        spec = tf.nest.flatten(examples.element_spec)[0]
        one = spec.dtype.size * math.prod(spec.shape)
        if shuffle:
            key = _key(seed, _ORDER, epoch)
            # Of this function alone: the global one would change the order.
            tf.compat.v1.set_random_seed(1)
            dataset = dataset.shuffle(
                min(size, _SHUFFLE_BUFFER, max(1, _SHUFFLE_BYTES // one)),
                seed=tf.random.stateless_uniform((), key, None, None, "int64"),
                reshuffle_each_iteration=False,
            )
        starts = tf.data.Dataset.range(0, size, batch_size)
        keys = starts.map(
            lambda start: _key(seed, _BINARIZE, epoch * size + start)
        )
        return tf.data.Dataset.zip(dataset.batch(batch_size), keys)

    def cast(batch, key):
        pair = isinstance(batch, tuple)
        x = scale(batch[0] if pair else batch)
        if binarize:
            x = _binarize(x, key)
        return (x, tf.cast(batch[1], "int32")) if pair else x

    dataset, counter = _each_epoch(of_epoch, shuffle)
    return _finish(dataset.map(cast), -(-size // batch_size), counter)


def set_epoch(dataset, epoch):
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
    epoch = check_int("epoch", "set_epoch", epoch, minimum=0)
    if dataset.epoch_counter is not None:
        dataset.epoch_counter.assign(epoch)


def scale(images):
    """uint8 images as float32 in [0, 1]; others as float32."""
    if images.dtype == tf.uint8:
        return tf.cast(images, "float32") * np.float32(1 / 255)
    return tf.cast(images, "float32")


def _reader(images):
    shape, dtype = tuple(images.shape[1:]), images.dtype
    if isinstance(images, np.ndarray) and not isinstance(images, np.memmap):
        tensor = tf.constant(images)
        return lambda index: scale(tf.gather(tensor, index))

    def read(index):
        batch = tf.numpy_function(
            lambda i: np.ascontiguousarray(images[i]), [index], dtype
        )
        return scale(tf.ensure_shape(batch, (None, *shape)))

    return read


def _each_epoch(of_epoch, count_epochs):
    """Flattens `of_epoch(number)`; returns the dataset and the counter."""
    if not count_epochs:
        zero = tf.data.Dataset.from_tensors(tf.constant(0, "int64"))
        return zero.flat_map(of_epoch), None
    counter = tf.Variable(0, dtype="int64", trainable=False)

    def next_epoch(_):
        return counter.assign_add(1) - 1

    number = tf.data.Dataset.from_tensors(0).map(next_epoch)
    return number.flat_map(of_epoch), counter


def _finish(dataset, count, counter):
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    dataset = dataset.prefetch(_PREFETCH)
    options = tf.data.Options()
    options.autotune.enabled = False
    # Of several workers, each keeps its part of every batch.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    dataset = dataset.with_options(options)
    dataset.epoch_counter = counter
    return dataset


def _check_seed(seed):
    if seed is None:
        return random.randrange(2**31)
    return check_int("seed", "load", seed, 0, math.inf) % 2**63


def _key(seed, use, number):
    """A pair of integers for stateless random ops."""
    key = tf.random.experimental.stateless_fold_in(
        tf.constant([seed, use], "int64"), number
    )
    return key


def _binarize(x, key):
    uniform = tf.random.stateless_uniform(tf.shape(x), key)
    return tf.cast(uniform < x, "float32")
