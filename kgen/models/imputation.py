"""Fills the gaps of a table's rows by importance sampling, on tensors."""

import decimal
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from tensorflow import Tensor

from kgen.errors import invalid, say
from kgen.models import batches
from kgen.models.estimates import even_weights, importance_weights
from kgen.tables import forms

if TYPE_CHECKING:  # slow to import
    import pandas as pd

# What is decoded at a time at most: draws of rows, by which the networks' memory
# grows, and their numbers.
_ROWS, _NUMBERS = 50_000, 10_000_000
# How often a number is drawn for each code; its expectation is the mean of the draws.
_DRAWS = 8


def impute(
    model: Any, x: Any, num_samples: int, draw: bool, seed: int
) -> "pd.DataFrame":
    """Fills gaps; see `LikelihoodEstimator.impute`."""
    owner = f"{type(model).__name__}.impute"
    if not hasattr(x, "iloc"):
        raise invalid("x", owner, "a DataFrame", f"a {type(x).__name__}")
    table = model.table

    def method(inputs, number, count, seed):
        return imputed(model, inputs, number, count, seed, draw)

    method.__name__ = f"imputed_{draw}"  # by which traces are kept
    rows = min(_ROWS, _NUMBERS // table.shape[0]) // num_samples
    chosen = _rows_with_class(model, x, owner)
    inputs = batches.of(model, x.iloc[chosen], max(rows, 1))
    arguments = tf.constant(num_samples), tf.constant(seed)
    values = batches.apply(model, method, inputs, *arguments)
    filled, whole = table.frame_of(values), x.copy()
    if len(chosen) < len(x):
        filled = filled.set_axis(chosen).reindex(range(len(x)))
    filled = filled.set_axis(x.index)
    for column in table.encoded:
        known = column.known(x[column.name])
        if known.isna().any():
            whole[column.name] = _merged(known, filled[column.name])
    return whole


def _rows_with_class(model, x, owner):
    """The positions of rows with a class, which a conditional model needs.

    If no row has one, they are those of all rows, for which encoding raises an error.
    """
    every = np.arange(len(x))
    if not model.conditional:
        return every
    target = model.table.target
    model.table.check_columns(x, [target], owner)
    chosen = every[x[target].notna()]
    if len(chosen) in (0, len(x)):
        return every
    say(
        f"{len(x) - len(chosen)} rows without a value of the target `{target}` are "
        "not filled."
    )
    return chosen


def _merged(known, filled):
    """A column's known values, and others where these are missing."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(filled.dtype):
        filled = forms.written_as(filled, known)
    elif pd.api.types.infer_dtype(known) == "decimal":
        # Of a float itself, a Decimal would have all its binary digits.
        texts = filled.map(str, na_action="ignore")
        filled = texts.map(decimal.Decimal, na_action="ignore")
    made = known.astype(object).where(known.notna(), filled.astype(object))
    dtype = known.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        new = pd.Index(made.dropna().unique()).difference(dtype.categories)
        dtype = pd.CategoricalDtype(dtype.categories.append(new), dtype.ordered)
    elif not known.notna().any():
        dtype = filled.dtype
    return made.astype(dtype)


def imputed(
    model: keras.Model,
    inputs: Any,
    number: Tensor,
    num_samples: Tensor,
    seed: Tensor,
    is_draw: bool,
) -> dict[str, Tensor]:
    """The rows of a batch without gaps.

    With draws z_k from q(z|x) and the weights `w_k = p(x, z_k) / q(z_k|x)`, where
    the likelihood of x is that of its known values, `sum_k w_k f(z_k) / sum_k w_k`
    tends to `E[f(z)|x]`. For numbers f is a mean of draws of the value given z, in
    the units of the column; for categories their probabilities. Where few weights
    outweigh all others, `even_weights` evens them.

    Args:
        model: A `LikelihoodEstimator` of a table.
        inputs: Rows as they are encoded, or `[rows, labels]`.
        number: The number of the batch.
        num_samples: K, the draws of z for each row.
        seed: Integer tensor.
        is_draw: Whether each gap is filled by a draw of its value given the known
            ones, and not by its expectation or most probable category.

    Returns:
        Values by the columns' names, as `Table.decode_tensors` gives them; those
        that are known are decoded from what they are encoded as.

    References:
        Mattei & Frellsen (2019), MIWAE, arXiv 1812.02633, equations 11 to 13.
    """
    table, x = model.table, inputs[0] if model.conditional else inputs
    first, second, third = tf.unstack(
        tf.random.split(tf.stack([seed, number]), 3)
    )
    posterior = model.posterior_of(inputs)
    shape = tf.concat([[num_samples], tf.shape(posterior.mean)], axis=0)
    z, log_q = posterior.draw(tf.random.stateless_normal(shape, first))
    parameters, log_weights = importance_weights(model, inputs, z, log_q)
    weights = even_weights(log_weights)
    if is_draw:
        chosen = tf.random.stateless_categorical(
            tf.math.log(tf.transpose(weights)), 1, third
        )[:, 0]
        drawn = model.likelihood.sample(parameters, second)
        row = tf.gather(tf.transpose(drawn, [1, 0, 2]), chosen, batch_dims=1)
        filled = table.decode_tensors(row)
    else:
        filled = _expected(table, model.likelihood, parameters, weights, second)
    known = table.decode_tensors(x)
    return {
        column.name: tf.where(
            x[:, flag] > 0.5, filled[column.name], known[column.name]
        )
        for column, _, flag in table.blocks
    }


def _expected(table, likelihood, parameters, weights, seed):
    """Expectations of numbers, and the most probable categories."""
    mean = likelihood.mean(parameters)
    most_probable = tf.reduce_sum(weights[..., None] * mean, axis=0)
    filled = table.decode_tensors(most_probable)
    weights = tf.cast(weights, "float64") / _DRAWS
    sums = {column.name: 0.0 for column in table.encoded if column.is_number}
    for draw in tf.unstack(tf.random.split(seed, _DRAWS)):
        rows = likelihood.sample(parameters, draw)
        values = table.decode_tensors(ops.reshape(rows, (-1, *table.shape)))
        for name in sums:
            value = tf.reshape(values[name], tf.shape(weights))
            sums[name] += tf.reduce_sum(weights * value, axis=0)
    return {**filled, **sums}
