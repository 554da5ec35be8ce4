"""Examples that can be counted, selected and made into batches."""

import dataclasses
import math
import mmap
from typing import Any

import numpy as np
import tensorflow as tf

from kgen.data import background as colours
from kgen.data import pipeline, reading
from kgen.errors import invalid

# More than this many bytes of pictures are read by the batch.
IN_MEMORY_BYTES = 2**30

_CHUNK = 1000
_ASIDE = 5  # one in five
_LONGEST = 2**15  # pixels of a side that pictures are resized to


@dataclasses.dataclass(frozen=True)
class Examples:
    """Examples with random access.

    Args:
        images: An array, or what `pipeline.batches` can index like one.
        labels: Integer array of the same length, or None.
    """

    images: Any
    labels: np.ndarray | None = None

    def __len__(self):
        return len(self.images)

    @property
    def shape(self):
        """Shape of one example."""
        return tuple(self.images.shape[1:])

    def select(self, index):
        """The examples at the positions `index`, an integer array."""
        images = self.images
        images = images[index] if in_memory(images) else Indirect(images, index)
        labels = self.labels
        return Examples(images, None if labels is None else labels[index])

    def read_labels(self):
        """The labels, integer array, or None."""
        return self.labels

    def without_labels(self):
        """The examples, as if nobody knew their classes."""
        return Examples(self.images)

    def slice(self, start, stop):
        """The examples from `start` to `stop`."""
        return self.select(np.arange(start, stop))

    def batches(self, labels=False, **options):
        """Batches, as `pipeline.batches` makes them."""
        return pipeline.batches(
            self.images, self.labels if labels else None, **options
        )


@dataclasses.dataclass(frozen=True)
class StreamedExamples:
    """Examples that can only be read one after another.

    Args:
        dataset: `tf.data.Dataset` of single images, or of pairs.
        size: How many there are.
    """

    dataset: tf.data.Dataset
    size: int

    def __len__(self):
        return self.size

    @property
    def labels(self):
        """Whether there are labels: `()` if so, else None."""
        return () if isinstance(self.dataset.element_spec, tuple) else None

    @property
    def shape(self):
        """Shape of one example."""
        return tuple(tf.nest.flatten(self.dataset.element_spec)[0].shape)

    def select(self, index):
        """The examples at the positions `index`, in their own order."""
        chosen = np.zeros(self.size, bool)
        chosen[index] = True
        chosen = tf.data.Dataset.from_tensor_slices(chosen)
        dataset = (
            tf.data.Dataset.zip(self.dataset, chosen)
            .filter(lambda _, is_chosen: is_chosen)
            .map(lambda example, _: example)
        )
        return StreamedExamples(dataset, len(index))

    def read(self, index):
        """Those at the positions `index`, in that order, as `Examples`.

        The stream is read once, and nothing else of it is kept.
        """
        spec = tf.nest.flatten(self.dataset.element_spec)
        arrays = [
            np.empty((len(index), *part.shape), part.dtype.as_numpy_dtype)
            for part in spec
        ]
        places = np.argsort(index)  # of what comes first, second, ...
        start = 0
        chosen = self.select(index).dataset.batch(_CHUNK)
        for batch in chosen.as_numpy_iterator():
            parts = tf.nest.flatten(batch)
            stop = start + len(parts[0])
            for array, part in zip(arrays, parts):
                array[places[start:stop]] = part
            start = stop
        return Examples(*arrays)

    def read_labels(self):
        """The labels, integer array, or None; all of the stream is read."""
        if self.labels is None:
            return None
        labels = self.dataset.map(lambda _, label: label).batch(_CHUNK)
        return np.concatenate(list(labels.as_numpy_iterator()))

    def without_labels(self):
        """The examples, as if nobody knew their classes."""
        if self.labels is None:
            return self
        dataset = self.dataset.map(lambda image, _: image)
        return StreamedExamples(dataset, self.size)

    def slice(self, start, stop):
        """The examples from `start` to `stop`."""
        dataset = self.dataset.skip(start).take(stop - start)
        return StreamedExamples(dataset, stop - start)

    def batches(self, labels=False, **options):
        """Batches, as `pipeline.stream` makes them."""
        found = self if labels else self.without_labels()
        return pipeline.stream(found.dataset, self.size, **options)


class Mapped:
    """A memory map, indexable like an array; copies what is asked for.

    uint8 stays as it is, all else becomes float32.
    """

    def __init__(self, images):
        self.images, self.shape = images, images.shape
        is_uint8 = images.dtype == np.uint8
        self.dtype = np.dtype("uint8" if is_uint8 else "float32")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, positions):
        with np.errstate(over="ignore"):
            part = np.array(self.images[positions], self.dtype)
        if self.images.mode == "r" and hasattr(mmap, "MADV_DONTNEED"):
            # Pages that were read count as this process's memory until then.
            self.images._mmap.madvise(mmap.MADV_DONTNEED)
        return part


class Indirect:
    """The positions `index` of something indexable, read when asked for."""

    def __init__(self, images, index):
        self.images, self.index = images, np.asarray(index)
        self.shape = (len(self.index), *images.shape[1:])
        self.dtype = images.dtype

    def __len__(self):
        return len(self.index)

    def __getitem__(self, positions):
        return self.images[self.index[positions]]


class Converted:
    """Pictures of something indexable, brought to a shape when asked for."""

    def __init__(self, images, image_shape, background=colours.WHITE):
        self.images, self.image_shape = images, image_shape
        self.background = background
        self.shape = (len(images), *image_shape)
        self.dtype = images.dtype

    def __len__(self):
        return len(self.images)

    def __getitem__(self, positions):
        return convert(
            self.images[positions], self.image_shape, self.background
        )


