"""Priors and flows against integrals, scikit-learn, SciPy and Jacobians."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, stats
from sklearn.mixture import GaussianMixture

import kgen
from kgen import priors
from kgen.errors import InvalidArgument
from kgen.losses import gaussian_kl
from tests.closed_form.linear_gaussian import STDDEV, Known

RNG = np.random.default_rng(0)


def with_random_weights(layer, scale=0.2, seed=0):
    """The layer, whose weights are drawn anew."""
    rng = np.random.default_rng(seed)
    for weight in layer.trainable_variables:
        weight.assign(rng.normal(0.0, scale, weight.shape))
    return layer


def vae_with(
    prior, latent_dim, posterior="gaussian", num_classes=None, **options
):
    """An untrained VAE of vectors of three numbers, with random weights."""
    keras.utils.set_random_seed(0)
    vae = kgen.create_model(
        "vae",
        input_shape=(3,),
        network="dense",
        hidden_units=(4,),
        latent_dim=latent_dim,
        prior=prior,
        posterior=posterior,
        num_classes=num_classes,
        **options,
    )
    with_random_weights(vae)
    return vae


PRIORS = {
    "normal": priors.NormalPrior,
    "diagonal": lambda: priors.MixturePrior(3),
    "full": lambda: priors.MixturePrior(3, covariance="full"),
    "flow": lambda: priors.FlowPrior(5, hidden_units=8),
    "vamp": lambda: priors.VampPrior(3),
    "two levels": lambda: priors.HierarchicalPrior(hidden_units=8),
    "two levels, vamp": lambda: priors.HierarchicalPrior(
        priors.VampPrior(3), hidden_units=8
    ),
}


def prior_of(name, latent_dim):
    levels = 2 if "levels" in name else 1
    return vae_with(PRIORS[name](), latent_dim, levels=levels).prior


@pytest.mark.parametrize("name", ["normal", "diagonal", "full", "vamp"])
def test_a_density_of_one_dimension_integrates_to_one(name):
    z = np.linspace(-40, 40, 80_001, dtype="float32")[:, None]
    p = np.exp(prior_of(name, 1).log_prob(z).numpy().astype("float64"))
    np.testing.assert_allclose(integrate.trapezoid(p, z[:, 0]), 1.0, rtol=1e-4)


def grid(limit, count):
    """Points of a square, and the area that each stands for."""
    side = np.linspace(-limit, limit, count, dtype="float32")
    points = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    return points, (2 * limit / (count - 1)) ** 2


@pytest.mark.parametrize("name", PRIORS)
def test_a_density_of_two_dimensions_integrates_to_one(name):
    points, area = grid(20, 501)
    p = np.exp(prior_of(name, 2).log_prob(points).numpy().astype("float64"))
    np.testing.assert_allclose(area * p.sum(), 1.0, rtol=1e-3)


@pytest.mark.parametrize("name", PRIORS)
def test_draws_have_the_moments_of_the_density(name):
    """Mean and covariance, by integrals, within five standard errors."""
    prior, (points, area) = prior_of(name, 2), grid(20, 501)
    p = area * np.exp(prior.log_prob(points).numpy().astype("float64"))
    z = prior.sample(40_000, seed=1).numpy()
    for power in ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2)):
        drawn = np.prod(z**power, axis=1)
        exact = p @ np.prod(points.astype("float64") ** power, axis=1)
        error = drawn.std() / np.sqrt(len(z))
        assert abs(drawn.mean() - exact) < 5 * error, power


@pytest.mark.parametrize("name", PRIORS)
def test_draws_are_a_function_of_the_seed(name):
    prior = prior_of(name, 2)
    z, same, other = (prior.sample(5, seed).numpy() for seed in (0, 0, 1))
    np.testing.assert_array_equal(z, same)
    assert not np.isclose(z, other).any()
    # Those of a graph, as an exported model has it, are the same.
    traced = tf.function(prior.sample)(tf.constant(5), tf.constant(0))
    np.testing.assert_allclose(traced, z, rtol=1e-5, atol=1e-6)


def test_two_levels_of_an_odd_size_are_refused_at_once():
    with pytest.raises(InvalidArgument, match="an even number"):
        priors.HierarchicalPrior().build((None, 5))


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_a_mixture_is_scikit_learn_s(covariance):
    names = {"full": "full", "diagonal": "diag"}
    z = RNG.normal(size=(300, 4)) @ RNG.normal(size=(4, 4)) + RNG.integers(
        0, 4, size=(300, 1)
    )
    fitted = GaussianMixture(3, covariance_type=names[covariance]).fit(z)
    prior = priors.MixturePrior(3, covariance)
    prior.build((None, 4))
    prior.set_parameters(
        fitted.weights_, fitted.means_, fitted.precisions_cholesky_
    )
    np.testing.assert_allclose(
        prior.log_prob(z.astype("float32")), fitted.score_samples(z), rtol=1e-4
    )


def test_the_normal_prior_is_scipy_s():
    z = RNG.normal(size=(10, 3)).astype("float32")
    exact = stats.multivariate_normal.logpdf(z, np.zeros(3))
    np.testing.assert_allclose(
        prior_of("normal", 3).log_prob(z), exact, rtol=1e-5
    )


@pytest.mark.parametrize("size", [2, 3, 5, 8])
@pytest.mark.parametrize("context", [None, 2])
def test_a_flow_inverts_and_knows_its_jacobian(size, context):
    flow = priors.Flow(6, hidden_units=8)
    flow.build((None, size), context and (None, context))
    with_random_weights(flow)
    z = tf.constant(RNG.normal(size=(7, size)), "float32")
    given = []
    if context:
        given = [tf.constant(RNG.normal(size=(7, context)), "float32")]
    with tf.GradientTape() as tape:
        tape.watch(z)
        moved, log_det = flow(z, *given)
    jacobian = tape.batch_jacobian(moved, z).numpy().astype("float64")
    _, exact = np.linalg.slogdet(jacobian)
    np.testing.assert_allclose(log_det, exact, atol=1e-4)
    back, inverse_log_det = flow.inverse(moved, *given)
    np.testing.assert_allclose(back, z, atol=1e-5)
    np.testing.assert_allclose(inverse_log_det, -log_det, atol=1e-5)
    # No dimension stays as it was, and each depends on each other one.
    assert (np.abs(jacobian).max(axis=0) > 1e-6).all()


def test_a_flow_between_levels_leaves_the_upper_one():
    flow = priors.Flow(1, hidden_units=8, split="halves")
    flow.build((None, 6))
    with_random_weights(flow)
    z = tf.constant(RNG.normal(size=(7, 6)), "float32")
    moved, log_det = flow(z)
    np.testing.assert_array_equal(moved[:, :3], z[:, :3])
    assert (moved[:, 3:] != z[:, 3:]).numpy().all()
    back, _ = flow.inverse(moved)
    np.testing.assert_allclose(back, z, atol=1e-5)
    # z1 depends on its own noise alone, given z2: the scales' product.
    scales = (flow(z + [0, 0, 0, 1, 1, 1])[0] - moved)[:, 3:]
    np.testing.assert_allclose(log_det, np.log(scales).sum(axis=1), atol=1e-4)


def test_the_density_of_two_levels_is_the_product():
    """p(z2) N(z1; m(z2), v(z2)), the parts told by draws for one z2."""
    vae = vae_with("normal", 4, levels=2)
    z2 = np.array([[0.3, -0.7]], "float32")
    noise = RNG.normal(size=(50_000, 2)).astype("float32")
    normal = np.concatenate([np.repeat(z2, 50_000, 0), noise], axis=1)
    z1 = vae.prior.transform(tf.constant(normal), None).numpy()[:, 2:]
    mean, stddev = z1.mean(axis=0), z1.std(axis=0)
    point = np.array([[0.2, 0.1]], "float32")
    exact = stats.norm.logpdf(z2).sum()
    exact += stats.norm.logpdf(point, mean, stddev).sum()
    found = vae.prior.log_prob(np.concatenate([z2, point], axis=1))
    np.testing.assert_allclose(found, [exact], atol=0.03)


def test_a_flow_begins_as_the_identity():
    flow = priors.Flow()
    flow.build((None, 3))
    z = tf.constant(RNG.normal(size=(7, 3)), "float32")
    moved, log_det = flow(z)
    np.testing.assert_array_equal(moved, z)
    np.testing.assert_array_equal(log_det, np.zeros(7))


def test_an_estimated_kl_is_right_within_its_error():
    """A mixture of one Gaussian has a KL in closed form, which it does not use."""
    prior = priors.MixturePrior(1)
    prior.build((None, 3))
    with_random_weights(prior)
    mean, log_var = RNG.normal(size=(2, 1, 3)).astype("float32")
    exact = (
        gaussian_kl(mean, log_var, prior.means, 2 * prior.log_scales)
        .numpy()
        .sum()
    )
    posterior = priors.Posterior(tf.constant(mean), tf.constant(log_var))
    z, log_q = posterior.draw(
        tf.constant(RNG.normal(size=(20_000, 1, 3)), "float32")
    )
    kl, parts = posterior.kl(prior, z, log_q)
    assert parts is None and kl.shape == (20_000, 1)
    error = np.std(kl) / np.sqrt(20_000)
    assert 0 < error < 0.1
    assert abs(np.mean(kl) - exact) < 4 * error


@pytest.mark.parametrize("posterior", ["gaussian", "flow:3"])
@pytest.mark.parametrize("num_classes", [None, 4])
def test_a_vamp_prior_of_one_is_that_posterior(posterior, num_classes):
    vae = vae_with("vamp:1", 2, posterior, num_classes)
    u = vae.prior.pseudo_inputs.numpy()
    inputs = u if num_classes is None else [u, np.zeros(1, "int32")]
    q = vae.posterior_of(inputs)
    points, area = grid(60, 401)
    p = vae.prior.log_prob(points).numpy()
    np.testing.assert_allclose(p, q.log_prob(points[:, None])[:, 0], rtol=1e-5)
    np.testing.assert_allclose(area * np.exp(p).sum(), 1.0, rtol=1e-3)


def test_draws_through_a_flow_have_the_density_that_is_said():
    """`draw` tells log q(z|x) on the way, `log_prob` by the way back."""
    vae = vae_with("normal", 3, "flow:4")
    posterior = vae.posterior_of(RNG.normal(size=(5, 3)))
    eps = tf.constant(RNG.normal(size=(6, 5, 3)), "float32")
    z, log_q = posterior.draw(eps)
    assert z.shape == (6, 5, 3) and log_q.shape == (6, 5)
    np.testing.assert_allclose(log_q, posterior.log_prob(z), atol=1e-4)
    np.testing.assert_allclose(
        posterior.code, posterior.draw(tf.zeros((5, 3)))[0], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("prior", "levels"),
    [
        ("mixture:3", 1),
        ("flow:4", 1),
        ("vamp:3", 1),
        ("normal", 2),
        ("vamp:3", 2),
    ],
)
def test_importance_samples_find_the_integral(prior, levels):
    """log p(x) of a linear decoder, by quadrature over z."""
    known = Known(prior=prior, levels=levels)
    with_random_weights(known.vae.prior, 0.1)
    points, area = grid(12, 401)
    log_prior = known.vae.prior.log_prob(points).numpy().astype("float64")
    means = points @ known.w + known.b
    exact = [
        np.log(
            area
            * np.exp(
                log_prior + stats.norm.logpdf(x, means, STDDEV).sum(axis=1)
            ).sum()
        )
        for x in known.x
    ]
    found, size = known.vae.importance_sampling(
        known.x, 20_000, seed=0, verbose=0
    )
    error = 1 / np.sqrt(size)  # about that of the logarithm of a mean
    assert (np.abs(found - exact) < 5 * error).all() and (error < 0.2).all()
    # The bound is below it, and is what importance samples begin with.
    elbo = known.vae.elbo(known.x, 2000, seed=0)
    assert (elbo < exact).all()


def test_a_flow_as_the_posterior_closes_the_gap_of_a_diagonal_one():
    """The true posterior of this decoder is a correlated Gaussian."""
    gaps = {}
    for posterior in ("gaussian", "flow:2"):
        keras.utils.set_random_seed(0)
        known = Known(posterior=posterior, examples=256)
        vae = known.vae
        vae.decoder.trainable = False
        rate = keras.optimizers.schedules.CosineDecay(0.03, 600, alpha=1e-2)
        vae.compile(kgen.optimizers.Adam(rate), steps_per_execution=100)
        vae.fit(tf.data.Dataset.from_tensors(known.x).repeat(600), verbose=0)
        gaps[posterior] = (
            known.log_prob() - vae.elbo(known.x, 200, seed=0)
        ).mean()
    assert gaps["gaussian"] > 0.05
    assert 0 < gaps["flow:2"] < 0.01
