"""What a density of examples given their class must do."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kgen.densities import moments
from kgen.errors import InvalidArgument, check_int
from kgen.parallel import replicas


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
        bits: What `log_prob` tells the probability of, if not the density of x:
            a name of how x is turned into zeros and ones. Figures compare where
            these are the same.
    """

    closed_form = False
    marginalises = False
    support = None
    bits = None

    def __init__(self, input_shape, num_classes, **kwargs):
        super().__init__(**kwargs)
        owner = type(self).__name__
        shape = tuple(np.ravel(input_shape).tolist())
        self.input_shape = tuple(
            check_int("input_shape", owner, size) for size in shape
        )
        self.num_classes = check_int("num_classes", owner, num_classes)
        self.size = math.prod(self.input_shape)
        self.built = True

    def log_prob(self, x, mask=None, training=False):
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

    def log_prob_in(self, x, labels, training=False):
        """log p(x|y) for one label an example, of shape `(batch,)`."""
        log_prob = self.log_prob(x, training=training)
        return tf.gather(log_prob, labels, axis=1, batch_dims=1)

    def log_prob_at(self, x, places, training=False):
        """log p(x|y) of some rows of a batch, with any noise of theirs in it.

        Args:
            x: Tensor of shape `(batch, *input_shape)`.
            places: Integers of shape `(n,)`, which rows.
            training: As in `log_prob`.

        Returns:
            Tensor of shape `(n, num_classes)`.
        """
        return self.log_prob(tf.gather(x, places), training=training)

    def draw(self, labels, seed):
        """Examples of the classes `labels`, by the seed alone.

        Args:
            labels: Integers of shape `(n,)`.
            seed: Integer scalar.

        Returns:
            Tensor of shape `(n, *input_shape)`, float32.
        """
        raise NotImplementedError

    def regularization(self):
        """The sum of the regularizers, as of the last call."""
        return sum(self.losses, start=ops.zeros(()))

    def get_config(self):
        return {
            **super().get_config(),
            "input_shape": self.input_shape,
            "num_classes": self.num_classes,
        }


class Sums:
    """Sums over the data, by name: no weights, so Keras must not track them."""

    def __init__(self):
        self._by_name = {}

    def start(self, shapes):
        """Sets them to 0.

        Args:
            shapes: Their shapes, by name.
        """
        for name, shape in shapes.items():
            zeros = tf.zeros(shape, "float64")
            if name in self._by_name:
                self._by_name[name].assign(zeros)
            else:
                self._by_name[name] = tf.Variable(zeros)

    def __getitem__(self, name):
        return self._by_name[name]

    def arrays(self):
        """Their values, by name; of all replicas together."""
        found = {
            name: replicas.values_of(sum) for name, sum in self._by_name.items()
        }
        parts = [dict(zip(found, values)) for values in zip(*found.values())]
        return moments.merge(parts)


class ClosedForm(Density):
    """A density whose best parameters follow from sums over the data.

    `start`, then `observe` batch by batch, then `finish`. Its parameters are
    weights without bounds, so that gradients may go on from there. It computes
    in float64: log-densities of many pixels are large, and their differences
    count.

    A subclass implements `_statistics`, `observe` and `_solve`.
    """

    closed_form = True
    marginalises = True

    def __init__(self, input_shape, num_classes, **kwargs):
        kwargs.setdefault("dtype", "float64")
        super().__init__(input_shape, num_classes, **kwargs)
        self._sums = Sums()

    def _parameter(self, name, *shape):
        return self.add_weight(
            name=name, shape=shape, initializer="zeros", autocast=False
        )

    def _statistics(self):
        """Shapes of the sums, by their names; `count` has one a class."""
        raise NotImplementedError

    def start(self):
        """Sets the sums to 0."""
        self._sums.start(self._statistics())

    def observe(self, x, weights):
        """Adds a batch to the sums.

        Args:
            x: Tensor of shape `(batch, *input_shape)`.
            weights: Tensor of shape `(batch, num_classes)`, float64: how much
                of each example belongs to each class.
        """
        raise NotImplementedError

    def finish(self):
        """Sets the parameters to the best ones for what was observed.

        Raises:
            InvalidArgument: If too little was seen.
        """
        assign(self.counted())

    def counted(self):
        """The best parameters for what was observed; changes nothing.

        A class of which nothing was seen keeps those that it had.

        Returns:
            List of pairs of a weight and its new value.

        Raises:
            InvalidArgument: If too little was seen.
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
        pairs = []
        for variable, value in self._solve(sums, seen):
            kept = np.reshape(seen, (-1,) + (1,) * (value.ndim - 1))
            if len(value) == 1:  # shared by all classes
                kept = True
            pairs.append((variable, np.where(kept, value, variable.numpy())))
        return pairs

    def _solve(self, sums, seen):
        """Pairs of a weight and its best value, from sums as arrays."""
        raise NotImplementedError

    def _rows(self, x):
        """x, or a mask, as float64 of shape `(batch, size)`."""
        return tf.reshape(tf.cast(x, "float64"), (tf.shape(x)[0], self.size))

    def _only_seen(self, values, mask):
        """`values` by example, class and feature; 0 where x was not seen."""
        if mask is None:
            return values
        # Not a product: what was not seen may be NaN.
        seen = self._rows(mask)[:, None] > 0
        return tf.where(seen, values, tf.zeros((), values.dtype))

    def _shaped(self, rows):
        return tf.reshape(tf.cast(rows, "float32"), (-1, *self.input_shape))

    def _normal(self, shape, seed, stream=0):
        return tf.random.stateless_normal(
            shape, tf.stack([seed, stream]), dtype="float64"
        )


def assign(pairs):
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