def some(found, count, seed=0):
    """At most `count` examples, in an order drawn by the seed.

    Data may lie class by class: its beginning would not be like the whole.

    Args:
        found: `Examples`; or `StreamedExamples`, which are read once: the chosen
            ones are then in memory.
        count: How many, if there are as many.
        seed: Integer.

    Returns:
        `Examples`.
    """
    order = drawn(len(found), count, seed)
    if isinstance(found, StreamedExamples):
        return found.read(order)
    return found.select(order)


def drawn(size, count, seed=0):
    """The positions of `some`: at most `count` out of `size`."""
    return np.random.default_rng(seed).permutation(size)[:count]


def set_aside(size, labels=None):
    """The rest, and a fifth: always the same one, drawn from all over the data.

    Where it would leave the rest without a class, a fifth of each class is drawn.
    Earlier versions did not do that: in such data, a run of theirs is now judged
    by other test examples than before, and may have seen some of them.

    Args:
        size: How many examples there are, at least two.
        labels: Their classes: integer array, or None; anything else is ignored.

    Returns:
        Two arrays of positions, in the order of the data.
    """
    order, count = drawn(size, size), math.ceil(size / _ASIDE)
    if isinstance(labels, np.ndarray):
        rest = labels[order[count:]]
        if not np.isin(labels, rest).all():
            order = _by_class(order, labels)
    return np.sort(order[count:]), np.sort(order[:count])


def _by_class(order, labels):
    """`order`, such that its beginning has the same part of each class."""
    classes = labels[order]
    by_class = np.argsort(classes, kind="stable")
    _, starts, counts = np.unique(
        classes[by_class], return_index=True, return_counts=True
    )
    parts = np.empty(len(order))
    ranks = np.arange(len(order)) - np.repeat(starts, counts)
    parts[by_class] = (ranks + 0.5) / np.repeat(counts, counts)
    return order[np.argsort(parts, kind="stable")]


def in_memory(images):
    """Whether `images` is an array in memory."""
    return isinstance(images, np.ndarray) and not isinstance(images, np.memmap)


def check_image_shape(image_shape):
    """Returns `(height, width, channels)` with 1, 3 or 4 channels, or raises."""
    try:
        shape = tuple(int(size) for size in image_shape)
    except (TypeError, ValueError, OverflowError):
        shape = ()
    fits = len(shape) == 3 and min(shape) >= 1 and max(shape) <= _LONGEST
    if not fits or shape[2] not in (1, 3, 4):
        raise invalid(
            "image_shape",
            "load",
            "(height, width, channels), with 1 channel (grey), 3 (colour) or 4 "
            f"(colour and opacity), and sides of at most {_LONGEST} pixels",
            image_shape,
        )
    return shape


def convert(images, image_shape, background=colours.WHITE):
    """Resizes a batch of pictures and makes them grey or coloured.

    Args:
        images: Array of shape `(batch, height, width, 1, 3 or 4)`.
        image_shape: `(height, width, channels)` to bring them to.
        background: The colour behind pictures of 4 channels, of which the last
            is the opacity, where fewer are asked for.

    Returns:
        Array of the same dtype.
    """
    height, width, channels = image_shape
    if images.shape[1:] == tuple(image_shape):
        return images
    white = 255.0 if images.dtype == np.uint8 else 1.0
    x = _with_channels(tf.cast(images, "float32"), channels, white, background)
    if channels == 4:  # what is hidden must not colour what is beside it
        x = tf.concat([x[..., :3] * x[..., 3:], x[..., 3:]], -1)
    x = tf.image.resize(x, (height, width), antialias=True)
    if channels == 4:
        x = tf.concat(
            [tf.math.divide_no_nan(x[..., :3], x[..., 3:]), x[..., 3:]], -1
        )
    x = x.numpy()
    if images.dtype == np.uint8:
        return np.clip(np.round(x), 0, 255).astype("uint8")
    return np.clip(x, 0, 1).astype(images.dtype)


def _with_channels(x, channels, white, background):
    """Pictures with 1, 3 or 4 channels, whatever they had of these."""
    if x.shape[-1] == 4 and channels < 4:
        reading.tell(
            f"Pictures with an opacity are shown on a {background} background."
        )
        opacity = x[..., 3:] / white
        ground = white * colours.as_fractions(background)
        x = x[..., :3] * opacity + ground * (1 - opacity)
    if x.shape[-1] == 3 and channels == 1:
        x = tf.image.rgb_to_grayscale(x)
    if x.shape[-1] == 1 and channels > 1:
        x = tf.image.grayscale_to_rgb(x)
    if x.shape[-1] == 3 and channels == 4:
        x = tf.concat([x, tf.fill((*x.shape[:-1], 1), white)], -1)
    return x


def check_convertible(shape, image_shape):
    """Raises unless `convert` can bring examples of `shape` to another."""
    if len(shape) != 3 or shape[-1] not in (1, 3, 4, None):
        raise invalid(
            "image_shape",
            "load",
            f"None: examples of shape {tuple(shape)} are no pictures with 1, 3 "
            "or 4 channels",
            image_shape,
        )


def convert_all(images, image_shape, background=colours.WHITE):
    """`convert`, at once for an array in memory, else when asked for."""
    if images.shape[1:] == tuple(image_shape):
        return images
    check_convertible(images.shape[1:], image_shape)
    if not in_memory(images):
        return Converted(images, image_shape, background)
    return np.concatenate(
        [
            convert(images[start : start + _CHUNK], image_shape, background)
            for start in range(0, len(images), _CHUNK)
        ]
    )
