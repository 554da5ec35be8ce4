"""Gaps of a linear Gaussian model against its conditional distribution."""

import keras
import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

import kgen
from kgen.data import Table
from kgen.models.estimates import even_weights

STDDEV = 0.6
WEIGHTS = np.array([[1.0, -0.8, 0.5], [0.3, 0.9, 1.1]])
BIAS = np.array([0.1, -0.2, 0.0])
COVARIANCE = WEIGHTS.T @ WEIGHTS + STDDEV**2 * np.eye(3)


@pytest.fixture(scope="module")
def table():
    """Columns whose encoding leaves numbers as they are, but for a scale."""
    # Rows that are drawn stay in the range of training, which is wide here.
    x = np.concatenate([[-100.0], np.linspace(-1, 1, 999), [100.0]])
    return Table.infer(
        pd.DataFrame({"a": x, "b": x, "c": x}), numbers="standard"
    )


def linear_vae(table, mean=0.0, log_var=0.0):
    """p(x) is N(BIAS, COVARIANCE), in the units in which rows are encoded.

    q(z|x) is the same for all x.
    """
    size = table.shape[0]
    x = keras.Input((size,))

    def constant(value):
        return keras.layers.Dense(
            2,
            kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(value),
        )

    mean, log_var = constant(mean)(x), constant(log_var)(x)
    z = keras.Input((2,))
    end = keras.layers.Dense(size)
    decoder = keras.Model(z, end(z))
    kernel, bias = np.zeros((2, size)), np.zeros(size)
    kernel[:, ::2], bias[::2] = WEIGHTS, BIAS
    end.set_weights([kernel, bias])
    vae = kgen.VAE(
        keras.Model(x, [mean, log_var]), decoder, kgen.losses.Columns(table)
    )
    vae.likelihood.log_var.assign([2 * np.log(STDDEV)] * 3)
    vae.compile()
    return vae


@pytest.fixture(scope="module")
def vae(table):
    return linear_vae(table)


def in_units(rows, table):
    """Rows as they are encoded, in the columns' units."""
    x = np.zeros((len(rows), *table.shape), "float32")
    x[:, ::2] = np.nan_to_num(rows)
    frame = table.decode(x)
    return frame.mask(np.isnan(rows))


ROW = np.array([[0.8, np.nan, -0.5]])


def conditional():
    """The mean and variance of the gap in `ROW`."""
    seen, gap = [0, 2], 1
    inverse = np.linalg.inv(COVARIANCE[np.ix_(seen, seen)])
    weights = COVARIANCE[gap, seen] @ inverse
    mean = BIAS[gap] + weights @ (ROW[0, seen] - BIAS[seen])
    return mean, COVARIANCE[gap, gap] - weights @ COVARIANCE[seen, gap]


def test_a_gap_is_filled_by_its_conditional_mean(vae, table):
    mean, variance = conditional()
    rows = in_units(np.repeat(ROW, 64, axis=0), table)
    filled = vae.impute(rows, num_samples=2000, seed=0)
    pd.testing.assert_frame_equal(filled[["a", "c"]], rows[["a", "c"]])
    found = table.encode(filled)[:, 2]
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - mean) < 4 * error
    assert error < 0.02 * np.sqrt(variance)


def test_with_a_poor_encoder_a_gap_is_filled_from_more_draws(table):
    """Few of its draws count, and raw weights would leave the noise of these."""
    vae = linear_vae(table, mean=2.5, log_var=1.0)
    rows = in_units(np.repeat(ROW, 64, axis=0), table)
    filled = vae.impute(rows, num_samples=50, seed=0)
    found = table.encode(filled)[:, 2]
    mean, variance = conditional()
    deviation = np.sqrt(variance)
    assert np.std(found) < 0.6 * deviation  # 0.77 by raw weights
    assert abs(np.mean(found) - mean) < 0.6 * deviation


def test_draws_have_the_conditional_distribution(vae, table):
    mean, variance = conditional()
    rows = in_units(np.repeat(ROW, 2000, axis=0), table)
    filled = vae.impute(rows, num_samples=500, draw=True, seed=0)
    found = table.encode(filled)[:, 2]
    deviation = np.sqrt(variance)
    assert stats.kstest((found - mean) / deviation, "norm").pvalue > 1e-3


def test_log_prob_of_a_row_with_a_gap_is_the_integral_over_it(vae, table):
    rows = in_units(ROW, table)
    marginal = stats.multivariate_normal(
        BIAS[[0, 2]], COVARIANCE[np.ix_([0, 2], [0, 2])]
    )
    exact = marginal.logpdf(ROW[0, [0, 2]])
    whole = stats.multivariate_normal(BIAS, COVARIANCE)
    integral, _ = integrate.quad(
        lambda b: whole.pdf([ROW[0, 0], b, ROW[0, 2]]), -10, 10
    )
    np.testing.assert_allclose(np.log(integral), exact, rtol=1e-6)
    estimates = [
        vae.log_likelihood(rows, 20_000, seed=seed, verbose=0)[0]
        for seed in range(8)
    ]
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - exact) < 4 * error + 1e-3
    assert error < 0.02


def test_weights_are_evened_only_where_few_outweigh_the_others():
    rng = np.random.default_rng(0)
    spread = np.array([0.1, 1.0, 5.0, 3000.0])
    log_weights = (spread * rng.normal(size=(400, 4))).astype("float32")
    weights = even_weights(keras.ops.convert_to_tensor(log_weights)).numpy()
    sizes = 1 / np.sum(weights**2, axis=0)
    np.testing.assert_allclose(
        weights[:, :2], special.softmax(log_weights[:, :2], axis=0), rtol=1e-4
    )
    assert sizes[1] > 20
    # The others have the least size, and a power of their weights.
    np.testing.assert_allclose(sizes[2:], np.sqrt(400), rtol=0.01)
    power = np.log(weights / weights[:1]) / (
        log_weights - log_weights[:1] + 1e-9
    )
    assert np.all(np.ptp(power[1:, 2:], axis=0) < 1e-3)
    impossible = keras.ops.convert_to_tensor([[0.0], [0.0], [-np.inf]])
    np.testing.assert_allclose(even_weights(impossible), [[0.5], [0.5], [0.0]])
    np.testing.assert_allclose(even_weights(impossible[:1]), [[1.0]])
