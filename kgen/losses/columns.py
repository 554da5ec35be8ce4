"""The likelihood of a table's row: a product over its columns."""

import itertools
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from tensorflow import Tensor

from kgen.losses.base import Likelihood
from kgen.losses.divergences import bound_log_var, gaussian_log_prob
from kgen.params import Instance, checked
from kgen.tables import Table, with_table
from kgen.tables.encodings import BOOLEAN, CATEGORY, COUNT, NUMBER
from kgen.tables.layout import Place

# Where the standard deviation of numbers starts, and the least it can become: a
# column that z tells exactly would have an infinite density.
_FIRST_STDDEV, _LEAST_STDDEV = 0.3, 0.01


def places(table: Table) -> list[Place]:
    """Where the parts of a table's columns are in its rows, in order."""
    return [place for block in table.blocks for place in block.places]


def unseen_log_prob(table: Table, x: Tensor) -> Tensor:
    """What categories that training never had add to log p of rows.

    Under the shares of training, such a value is impossible. It counts as if one
    more row had had it: `-log(n + 1)` for a column of which n rows had a value. That
    does not depend on z or on the class, of which it tells nothing.

    Args:
        table: The table.
        x: Tensor of shape `(..., *table.shape)`.

    Returns:
        Tensor without the last axis, nats per row.
    """
    blocks = [b for b in table.blocks if b.column.log_unseen]
    if not blocks:
        return tf.zeros(tf.shape(x)[:-1], x.dtype)
    # A row has one of the values or the flag; sums of these are exact.
    members = np.zeros((*table.shape, len(blocks)))
    for number, block in enumerate(blocks):
        members[block.start : block.flag + 1, number] = 1.0
    unseen = 1.0 - tf.tensordot(x, tf.constant(members, x.dtype), 1)
    logs = tf.constant([b.column.log_unseen for b in blocks], x.dtype)
    return tf.reduce_sum(unseen * logs, axis=-1)


def count_log_prob(x: Tensor, log_mean: Tensor, log_r: Tensor) -> Tensor:
    """log p of counts under a negative binomial.

    In float64: of large counts, large numbers are subtracted from each other.

    Args:
        x: Tensor, `log(1 + count)`.
        log_mean: Tensor, the logarithm of the mean.
        log_r: Tensor, that of the dispersion r; the variance is
            `mean + mean^2 / r`.

    Returns:
        Tensor of the shape to which these broadcast, float64, nats.
    """
    x, log_mean, log_r = (
        tf.cast(each, "float64") for each in (x, log_mean, log_r)
    )
    k, r = tf.round(tf.math.expm1(x)), tf.exp(log_r)
    log_sum = ops.logaddexp(log_r, log_mean)
    return (
        tf.math.lgamma(k + r)
        - tf.math.lgamma(r)
        - tf.math.lgamma(k + 1.0)
        + r * (log_r - log_sum)
        + k * (log_mean - log_sum)
    )


