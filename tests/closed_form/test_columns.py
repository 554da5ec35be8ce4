"""The likelihood of columns against SciPy, integrals and entropies."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from scipy import special, stats

import kgen
from kgen.data import Table
from kgen.losses import Columns

ROWS = 200


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "number": rng.normal(3.0, 2.0, ROWS),
            "kind": rng.choice(["a", "b", "c"], ROWS),
            "yes": rng.random(ROWS) < 0.3,
            "visits": rng.poisson(4.0, ROWS),
        }
    )


@pytest.fixture(scope="module")
def table(frame):
    kinds = {"visits": "count"}
    return Table.infer(frame, kinds=kinds, numbers="standard")


@pytest.fixture(scope="module")
def columns(table):
    likelihood = Columns(table)
    likelihood.log_var.assign([2 * np.log(0.5)])
    likelihood.log_dispersion.assign([np.log(1.7)])
    return likelihood


def parameters_of(rows, table):
    rng = np.random.default_rng(1)
    return rng.normal(size=(rows, *table.shape)).astype("float32")


# Where the parts are: number, flag, three categories, flag, truth value, flag,
# count, flag.
NUMBER, KIND, YES, VISITS = 0, slice(2, 5), 6, 8


def expected(frame, x, parameters):
    """log p of each column, by SciPy."""
    mean = np.exp(parameters[:, VISITS].astype("float64"))
    log_probs = special.log_softmax(parameters[:, KIND].astype("float64"), 1)
    codes = frame["kind"].map({"a": 0, "b": 1, "c": 2})
    yes = special.expit(parameters[:, YES].astype("float64"))
    return np.stack(
        [
            stats.norm.logpdf(x[:, NUMBER], parameters[:, NUMBER], 0.5),
            log_probs[np.arange(len(frame)), codes],
            stats.bernoulli.logpmf(frame["yes"], yes),
            stats.nbinom.logpmf(frame["visits"], 1.7, 1.7 / (1.7 + mean)),
        ],
        axis=1,
    )


def test_log_prob_equals_scipys(frame, table, columns):
    x, parameters = table.encode(frame), parameters_of(ROWS, table)
    np.testing.assert_allclose(
        columns.log_prob(x, parameters),
        expected(frame, x, parameters).sum(axis=1),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize(
    "position, name", list(enumerate(["number", "kind", "yes"]))
)
def test_what_is_missing_does_not_count(frame, table, columns, position, name):
    x, parameters = table.encode(frame), parameters_of(ROWS, table)
    of_columns = expected(frame, x, parameters)
    gaps = table.encode(frame.assign(**{name: None}))
    np.testing.assert_allclose(
        columns.log_prob(gaps, parameters),
        np.delete(of_columns, position, axis=1).sum(axis=1),
        rtol=1e-4,
        atol=1e-4,
    )


def test_a_category_that_training_never_had_is_as_one_row_more(
    frame, table, columns
):
    parameters = parameters_of(ROWS, table)
    of_columns = expected(frame, table.encode(frame), parameters)
    of_columns[:, 1] = -np.log(ROWS + 1)
    x = table.encode(frame.assign(kind="never seen"))
    np.testing.assert_allclose(
        columns.log_prob(x, parameters),
        of_columns.sum(axis=1),
        rtol=1e-4,
        atol=1e-4,
    )


def test_draws_have_the_probabilities(table, columns):
    n = 20_000
    parameters = np.tile(parameters_of(1, table), (n, 1))
    x = columns.sample(tf.constant(parameters), tf.constant([1, 2])).numpy()
    np.testing.assert_array_equal(x[:, [1, 5, 7, 9]], 0)  # nothing is missing
    number = (x[:, NUMBER] - parameters[0, NUMBER]) / 0.5
    assert stats.kstest(number, "norm").pvalue > 1e-3
    probabilities = special.softmax(parameters[0, KIND])
    counts = x[:, KIND].sum(axis=0)
    assert (
        stats.chisquare(counts, n * probabilities / probabilities.sum()).pvalue
        > 1e-3
    )
    yes = special.expit(parameters[0, YES])
    assert abs(x[:, YES].mean() - yes) < 4 * np.sqrt(yes * (1 - yes) / n)
    visits = np.round(np.expm1(x[:, VISITS]))
    mean = np.exp(parameters[0, VISITS])
    variance = mean + mean**2 / 1.7
    assert abs(visits.mean() - mean) < 4 * np.sqrt(variance / n)
    assert abs(visits.var() / variance - 1) < 0.1


def test_generated_rows_are_like_real_ones(frame, table):
    """One-hot and 0 or 1, with the gradients of probabilities."""
    parameters = tf.constant(parameters_of(50, table))
    layer = kgen.layers.ColumnsOutput(table)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        rows = layer(parameters)
        total = tf.reduce_sum(rows[:, 2:5] * [1.0, 2.0, 3.0])
    assert set(np.unique(rows[:, 2:5])) == {0.0, 1.0}
    np.testing.assert_array_equal(tf.reduce_sum(rows[:, 2:5], axis=1), 1.0)
    np.testing.assert_array_equal(rows[:, 5], 0.0)  # training had no gaps
    np.testing.assert_allclose(rows[:, 0], parameters[:, 0])
    p = special.softmax(parameters[:, 2:5].numpy(), axis=1)
    weights = np.array([1.0, 2.0, 3.0])
    gradient = p * (weights - (p * weights).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(
        tape.gradient(total, parameters)[:, 2:5], gradient, atol=1e-5
    )


def test_generated_gaps_have_zeros():
    frame = pd.DataFrame({"x": [1.0, None, 2.5], "y": ["a", "b", "a"]})
    table = Table.infer(frame)
    parameters = np.array([[0.7, 2.0, 1.0, 0.0, 2.0]], "float32")
    (row,) = kgen.layers.ColumnsOutput(table)(parameters).numpy()
    np.testing.assert_array_equal(row, [0.0, 1.0, 1.0, 0.0, 0.0])
    assert table.decode(row[None])["x"].isna().all()


def test_independent_columns_have_their_entropy():
    """What a VAE whose decoder sees nothing of x learns."""
    n, rng = 20_000, np.random.default_rng(0)
    p, q = np.array([0.5, 0.3, 0.2]), 0.2
    frame = pd.DataFrame(
        {"kind": rng.choice(list("abc"), n, p=p), "yes": rng.random(n) < q}
    )
    table = Table.infer(frame)
    logits = np.log([*p, 1.0, q / (1 - q), 1.0]).astype("float32")
    logits[[3, 5]] = 0.0
    log_prob = Columns(table).log_prob(
        table.encode(frame), np.tile(logits, (n, 1))
    )
    entropy = stats.entropy(p) + stats.entropy([q, 1 - q])
    error = np.std(log_prob) / np.sqrt(n)
    assert abs(-np.mean(log_prob) - entropy) < 4 * error
