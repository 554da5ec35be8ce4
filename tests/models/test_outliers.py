"""Scores of outliers, and the threshold above which there are some."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats
from sklearn.decomposition import PCA

import kgen
from kgen.errors import InvalidArgument
from tests.closed_form.linear_gaussian import LATENT_DIM, STDDEV, Known
from tests.models import contract

X, Y = contract.X, contract.Y


@pytest.fixture(scope="module")
def known():
    return Known(examples=40)


def by_hand(known, count, seed):
    """log p(x|z), log p(z) and log q(z|x) of draws that are the same for all x."""
    mean, log_var = known.vae.posterior(known.x)
    eps = tf.random.stateless_normal([count, 1, LATENT_DIM], [seed, 0]).numpy()
    stddev = np.exp(0.5 * log_var)
    z = mean + stddev * eps
    log_lik = stats.norm.logpdf(known.x, z @ known.w + known.b, STDDEV)
    return [
        values.sum(axis=-1)
        for values in (
            log_lik,
            stats.norm.logpdf(z),
            stats.norm.logpdf(z, mean, stddev),
        )
    ]


def test_a_vae_s_score_is_minus_the_elbo(known):
    log_lik, _, _ = by_hand(known, 8, seed=5)
    scores = known.vae.outlier_score(known.x, seed=5)
    np.testing.assert_allclose(
        scores, known.kl() - log_lik.mean(axis=0), rtol=1e-5
    )
    # Over the seeds, it is the ELBO of the closed form.
    draws = [known.vae.outlier_score(known.x, seed=s) for s in range(100)]
    error = np.std(draws, axis=0) / 10
    deviation = np.abs(np.mean(draws, axis=0) + known.elbo())
    assert (deviation < 4.5 * error).all()


def test_with_samples_it_is_minus_log_p_of_x(known):
    log_lik, log_prior, log_q = by_hand(known, 6, seed=5)
    estimate = special.logsumexp(log_lik + log_prior - log_q, axis=0)
    scores = known.vae.outlier_score(known.x, num_samples=6, seed=5)
    np.testing.assert_allclose(scores, np.log(6) - estimate, rtol=1e-5)
    scores = known.vae.outlier_score(known.x, num_samples=20_000)
    np.testing.assert_allclose(scores, -known.log_prob(), atol=0.05)


@pytest.mark.parametrize("count", [None, 3])
def test_a_score_depends_on_its_example_and_the_seed_alone(known, count):
    def score(x, seed=1, **options):
        return known.vae.outlier_score(
            x, num_samples=count, seed=seed, **options
        )

    whole = score(known.x)
    np.testing.assert_array_equal(whole, score(known.x))
    np.testing.assert_allclose(whole[17:19], score(known.x[17:19]), rtol=1e-6)
    np.testing.assert_allclose(whole, score(known.x, batch_size=7), rtol=1e-6)
    batches = tf.data.Dataset.from_tensor_slices(known.x).batch(16)
    np.testing.assert_allclose(whole, score(batches), rtol=1e-6)
    assert np.abs(whole - score(known.x, seed=2)).min() > 1e-4


def linear_autoencoder(pca, likelihood):
    size, dim = pca.components_.shape
    model = kgen.create_model(
        "autoencoder",
        input_shape=(dim,),
        network="dense",
        hidden_units=(),
        latent_dim=size,
        likelihood=likelihood,
    )
    w = pca.components_
    model.encoder.set_weights([w.T, -pca.mean_ @ w.T])
    model.decoder.set_weights([w, pca.mean_])
    return model


@pytest.mark.parametrize(
    ("likelihood", "score"),
    [
        (
            "gaussian:0.5",
            lambda e: 2 * e**2 + 0.5 * np.log(2 * np.pi * 0.25),
        ),
        ("mae", np.abs),
    ],
)
def test_an_autoencoder_s_score_is_its_error(likelihood, score):
    x = X.reshape(len(X), -1)
    pca = PCA(4).fit(x)
    error = x - pca.inverse_transform(pca.transform(x))
    model = linear_autoencoder(pca, likelihood)
    np.testing.assert_allclose(
        model.outlier_score(x), score(error).sum(axis=1), rtol=1e-4
    )


def test_a_denoising_autoencoder_takes_examples_as_they_are():
    model = contract.small_model("denoising_autoencoder", likelihood="mse")
    error = X - model.reconstruct(X)
    np.testing.assert_allclose(
        model.outlier_score(X), np.square(error).sum(axis=(1, 2, 3)), rtol=1e-5
    )


def test_a_vaegan_scores_by_its_averages():
    model = contract.small_model("vaegan", training={"ema_decay": 0.5})
    before = model.outlier_score(X)
    for weight in model.decoder.trainable_variables:  # not the average's
        weight.assign_add(tf.ones(weight.shape))
    np.testing.assert_array_equal(before, model.outlier_score(X))


def test_labels_are_part_of_what_is_scored():
    for name in ("vae", "autoencoder"):
        model = contract.small_model(name, conditional=True)
        scores = model.outlier_score([X, Y])
        moved = model.outlier_score([X, (Y + 1) % contract.CLASSES])
        assert np.abs(scores - moved).max() > 1e-4
        with pytest.raises(InvalidArgument, match="labels"):
            model.outlier_score(X)


def classifier():
    model = kgen.create_model(
        "bayes_classifier", input_shape=(8, 8, 1), num_classes=contract.CLASSES
    )
    model.compile()
    model.fit(X, Y, verbose=0)
    return model


@pytest.mark.parametrize(
    ("build", "options"),
    [
        (lambda: contract.small_model("vae"), {}),
        (
            lambda: contract.small_model("vae"),
            {"num_samples": np.int64(4), "seed": 7},
        ),
        (lambda: contract.small_model("autoencoder"), {}),
        (classifier, {}),
    ],
    ids=["vae", "vae-by-samples", "autoencoder", "classifier"],
)
def test_the_threshold_is_a_quantile_and_is_saved(build, options, tmp_path):
    model = build()
    assert model.threshold is None and "threshold" not in model.get_config()
    model.save(tmp_path / "before.keras")
    found = model.fit_threshold(X[:50], 0.9, **options)
    scores = model.outlier_score(X, **options)
    assert found == model.threshold == np.quantile(scores[:50], 0.9)
    expected = scores > found
    assert expected[:50].sum() == 5
    np.testing.assert_array_equal(model.is_outlier(X), expected)
    model.save(tmp_path / "after.keras")
    loaded = kgen.load_model(tmp_path / "after.keras")
    assert loaded.threshold == found
    np.testing.assert_array_equal(loaded.is_outlier(X), expected)
    assert kgen.load_model(tmp_path / "before.keras").threshold is None


def test_what_can_not_be_had_is_said():
    vae, ae = map(contract.small_model, ("vae", "autoencoder"))
    with pytest.raises(InvalidArgument, match="Call `fit_threshold`"):
        vae.is_outlier(X)
    for call, words in (
        (lambda: vae.fit_threshold(X, 1.5), "a number from 0 to 1"),
        (lambda: vae.fit_threshold(X, num_sample=3), "mean 'num_samples'"),
        (lambda: ae.fit_threshold(X, num_samples=3), "Unknown argument"),
        (lambda: vae.outlier_score(X, num_samples=0), "a positive integer"),
        (lambda: vae.outlier_score(X, seed=-1), "seed"),
        (lambda: vae.outlier_score(2 * X), r"values in \[0, 1\]"),
        (lambda: vae.fit_threshold(X[:0]), "at least one example"),
    ):
        with pytest.raises(InvalidArgument, match=words):
            call()
    assert vae.threshold is None
    ae.decoder.set_weights([w + np.nan for w in ae.decoder.get_weights()])
    with pytest.raises(InvalidArgument, match="not finite"):
        ae.fit_threshold(X)


def test_a_gan_has_no_scores():
    gan = contract.small_model("gan")
    assert not hasattr(gan, "outlier_score")
    assert "outlier_score" not in gan.endpoints()


def test_a_threshold_is_no_weight():
    """Checkpoints of earlier versions fit."""
    vae = contract.small_model("vae")
    before = len(vae.weights)
    vae.fit_threshold(X)
    assert len(vae.weights) == before
    copy = keras.models.clone_model(vae)
    assert copy.threshold == vae.threshold
