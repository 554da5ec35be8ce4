"""The variational autoencoder."""

import math
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from kgen import priors
from kgen.errors import invalid
from kgen.layers import GaussianSampling
from kgen.losses import Likelihood, likelihoods
from kgen.models.draws import fixed_draws
from kgen.models.encoder_decoder import check_fit
from kgen.models.estimates import log_prob_given
from kgen.models.latent import LatentGaussianModel
from kgen.models.training import training_step, validation_step
from kgen.models.updates import Player, regularizers, update
from kgen.params import SEED, Integer, Number, Optional, checked
from kgen.priors import Divergence, Flow, Prior


class VAELosses(NamedTuple):
    """Means over a batch, in nats per image; these are the logs."""

    loss: tf.Tensor
    reconstruction_loss: tf.Tensor
    kl_loss: tf.Tensor
    regularization_loss: tf.Tensor | float
    elbo: tf.Tensor
    importance_gain: tf.Tensor | float = 0.0


@keras.saving.register_keras_serializable(package="kgen")
class VAE(LatentGaussianModel):
    """Variational autoencoder: trains `q(z|x)` and `p(x|z)` on the ELBO.

    What is minimised is, in nats per image and averaged over the batch,

        -E_q(z|x)[log p(x|z)] + kl_weight * KL(q(z|x) || p(z)) + regularizers

    with one draw of z by reparameterisation. What training reports are these
    parts, `reconstruction_loss`, `kl_loss` and `regularization_loss` (where there
    are regularizers), their sum
    `loss`, and `elbo`, the bound on log p(x) itself: it is free of `kl_weight`
    and `free_bits`, so that it compares between models. The KL term has a closed
    form where q(z|x) is Gaussian and p(z) is N(0, I); else it is estimated by the
    same draw of z.

    With `importance_samples=K > 1`, the loss uses the bound of the
    importance-weighted autoencoder instead of the ELBO: minus the log of the
    mean of K weights `w = p(x|z) (p(z) / q(z|x))^kl_weight`. Then `loss` is
    smaller than the sum of the three parts by another reported mean,
    `importance_gain`, which is never negative; `kl_loss` is estimated by the K
    draws, and `elbo` is the mean over them of the bound by one draw.

    Args:
        encoder: Built `keras.Model` from x, or `[x, labels]`, to
            `(mean, log_var)`, both of shape `(batch, latent_dim)`; for a flow as
            the posterior perhaps to `(mean, log_var, context)`.
        decoder: Built `keras.Model` from z, or `[z, labels]`, to the
            likelihood's parameters, of the shape of x.
        likelihood: `"gaussian:learned"` (one standard deviation, trained),
            `"gaussian:0.1"` (that standard deviation), `"gaussian"` (a standard
            deviation of 1: half the squared error and a constant),
            `"bernoulli"`, `"continuous_bernoulli"`, or a `Likelihood`.
        kl_weight: Weight of the KL term, >= 0 (beta-VAE).
        free_bits: Nats per latent dimension that cost nothing: the batch mean
            of each dimension's KL counts as at least this much; where the KL is
            estimated, that of their sum. Must be 0 if `importance_samples > 1`.
        importance_samples: K, the number of draws of z for each example.
        seed: Integer for the draws of z, or None.
        prior: p(z): `"normal"`, N(0, I); `"mixture:K"`, a mixture of K Gaussians;
            `"vamp:K"`, one of the posteriors of K pseudo-inputs (VampPrior);
            `"flow:L"`, a normalising flow of L coupling layers; or a
            `kgen.priors.Prior`. All but the first are learned with the model.
        posterior: q(z|x): `"gaussian"`, a diagonal Gaussian; `"flow:L"`, a
            normalising flow of L coupling layers behind it, which depends on the
            encoder's context if there is one; or a `kgen.priors.Flow`.
        levels: 1, or 2 for a hierarchy: the first half of the code is the upper
            level z2, the second half the lower level z1. Then the model is
            `p(z2) p(z1|z2) p(x|z1, z2)` with `q(z2|x) q(z1|x, z2)`, and `prior` is
            p(z2). z1 given z2 is a Gaussian in both. The decoder takes both, and
            `encode` gives both: the code of the upper level is
            `encode(x)[:, : latent_dim // 2]`. `latent_dim` must be
            even. An encoder of your own may have a third output, which q(z1|x, z2)
            takes as context.
        divergence: What the KL term is: `"kl"`; `"mmd"`, the maximum mean
            discrepancy of all codes to p(z) (Wasserstein autoencoder), which is
            far smaller than a KL: give it a `kl_weight` of 10 to 1000; or
            `"total_correlation:BETA"`, the KL in which the total correlation counts
            beta times (beta-TCVAE). `elbo` has the KL in any case.
        fitted_prior: What `fit_prior` had fitted when a saved model was loaded.
            Leave it None, and call `fit_prior`.

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
        Sohn et al. (2015), equation 4 (with labels);
        Tomczak & Welling (2018), arXiv 1705.07120 (other priors);
        Rezende & Mohamed (2015), arXiv 1505.05770, section 4.2 (flows);
        Sonderby et al. (2016), arXiv 1602.02282, section 2 (levels).
    """

    @checked(
        importance_samples=Integer(1),
        levels=Integer(1, 2),
        kl_weight=Number(0.0),
        free_bits=Number(0.0),
        seed=Optional(SEED),
    )
    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        likelihood: Likelihood | str = "gaussian:learned",
        kl_weight: float = 1.0,
        free_bits: float = 0.0,
        importance_samples: int = 1,
        seed: int | None = None,
        prior: Prior | str = "normal",
        posterior: Flow | str | None = "gaussian",
        levels: int = 1,
        divergence: Divergence | str | None = "kl",
        fitted_prior: Prior | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.importance_samples = importance_samples
        self.levels = levels
        self.kl_weight = kl_weight
        self.free_bits = free_bits
        self.seed = seed
        if importance_samples > 1 and free_bits:
            expected = "0 with importance_samples > 1"
            raise invalid("free_bits", "VAE", expected, free_bits)
        prior, flow = priors.with_levels(
            levels,
            priors.get(prior, "VAE"),
            priors.get_flow(posterior, "VAE"),
        )
        self.sampling = GaussianSampling(
            kl_weight,
            free_bits,
            seed=seed,
            prior=prior,
            flow=flow,
            divergence=priors.get_divergence(divergence, "VAE"),
        )
        if importance_samples > 1 and self.divergence is not None:
            expected = '"kl" with importance_samples > 1'
            raise invalid("divergence", "VAE", expected, divergence)
        logs = list(VAELosses._fields)
        if importance_samples == 1:
            logs.remove("importance_gain")
        likelihood = likelihoods.get(likelihood, "VAE")
        self._set_encoder_decoder(logs, likelihood, encoder, decoder)
        check_fit("VAE", encoder, decoder, encoder.outputs[:1])
        self._build_latents()
        self._set_fitted_prior(fitted_prior)

    @training_step
    def train_step(self, data: Any) -> dict:
        inputs, x = self.unpack(data)
        losses = update(
            lambda: self._step_losses(inputs, x, training=True),
            Player(self.optimizer, self.trainable_variables),
        )
        return self._log(losses, x)

    @validation_step
    def test_step(self, data: Any) -> dict:
        inputs, x = self.unpack(data, values=True)
        with fixed_draws(self, self.seed or 0, self.log_means.seen()):
            losses = self._step_losses(inputs, x, training=False)
        return self._log(losses, x)

    def _step_losses(self, inputs, x, training):
        """The negative ELBO by one draw of z, or the bound by K of them."""
        if self.importance_samples > 1:
            return self._importance_weighted_losses(inputs, training)
        # q(z|x), one draw of z by reparameterisation, and the KL term with its
        # weight and free bits, which the layer `sampling` adds as its loss
        posterior = self.posterior_of(inputs, False, training)
        regularization = regularizers(self.encoder)
        z, kl = self.sampling(posterior.parameters, return_kl=True)
        weighted_kl = sum(self.sampling.losses)
        # -log p(x|z)
        code = self.decoder_inputs(z, inputs)
        parameters = self.decoder(code, training=training)
        regularization += regularizers(self.decoder, self.likelihood)
        reconstruction = -ops.mean(self.likelihood.log_prob(x, parameters))
        return VAELosses(
            loss=reconstruction + weighted_kl + regularization,
            reconstruction_loss=reconstruction,
            kl_loss=weighted_kl,
            regularization_loss=regularization,
            # The bound itself has the KL without weight and free bits.
            elbo=-reconstruction - ops.mean(kl),
        )

    def _importance_weighted_losses(self, inputs, training):
        """Of the importance-weighted autoencoder (Burda et al., equation 8)."""
        count = self.importance_samples
        kl_weight = self.sampling.current_kl_weight  # a callback may set it
        # K draws of z for each example, and the logarithms of their weights w
        posterior = self.posterior_of(inputs, False, training)
        regularization = regularizers(self.encoder)
        shape = (count, *ops.shape(posterior.mean))
        z, log_q = posterior.draw(self.sampling.noise(shape))
        log_lik = log_prob_given(self, self.decoder, z, inputs, training)
        regularization += regularizers(self.decoder, self.likelihood)
        log_ratio = log_q - self.prior.checked_log_prob(z)
        log_weights = log_lik - kl_weight * log_ratio
        # The logarithm of their mean is never below the mean of their logarithms.
        bound = ops.logsumexp(log_weights, axis=0) - math.log(count)
        gain = ops.mean(bound) - ops.mean(log_weights)
        reconstruction = -ops.mean(log_lik)
        kl = kl_weight * ops.mean(log_ratio)
        return VAELosses(
            loss=reconstruction + kl + regularization - gain,
            reconstruction_loss=reconstruction,
            kl_loss=kl,
            regularization_loss=regularization,
            elbo=ops.mean(log_lik - log_ratio),
            importance_gain=gain,
        )
