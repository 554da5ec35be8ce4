"""What a density of examples given their class must do."""

import inspect
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from kgen.densities.moments import Sums
from kgen.errors import InvalidArgument, invalid
from kgen.params import Integer, checked

# A weight and its new value.
Pair = tuple[keras.Variable, np.ndarray]


class Density(keras.layers.Layer):
    """p(x|y): one density of x for each class.

    `BayesClassifier` takes any. A subclass makes its weights in `__init__`, and
    implements `log_prob` and `draw`, on tensors.

    Args:
        input_shape: Shape of one example, without the batch.
        num_classes: How many classes there are.

    Attributes:
        closed_form: Whether it is fitted by counting, as a `ClosedForm` is; else
            by the gradient of `log_prob`.
        marginalises: Whether `log_prob` takes a mask.
        support: Bounds that the data must keep, or None.
        bits: None where `log_prob` is the density of x; else a name of how x is
            turned into the zeros and ones whose probability it is. Figures of
            densities are compared only where these are the same.
    """

    closed_form = False
    marginalises = False
    support: tuple[float, float] | None = None
    bits: str | None = None

    @checked(num_classes=Integer(1))
    def __init__(
        self, input_shape: Sequence[int], num_classes: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.input_shape = tuple(
            Integer(1).check("input_shape", owner, size)
            for size in np.ravel(input_shape).tolist()
        )
        self.num_classes = num_classes
        self.size = math.prod(self.input_shape)
        self.built = True

    def log_prob(
        self, x: Tensor, mask: Tensor | None = None, training: bool = False
    ) -> Tensor:
        """log p(x|y) of each example in each class.

        Args:
            x: Tensor of shape `(batch, *input_shape)`.
            mask: None, or booleans of that shape: where x was seen. What was
                not is integrated out.
            training: Whether it is to be differentiated.

        Returns:
            Tensor of shape `(batch, num_classes)`, in nats.
        """
        raise NotImplementedError

    def log_prob_in(
        self, x: Tensor, labels: Tensor, training: bool = False
    ) -> Tensor:
        """log p(x|y) for one label for each example, of shape `(batch,)`."""
        log_prob = self.log_prob(x, training=training)
        return tf.gather(log_prob, labels, axis=1, batch_dims=1)

    def log_prob_at(
        self, x: Tensor, places: Tensor, training: bool = False
    ) -> Tensor:
        """log p(x|y) of some rows of a batch.

        A density with noise of its own must draw it for the whole batch here,
        and then choose the rows: for pieces of it, replicas would all draw the
        same.

        Args:
            x: Tensor of shape `(batch, *input_shape)`.
            places: Integers of shape `(n,)`: which rows.
            training: As in `log_prob`.

        Returns:
            Tensor of shape `(n, num_classes)`.
        """
        return self.log_prob(tf.gather(x, places), training=training)

    def draw(self, labels: Tensor, seed: Tensor) -> Tensor:
        """Draws examples of the classes `labels`, by the seed alone.

        Args:
            labels: Integers of shape `(n,)`.
            seed: Integer scalar.

        Returns:
            Tensor of shape `(n, *input_shape)`, float32.
        """
        raise NotImplementedError

    @property
    def num_start_examples(self) -> int:
        """How many training examples `start_from` wants; 0 once it had them."""
        return 0

    def start_from(self, x: np.ndarray, labels: np.ndarray) -> None:
        """Takes training examples for initial weights, before the first step.

        Args:
            x: Array of shape `(n, *input_shape)`.
            labels: `n` integers, -1 where the class is not known.
        """

    def regularization(self) -> Tensor | float:
        """The sum of the regularizers, as of the last call."""
        return sum(self.losses, start=0.0)

    def get_config(self) -> dict:
        # The arguments of `__init__`, which are attributes of the same names.
        names = inspect.signature(type(self)).parameters
        arguments = {
            name: getattr(self, name) for name in names if hasattr(self, name)
        }
        return {**arguments, **super().get_config()}


class ClosedForm(Density):
    """A density whose best parameters follow from sums over the data.

    `start`, then `observe` batch by batch; `counted` returns the parameters.
    They are weights without bounds, so that gradients may go on from there.
    Everything is in float64: log-densities of many pixels are large, and their
    differences count.

    A subclass implements `_statistics`, `observe` and `_solve`: which sums there
    are, how a batch is added to them, and the parameters that follow.
    """

    closed_form = True
    marginalises = True

    def __init__(
        self, input_shape: Sequence[int], num_classes: int, **kwargs: Any
    ) -> None:
        kwargs.setdefault("dtype", "float64")
        super().__init__(input_shape, num_classes, **kwargs)
        self._sums = Sums()

    def _parameter(self, name, *shape, trainable=True):
        return self.add_weight(
            name=name,
            shape=shape,
            initializer="zeros",
            trainable=trainable,
            autocast=False,
        )

    def _statistics(self):
        """Shapes of the sums, by name; `count` has one number for each class."""
        raise NotImplementedError

    def start(self) -> None:
        """Sets the sums to 0."""
        self._sums.start(self._statistics())

    def observe(self, x: Tensor, weights: Tensor) -> None:
        """Adds a batch to the sums.

        Args:
            x: Tensor of shape `(batch, *input_shape)`.
            weights: Tensor of shape `(batch, num_classes)`, float64: how much
                of each example belongs to each class.
        """
        raise NotImplementedError

    def counted(self) -> list[Pair]:
        """Returns the best parameters for the data observed; sets nothing.

        A class without examples keeps the parameters that it has.

        Returns:
            List of pairs of a weight and its new value, for `assign`.

        Raises:
            InvalidArgument: If there were too few examples.
        """
        sums = self._sums.arrays()
        if not all(np.isfinite(values).all() for values in sums.values()):
            raise InvalidArgument(
                f"`{type(self).__name__}`: the data's sums are not finite. Leave "
                "out examples with NaN, and scale the others."
            )
        seen = sums["count"] > 0
        if not seen.any():
            raise InvalidArgument(
                f"`{type(self).__name__}`: no example has a label. Pass pairs "
                "(x, y), with y from 0."
            )
        return [
            (variable, _only_of(seen, value, variable.numpy()))
            for variable, value in self._solve(sums, seen)
        ]

    def _solve(self, sums, seen):
        """The parameters that follow from the sums.

        Args:
            sums: Dictionary of arrays.
            seen: Booleans of shape `(num_classes,)`: which classes have
                examples.

        Returns:
            List of pairs of a weight and its best value.
        """
        raise NotImplementedError

    def _rows(self, x):
        """x, or a mask, as float64 of shape `(batch, size)`."""
        return tf.reshape(tf.cast(x, "float64"), (tf.shape(x)[0], self.size))

    def _only_seen(self, values, mask):
        """`values` by example, class and feature; 0 where x was not seen."""
        if mask is None:
            return values
        # Not a product with the mask: numbers that were not seen may be NaN.
        seen = self._rows(mask)[:, None] > 0
        return tf.where(seen, values, tf.zeros((), values.dtype))

    def _shaped(self, rows):
        return tf.reshape(tf.cast(rows, "float32"), (-1, *self.input_shape))

    def _normal(self, shape, seed, stream=0):
        return tf.random.stateless_normal(
            shape, tf.stack([seed, stream]), dtype="float64"
        )


def _only_of(seen, value, before):
    """New values of the classes with examples, and the old ones of others."""
    if len(value) == 1:  # shared by all classes
        return value
    seen = np.reshape(seen, (-1,) + (1,) * (value.ndim - 1))
    return np.where(seen, value, before)


def assign(pairs: list[Pair]) -> None:
    """Sets weights to new values: all of them, or none if it is interrupted.

    Args:
        pairs: List of pairs of a weight and its new value.
    """
    before = [variable.numpy() for variable, _ in pairs]
    try:
        for variable, value in pairs:
            variable.assign(value)
    except BaseException:  # Ctrl-C, too
        for (variable, _), value in zip(pairs, before):
            variable.assign(value)
        raise


def check_density(owner: str, density: Any) -> None:
    """Raises unless a classifier can be built of `density`.

    Raises:
        InvalidArgument: If it is no `Density`, or an incomplete one.
    """
    if not isinstance(density, Density):
        raise invalid(
            "density",
            owner,
            "a kgen.densities.Density; `create_model` takes their names",
            density,
        )
    if not hasattr(density, "num_classes"):
        raise invalid(
            "density",
            owner,
            "one whose `__init__` calls `super().__init__(input_shape, "
            "num_classes)`",
            density,
        )
