"""Naive Bayes for a table's rows: columns that are independent in each class."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from kgen.densities.base import ClosedForm
from kgen.errors import invalid
from kgen.losses import gaussian_log_prob
from kgen.losses.columns import (
    DRAWS,
    count_log_prob,
    places,
    unseen_log_prob,
)
from kgen.params import Instance, Number, Optional, checked
from kgen.tables import Table, with_table
from kgen.tables.encodings import BOOLEAN, CATEGORY, COUNT, NUMBER

# The least variance of numbers, as they are encoded: of a column with one value
# only in a class.
_LEAST_VARIANCE = 1e-4
# The dispersion of counts that vary less than a Poisson distribution does.
_POISSON = 1e6


@keras.saving.register_keras_serializable(package="kgen")
class NaiveColumns(ClosedForm):
    """Each column of a table has a distribution of its own in each class.

    Numbers, as the table encodes them, are Gaussian; categories and truth values
    have the shares of the class's rows, to which `smoothing` rows of each value are
    added; counts are negative binomial with the mean and variance of the class's.
    What is missing is left out, which integrates over it: in fitting, too. Where a
    class has fewer than two values of a number or count, those of all classes count.

    Args:
        input_shape: Shape of one row, as it is encoded.
        num_classes: How many classes there are.
        table: The `kgen.data.Table` whose rows these are.
        smoothing: Number >= 0: how many rows of each category are added.

    References:
        Hastie et al. (2009), The Elements of Statistical Learning, 6.6.3.
    """

    marginalises = False  # a mask: gaps are marked in the rows themselves

    @checked(
        table=Optional(Instance(Table, "a kgen.data.Table")), smoothing=Number()
    )
    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        table: Table | None = None,
        smoothing: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(input_shape, num_classes, **kwargs)
        if table is None or table.shape != self.input_shape:
            expected = f"a table whose rows have the shape {self.input_shape}"
            shape = None if table is None else table.shape
            raise invalid("table", "NaiveColumns", expected, shape)
        self.table = table
        self.smoothing = smoothing
        self._places = list(places(table))
        self._at = {
            kind: np.array(
                [
                    at
                    for place in self._places
                    if place.kind == kind
                    for at in range(place.start, place.stop)
                ],
                "int32",
            )
            for kind in (NUMBER, CATEGORY, BOOLEAN, COUNT)
        }
        # By the kind of a number in the row: a mean, the logarithm of a
        # probability, a logit, the logarithm of a mean.
        self.parameters = self._parameter(
            "parameters", self.num_classes, self.size
        )
        # Of a number the logarithm of the variance, of a count of the dispersion.
        self.spreads = self._parameter("spreads", self.num_classes, self.size)

    def log_prob(
        self, x: Tensor, mask: Tensor | None = None, training: bool = False
    ) -> Tensor:
        x = self._rows(x)
        known = 1.0 - tf.gather(x, self.table.owners, axis=1)
        log_prob = unseen_log_prob(self.table, x)[:, None]
        functions = {
            NUMBER: gaussian_log_prob,
            CATEGORY: lambda x, log_p, _: x * log_p,
            BOOLEAN: lambda x, logit, _: x * logit - tf.nn.softplus(logit),
            COUNT: count_log_prob,
        }
        for kind, function in functions.items():
            at = self._at[kind]
            parameters, spreads = self._of_kind(kind)
            each = function(
                tf.gather(x, at, axis=1)[:, None], parameters, spreads
            )
            seen = tf.gather(known, at, axis=1)[:, None]
            log_prob += tf.reduce_sum(each * seen, axis=-1)
        return log_prob

    def _of_kind(self, kind):
        return (
            tf.gather(weight.value, self._at[kind], axis=1)
            for weight in (self.parameters, self.spreads)
        )

    def draw(self, labels: Tensor, seed: Tensor) -> Tensor:
        parameters, spreads = (
            tf.gather(weight.value, labels)
            for weight in (self.parameters, self.spreads)
        )
        rows = [tf.zeros_like(parameters[:, 0])] * self.size
        for number, place in enumerate(self._places):
            part = slice(place.start, place.stop)
            drawn = DRAWS[place.kind](
                parameters[:, part], spreads[:, part], tf.stack([seed, number])
            )
            rows[part] = tf.unstack(drawn, axis=1)
        return self._shaped(tf.stack(rows, axis=1))

    # Fitting

    def _statistics(self):
        shape = (self.num_classes, self.size)
        names = ("known", "sum", "squares")
        return {"count": (self.num_classes,), **dict.fromkeys(names, shape)}

    def observe(self, x: Tensor, weights: Tensor) -> None:
        x = self._rows(x)
        known = 1.0 - tf.gather(x, self.table.owners, axis=1)
        is_count = np.isin(np.arange(self.size), self._at[COUNT])
        values = known * tf.where(is_count, tf.math.expm1(x), x)
        self._sums["count"].assign_add(tf.reduce_sum(weights, axis=0))
        sums = {"known": known, "sum": values, "squares": tf.square(values)}
        for name, part in sums.items():
            self._sums[name].assign_add(
                tf.matmul(weights, part, transpose_a=True)
            )

    def _solve(self, sums, seen):
        mean, variance = _moments(sums)
        parameters, spreads = np.zeros_like(mean), np.zeros_like(mean)
        at = self._at[NUMBER]
        parameters[:, at] = mean[:, at]
        spreads[:, at] = np.log(np.maximum(variance[:, at], _LEAST_VARIANCE))
        for place in self._places:
            if place.kind == CATEGORY:
                part = slice(place.start, place.stop)
                shares = sums["sum"][:, part] + self.smoothing
                total = shares.sum(axis=1, keepdims=True)
                # A class of which all values are missing tells nothing.
                even = np.full_like(shares, 1.0 / shares.shape[1])
                shares = np.divide(shares, total, even, where=total > 0)
                parameters[:, part] = np.log(np.maximum(shares, 1e-300))
        at = self._at[BOOLEAN]
        ones = sums["sum"][:, at] + self.smoothing
        zeros = np.maximum(sums["known"][:, at] - sums["sum"][:, at], 0.0)
        zeros = zeros + self.smoothing
        parameters[:, at] = np.log(np.maximum(ones, 1e-300)) - np.log(
            np.maximum(zeros, 1e-300)
        )
        at = self._at[COUNT]
        parameters[:, at] = np.log(np.maximum(mean[:, at], 1e-6))
        spread = np.maximum(variance[:, at] - mean[:, at], 1e-300)
        spreads[:, at] = np.log(
            np.minimum(mean[:, at] ** 2 / spread, _POISSON) + 1e-6
        )
        return [(self.parameters, parameters), (self.spreads, spreads)]

    def get_config(self) -> dict:
        table = keras.saving.serialize_keras_object(self.table)
        return {**super().get_config(), "table": table}

    @classmethod
    def from_config(cls, config: dict) -> "NaiveColumns":
        """Builds the density that `get_config` described."""
        return cls(**with_table(config))


def _moments(sums):
    """The mean and variance of each class and number of a row.

    Where a class has fewer than two values, they are those of all classes together,
    which tell nothing of the class.
    """
    names = ("known", "sum", "squares")
    pooled = {name: sums[name].sum(axis=0, keepdims=True) for name in names}
    few = sums["known"] < 2.0
    known, total, squares = (
        np.where(few, pooled[name], sums[name]) for name in names
    )
    known = np.maximum(known, 1e-300)
    mean = total / known
    return mean, np.maximum(squares / known - mean**2, 0.0)
