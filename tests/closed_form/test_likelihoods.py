"""Each likelihood against SciPy or numerical integration."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, stats

from kgen.errors import InvalidArgument
from kgen.losses import (
    Bernoulli,
    ContinuousBernoulli,
    Gaussian,
    OptimalGaussian,
)

LOGITS = [-40.0, -3.0, -0.301, -0.299, -1e-3, 0.0, 1e-4, 0.3, 0.7, 12.0, 40.0]
RNG = np.random.default_rng(0)


def one_pixel(likelihood, x, parameter):
    x = np.full((1, 1), x, "float32")
    parameter = np.full((1, 1), parameter, "float32")
    return likelihood.log_prob(x, parameter).numpy()[0]


def exact_density(logit):
    """exp(l x) l / (exp(l) - 1), in double precision and scaled."""
    if logit == 0:
        return lambda x: 1.0
    if logit > 0:
        return lambda x: logit * np.exp(logit * (x - 1)) / -np.expm1(-logit)
    return lambda x: logit * np.exp(logit * x) / np.expm1(logit)


@pytest.mark.parametrize("logit", LOGITS)
@pytest.mark.parametrize("x", [0.0, 0.3, 1.0])
def test_continuous_bernoulli_log_prob(logit, x):
    got = one_pixel(ContinuousBernoulli(), x, logit)
    expected = np.log(exact_density(logit)(x))
    assert got == pytest.approx(expected, rel=1e-5, abs=2e-6)


@pytest.mark.parametrize("logit", LOGITS)
def test_continuous_bernoulli_integrates_to_one(logit):
    likelihood = ContinuousBernoulli()
    x = np.linspace(0, 1, 40_001, dtype="float32")[:, None]
    log_prob = likelihood.log_prob(x, np.full_like(x, logit))
    total = integrate.simpson(
        np.exp(log_prob.numpy(), dtype="float64"), x=x[:, 0]
    )
    assert total == pytest.approx(1.0, abs=2e-5)


@pytest.mark.parametrize("logit", LOGITS)
def test_continuous_bernoulli_mean(logit):
    density = exact_density(logit)
    near = 0.0 if logit < 0 else 1.0
    expected, _ = integrate.quad(
        lambda x: x * density(x), 0, 1, points=[abs(near - 0.05)]
    )
    got = ContinuousBernoulli().mean(np.array([logit], "float32")).numpy()[0]
    assert got == pytest.approx(expected, abs=5e-6)


def test_continuous_bernoulli_normaliser_has_no_seam():
    """Value and slope agree on both sides of where the series takes over."""
    likelihood = ContinuousBernoulli()
    logits = tf.constant([[0.299], [0.301], [-0.299], [-0.301]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        log_prob = likelihood.log_prob(tf.zeros_like(logits), logits)
    slope = tape.gradient(log_prob, logits)[:, 0].numpy()
    # At x = 0 the slope of log p is minus the mean.
    logit = logits[:, 0].numpy().astype("float64")
    mean = 1 / -np.expm1(-logit) - 1 / logit
    np.testing.assert_allclose(slope, -mean, atol=3e-6)


def test_bernoulli_log_prob_is_scipys():
    logits = RNG.normal(size=(5, 4, 3, 1)).astype("float32")
    x = RNG.integers(0, 2, size=logits.shape).astype("float32")
    expected = stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-logits)))
    np.testing.assert_allclose(
        Bernoulli().log_prob(x, logits),
        expected.sum(axis=(1, 2, 3)),
        rtol=1e-5,
    )


@pytest.mark.parametrize("logit", [-200.0, 200.0])
def test_bernoulli_stays_finite(logit):
    wrong, right = (0.0, 1.0) if logit > 0 else (1.0, 0.0)
    assert one_pixel(Bernoulli(), right, logit) == pytest.approx(0.0)
    assert one_pixel(Bernoulli(), wrong, logit) == pytest.approx(-200.0)


def test_bernoulli_gradient_is_x_minus_mean():
    logits = tf.constant(RNG.normal(size=(3, 4)), "float32")
    x = tf.constant(RNG.uniform(size=(3, 4)), "float32")
    with tf.GradientTape() as tape:
        tape.watch([x, logits])
        log_prob = tf.reduce_sum(Bernoulli().log_prob(x, logits))
    by_x, by_logits = tape.gradient(log_prob, [x, logits])
    np.testing.assert_allclose(by_logits, x - tf.sigmoid(logits), atol=1e-6)
    np.testing.assert_allclose(by_x, logits, atol=1e-6)


@pytest.mark.parametrize("stddev", [0.1, 1.0, 2.5])
def test_gaussian_log_prob_is_scipys(stddev):
    mean = RNG.normal(size=(5, 4)).astype("float32")
    x = RNG.normal(size=mean.shape).astype("float32")
    np.testing.assert_allclose(
        Gaussian(stddev).log_prob(x, mean),
        stats.norm.logpdf(x, mean, stddev).sum(axis=1),
        rtol=1e-4,
    )


@pytest.mark.parametrize("stddev", [5e-5, 2e4])
def test_the_most_extreme_gaussians_are_not_clipped(stddev):
    x = np.array([[stddev]], "float32")
    found = Gaussian(stddev).log_prob(x, np.zeros_like(x))
    expected = stats.norm.logpdf(stddev, scale=stddev)
    np.testing.assert_allclose(found, [expected], rtol=1e-4)
    beyond = 0.9 * stddev if stddev < 1.0 else 1.1 * stddev
    with pytest.raises(InvalidArgument, match="from 5e-05 to 20000"):
        Gaussian(beyond)


def test_likelihoods_broadcast_x_over_draws():
    x = RNG.uniform(size=(3, 4)).astype("float32")
    parameters = RNG.normal(size=(7, 3, 4)).astype("float32")
    for likelihood in (Bernoulli(), ContinuousBernoulli(), Gaussian(0.5)):
        together = likelihood.log_prob(x, parameters, batch_axes=2)
        apart = [likelihood.log_prob(x, part) for part in parameters]
        np.testing.assert_allclose(together, np.stack(apart), rtol=1e-4)


@pytest.mark.parametrize("parameter", [-6.0, -0.5, 0.01, 0.02, 3.0])
@pytest.mark.parametrize(
    "likelihood", [Bernoulli, ContinuousBernoulli, Gaussian]
)
def test_samples_have_the_mean(likelihood, parameter):
    likelihood = likelihood()
    parameters = tf.fill([40_000], parameter)
    draws = likelihood.sample(parameters, seed=[1, 2]).numpy()
    error = draws.std() / np.sqrt(len(draws))
    mean = likelihood.mean(parameters)[0].numpy()
    assert abs(draws.mean() - mean) < 4.5 * error
    if likelihood.support:
        assert draws.min() >= 0 and draws.max() <= 1


@pytest.mark.parametrize("logit", [-8.0, 0.01, -0.02, 2.0])
def test_continuous_bernoulli_samples_follow_its_distribution(logit):
    draws = ContinuousBernoulli().sample(tf.fill([20_000], logit), [3, 4])

    def distribution(x):
        return np.expm1(logit * x) / np.expm1(logit)

    assert stats.kstest(draws.numpy(), distribution).pvalue > 1e-3


def test_optimal_gaussian_is_the_best_of_all_variances():
    x, mean = RNG.uniform(size=(2, 3, 4, 4, 1)).astype("float32")
    got = OptimalGaussian().log_prob(x, mean).numpy()
    stddevs = np.sqrt(np.mean((x - mean) ** 2, axis=(1, 2, 3)))
    for factor in (0.8, 1.0, 1.25):
        scale = factor * stddevs[:, None, None, None]
        other = stats.norm.logpdf(x, mean, scale).sum(axis=(1, 2, 3))
        if factor == 1.0:
            np.testing.assert_allclose(got, other, rtol=1e-4)
        else:
            assert (got > other).all()
    assert np.isfinite(OptimalGaussian().log_prob(x, x)).all()


def test_optimal_gaussian_down_to_its_floor():
    likelihood, x = OptimalGaussian(), tf.zeros((1, 2, 2, 1))

    def value(error):
        return float(likelihood.log_prob(x, tf.fill(x.shape, error**0.5))[0])

    # 50 dB is above the floor: 10 times the error costs d/2 log 10.
    assert value(1e-5) - value(1e-4) == pytest.approx(2 * np.log(10), rel=1e-4)
    # Below it a Gaussian of the floor's variance goes on.
    floor = stats.norm.logpdf([0.0, 1e-4], scale=1e-3) * 4
    assert value(1e-8) == pytest.approx(floor[1], rel=1e-5)
