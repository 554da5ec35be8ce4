"""A linear VAE reaches probabilistic PCA's log-likelihood, and not more."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import kgen
from tests.closed_form.linear_gaussian import linear_vae


@pytest.mark.parametrize("posterior", ["gaussian", "flow:2"])
def test_linear_vae_is_probabilistic_pca(posterior):
    """Lucas et al. (2019), theorem 1: the ELBO's maximum is pPCA's."""
    x = (load_digits().data / 16).astype("float32")
    pca = PCA(8).fit(x)
    keras.utils.set_random_seed(0)
    vae = linear_vae(64, 8, "gaussian:learned", posterior=posterior)
    steps = 3000
    rate = keras.optimizers.schedules.CosineDecay(0.02, steps, alpha=1e-3)
    vae.compile(kgen.optimizers.Adam(rate), steps_per_execution=100)
    vae.fit(tf.data.Dataset.from_tensors(x).repeat(steps), verbose=0)

    elbo = vae.elbo(x, num_samples=64, seed=0)
    error = elbo.std() / np.sqrt(64 * len(x))
    best = pca.score(x)
    assert best - 0.1 < elbo.mean() < best + 4 * error
    variance = np.exp(vae.likelihood.log_var.numpy())
    assert abs(variance / pca.noise_variance_ - 1) < 0.02
