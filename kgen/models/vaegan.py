"""The VAE-GAN: a VAE whose decoder plays against a discriminator."""

import keras
from keras import ops

from kgen import optimizers
from kgen.errors import check_number, check_seed
from kgen.layers import GaussianSampling
from kgen.losses import gaussian_kl, likelihoods
from kgen.losses.divergences import bound_log_var
from kgen.models import faults
from kgen.models.adversarial import Adversarial
from kgen.models.averages import WeightAverage
from kgen.models.base import Player, fixed_draws, in_scope, total, update
from kgen.models.encoder_decoder import check_fit
from kgen.models.latent import LatentGaussianModel, check_posterior
from kgen.networks.common import layer_output
from kgen.parallel import replicas

_LOGS = (
    "loss",
    "reconstruction_loss",
    "kl_loss",
    "generator_loss",
    "discriminator_loss",
    "penalty",
    "regularization_loss",
    "real_probability",
    "fake_probability",
    "elbo",
)
# Cross-entropy at which neither side is ahead, of the authors' code.
_EQUILIBRIUM = 0.68


@keras.saving.register_keras_serializable(package="kgen")
class VAEGAN(Adversarial, LatentGaussianModel):
    """Variational autoencoder with a discriminator: a VAE's codes, sharp pictures.

    With z from q(z|x), x1 = Dec(z), z2 from N(0, I) and x2 = Dec(z2), three
    players take one step at a time, each by the gradient of its own loss:

        encoder:        kl_weight * KL(q(z|x) || N(0, I)) + L
        decoder:        reconstruction_weight * L + adversarial_weight * G
        discriminator:  D

    D is the adversarial loss of the discriminator with two kinds of generated
    examples, -log D(x) - log(1 - D(x1)) - log(1 - D(x2)), and its penalty, where
    that needs generated examples at x1; G
    that of the decoder, summed over both kinds. With `loss="minimax"`, G is -D's
    part, as the paper has it. L is the reconstruction error, in nats per image,

        feature_weight * |f(x) - f(x1)|^2 / 2 + (1 - feature_weight) * -log p(x|z)

    with f the features in the discriminator's layer `feature_layer`, whose
    weights L does not change, and p(x|z) the likelihood of pixels. Each
    network's regularizers go to its own player. The likelihood's own variables
    are the decoder's, and follow -log p(x|z), where L is of features alone, too.

    A batch of `fit` is cut into `discriminator_steps` parts; the encoder and the
    decoder are updated with the last one.

    The logs are `reconstruction_loss` (L), `kl_loss`, `generator_loss` (G),
    `discriminator_loss` (D without the penalty), `penalty`,
    `regularization_loss`, `loss` (the sum of these), the mean probabilities
    `real_probability` and `fake_probability`, and `elbo`, the bound on log p(x)
    under the likelihood of pixels.

    Args:
        encoder: Built `keras.Model` from x, or `[x, labels]`, to
            `(mean, log_var)`.
        decoder: Built `keras.Model` from z, or `[z, labels]`, to the
            likelihood's parameters.
        discriminator: Built `keras.Model` from x, or `[x, labels]`, to logits of
            shape `(batch, 1)`.
        feature_layer: Name of the discriminator's layer whose output are the
            features, of one output and applied once; `"features"` in kgen's
            own.
        likelihood: Of pixels, as in `VAE`.
        feature_weight: Number from 0 (pixels alone) to 1 (features alone).
        kl_weight: Weight of the KL term, >= 0. It stands against an error in
            features, whose scale the penalty of the discriminator keeps small:
            1, as in a VAE, would leave nothing in the code.
        free_bits: Nats per latent dimension that the KL term doesn't count.
        seed: Integer for all draws, or None.

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

    kinds = 2

    def __init__(
        self,
        encoder,
        decoder,
        discriminator,
        feature_layer="features",
        likelihood="gaussian:learned",
        feature_weight=1.0,
        kl_weight=0.02,
        free_bits=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.feature_weight = check_number(
            "feature_weight", "VAEGAN", feature_weight, maximum=1.0
        )
        self.kl_weight = check_number("kl_weight", "VAEGAN", kl_weight)
        self.free_bits = check_number("free_bits", "VAEGAN", free_bits)
        self.seed = check_seed("VAEGAN", seed)
        self.sampling = GaussianSampling(
            self.kl_weight, self.free_bits, seed=self.seed
        )
        # Not the seed of `sampling`: z2 would be the noise of the posterior.
        other = None if self.seed is None else self.seed + 1
        self.seed_generator = keras.random.SeedGenerator(other)
        self._set_encoder_decoder(
            _LOGS,
            likelihoods.get(likelihood, "VAEGAN"),
            encoder,
            decoder,
            discriminator=discriminator,
        )
        check_posterior("VAEGAN", encoder)
        check_fit("VAEGAN", encoder, decoder, encoder.outputs[:1])
        self._set_players(decoder, discriminator)
        # Of both: an old decoder can't read the codes of a new encoder.
        self.encoder_average = WeightAverage(encoder)
        self.feature_layer = feature_layer
        self._set_features(feature_layer)

    def _set_features(self, name):
        """Keeps a function to the logits and features of one run."""
        features = layer_output(
            self.discriminator, name, "feature_layer", "VAEGAN"
        )
        judge = keras.Model(
            self.discriminator.inputs,
            [self.discriminator.outputs[0], features],
        )
        # A function: as an attribute, Keras would save its layers again.
        self._logits_and_features = lambda x, **kwargs: judge(x, **kwargs)

    @in_scope
    def compile(
        self,
        optimizer="adam:0.001:0.5",
        decoder_optimizer=None,
        discriminator_optimizer=None,
        loss="non_saturating",
        penalty="gradient_penalty:0.1",
        reconstruction_weight=1.0,
        adversarial_weight=1.0,
        discriminator_steps=1,
        ema_decay=0.999,
        label_smoothing=0.0,
        instance_noise=0.0,
        equilibrium_margin=None,
        *,
        steps_per_execution=16,
        run_eagerly=False,
        jit_compile=False,
    ):
        """Says how the three players are trained.

        Args:
            optimizer: Keras optimizer of the encoder, or its name. A callback of
                `fit` that changes its rate changes the others' by the same
                factor.
            decoder_optimizer: That of the decoder; None for another of the
                encoder's settings.
            discriminator_optimizer: That of the discriminator; likewise.
            loss: As in `GAN.compile`.
            penalty: As in `GAN.compile`.
            reconstruction_weight: gamma, the weight of the reconstruction error
                in the decoder's loss, >= 0.
            adversarial_weight: That of the adversarial loss there, >= 0; with 0
                and the error in pixels, training is a VAE's, weight for weight
                (the moving statistics of batch normalisation see draws from
                the prior, too).
            discriminator_steps: K, the discriminator's updates for each of the
                others'.
            ema_decay: Decay of the averages of the encoder's and the decoder's
                weights, by which all is encoded and decoded once trained; None
                for none.
            label_smoothing: As in `GAN.compile`.
            instance_noise: As in `GAN.compile`.
            equilibrium_margin: None, or m: the discriminator sits out a step
                where its cross-entropy on real or on generated examples is
                below 0.68 - m, and the decoder where one is above 0.68 + m,
                as in the authors' code (there m is 0.35); where both would,
                both play.
            steps_per_execution: Batches for each call into TensorFlow.
            run_eagerly: Whether steps run as plain Python, for debugging.
            jit_compile: Whether XLA compiles the step. XLA leaves out the
                checks of labels and values in each batch.

        Raises:
            InvalidArgument: If a name is unknown or a value out of range.
        """
        owner = "VAEGAN.compile"
        arguments = {
            "steps_per_execution": steps_per_execution,
            "run_eagerly": run_eagerly,
            "jit_compile": jit_compile,
        }
        numbers = {
            "reconstruction_weight": reconstruction_weight,
            "adversarial_weight": adversarial_weight,
            "equilibrium_margin": equilibrium_margin,
        }
        for name, number in numbers.items():
            if number is not None or name != "equilibrium_margin":
                numbers[name] = check_number(name, owner, number)
            setattr(self, name, numbers[name])
        optimizer = self._player_optimizer(
            "optimizer", optimizer, self.encoder.trainable_variables
        )
        decoder_optimizer, discriminator_optimizer = (
            optimizers.another(optimizer) if given is None else given
            for given in (decoder_optimizer, discriminator_optimizer)
        )
        self.decoder_optimizer = self._player_optimizer(
            "decoder_optimizer",
            decoder_optimizer,
            self._decoder_variables,
        )
        own = self._compile_players(
            discriminator_optimizer,
            loss,
            penalty,
            discriminator_steps,
            ema_decay,
            label_smoothing,
            instance_noise,
        )
        own["decoder_optimizer"] = self.decoder_optimizer
        self._compile(
            {**own, **numbers, **arguments},
            optimizer,
            self.encoder.trainable_variables,
            **arguments,
        )

    @property
    def _generator(self):
        return self.decoder

    @property
    def _averages(self):
        return [*super()._averages, (self.encoder_average, self.encoder)]

    @property
    def _encoded_by(self):
        return self.encoder_average.copy if self._averaged else self.encoder

    @property
    def _followers(self):
        return [self.decoder_optimizer, self.discriminator_optimizer]

    @property
    def _decoder_variables(self):
        return (
            self.decoder.trainable_variables
            + self.likelihood.trainable_variables
        )

    @replicas.step
    @faults.step
    def train_step(self, data):
        inputs, x = self.unpack(data)
        *first, last = self._parts(inputs, self.discriminator_steps)
        gated = self.equilibrium_margin is not None
        discriminator = self._discriminator_player(
            loss="discriminator",
            gate="discriminator_plays" if gated else None,
        )
        for part in first:
            update(lambda part=part: self._players_losses(part), discriminator)
        logs = update(
            lambda: self._players_losses(last),
            Player(self.optimizer, self.encoder.trainable_variables, "encoder"),
            Player(
                self.decoder_optimizer,
                self._decoder_variables,
                "decoder",
                gate="decoder_plays" if gated else None,
            ),
            discriminator,
        )
        self._update_averages()
        self.log_means.update_state(logs, replicas.examples(x))
        return self.log_means.result()

    @replicas.step
    def test_step(self, data):
        inputs, x = self.unpack(data, values=True)
        (inputs,) = self._parts(inputs, 1)
        with fixed_draws(self, self.seed or 0, self.log_means.seen()):
            logs = self._players_losses(inputs, training=False)
        self.log_means.update_state(logs, replicas.examples(x))
        return self.log_means.result()

    def _players_losses(self, inputs, training=True):
        """The three players' losses, and the logs, by their names."""
        x, labels = self._split(inputs)
        mean, log_var = self.encoded(inputs, training)
        encoder_regularization = total(self.encoder.losses)
        z = self.sampling([mean, log_var])
        kl = sum(self.sampling.losses)
        parameters = self.decoder(self._condition(z, inputs), training=training)
        # Those of this call, as a VAE has them; the next one replaces them.
        decoder_regularization = total(
            self.decoder.losses + self.likelihood.losses
        )
        drawn = self._decoded_prior(inputs, training)
        # x and its reconstruction get the same noise: it is no error.
        noise = self._noise(x, training)
        real = self._seen(x, noise)
        fakes = [
            self._seen(self.likelihood.mean(parameters), noise),
            self._seen(drawn, self._noise(drawn, training)),
        ]
        judge, judged, judged_fakes = self._judged(
            real, fakes, labels, training
        )
        pixels = -ops.mean(self.likelihood.log_prob(x, parameters))
        features = _half_square_distance(judged[1], judged_fakes[0][1])
        weight = self.feature_weight
        reconstruction = weight * features + (1.0 - weight) * pixels
        generator_loss = sum(
            self.adversarial_loss.generator_loss(logits, judged[0])
            for logits, _ in judged_fakes
        )
        fit_of_likelihood = weight * -ops.mean(
            self.likelihood.log_prob(x, ops.stop_gradient(parameters))
        )
        decoder_loss = (
            self.reconstruction_weight * reconstruction
            + self.adversarial_weight * generator_loss
            + decoder_regularization
        )
        divergence = gaussian_kl(mean, bound_log_var(log_var))
        regularization = (
            judge["regularization_loss"]
            + encoder_regularization
            + decoder_regularization
        )
        return {
            **judge,
            **self._gates(judged[0], judged_fakes),
            "encoder": kl + reconstruction + encoder_regularization,
            "decoder": decoder_loss + fit_of_likelihood,
            "discriminator": judge["loss"],
            "loss": kl
            + reconstruction
            + generator_loss
            + judge["discriminator_loss"]
            + judge["penalty"]
            + regularization,
            "reconstruction_loss": reconstruction,
            "kl_loss": kl,
            "generator_loss": generator_loss,
            "regularization_loss": regularization,
            "elbo": -pixels - ops.mean(ops.sum(divergence, axis=-1)),
        }

    def _decoded_prior(self, inputs, training):
        """As many decoded draws from the prior as there are examples."""
        x, _ = self._split(inputs)
        shape = (ops.shape(x)[0], self.latent_dim)
        z = replicas.normal(shape, self.seed_generator)
        code = self._condition(z, inputs)
        return self.likelihood.mean(self.decoder(code, training=training))

    def _gates(self, real_logits, judged_fakes):
        """Who plays, where there is a margin around the equilibrium."""
        margin = self.equilibrium_margin
        if margin is None:
            return {}
        fake_logits = ops.concatenate([logits for logits, _ in judged_fakes])
        costs = ops.stack(
            [
                replicas.mean(ops.softplus(-real_logits)),
                replicas.mean(ops.softplus(fake_logits)),
            ]
        )
        discriminator = ops.all(costs >= _EQUILIBRIUM - margin)
        decoder = ops.all(costs <= _EQUILIBRIUM + margin)
        neither = ops.logical_not(ops.logical_or(discriminator, decoder))
        return {
            "discriminator_plays": ops.logical_or(discriminator, neither),
            "decoder_plays": ops.logical_or(decoder, neither),
        }

    def _judge(self, x, labels=None, training=False):
        logits, features = self._logits_and_features(
            self.with_labels(x, labels), training=training
        )
        return ops.cast(logits, "float32"), ops.cast(features, "float32")

    def _parameters_of(self, code, training=False):
        # Once trained, all decodes by the average, if there is one.
        decoder = self.decoder if training else self._drawn_by
        return decoder(code, training=training)

    def endpoints(self):
        """Those of a VAE, and `discriminate`."""
        return {**super().endpoints(), **self._discriminate_endpoint()}


def _half_square_distance(one, other):
    """`|one - other|^2 / 2` of each example, in the mean over the batch."""
    square = ops.square(one - other)
    return 0.5 * ops.mean(ops.sum(square, axis=range(1, len(one.shape))))
