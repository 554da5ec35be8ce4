"""A VAE whose log p(x) is known: a linear decoder and Gaussian noise."""

import keras
import numpy as np
from scipy import stats

import kgen

DATA_DIM, LATENT_DIM, STDDEV = 5, 2, 0.7


@keras.saving.register_keras_serializable(package="test")
class ConstantLogVar(keras.layers.Layer):
    """One trainable log_var for all x."""

    def build(self, input_shape):
        self.log_var = self.add_weight(
            shape=(input_shape[-1],), initializer="zeros", name="log_var"
        )

    def call(self, mean):
        return keras.ops.zeros_like(mean) + self.log_var


def linear_vae(data_dim, latent_dim, likelihood, **kwargs):
    """Linear mean, one log_var, linear decoder (Lucas et al. 2019)."""
    x = keras.Input((data_dim,))
    mean = keras.layers.Dense(latent_dim)(x)
    encoder = keras.Model(x, [mean, ConstantLogVar()(mean)])
    z = keras.Input((latent_dim,))
    decoder = keras.Model(z, keras.layers.Dense(data_dim)(z))
    return kgen.VAE(encoder, decoder, likelihood, **kwargs)


class Known:
    """A linear VAE with drawn weights, an imperfect posterior, and data.

    p(x) = N(b, W'W + stddev^2 I) exactly.
    """

    def __init__(self, off=0.3, examples=8, **kwargs):
        rng = np.random.default_rng(0)
        likelihood = kgen.losses.Gaussian(STDDEV)
        self.vae = linear_vae(DATA_DIM, LATENT_DIM, likelihood, **kwargs)
        self.w = rng.normal(size=(LATENT_DIM, DATA_DIM))
        self.b = rng.normal(size=DATA_DIM)
        self.vae.decoder.set_weights([self.w, self.b])
        precision = np.eye(LATENT_DIM) + self.w @ self.w.T / STDDEV**2
        covariance = np.linalg.inv(precision)
        kernel = self.w.T @ covariance / STDDEV**2
        # Right but for a shift and a diagonal that is too wide.
        self.vae.encoder.set_weights(
            [
                kernel,
                -self.b @ kernel + off,
                np.log(np.diag(covariance)) + off,
            ]
        )
        self.x = rng.multivariate_normal(
            self.b, self.covariance, size=examples
        ).astype("float32")

    @property
    def covariance(self):
        return self.w.T @ self.w + STDDEV**2 * np.eye(DATA_DIM)

    def log_prob(self):
        return stats.multivariate_normal.logpdf(self.x, self.b, self.covariance)

    def elbo(self):
        """E_q[log p(x|z)] - KL, both in closed form, for each example."""
        mean, log_var = self.vae.posterior(self.x)
        error = self.x - mean @ self.w - self.b
        spread = np.exp(log_var) @ (self.w**2)
        expected = -0.5 * (
            np.log(2 * np.pi * STDDEV**2) + (error**2 + spread) / STDDEV**2
        )
        return expected.sum(axis=1) - self.kl()

    def kl(self):
        mean, log_var = self.vae.posterior(self.x)
        return 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var).sum(axis=1)
