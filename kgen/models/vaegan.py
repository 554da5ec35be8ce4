"""The VAE-GAN: a VAE whose decoder plays against a discriminator."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops
from keras.optimizers import Optimizer

from kgen import optimizers, priors
from kgen.layers import Augmentation, GaussianSampling
from kgen.losses import AdversarialLoss, Likelihood, Penalty, likelihoods
from kgen.losses.divergences import half_square_distance
from kgen.models import adversarial, equilibrium
from kgen.models.adversarial import Adversarial
from kgen.models.averages import WeightAverage
from kgen.models.discriminator import DiscriminatorOutputs, with_features
from kgen.models.encoder_decoder import check_fit
from kgen.models.latent import LatentGaussianModel
from kgen.models.training import compiles, training_step
from kgen.models.updates import Player, regularizers, update
from kgen.params import SEED, Number, Optional, checked
from kgen.priors import Divergence, Flow, Prior


class VAEGANLosses(NamedTuple):
    """Means over a batch: what the three players minimise, and the logs.

    The gates say whether a player takes its step; without an `equilibrium_margin`
    they are None. `levels` are as in `DiscriminatorLosses`.
    """

    encoder: tf.Tensor
    decoder: tf.Tensor
    discriminator: tf.Tensor
    loss: tf.Tensor
    reconstruction_loss: tf.Tensor
    kl_loss: tf.Tensor
    generator_loss: tf.Tensor
    discriminator_loss: tf.Tensor
    penalty: tf.Tensor | float
    regularization_loss: tf.Tensor | float
    real_probability: tf.Tensor
    fake_probability: tf.Tensor
    elbo: tf.Tensor
    discriminator_plays: tf.Tensor | None = None
    decoder_plays: tf.Tensor | None = None
    levels: tf.Tensor | None = None


_LOGS = VAEGANLosses._fields[3:-3]  # from `loss` to `elbo`


@keras.saving.register_keras_serializable(package="kgen")
class VAEGAN(Adversarial, LatentGaussianModel):
    """Variational autoencoder with a discriminator: a VAE's codes, sharp pictures.

    With z from q(z|x), x1 = Dec(z), z2 from p(z) and x2 = Dec(z2), three
    players are updated together, each by the gradient of its own loss:

        encoder:        kl_weight * KL(q(z|x) || p(z)) + L
        decoder:        reconstruction_weight * L + adversarial_weight * G
        discriminator:  D

    D is the adversarial loss of the discriminator with two kinds of generated
    examples, -log D(x) - log(1 - D(x1)) - log(1 - D(x2)), and its penalty (by x1 if
    it needs generated examples, R2 by both). G is that of the decoder, summed over
    both kinds; with `loss="minimax"`, it is minus the terms of D that depend on x1
    and x2, as in the paper. L is the reconstruction error, in nats per image,

        feature_weight * |f(x) - f(x1)|^2 / 2 + (1 - feature_weight) * -log p(x|z)

    with f the features in the discriminator's layer `feature_layer`, through which
    L's gradient passes without updating the discriminator, and p(x|z) the
    likelihood of pixels. Each network's regularizers go to its own player. The
    likelihood's own variables are the decoder's, and follow -log p(x|z) even where
    L is of features alone. What is learned of p(z), or of a flow behind q(z|x), is
    the encoder's.

    A batch of `fit` is cut into `discriminator_steps` parts; the encoder and the
    decoder are updated with the last one.

    The logs are `reconstruction_loss` (L), `kl_loss`, `generator_loss` (G),
    `discriminator_loss` (D without the penalty), `penalty`, `regularization_loss`
    (each of these two where there is one), `loss` (the sum of these), the mean
    probabilities `real_probability` and `fake_probability`, and `elbo`, the bound on
    log p(x) under the likelihood of pixels.

    Args:
        encoder: Built `keras.Model` from x, or `[x, labels]`, to
            `(mean, log_var)`.
        decoder: Built `keras.Model` from z, or `[z, labels]`, to the
            likelihood's parameters.
        discriminator: Built `keras.Model` from x, or `[x, labels]`, to logits of
            shape `(batch, 1)`.
        feature_layer: Name of the discriminator's layer whose output are the
            features, applied once.
        likelihood: Of pixels, as in `VAE`.
        feature_weight: Number from 0 (pixels alone) to 1 (features alone).
        kl_weight: Weight of the KL term, >= 0. The default is small because
            the error in features beside it is: the discriminator's penalty keeps
            their scale low, and with 1, as in a VAE, the posterior collapses.
        free_bits: As in `VAE`.
        seed: Integer for all draws, or None.
        prior: p(z), as in `VAE`.
        posterior: q(z|x), as in `VAE`.
        divergence: What the KL term is, as in `VAE`.
        fitted_prior: What `fit_prior` had fitted when a saved model was loaded.
            Leave it None, and call `fit_prior`.

    Raises:
        InvalidArgument: If networks don't fit together, or a value is out of
            range.

    Example:

        model = kgen.create_model("vaegan", input_shape=(8, 8, 1), latent_dim=8)
        model.compile()
        model.fit(train, validation_data=test, epochs=100)
        images = model.sample(16, seed=0)

    References:
        Larsen et al. (2016), arXiv 1512.09300, equations 5 to 8 and algorithm 1.
    """

    num_fake_kinds = 2  # x1 and x2

    @checked(
        feature_weight=Number(0.0, maximum=1.0),
        kl_weight=Number(0.0),
        free_bits=Number(0.0),
        seed=Optional(SEED),
    )
    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        discriminator: keras.Model,
        feature_layer: str = "features",
        likelihood: Likelihood | str = "gaussian:learned",
        feature_weight: float = 1.0,
        kl_weight: float = 0.02,
        free_bits: float = 0.0,
        seed: int | None = None,
        prior: Prior | str = "normal",
        posterior: Flow | str | None = "gaussian",
        divergence: Divergence | str | None = "kl",
        fitted_prior: Prior | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.feature_weight = feature_weight
        self.kl_weight = kl_weight
        self.free_bits = free_bits
        self.seed = seed
        self.sampling = GaussianSampling(
            kl_weight,
            free_bits,
            seed=seed,
            prior=priors.get(prior, "VAEGAN"),
            flow=priors.get_flow(posterior, "VAEGAN"),
            divergence=priors.get_divergence(divergence, "VAEGAN"),
        )
        # With the seed of `sampling`, z2 would equal the noise of q(z|x).
        prior_seed = None if seed is None else seed + 1
        self.seed_generator = keras.random.SeedGenerator(prior_seed)
        self._set_encoder_decoder(
            _LOGS,
            likelihoods.get(likelihood, "VAEGAN"),
            encoder,
            decoder,
            discriminator=discriminator,
        )
        check_fit("VAEGAN", encoder, decoder, encoder.outputs[:1])
        self._build_latents()
        self._set_players(decoder, discriminator)
        # Codes of the averaged encoder are what the averaged decoder expects, and
        # so are draws of a prior that is learned with them.
        self.encoder_average = WeightAverage(encoder)
        self.sampling_average = None
        if self.sampling.trainable_variables:
            copy = GaussianSampling.from_config(self.sampling.get_config())
            self._build_sampling(copy, serving=True)
            self.sampling_average = WeightAverage(self.sampling, copy)
        self.feature_layer = feature_layer
        self._logits_and_features = with_features(
            discriminator, feature_layer, "VAEGAN"
        )
        self._set_fitted_prior(fitted_prior)

    @compiles(
        **adversarial.CONSTRAINTS,
        reconstruction_weight=Number(0.0),
        adversarial_weight=Number(0.0),
        equilibrium_margin=Optional(Number(0.0)),
    )
    def compile(
        self,
        optimizer: Optimizer | str = "adam:0.001:0.5",
        decoder_optimizer: Optimizer | str | None = None,
        discriminator_optimizer: Optimizer | str | None = None,
        loss: AdversarialLoss | str = "non_saturating",
        penalty: Penalty | str | list | None = "auto",
        reconstruction_weight: float = 1.0,
        adversarial_weight: float = 1.0,
        discriminator_steps: int = 1,
        ema_decay: float | None = 0.999,
        label_smoothing: float = 0.0,
        instance_noise: float = 0.0,
        equilibrium_margin: float | None = None,
        *,
        learning_rate_decay: float = 0.5,
        penalty_every: int = 1,
        lecam_weight: float = 0.0,
        augmentation: Augmentation | str | None = None,
        steps_per_execution: int = 16,
        run_eagerly: bool = False,
        jit_compile: bool = False,
    ) -> None:
        """Configures the training of the three players.

        Args:
            optimizer: Keras optimizer of the encoder, or its name. A callback of
                `fit` that changes its rate changes the others' by the same
                factor.
            decoder_optimizer: That of the decoder; None for a new one with the
                encoder's settings.
            discriminator_optimizer: That of the discriminator; None for a new
                one with the encoder's settings.
            loss: As in `GAN.compile`.
            penalty: As in `GAN.compile`.
            reconstruction_weight: gamma, the weight of the reconstruction error
                in the decoder's loss, >= 0.
            adversarial_weight: The weight of the adversarial loss in the
                decoder's loss, >= 0; with 0 and the error in pixels, training is
                a VAE's, weight for weight (the moving statistics of batch
                normalisation see draws from the prior, too).
            discriminator_steps: K, the discriminator's updates for each of the
                others'.
            ema_decay: Decay of the averages of the encoder's and the decoder's
                weights, with which the trained model encodes and decodes; None
                for none.
            label_smoothing: As in `GAN.compile`.
            instance_noise: As in `GAN.compile`.
            equilibrium_margin: None, or m: the discriminator sits out a step
                where its cross-entropy on real or on generated examples is
                below 0.68 - m, and the decoder where one is above 0.68 + m,
                as in the authors' code (there m is 0.35); where both would,
                both play.
            learning_rate_decay: As in `GAN.compile`.
            penalty_every: As in `GAN.compile`.
            lecam_weight: As in `GAN.compile`.
            augmentation: As in `GAN.compile`.
            steps_per_execution: Batches for each call into TensorFlow.
            run_eagerly: Whether steps run as plain Python, for debugging.
            jit_compile: Whether XLA compiles the step. XLA leaves out the
                checks of labels and values in each batch.

        Raises:
            InvalidArgument: If a name is unknown or a value out of range.
        """
        self.reconstruction_weight = reconstruction_weight
        self.adversarial_weight = adversarial_weight
        self.equilibrium_margin = equilibrium_margin
        optimizer = self._player_optimizer(
            "optimizer", optimizer, self._encoder_variables
        )
        self.decoder_optimizer = self._player_optimizer(
            "decoder_optimizer",
            optimizers.another(optimizer)
            if decoder_optimizer is None
            else decoder_optimizer,
            self._decoder_variables,
        )
        self._compile_players(
            {
                "decoder_optimizer": self.decoder_optimizer,
                "reconstruction_weight": reconstruction_weight,
                "adversarial_weight": adversarial_weight,
                "equilibrium_margin": equilibrium_margin,
            },
            optimizer,
            self._encoder_variables,
            discriminator_optimizer=optimizers.another(optimizer)
            if discriminator_optimizer is None
            else discriminator_optimizer,
            loss=loss,
            label_smoothing=label_smoothing,
            penalty=penalty,
            penalty_every=penalty_every,
            lecam_weight=lecam_weight,
            augmentation=augmentation,
            discriminator_steps=discriminator_steps,
            ema_decay=ema_decay,
            learning_rate_decay=learning_rate_decay,
            instance_noise=instance_noise,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
            jit_compile=jit_compile,
        )

    @property
    def _generator(self):
        return self.decoder

    @property
    def _averages(self):
        pairs = [*super()._averages, (self.encoder_average, self.encoder)]
        if self.sampling_average is not None:
            pairs.append((self.sampling_average, self.sampling))
        return pairs

    @property
    def serving_encoder(self) -> keras.Model:
        return self.encoder_average.copy if self._averaged else self.encoder

    @property
    def serving_decoder(self) -> keras.Model:
        return self.serving_generator

    @property
    def serving_sampling(self) -> GaussianSampling:
        if self._averaged and self.sampling_average is not None:
            return self.sampling_average.copy
        return self.sampling

    @property
    def _followers(self):
        return [self.decoder_optimizer, self.discriminator_optimizer]

    @property
    def _encoder_variables(self):
        return (
            self.encoder.trainable_variables + self.sampling.trainable_variables
        )

    @property
    def _decoder_variables(self):
        return (
            self.decoder.trainable_variables
            + self.likelihood.trainable_variables
        )

    @training_step
    def train_step(self, data: Any) -> dict:
        inputs, x = self.unpack(data)
        *first, last = self._parts(inputs, self.discriminator_steps)
        encoder = Player(self.optimizer, self._encoder_variables, "encoder")
        decoder = Player(
            self.decoder_optimizer,
            self._decoder_variables,
            "decoder",
            gate="decoder_plays",
        )
        discriminator = self._discriminator_player(
            loss="discriminator", gate="discriminator_plays"
        )
        for part in first:
            losses = update(
                lambda part=part: self._step_losses(part), discriminator
            )
            self._follow(losses, part)
        losses = update(
            lambda: self._step_losses(last), encoder, decoder, discriminator
        )
        self._follow(losses, last)
        self._update_averages()
        return self._log(losses, x)

    def _step_losses(self, inputs, training=True):
        """The losses of the three players."""
        x, labels = self._split(inputs)
        # z from q(z|x), and x1 = Dec(z), by the weights and not their averages;
        # the KL term is the loss of the layer `sampling`
        posterior = self.posterior_of(inputs, False, training)
        encoder_regularization = regularizers(self.encoder)
        z, kl = self.sampling(posterior.parameters, return_kl=True)
        weighted_kl = sum(self.sampling.losses)
        code = self.decoder_inputs(z, inputs)
        parameters = self.decoder(code, training=training)
        decoder_regularization = regularizers(self.decoder, self.likelihood)
        x1 = self.likelihood.example(parameters)
        # z2 from p(z), and x2 = Dec(z2)
        x2 = self._decoded_prior(inputs, training)
        # D (as `d`), and G over both kinds of generated examples
        real, *fakes = self._seen(training, x, x1)
        fakes += self._seen(training, x2)
        d, real, fakes = self._compare(real, fakes, labels, training)
        generator_loss = sum(
            self.adversarial_loss.generator_loss(fake.logits, real.logits)
            for fake in fakes
        )
        # L, in pixels and in the discriminator's features
        pixel_error = self._pixel_error(x, parameters)
        feature_error = half_square_distance(real.features, fakes[0].features)
        weight = self.feature_weight
        reconstruction = weight * feature_error + (1.0 - weight) * pixel_error
        # The likelihood's own variables follow -log p(x|z), whatever L is of:
        # this adds the part that L lacks, with the decoder's output held fixed.
        held = ops.stop_gradient(parameters)
        likelihood_loss = weight * self._pixel_error(x, held)
        regularization = encoder_regularization + decoder_regularization
        return VAEGANLosses(
            encoder=weighted_kl + reconstruction + encoder_regularization,
            decoder=self.reconstruction_weight * reconstruction
            + self.adversarial_weight * generator_loss
            + decoder_regularization
            + likelihood_loss,
            discriminator=d.loss,
            loss=weighted_kl
            + reconstruction
            + generator_loss
            + d.loss
            + regularization,
            reconstruction_loss=reconstruction,
            kl_loss=weighted_kl,
            generator_loss=generator_loss,
            discriminator_loss=d.discriminator_loss,
            penalty=d.penalty,
            regularization_loss=d.regularization_loss + regularization,
            real_probability=d.real_probability,
            fake_probability=d.fake_probability,
            elbo=-pixel_error - ops.mean(kl),
            levels=d.levels,
            **equilibrium.gates(
                real.logits, [y.logits for y in fakes], self.equilibrium_margin
            ),
        )

    def _pixel_error(self, x, parameters):
        """-log p(x|z) in the mean over the batch."""
        return -ops.mean(self.likelihood.log_prob(x, parameters))

    def _decoded_prior(self, inputs, training):
        """As many decoded draws from the prior as there are examples."""
        x, _ = self._split(inputs)
        z = self.prior.draw(ops.shape(x)[0], self.seed_generator)
        code = self.decoder_inputs(z, inputs)
        return self.likelihood.example(self.decoder(code, training=training))

    def _discriminator_outputs(self, x, labels=None, training=False):
        inputs = self.with_labels(x, labels)
        outputs = self._logits_and_features(inputs, training=training)
        return DiscriminatorOutputs(*(ops.cast(y, "float32") for y in outputs))

    def endpoints(self) -> dict:
        """Returns those of a VAE, and `discriminate`."""
        return {**super().endpoints(), **self._discriminate_endpoint()}
