"""The VAE's bounds against the exact log p(x) of a linear Gaussian model."""

import numpy as np
import pytest

from tests.closed_form.linear_gaussian import Known


def mean_and_error(values):
    return np.mean(values), np.std(values) / np.sqrt(len(values))


def test_elbo_is_its_closed_form():
    known = Known()
    elbo = known.vae.elbo(known.x, num_samples=20_000, seed=0)
    np.testing.assert_allclose(elbo, known.elbo(), atol=0.05)


def test_log_likelihood_is_the_exact_one_within_its_standard_error():
    known = Known()
    draws = np.stack(
        [
            known.vae.log_likelihood(known.x, num_samples=2000, seed=seed)
            for seed in range(30)
        ]
    )
    error = draws.std(axis=0) / np.sqrt(len(draws))
    deviation = np.abs(draws.mean(axis=0) - known.log_prob())
    assert (deviation < 4.5 * error + 1e-4).all()


def test_a_perfect_posterior_needs_one_sample():
    """With q = p(z|x) every weight is p(x): no error at all.

    One latent dimension, since the encoder's posterior is diagonal.
    """
    known = Known(off=0.0)
    known.w[1] = 0.0
    known.vae.decoder.set_weights([known.w, known.b])
    variance = 1 / (1 + known.w[0] @ known.w[0] / 0.7**2)
    kernel = np.zeros((5, 2))
    kernel[:, 0] = known.w[0] * variance / 0.7**2
    known.vae.encoder.set_weights(
        [
            kernel,
            -known.b @ kernel,
            np.log([variance, 1.0]),
        ]
    )
    exact = known.log_prob()
    one = known.vae.log_likelihood(known.x, num_samples=1, seed=0)
    np.testing.assert_allclose(one, exact, atol=1e-4)
    many = known.vae.elbo(known.x, num_samples=50_000, seed=0)
    np.testing.assert_allclose(many, exact, atol=0.05)


def test_bound_grows_with_samples_between_elbo_and_log_prob():
    known = Known(off=0.8, examples=400)
    means = [known.elbo().mean()]
    errors = [0.0]
    for samples in (2, 10, 100):
        draws = [
            known.vae.log_likelihood(
                known.x, num_samples=samples, seed=seed
            ).mean()
            for seed in range(20)
        ]
        mean, error = mean_and_error(draws)
        means.append(mean)
        errors.append(error)
    for lower, higher, error in zip(means, means[1:], errors[1:]):
        assert higher - lower > 4 * error
    assert means[-1] < known.log_prob().mean() + 4 * errors[-1]


def test_chunks_change_nothing_but_the_draws(monkeypatch):
    known = Known()
    whole = known.vae.log_likelihood(known.x, num_samples=4000, seed=0)
    monkeypatch.setattr("kgen.models.estimates._ROWS", 100)
    other = Known()
    chunked = other.vae.log_likelihood(known.x, num_samples=4000, seed=0)
    np.testing.assert_allclose(chunked, whole, atol=0.15)
    assert not np.array_equal(chunked, whole)


def logs_of_passes(vae, x, count):
    """The logs of each pass over x of an evaluation: the draws of each differ."""
    sums = [{}]
    for number in range(1, count + 1):
        rows = np.tile(x, (number, 1))
        logs = vae.evaluate(
            rows, batch_size=len(x), verbose=0, return_dict=True
        )
        sums.append({name: number * value for name, value in logs.items()})
    return [
        {name: after[name] - before.get(name, 0.0) for name in after}
        for before, after in zip(sums, sums[1:])
    ]


@pytest.mark.parametrize("samples", [1, 5])
def test_the_trained_loss_is_the_bound(samples):
    """-loss = the bound of that many samples; its parts add up."""
    known = Known(off=0.5, examples=600, importance_samples=samples)
    known.vae.compile()
    logs = logs_of_passes(known.vae, known.x, 20)
    bound, error = mean_and_error([-log["loss"] for log in logs])
    if samples == 1:
        expected, own_error = known.elbo().mean(), 0.0
        assert logs[0]["kl_loss"] == pytest.approx(known.kl().mean(), rel=1e-5)
    else:
        expected, own_error = mean_and_error(
            [
                known.vae.log_likelihood(
                    known.x, num_samples=samples, seed=seed
                ).mean()
                for seed in range(20)
            ]
        )
        assert all(log["importance_gain"] > 0 for log in logs)
    assert abs(bound - expected) < 4.5 * np.hypot(error, own_error)
    elbo, error = mean_and_error([log["elbo"] for log in logs])
    assert abs(elbo - known.elbo().mean()) < 4.5 * error
    for log in logs:
        parts = (
            log["reconstruction_loss"]
            + log["kl_loss"]
            + log.get("regularization_loss", 0.0)
            - log.get("importance_gain", 0.0)
        )
        assert log["loss"] == pytest.approx(parts, rel=1e-4)
