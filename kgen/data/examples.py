"""Examples that can be counted, selected and made into batches."""

import dataclasses
import math
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kgen.data import pipeline, rows
from kgen.data.rows import Lazy

# More than this many bytes of pictures are read by the batch.
IN_MEMORY_BYTES = 2**30

_CHUNK = 1000  # examples of a stream that are read at a time
_TEST_PART = 5  # one in five


@dataclasses.dataclass(frozen=True)
class Examples:
    """Examples with random access.

    Args:
        images: An array, or `Lazy` rows.
        labels: Integer array of the same length, or None.
        files: Array of the paths of their files, or None where they have none.
    """

    images: np.ndarray | Lazy
    labels: np.ndarray | None = None
    files: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple:
        """Shape of one example."""
        return tuple(self.images.shape[1:])

    def select(self, index: np.ndarray) -> "Examples":
        """The examples at the positions `index`, an integer array."""
        labels, files = (
            values if values is None else values[index]
            for values in (self.labels, self.files)
        )
        return Examples(rows.choose(self.images, index), labels, files)

    def read_labels(self) -> np.ndarray | None:
        """The labels, integer array, or None."""
        return self.labels

    def without_labels(self) -> "Examples":
        """The examples, as if their classes were unknown."""
        return dataclasses.replace(self, labels=None)

    def slice(self, start: int, stop: int) -> "Examples":
        """The examples from `start` to `stop`."""
        return self.select(np.arange(start, stop))

    def batches(self, labels: bool = False, **options: Any) -> tf.data.Dataset:
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
    files: ClassVar[None] = None

    def __len__(self) -> int:
        return self.size

    @property
    def labels(self) -> tuple | None:
        """Whether there are labels: `()` if so, else None."""
        return () if isinstance(self.dataset.element_spec, tuple) else None

    @property
    def shape(self) -> tuple:
        """Shape of one example."""
        return tuple(tf.nest.flatten(self.dataset.element_spec)[0].shape)

    def select(self, index: np.ndarray) -> "StreamedExamples":
        """The examples at the positions `index`, in the stream's order."""
        is_chosen = np.zeros(self.size, bool)
        is_chosen[index] = True
        is_chosen = tf.data.Dataset.from_tensor_slices(is_chosen)
        dataset = (
            tf.data.Dataset.zip(self.dataset, is_chosen)
            .filter(lambda _, is_chosen: is_chosen)
            .map(lambda example, _: example)
        )
        return StreamedExamples(dataset, len(index))

    def read(self, index: np.ndarray | None = None) -> Examples:
        """The examples at the positions `index`, in that order, in memory.

        The stream is read once, and nothing else of it is kept. Without `index`,
        these are all examples.
        """
        chosen = self if index is None else self.select(index)
        index = np.arange(self.size) if index is None else index
        spec = tf.nest.flatten(self.dataset.element_spec)
        arrays = [
            rows.empty((len(index), *part.shape), part.dtype.as_numpy_dtype)
            for part in spec
        ]
        row_bytes = sum(array[:1].nbytes for array in arrays)
        # The stream's n-th chosen example goes to `places[n]`.
        places, start = np.argsort(index), 0
        size = min(_CHUNK, max(1, rows.PART_BYTES // max(1, row_bytes)))
        for batch in chosen.dataset.batch(size).as_numpy_iterator():
            parts = tf.nest.flatten(batch)
            stop = start + len(parts[0])
            for array, part in zip(arrays, parts):
                array[places[start:stop]] = part
            start = stop
        rows.make_read_only(arrays[0])
        return Examples(*arrays)

    def read_labels(self) -> np.ndarray | None:
        """The labels, integer array, or None; the whole stream is read."""
        if self.labels is None:
            return None
        labels = self.dataset.map(lambda _, label: label).batch(_CHUNK)
        return np.concatenate(list(labels.as_numpy_iterator()))

    def without_labels(self) -> "StreamedExamples":
        """The examples, as if their classes were unknown."""
        if self.labels is None:
            return self
        dataset = self.dataset.map(lambda image, _: image)
        return StreamedExamples(dataset, self.size)

    def slice(self, start: int, stop: int) -> "StreamedExamples":
        """The examples from `start` to `stop`."""
        dataset = self.dataset.skip(start).take(stop - start)
        return StreamedExamples(dataset, stop - start)

    def batches(self, labels: bool = False, **options: Any) -> tf.data.Dataset:
        """Batches, as `pipeline.stream` makes them."""
        examples = self if labels else self.without_labels()
        return pipeline.stream(examples.dataset, self.size, **options)


AnyExamples = Examples | StreamedExamples


def subset(examples: AnyExamples, count: int, seed: int = 0) -> Examples:
    """At most `count` examples, in an order drawn by the seed.

    Data may be sorted by class, so its beginning would not be like the whole.

    Args:
        examples: `Examples`; or `StreamedExamples`, which are read once: the
            chosen ones are then in memory.
        count: The size of the subset, if there are as many examples.
        seed: Integer.

    Returns:
        `Examples`.
    """
    index = subset_positions(len(examples), count, seed)
    if isinstance(examples, StreamedExamples):
        return examples.read(index)
    return examples.select(index)


def subset_positions(size: int, count: int, seed: int = 0) -> np.ndarray:
    """The positions of the `subset` of at most `count` out of `size` examples."""
    return np.random.default_rng(seed).permutation(size)[:count]


def set_aside(size: int, labels: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Splits examples into four fifths and a fifth that is always the same one.

    Where a random fifth would leave the rest without a class, a fifth of each
    class is drawn. Earlier versions did not do that: in such data, a run of
    theirs is now judged by other test examples than before, and may have seen
    some of them.

    Args:
        size: The number of examples, at least two.
        labels: Their classes: integer array, or None; anything else is ignored.

    Returns:
        The positions of the rest and those of the fifth, both ascending.
    """
    order = subset_positions(size, size)
    count = math.ceil(size / _TEST_PART)
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
