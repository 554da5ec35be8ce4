"""The interface of all extractors."""

import abc
import functools

import numpy as np
import tensorflow as tf

from kgen.errors import InvalidArgument, check_int, invalid
from kgen.metrics.checks import check_in_range


class Extractor(abc.ABC):
    """Turns examples into features, and maybe into probabilities of classes.

    A subclass calls `super().__init__` and defines `features_of`; if it tells
    classes, it gives `num_classes` and defines `probabilities_of`, too. All
    else follows from these.

    Args:
        name: What a report says of the features, such as "raw pixels".
        input_shape: Shape of an example without the batch; None for a size
            that may be any.
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
    # How many examples are in memory at a time, where the caller doesn't say.
    batch_size = 256

    def __init__(self, name, input_shape, num_features, num_classes=None):
        self.name = name
        self.input_shape = tuple(input_shape)
        self.num_features = num_features
        self.num_classes = num_classes

    @abc.abstractmethod
    def features_of(self, images):
        """Features of a tensor, also inside a `tf.function`; nothing is checked.

        Args:
            images: float32 tensor of shape `(n, *input_shape)`; pictures are
                in [0, 1].

        Returns:
            float32 tensor of shape `(n, num_features)`.
        """

    def probabilities_of(self, images):
        """Probabilities of the classes, of a tensor; see `features_of`.

        Args:
            images: As in `features_of`.

        Returns:
            float32 tensor of shape `(n, num_classes)`; rows have the sum 1.

        Raises:
            InvalidArgument: If this extractor tells no classes.
        """
        raise self._without_classes()

    def features(self, images, batch_size=None):
        """Features of many examples, in bounded memory but for the result.

        Args:
            images: Array of shape `(n, *input_shape)`; or a `tf.data.Dataset`
                or another iterable of such batches, alone or in pairs with
                labels, which are left out. Pictures are in [0, 1].
            batch_size: How many are computed at a time; None for 256 (50 where
                it's Inception).

        Returns:
            float32 array of shape `(n, num_features)`.

        Raises:
            InvalidArgument: If there are no examples, or they have another
                shape, integers, NaN, or pictures out of [0, 1].
        """
        size = self.num_features
        return self._collect(images, batch_size, self._features, size)

    def probabilities(self, images, batch_size=None):
        """Probabilities of the classes; see `features`.

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

    def __deepcopy__(self, memo):
        # Nothing in it changes, and Keras Tuner copies callbacks.
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
        if batch_size is None:
            batch_size = self.batch_size
        batch_size = check_int("batch_size", self._owner, batch_size)
        found = []
        for batch in _pieces(images, batch_size, self._owner):
            self.check(batch)
            part = function(tf.constant(batch, "float32")).numpy()
            if part.shape != (len(batch), size):
                raise InvalidArgument(
                    f"{self._owner} promises results of shape (n, {size}), and "
                    f"gave {part.shape} for {len(batch)} examples."
                )
            found.append(part)
        if not found:
            raise invalid("images", self._owner, "at least one", "none")
        return np.concatenate(found)

    @property
    def _owner(self):
        return type(self).__name__

    def check(self, images):
        """Raises unless features can be computed of `images`.

        Args:
            images: Array, a batch.

        Raises:
            InvalidArgument: If they can't; the message says why.
        """
        want = self.input_shape
        sizes = ", ".join("any" if size is None else str(size) for size in want)
        if images.ndim != len(want) + 1 or any(
            size not in (None, given)
            for size, given in zip(want, images.shape[1:])
        ):
            raise self._refused(f"shape (n, {sizes})", f"shape {images.shape}")
        if not np.issubdtype(images.dtype, np.floating) and (
            images.dtype.name != "bfloat16"
        ):
            raise self._refused(
                'floats; for 8-bit pictures pass `x.astype("float32") / 255`',
                images.dtype,
            )
        check_in_range("images", self._owner, images, len(want) == 3)

    def _refused(self, expected, received):
        return invalid("images", self._owner, expected, received)


def _pieces(images, batch_size, owner):
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
            # What is on disk is read by the piece.
            yield np.asarray(batch[start : start + batch_size])
