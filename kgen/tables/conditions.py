"""Conditions on rows by which a generator is trained, one of them for each row."""

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from kgen.errors import InvalidArgument
from kgen.tables.column import Column
from kgen.tables.table import Table

# Codes beyond it, in either direction, are none that N(0, 1) gives in float32.
_FAR = 1e-6


class Conditions:
    """What a generator of rows is told: that a column has a value.

    A condition is a category or a truth value of one column; of a column with gaps,
    that its value is missing is another one. They are numbered from 0.

    In training, for each row a column is drawn uniformly, one of its values by the
    logarithm of its frequency, and then a real row that has it (Xu et al. 2019,
    arXiv 1907.00503, section 4.3). Here rows are drawn from the batch, and values
    from those that the batch has. Else conditions are drawn by their frequency, which
    gives rows as they are in the table: a condition is where the first number of a
    code from N(0, I) falls, among intervals with the conditions' probabilities.

    Args:
        table: The `Table`.

    Raises:
        InvalidArgument: If it has no column of categories or truth values.
    """

    def __init__(self, table: Table) -> None:
        self._blocks = [block for block in table.blocks if block.column.counts]
        if not self._blocks:
            raise InvalidArgument(
                "`training_by_sampling` needs a column of categories or truth values "
                "in the table, whose values it draws."
            )
        counts = [_counts(block.column) for block in self._blocks]
        sizes = [len(each) for each in counts]
        self.count = sum(sizes)
        self._columns = np.repeat(np.arange(len(sizes)), sizes).astype("int32")
        # As in the authors' code, in which no value has the logarithm 0.
        self._weights = np.log1p(np.concatenate(counts))
        shares = np.concatenate([each / each.sum() for each in counts])
        self._edges = np.append(0.0, np.cumsum(shares / len(sizes)))

    def met(self, x: Tensor) -> Tensor:
        """1 where rows meet conditions, and else 0.

        Args:
            x: Tensor of shape `(n, *table.shape)`.

        Returns:
            Tensor of shape `(n, count)`.
        """
        parts = []
        for column, start, flag in self._blocks:
            values, missing = x[:, start:flag], x[:, flag : flag + 1]
            if column.kind == "boolean":
                values = tf.concat([1.0 - values - missing, values], axis=1)
            parts += [values, missing] if column.gaps else [values]
        return tf.concat(parts, axis=1)

    def log_prob(self, parameters: Tensor) -> Tensor:
        """log of the probability that a row meets each condition.

        Args:
            parameters: What `kgen.layers.ColumnsOutput` makes a row of, of shape
                `(n, *table.shape)`.

        Returns:
            Tensor of shape `(n, count)`, nats.
        """
        parts = []
        for column, start, flag in self._blocks:
            logits = parameters[:, start:flag]
            missing = parameters[:, flag : flag + 1]
            if column.kind == "boolean":
                logits = tf.concat([tf.zeros_like(logits), logits], axis=1)
            log_prob = tf.nn.log_softmax(logits)
            if column.gaps:
                known = tf.math.log_sigmoid(-missing)
                parts += [log_prob + known, tf.math.log_sigmoid(missing)]
            else:
                parts.append(log_prob)
        return tf.concat(parts, axis=1)

    def loss(self, parameters: Tensor, conditions: Tensor) -> Tensor:
        """The mean of -log p that rows meet their conditions: a scalar, nats.

        Args:
            parameters: As in `log_prob`.
            conditions: int32 of shape `(n,)`.
        """
        log_prob = self.log_prob(parameters)
        return -tf.reduce_mean(tf.gather(log_prob, conditions, batch_dims=1))

    def drawn(self, x: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """Draws conditions for training, and rows of a batch that meet them.

        Args:
            x: The batch, of shape `(n, *table.shape)`.
            uniform: Uniform draws from 0 to 1, of shape `(m, 2)`.

        Returns:
            Rows of x, of shape `(m, *table.shape)`; and the conditions, int32 of
            shape `(m,)`.
        """
        met = tf.cast(self.met(x), "int32")
        counts = tf.reduce_sum(met, axis=0)
        weights = tf.constant(self._weights, "float32")
        weights = tf.where(counts > 0, weights, tf.zeros_like(weights))
        # Each column that has a known value has the same share of all.
        total = tf.math.unsorted_segment_sum(
            weights, self._columns, len(self._blocks)
        )
        share = tf.math.divide_no_nan(weights, tf.gather(total, self._columns))
        edges = tf.cumsum(share)
        chosen = _place(edges, uniform[:, 0] * edges[-1])
        # The rows that meet the first condition, then those of the second, ...
        found = tf.cumsum(tf.reshape(tf.transpose(met), [-1]))
        count = tf.cast(tf.gather(counts, chosen), "float32")
        number = tf.cast(uniform[:, 1] * count, "int32")
        number += tf.gather(tf.cumsum(counts, exclusive=True), chosen)
        row = _place(found, number) - chosen * tf.shape(x)[0]
        return tf.gather(x, tf.minimum(row, tf.shape(x)[0] - 1)), chosen

    def of_code(self, z: Tensor) -> Tensor:
        """The conditions that codes stand for, int32 of shape `(n,)`.

        Args:
            z: Tensor of shape `(n, latent_dim)`.
        """
        edges = tf.constant(self._edges[1:], "float32")
        return _place(edges, _ndtr(z[:, 0]))

    def code_of(self, z: Tensor, conditions: Tensor) -> Tensor:
        """Codes from N(0, I), given the conditions that they stand for.

        Args:
            z: Codes from N(0, I), of shape `(n, latent_dim)`.
            conditions: int32 of shape `(n,)`.

        Returns:
            Tensor of the shape of z.
        """
        edges = tf.constant(self._edges, "float32")
        low, high = (
            tf.gather(edges, conditions),
            tf.gather(edges, conditions + 1),
        )
        inside = low + (high - low) * _ndtr(z[:, 0])
        first = tf.math.ndtri(tf.clip_by_value(inside, _FAR, 1.0 - _FAR))
        return tf.concat([first[:, None], z[:, 1:]], axis=1)


def _counts(column: Column) -> np.ndarray:
    """How many rows had each value of a column, and how many had none."""
    counts = np.array(column.counts, "float64")
    if not column.gaps:
        return counts
    return np.append(counts, counts.sum() * column.gaps / (1.0 - column.gaps))


def _place(edges: Tensor, x: Any) -> Tensor:
    """The number of the first of ascending edges that is above x; else the last."""
    place = tf.searchsorted(edges, x, side="right")
    return tf.minimum(place, tf.shape(edges)[0] - 1)


def _ndtr(x):
    """The distribution function of N(0, 1)."""
    return 0.5 * tf.math.erfc(-x * np.float32(np.sqrt(0.5)))
