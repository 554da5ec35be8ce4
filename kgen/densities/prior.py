"""P(y): how frequent each class is."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from kgen.densities.base import Pair
from kgen.densities.moments import Sums
from kgen.errors import InvalidArgument, invalid
from kgen.params import Integer, checked


class ClassCounts:
    """How many examples of each class there were, of all replicas together.

    Args:
        num_classes: How many classes there are.
    """

    def __init__(self, num_classes: int) -> None:
        self._num_classes = num_classes
        self._sums = Sums()

    def start(self) -> None:
        """Sets the counts to 0."""
        self._sums.start({"count": (self._num_classes,)})

    def add(self, weights: Tensor) -> None:
        """Adds `weights`, of shape `(batch, num_classes)`, float64."""
        self._sums["count"].assign_add(tf.reduce_sum(weights, axis=0))

    def array(self) -> np.ndarray:
        """The counts, of shape `(num_classes,)`."""
        return self._sums.arrays()["count"]


@keras.saving.register_keras_serializable(package="kgen")
class ClassPrior(keras.layers.Layer):
    """P(y), counted from the data or given.

    Args:
        num_classes: How many classes there are.
        probabilities: None, for the shares of the classes in the data;
            `"uniform"`; or one number for each class, with the sum 1. Until the
            data is counted, the prior is uniform.
    """

    @checked(num_classes=Integer(1))
    def __init__(
        self,
        num_classes: int,
        probabilities: Sequence[float] | str | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "float64")
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.probabilities = probabilities
        self.log_prior = self.add_weight(
            name="log_prior",
            shape=(num_classes,),
            trainable=False,
            autocast=False,
        )
        self.log_prior.assign(_log_prior(num_classes, probabilities))
        self._counts = ClassCounts(num_classes)
        self.built = True

    def start(self) -> None:
        """Sets the counts to 0."""
        self._counts.start()

    def observe(self, weights: Tensor) -> None:
        """Adds `weights`, of shape `(batch, num_classes)`, to the counts."""
        self._counts.add(weights)

    def counted(self) -> list[Pair]:
        """Returns P(y) by the counts, unless it was given; sets nothing.

        A class without an example gets the probability 0.

        Returns:
            List of pairs of a weight and its new value, for `assign`.

        Raises:
            InvalidArgument: If the counts are not finite, or a given prior is
                above 0 for a class without examples, or 0 for one with them.
        """
        counts = self._counts.array()
        if not np.isfinite(counts).all():
            raise InvalidArgument(
                "`BayesClassifier`: P(y|x) of some example without a label is not "
                "finite. Leave out examples with NaN, and scale the others."
            )
        if self.probabilities is None:
            if not counts.sum():
                return []
            return [(self.log_prior, _log(counts / counts.sum()))]
        possible = np.isfinite(self.log_prior.numpy())
        ruled_out = np.flatnonzero((counts > 0) & ~possible)
        if len(ruled_out):
            raise invalid(
                "prior",
                "BayesClassifier",
                f"more than 0 for class {ruled_out[0]}, of which there are "
                "examples",
                self.probabilities,
            )
        missing = np.flatnonzero((counts == 0) & possible)
        if len(missing):
            raise invalid(
                "prior",
                "BayesClassifier",
                f"0 for class {missing[0]}, of which there is no example; or "
                "None, to count",
                self.probabilities,
            )
        return []

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "probabilities": self.probabilities,
        }


def _log_prior(count, probabilities):
    """log P(y) from what a user gave as P(y), or uniform."""
    if probabilities is None or isinstance(probabilities, str):
        if probabilities not in (None, "uniform"):
            raise invalid(
                "prior",
                "BayesClassifier",
                '"uniform", None, or a probability for each class',
                repr(probabilities),
            )
        return np.full(count, -np.log(count))
    try:
        values = np.asarray(probabilities, "float64")
    except (TypeError, ValueError, OverflowError):
        values = np.zeros(0)
    fits = values.shape == (count,) and np.all(values >= 0.0)
    if not fits or abs(values.sum() - 1.0) > 1e-6:
        raise invalid(
            "prior",
            "BayesClassifier",
            f"{count} numbers from 0, with the sum 1",
            probabilities,
        )
    return _log(values / values.sum())


def _log(probabilities):
    with np.errstate(divide="ignore"):
        return np.log(probabilities)