@keras.saving.register_keras_serializable(package="kgen")
class Columns(Likelihood):
    """A row of a table: independent columns, given z.

    `log p(x|z)` is a sum over the columns whose value is known. What is missing
    is thereby integrated out, and not filled in: `log p(x)` of a row with gaps is
    that of its known values. For a number x, as it is encoded, it is
    `log N(x; m, s^2)` with a standard deviation s that is learned for each column;
    for one of K categories the logarithm of its probability, by a softmax of K
    parameters (of one that training never had, see `unseen_log_prob`); for a truth
    value the same by a sigmoid; and for a count k a negative binomial with the mean
    `exp(parameter)` and a dispersion r that is learned for each column,

        log G(k + r) - log G(r) - log k! + r log(r / (r + mean))
            + k log(mean / (r + mean))

    with the gamma function G. Nats per row.

    Args:
        table: The `kgen.data.Table` whose rows x are, as it encodes them.

    References:
        Nazabal et al. (2020), Handling incomplete heterogeneous data using VAEs,
        arXiv 1807.03653, section 2; Lopez et al. (2018), Deep generative modeling
        for single-cell transcriptomics (the negative binomial).
    """

    @checked(table=Instance(Table, "a kgen.data.Table"))
    def __init__(self, table: Table, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table = table
        found = list(places(table))
        self._categories = [p for p in found if p.kind == CATEGORY]
        self._at = {
            kind: np.array([p.start for p in found if p.kind == kind], "int32")
            for kind in (NUMBER, BOOLEAN, COUNT)
        }
        self._flags = {
            kind: np.array([p.flag for p in found if p.kind == kind], "int32")
            for kind in (NUMBER, BOOLEAN, COUNT)
        }
        self.log_var = self._weights_of(NUMBER, "log_var", _FIRST_STDDEV)
        self.log_dispersion = self._weights_of(COUNT, "log_dispersion", 1.0)

    def _weights_of(self, kind, name, stddev):
        """Weights for the parts of a kind; trained if there are such parts."""
        return self.add_weight(
            name=name,
            shape=(len(self._at[kind]),),
            initializer=keras.initializers.Constant(2.0 * math.log(stddev)),
            trainable=len(self._at[kind]) > 0,
        )

    @property
    def _number_log_var(self):
        least = 2.0 * math.log(_LEAST_STDDEV)
        # The gradient passes the bound, so that a variance below it can grow again.
        log_var = bound_log_var(self.log_var)
        return log_var + tf.stop_gradient(tf.nn.relu(least - log_var))

    def log_prob(
        self, x: Tensor, parameters: Tensor, batch_axes: int = 1
    ) -> Tensor:
        """log p(x|z) of each row; see `Likelihood.log_prob`.

        Args:
            x: Tensor of shape `(..., *table.shape)`.
            parameters: Tensor of the same shape: what belongs to flags is ignored.
            batch_axes: Ignored: rows have one axis.

        Returns:
            Tensor without the last axis, nats per row.
        """
        parameters = ops.cast(parameters, "float32")
        x = ops.cast(x, "float32")
        functions = {
            NUMBER: self._numbers_log_prob,
            BOOLEAN: self._booleans_log_prob,
            COUNT: self._counts_log_prob,
        }
        total = unseen_log_prob(self.table, x)
        for kind, function in functions.items():
            if len(self._at[kind]):
                total += tf.reduce_sum(function(x, parameters), axis=-1)
        for place in self._categories:
            part = slice(place.start, place.stop)
            log_probs = tf.nn.log_softmax(parameters[..., part])
            # All are zero where the value is missing.
            total += tf.reduce_sum(x[..., part] * log_probs, axis=-1)
        return total

    def _parts(self, x, parameters, kind):
        """x, its parameters, and 1 where x is known, for the parts of a kind."""
        known = 1.0 - tf.gather(x, self._flags[kind], axis=-1)
        x, parameters = (
            tf.gather(tensor, self._at[kind], axis=-1)
            for tensor in (x, parameters)
        )
        return x, parameters, known

    def _numbers_log_prob(self, x, parameters):
        x, mean, known = self._parts(x, parameters, NUMBER)
        return known * gaussian_log_prob(x, mean, self._number_log_var)

    def _booleans_log_prob(self, x, parameters):
        x, logits, known = self._parts(x, parameters, BOOLEAN)
        return known * (x * logits - tf.nn.softplus(logits))

    def _counts_log_prob(self, x, parameters):
        x, log_mean, known = self._parts(x, parameters, COUNT)
        log_prob = count_log_prob(x, log_mean, self.log_dispersion)
        return known * tf.cast(log_prob, "float32")

    def mean(self, parameters: Tensor) -> Tensor:
        """E[x|z]: means of numbers, probabilities of categories; no gaps.

        Of a count it is the logarithm of 1 + its mean.
        """
        parameters = ops.cast(parameters, "float32")
        rows = {
            NUMBER: lambda part: part,
            BOOLEAN: tf.sigmoid,
            # As encoded: log(1 + count), of the mean count.
            COUNT: tf.nn.softplus,
            CATEGORY: tf.nn.softmax,
        }
        return assembled(self.table, parameters, rows)

    def sample(self, parameters: Tensor, seed: Tensor) -> Tensor:
        """A row given z, of the shape of `parameters`; without gaps."""
        parameters = ops.cast(parameters, "float32")
        seeds = iter(tf.unstack(tf.random.split(seed, self._number_of_parts)))
        spreads = {
            **dict.fromkeys((BOOLEAN, CATEGORY), itertools.repeat(None)),
            NUMBER: iter(tf.unstack(self._number_log_var)),
            COUNT: iter(tf.unstack(self.log_dispersion)),
        }

        def drawn(kind):
            return lambda part: DRAWS[kind](
                part, next(spreads[kind]), next(seeds)
            )

        functions = {kind: drawn(kind) for kind in DRAWS}
        return assembled(self.table, parameters, functions)

    @property
    def _number_of_parts(self):
        return len(self._categories) + sum(map(len, self._at.values()))

    def example(self, parameters: Tensor) -> Tensor:
        """A row that a discriminator can compare with real ones."""
        return generated_rows(self.table, ops.cast(parameters, "float32"))

    def get_config(self) -> dict:
        table = keras.saving.serialize_keras_object(self.table)
        return {**super().get_config(), "table": table}

    @classmethod
    def from_config(cls, config: dict) -> "Columns":
        """Builds the likelihood that `get_config` described."""
        return cls(**with_table(config))


def _draw_number(mean, log_var, seed):
    noise = tf.random.stateless_normal(tf.shape(mean), seed, dtype=mean.dtype)
    return mean + tf.exp(0.5 * log_var) * noise


def _draw_boolean(logit, _, seed):
    uniform = tf.random.stateless_uniform(
        tf.shape(logit), seed, dtype=logit.dtype
    )
    return tf.cast(uniform < tf.sigmoid(logit), logit.dtype)


def _draw_category(logits, _, seed):
    uniform = tf.random.stateless_uniform(
        tf.shape(logits), seed, minval=1e-20, dtype=logits.dtype
    )
    gumbel = -tf.math.log(-tf.math.log(uniform))
    chosen = tf.argmax(logits + gumbel, axis=-1)
    return tf.one_hot(chosen, logits.shape[-1], dtype=logits.dtype)


def _draw_count(log_mean, log_r, seed):
    one, other = tf.unstack(tf.random.split(seed, 2))
    shape, r = tf.shape(log_mean), tf.exp(log_r)
    rate = tf.random.stateless_gamma(shape, one, alpha=r, dtype=r.dtype)
    rate *= tf.exp(log_mean) / r
    drawn = tf.random.stateless_poisson(shape, other, rate, log_mean.dtype)
    return tf.math.log1p(drawn)


# By the kind of a part, draws of its numbers, as they are encoded, by parameters as
# in `Columns`, the logarithm of a variance or a dispersion, and a seed.
DRAWS = {
    NUMBER: _draw_number,
    BOOLEAN: _draw_boolean,
    CATEGORY: _draw_category,
    COUNT: _draw_count,
}


def assembled(table: Table, parameters: Tensor, functions: dict) -> Tensor:
    """A row that is made part by part, with flags that say that nothing is missing.

    Args:
        table: The table.
        parameters: Tensor of shape `(..., *table.shape)`.
        functions: By the kinds of parts, functions of a part's parameters to its
            numbers.

    Returns:
        Tensor of the shape of `parameters`.
    """
    made, flag = [], tf.zeros_like(parameters[..., :1])
    for block in table.blocks:
        for place in block.places:
            part = parameters[..., place.start : place.stop]
            made.append(functions[place.kind](part))
        made.append(flag)
    return tf.concat(made, axis=-1)


def generated_rows(table: Table, parameters: Tensor) -> Tensor:
    """Makes numbers of a network to rows, as a table encodes real ones.

    Categories become one-hot, truth values and flags of gaps 0 or 1, as they are in
    real rows: a discriminator could tell probabilities from these. The gradient is
    that of the softmax, or the sigmoid (the straight-through estimator). Where a
    column had no gaps in training, its flag is 0.

    Args:
        table: The table.
        parameters: Tensor of shape `(..., *table.shape)`.

    Returns:
        Tensor of the same shape.

    References:
        Bengio et al. (2013), arXiv 1308.3432, section 4.
    """
    functions = {
        NUMBER: lambda part: part,
        COUNT: tf.nn.softplus,  # log(1 + exp(parameter)): the encoded mean
        BOOLEAN: _hard_sigmoid,
        CATEGORY: _one_hot,
    }
    rows = assembled(table, parameters, functions)
    can_miss = np.zeros(table.shape, "float32")
    can_miss[[block.flag for block in table.blocks if block.column.gaps]] = 1.0
    flags = _hard_sigmoid(parameters) * can_miss
    # What is missing has zeros, as in real rows.
    missing = tf.gather(flags, table.owners, axis=-1)
    return flags + rows * (1.0 - missing)


def _hard_sigmoid(logits: Tensor) -> Tensor:
    """1 where logits are above 0, else 0, with the gradient of the sigmoid."""
    soft = tf.sigmoid(logits)
    hard = tf.cast(logits > 0.0, soft.dtype)
    return soft + tf.stop_gradient(hard - soft)


def _one_hot(logits: Tensor) -> Tensor:
    """1 for the largest logit, with the gradient of the softmax."""
    soft = tf.nn.softmax(logits)
    hard = tf.one_hot(tf.argmax(logits, axis=-1), logits.shape[-1])
    return soft + tf.stop_gradient(tf.cast(hard, soft.dtype) - soft)
