"""The closed-form KL and density against SciPy and against Monte Carlo."""

import numpy as np
import pytest
from scipy import stats

from kgen.losses import gaussian_kl, gaussian_log_prob
from kgen.losses.divergences import gaussian_log_prob_of_all

RNG = np.random.default_rng(0)
M1, L1, M2, L2 = (RNG.normal(size=(6, 4)).astype("float32") for _ in range(4))


def test_kl_is_the_formula():
    s1, s2 = np.exp(0.5 * L1), np.exp(0.5 * L2)
    expected = np.log(s2 / s1) + (s1**2 + (M1 - M2) ** 2) / (2 * s2**2) - 0.5
    np.testing.assert_allclose(
        gaussian_kl(M1, L1, M2, L2), expected, rtol=2e-5, atol=1e-6
    )


def test_kl_to_the_standard_normal_is_the_default():
    np.testing.assert_allclose(
        gaussian_kl(M1, L1), gaussian_kl(M1, L1, 0 * M1, 0 * L1), rtol=1e-6
    )
    assert gaussian_kl(0 * M1, 0 * L1).numpy() == pytest.approx(0.0)


def test_kl_is_the_mean_log_ratio_within_its_standard_error():
    draws = M1 + np.exp(0.5 * L1) * RNG.normal(size=(40_000, 6, 4))
    ratio = stats.norm.logpdf(draws, M1, np.exp(0.5 * L1)) - stats.norm.logpdf(
        draws, M2, np.exp(0.5 * L2)
    )
    error = ratio.std(axis=0) / np.sqrt(len(draws))
    deviation = np.abs(ratio.mean(axis=0) - gaussian_kl(M1, L1, M2, L2))
    assert (deviation < 4.5 * error).all()


def test_log_prob_is_scipys():
    np.testing.assert_allclose(
        gaussian_log_prob(M2, M1, L1),
        stats.norm.logpdf(M2, M1, np.exp(0.5 * L1)),
        rtol=1e-5,
    )


def test_the_densities_of_all_gaussians_are_scipys():
    """Also far away from narrow ones, where large numbers are subtracted."""
    log_var = 4.0 * L1 - 4.0
    z = np.concatenate([M2, M1 + 0.1 * np.exp(0.5 * log_var), 30.0 + M1])
    found = gaussian_log_prob_of_all(z.reshape(2, 9, 4), M1, log_var)
    exact = stats.norm.logpdf(
        z[:, None].astype("float64"), M1, np.exp(0.5 * log_var)
    ).sum(axis=-1)
    np.testing.assert_allclose(found, exact.reshape(2, 9, 6), rtol=1e-6)
