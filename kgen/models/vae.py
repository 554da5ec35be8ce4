"""The variational autoencoder."""

import math

import keras
from keras import ops

from kgen.errors import check_int, check_number, check_seed, invalid
from kgen.layers import GaussianSampling
from kgen.losses import gaussian_kl, likelihoods
from kgen.losses.divergences import bound_log_var
from kgen.models.base import total
from kgen.models.encoder_decoder import check_fit
from kgen.models.latent import (
    LatentGaussianModel,
    check_posterior,
    log_density,
)


@keras.saving.register_keras_serializable(package="kgen")
class VAE(LatentGaussianModel):
    """Variational autoencoder: trains `q(z|x)` and `p(x|z)` on the ELBO.

    What is minimised is, in nats per image and averaged over the batch,

        -E_q(z|x)[log p(x|z)] + kl_weight * KL(q(z|x) || N(0, I)) + regularizers

    with one draw of z by reparameterisation; these are the logs
    `reconstruction_loss`, `kl_loss`, `regularization_loss`, and their sum
    `loss`. The log `elbo` is the bound on log p(x) itself, whatever
    `kl_weight` and `free_bits` are, so that it compares between models.

    With `importance_samples=K > 1` the bound of the importance-weighted
    autoencoder takes its place: minus the log of the mean of K weights
    `w = p(x, z) / q(z|x)`. Then `loss` is smaller than the sum of the three
    parts by the log `importance_gain`, which is never negative.

    Args:
        encoder: Built `keras.Model` from x, or `[x, labels]`, to
            `(mean, log_var)`, both of shape `(batch, latent_dim)`.
        decoder: Built `keras.Model` from z, or `[z, labels]`, to the
            likelihood's parameters, of the shape of x.
        likelihood: `"gaussian:learned"` (one standard deviation, trained),
            `"gaussian:0.1"` (that one), `"gaussian"` (1, the squared error),
            `"bernoulli"`, `"continuous_bernoulli"`, or a `Likelihood`.
        kl_weight: Weight of the KL term, >= 0 (beta-VAE).
        free_bits: Nats per latent dimension that the KL term doesn't count.
        importance_samples: K, the number of draws of z for each example.
        seed: Integer for the draws of z, or None.

    Raises:
        InvalidArgument: If networks don't fit together, or a value is out of
            range.

    Example:

        vae = kgen.create_model("vae", input_shape=(8, 8, 1), latent_dim=8)
        vae.compile(optimizer="adam")
        vae.fit(train, validation_data=test, epochs=20)
        images = vae.sample(16, seed=0)

    References:
        Kingma & Welling (2014), arXiv 1312.6114, equation 10;
        Burda et al. (2016), arXiv 1509.00519, equation 8;
        Sohn et al. (2015), equation 4 (with labels).
    """

    def __init__(
        self,
        encoder,
        decoder,
        likelihood="gaussian:learned",
        kl_weight=1.0,
        free_bits=0.0,
        importance_samples=1,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.importance_samples = check_int(
            "importance_samples", "VAE", importance_samples
        )
        self.kl_weight = check_number("kl_weight", "VAE", kl_weight)
        self.free_bits = check_number("free_bits", "VAE", free_bits)
        self.seed = check_seed("VAE", seed)
        self.sampling = GaussianSampling(
            self.kl_weight, self.free_bits, seed=self.seed
        )
        names = ["loss", "reconstruction_loss", "kl_loss"]
        names += ["regularization_loss", "elbo"]
        self._objective = self._negative_elbo
        if self.importance_samples > 1:
            if self.free_bits:
                raise invalid(
                    "free_bits",
                    "VAE",
                    "0 with importance_samples > 1",
                    free_bits,
                )
            names.append("importance_gain")
            self._objective = self._negative_importance_weighted_bound
        likelihood = likelihoods.get(likelihood, "VAE")
        self._set_encoder_decoder(names, likelihood, encoder, decoder)
        check_posterior("VAE", encoder)
        check_fit("VAE", encoder, decoder, encoder.outputs[:1])

    def _negative_elbo(self, inputs, x, training):
        mean, log_var = self.encoded(inputs, training)
        # Layers' losses are read at once: they are lists that replicas share.
        regularization = total(self.encoder.losses)
        z = self.sampling([mean, log_var])
        kl = sum(self.sampling.losses)
        parameters = self.decoder(self._condition(z, inputs), training=training)
        regularization += total(self.decoder.losses + self.likelihood.losses)
        reconstruction = -ops.mean(self.likelihood.log_prob(x, parameters))
        divergence = gaussian_kl(mean, bound_log_var(log_var))
        elbo = -reconstruction - ops.mean(ops.sum(divergence, axis=-1))
        return self._total(reconstruction, kl, elbo, regularization)

    def _negative_importance_weighted_bound(self, inputs, x, training):
        count = self.importance_samples
        mean, log_var = self.encoded(inputs, training)
        log_var = bound_log_var(log_var)
        z = self.sampling.draw(mean, log_var, (count, *ops.shape(mean)))
        log_lik = self._log_prob_given(z, inputs, x, training)
        log_ratio = log_density(z, mean, log_var) - log_density(z)
        log_weights = log_lik - self.sampling.current_kl_weight * log_ratio
        bound = ops.logsumexp(log_weights, axis=0) - math.log(count)
        gain = ops.mean(bound) - ops.mean(log_weights)
        return self._total(
            -ops.mean(log_lik),
            self.sampling.current_kl_weight * ops.mean(log_ratio),
            ops.mean(log_lik - log_ratio),
            self._regularization(),
            gain,
        )

    def _total(self, reconstruction, kl, elbo, regularization, gain=0.0):
        """The sum of the parts, and the parts, by their logs' names."""
        return {
            "loss": reconstruction + kl + regularization - gain,
            "reconstruction_loss": reconstruction,
            "kl_loss": kl,
            "regularization_loss": regularization,
            "elbo": elbo,
            "importance_gain": gain,
        }
