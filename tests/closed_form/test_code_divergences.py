"""The maximum mean discrepancy and the total correlation against exact values."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgen import priors
from kgen.priors import divergences

RNG = np.random.default_rng(0)


def test_mmd_is_the_double_sum():
    one, other = RNG.normal(size=(2, 7, 3)).astype("float32")

    def kernel(x, y):
        square = ((x - y) ** 2).sum()
        scales = [2 * 3 * c for c in (0.1, 0.2, 0.5, 1, 2, 5, 10)]
        return sum(scale / (scale + square) for scale in scales)

    pairs = [(i, j) for i in range(7) for j in range(7)]
    exact = -2 * sum(kernel(one[i], other[j]) for i, j in pairs) / 49
    for x in (one, other):
        exact += sum(kernel(x[i], x[j]) for i, j in pairs if i != j) / 42
    assert float(divergences.mmd(one, other)) == pytest.approx(exact, abs=1e-5)


def test_mmd_is_zero_for_draws_from_the_prior():
    """It is unbiased: its mean over draws is 0 within its standard error."""
    draws = [
        float(divergences.mmd(*RNG.normal(size=(2, 64, 2)).astype("float32")))
        for _ in range(200)
    ]
    error = np.std(draws) / np.sqrt(len(draws))
    assert abs(np.mean(draws)) < 4 * error
    far = divergences.mmd(
        *RNG.normal([[[0.0]], [[1.0]]], size=(2, 64, 2)).astype("float32")
    )
    assert far > 5 * np.std(draws)


@pytest.mark.parametrize("correlation", [0.0, 0.6, -0.9])
def test_total_correlation_of_a_correlated_gaussian(correlation):
    """q(z) of correlated means and narrow posteriors is known: a Gaussian."""
    count, variance = 4000, 0.3
    covariance = np.array([[1.0, correlation], [correlation, 1.0]])
    mean = RNG.multivariate_normal([0, 0], covariance, size=count)
    whole = covariance + variance * np.eye(2)
    exact = 0.5 * np.log(np.prod(np.diag(whole)) / np.linalg.det(whole))
    mean = mean.astype("float32")
    noise = RNG.normal(0.0, np.sqrt(variance), mean.shape)
    z = mean + noise.astype("float32")
    log_var = np.full_like(mean, np.log(variance))
    parts = [
        float(
            divergences.total_correlation(
                *(x[i::4] for x in (z, mean, log_var))
            )
        )
        for i in range(4)
    ]
    error = np.std(parts, ddof=1) / 2
    # The estimate has a bias of the order of one over the number of examples.
    assert abs(np.mean(parts) - exact) < 4 * error + 10 / (count / 4)


def test_beta_of_one_is_the_kl():
    mean, log_var = RNG.normal(size=(2, 5, 3)).astype("float32")
    posterior = priors.Posterior(tf.constant(mean), tf.constant(log_var))
    z, log_q = posterior.draw(tf.constant(RNG.normal(size=(5, 3)), "float32"))
    kl, _ = posterior.kl(priors.NormalPrior(), z, log_q)
    seed = keras.random.SeedGenerator(0)
    found = priors.TotalCorrelation(1.0)(posterior, z, kl, None, seed)
    assert float(found) == pytest.approx(float(np.mean(kl)), rel=1e-6)
