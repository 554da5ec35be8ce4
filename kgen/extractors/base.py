"""The interface of all extractors."""

import abc
import functools
from collections.abc import Iterable
from typing import Self

import numpy as np
import tensorflow as tf

from kgen import arrays
from kgen.errors import InvalidArgument, invalid
from kgen.params import Integer, Optional, checked


class Extractor(abc.ABC):
    """Turns examples into features, and maybe into probabilities of classes.

    A subclass calls `super().__init__` and defines `features_of`. One that tells
    classes apart also gives `num_classes` and defines `probabilities_of`.

    Args:
        name: What a report says of the features, such as "raw pixels".
        input_shape: Shape of an example without the batch; None where any size
            is allowed.
        num_features: d, how many features an example has.
        num_classes: How many classes there are, or None.

    Example:

        class Brightness(kgen.extractors.Extractor):
            def __init__(self):
                super().__init__("brightness", (None, None, 1), 1)

            def features_of(self, images):
                return tf.reduce_mean(images, axis=(1, 2))
    """

    # Only Inception's features make a Frechet distance FID.
    is_inception = False
    # How many examples are in memory at a time, unless the caller says.
    batch_size = 256

    def __init__(
        self,
        name: str,
        input_shape: tuple[int | None, ...],
        num_features: int,
        num_classes: int | None = None,
    ) -> None:
        self.name = name
        self.input_shape = tuple(input_shape)
        self.num_features = num_features
        self.num_classes = num_classes

    @abc.abstractmethod
    def features_of(self, images: tf.Tensor) -> tf.Tensor:
        """Returns features of a tensor, which is not checked.

        It may be called inside a `tf.function`.

        Args:
            images: float32 tensor of shape `(n, *input_shape)`; pictures are
                in [0, 1].

        Returns:
            float32 tensor of shape `(n, num_features)`.
        """

    def probabilities_of(self, images: tf.Tensor) -> tf.Tensor:
        """Returns probabilities of the classes for a tensor; see `features_of`.

        Args:
            images: As in `features_of`.

        Returns:
            float32 tensor of shape `(n, num_classes)`; each row sums to 1.

        Raises:
            InvalidArgument: If this extractor tells no classes.
        """
        raise self._without_classes()

    @checked(batch_size=Optional(Integer()))
    def features(
        self, images: np.ndarray | Iterable, batch_size: int | None = None
    ) -> np.ndarray:
        """Returns features of many examples, batch by batch.

        Args:
            images: Array of shape `(n, *input_shape)`; or a `tf.data.Dataset`
                or another iterable of such batches, alone or in pairs with
                labels, which are ignored. Pictures are in [0, 1].
            batch_size: How many are computed at a time; None for 256 (50 for
                Inception).

        Returns:
            float32 array of shape `(n, num_features)`.

        Raises:
            InvalidArgument: If there are no examples, or they have another
                shape, integers, NaN, or pictures out of [0, 1].
        """
        size = self.num_features
        return self._collect(images, batch_size, self._features, size)

    @checked(batch_size=Optional(Integer()))
    def probabilities(
        self, images: np.ndarray | Iterable, batch_size: int | None = None
    ) -> np.ndarray:
        """Returns probabilities of the classes for many examples.

        Args:
            images: As in `features`.
            batch_size: As in `features`.

        Returns:
            float32 array of shape `(n, num_classes)`.

        Raises:
            InvalidArgument: As in `features`, and if there are no classes.
        """
        if self.num_classes is None:
            raise self._without_classes()
        size = self.num_classes
        return self._collect(images, batch_size, self._probabilities, size)

    def _without_classes(self):
        return InvalidArgument(
            f"The extractor ({self.name}) tells no classes. Expected one that "
            "was trained on labels: a ClassifierExtractor, a ModelExtractor "
            "with `classes`, or an InceptionExtractor."
        )

    def __deepcopy__(self, memo: dict) -> Self:
        # Keras Tuner copies callbacks, which may hold one; it never changes.
        return self

    @functools.cached_property
    def _features(self):
        return self._traced(self.features_of)

    @functools.cached_property
    def _probabilities(self):
        return self._traced(self.probabilities_of)

    def _traced(self, function):
        spec = tf.TensorSpec((None, *self.input_shape), "float32")
        return tf.function(function, input_signature=[spec])

    def _collect(self, images, batch_size, function, size):
        owner, parts = type(self).__name__, []
        for batch in _batches(images, batch_size or self.batch_size, owner):
            self.check(batch)
            part = function(tf.constant(batch, "float32")).numpy()
            if part.shape != (len(batch), size):
                raise InvalidArgument(
                    f"{owner} promises results of shape (n, {size}), and gave "
                    f"{part.shape} for {len(batch)} examples."
                )
            parts.append(part)
        if not parts:
            raise invalid("images", owner, "at least one", "none")
        return np.concatenate(parts)

    def check(self, images: np.ndarray) -> None:
        """Raises unless features of a batch of examples can be computed.

        Args:
            images: The batch.

        Raises:
            InvalidArgument: If they can't; the message says why.
        """
        owner, shape = type(self).__name__, self.input_shape
        if images.ndim != len(shape) + 1 or any(
            size not in (None, given)
            for size, given in zip(shape, images.shape[1:])
        ):
            sizes = ", ".join("any" if n is None else str(n) for n in shape)
            expected = f"shape (n, {sizes})"
            raise invalid("images", owner, expected, f"shape {images.shape}")
        if not arrays.is_floating(images.dtype):
            expected = arrays.floats(shape)
            raise invalid("images", owner, expected, images.dtype)
        if len(shape) == 3:
            arrays.check_unit_range("images", owner, images)
        else:
            arrays.check_range("images", owner, images)


def _batches(images, batch_size, owner):
    """Arrays of at most `batch_size` examples, whatever holds them."""
    if isinstance(images, tf.data.Dataset) and (
        images.cardinality() == tf.data.INFINITE_CARDINALITY
    ):
        raise invalid("images", owner, "a dataset that ends", "an endless one")
    if hasattr(images, "shape"):
        images = [images]
    elif not hasattr(images, "__iter__"):
        raise invalid(
            "images", owner, "an array, or batches of examples", type(images)
        )
    for batch in images:
        if isinstance(batch, (tuple, list)) and len(batch):
            batch = batch[0]  # without its labels
        if not getattr(batch, "shape", ()):
            raise invalid("images", owner, "batches of examples", type(batch))
        for start in range(0, len(batch), batch_size):
            # An array on disk is read piece by piece.
            yield np.asarray(batch[start : start + batch_size])
