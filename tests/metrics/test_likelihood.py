"""Bounds against the exact answers of a linear Gaussian model."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from kgen.errors import InvalidArgument
from kgen.metrics import bounds
from tests.closed_form.linear_gaussian import LATENT_DIM, STDDEV, Known
from tests.models import contract

known_once = functools.cache(Known)  # what they trace is for all tests
NAMES = ["elbo", "log_likelihood", "effective_sample_size", "kl"]
NAMES += ["reconstruction"]


def test_each_is_its_exact_mean_within_its_standard_error():
    """Paired: both errors are of the same examples, but for the draws."""
    known = Known(off=0.3, examples=300)
    got = bounds(known.vae, known.x, num_samples=2000, elbo_samples=50)
    assert list(got) == NAMES
    exact = {
        "elbo": known.elbo(),
        "log_likelihood": known.log_prob(),
        "kl": known.kl(),
        "reconstruction": -known.elbo() - known.kl(),
    }
    for name, values in exact.items():
        error = values.std(ddof=1) / np.sqrt(len(values))
        value = got[name]["value"]
        assert got[name]["standard_error"] == pytest.approx(error, rel=0.1)
        assert abs(value - values.mean()) < 0.5 * error, name
    assert got["kl"]["value"] == pytest.approx(known.kl().mean(), rel=1e-6)


def test_the_draws_error_is_in_the_standard_error():
    """One example over and over: nothing but the draws differs."""
    known = Known(off=0.8, examples=1)
    x = np.repeat(known.x, 400, axis=0)
    got = bounds(known.vae, x, num_samples=3000, elbo_samples=3)
    for name, exact in (
        ("elbo", known.elbo()[0]),
        ("log_likelihood", np.ravel(known.log_prob())[0]),
    ):
        error = got[name]["standard_error"]
        assert 0 < error < 0.3
        assert abs(got[name]["value"] - exact) < 4.5 * error


@pytest.mark.parametrize("samples", [1, 10])
def test_the_parts_make_the_elbo(samples):
    known = known_once(examples=37)
    got = bounds(
        known.vae, known.x, num_samples=2, elbo_samples=samples, batch_size=16
    )
    value = {name: figure["value"] for name, figure in got.items()}
    assert value["elbo"] == -(value["kl"] + value["reconstruction"])
    elbo = known.vae.elbo(known.x, samples, batch_size=16, seed=0)
    assert value["elbo"] == pytest.approx(elbo.mean(), rel=1e-5)
    log_likelihood = known.vae.log_likelihood(known.x, 2, 16, seed=0)
    assert value["log_likelihood"] == pytest.approx(
        log_likelihood.mean(), rel=1e-5
    )


def draws_of_the_model(shape, seed):
    """The noise of the first batch: one chunk that starts at 0."""
    key = tf.random.experimental.stateless_fold_in([seed, 0], 0)
    return tf.random.stateless_normal(shape, key).numpy().astype("float64")


@pytest.mark.parametrize("off", [0.0, 0.3, 1.5])
def test_effective_sample_size_is_the_direct_one(off):
    known, count = known_once(off=off), 200
    log_likelihood, size = known.vae.importance_sampling(
        known.x, count, seed=3, verbose=0
    )
    mean, log_var = known.vae.posterior(known.x)
    stddev = np.exp(0.5 * log_var)
    eps = draws_of_the_model((count, len(mean), LATENT_DIM), 3)
    z = mean + stddev * eps
    log_p = stats.norm.logpdf(known.x, z @ known.w + known.b, STDDEV).sum(-1)
    log_p += stats.norm.logpdf(z).sum(axis=-1)
    w = np.exp(log_p - stats.norm.logpdf(z, mean, stddev).sum(axis=-1))
    np.testing.assert_allclose(log_likelihood, np.log(w.mean(0)), atol=1e-4)
    direct = w.sum(axis=0) ** 2 / np.square(w).sum(axis=0)
    np.testing.assert_allclose(size, direct, rtol=1e-3)
    got = bounds(known.vae, known.x, num_samples=count, seed=3)
    assert got["effective_sample_size"]["value"] == pytest.approx(size.mean())


def test_effective_sample_size_in_chunks(monkeypatch):
    """Squares add up over chunks: as a share of K it stays what it is."""
    monkeypatch.setattr("kgen.models.estimates._ROWS", 100)
    known = Known()
    small, large = (
        known.vae.importance_sampling(known.x, count, seed=0, verbose=0)[1]
        for count in (2000, 4000)
    )
    np.testing.assert_allclose(small / 2000, large / 4000, rtol=0.2)
    assert (small > 100).all() and (small <= 2000).all()


def test_one_draw_has_one_weight():
    known = known_once(off=0.3)
    size = known.vae.importance_sampling(known.x, 1, verbose=0)[1]
    np.testing.assert_array_equal(size, 1.0)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("name", ["vae", "vaegan"])
def test_every_model_with_a_posterior(name, conditional):
    model = contract.small_model(name, conditional=conditional)
    x = [contract.X, contract.Y] if conditional else contract.X
    got = bounds(model, x, num_samples=3, elbo_samples=2)
    data = contract.X, contract.Y
    batches = tf.data.Dataset.from_tensor_slices(
        data if conditional else contract.X
    ).batch(128)
    again = bounds(model, batches, num_samples=3, elbo_samples=2)
    for name, figure in got.items():
        for key, value in figure.items():
            assert np.isfinite(value).all()
            np.testing.assert_allclose(value, again[name][key], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": contract.small_model("autoencoder")}, "`model`"),
        ({"x": known_once(off=0.3).x[:1]}, "two examples"),
        ({"x": known_once(off=0.3).x[:, :3]}, "shape"),
        ({"num_samples": 0}, "`num_samples`"),
        ({"elbo_samples": 0}, "`elbo_samples`"),
        ({"seed": -1}, "`seed`"),
        ({"seed": None}, "`seed`"),
    ],
)
def test_bad_input(options, message):
    known = known_once(off=0.3)
    with pytest.raises(InvalidArgument) as error:
        bounds(**{"model": known.vae, "x": known.x, **options})
    assert message in str(error.value)
