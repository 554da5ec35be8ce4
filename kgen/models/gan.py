"""The generative adversarial network."""

from typing import Any, ClassVar, NamedTuple

import keras
import tensorflow as tf
from keras import ops
from keras.optimizers import Optimizer

from kgen.errors import invalid
from kgen.layers import Augmentation
from kgen.losses import AdversarialLoss, Penalty
from kgen.models import adversarial, outputs
from kgen.models.discriminator import network_inputs
from kgen.models.generator_sampler import GeneratorSampler
from kgen.models.sampled_conditions import SampledConditions
from kgen.models.training import compiles, training_step
from kgen.models.updates import Player, regularizers, update
from kgen.parallel import replicas
from kgen.params import (
    SEED,
    Boolean,
    Instance,
    Integer,
    Optional,
    checked,
)
from kgen.tables import Table

_LOGS = (
    "loss",
    "generator_loss",
    "discriminator_loss",
    "penalty",
    "regularization_loss",
    "real_probability",
    "fake_probability",
)


class GeneratorLosses(NamedTuple):
    """Means over a batch; `loss` is the sum of the other three."""

    loss: tf.Tensor
    generator_loss: tf.Tensor
    regularization_loss: tf.Tensor | float
    condition_loss: tf.Tensor | float


@keras.saving.register_keras_serializable(package="kgen")
class GAN(GeneratorSampler):
    """Generative adversarial network: a generator against a discriminator.

    The discriminator's logit says how real an example looks; the generator maps
    z from N(0, I) to examples that look real. With the default loss
    `"non_saturating"` they minimise

        discriminator:  -log D(x) - log(1 - D(G(z))) + penalty + regularizers
        generator:      -log D(G(z)) + regularizers

    where D is the sigmoid of the logit; each is the mean over a batch.

    A batch of `fit` is cut into K = `discriminator_steps` parts of one size
    (leftover examples are dropped); under a `tf.distribute` strategy, each
    replica cuts its own share. For each part: fresh z, and an update of the
    discriminator on the part and as many generated examples. Then one update of
    the generator, with fresh z and the labels of the last part. So `batch_size`
    is K times what one update sees.

    The logs are `generator_loss`, `discriminator_loss` (without its penalty),
    `penalty`, `regularization_loss` (of both networks; each of these two where
    there is one), the mean probabilities
    `real_probability` and `fake_probability` that the discriminator gives to
    real and generated examples, and
    `loss`, the sum of all losses, which does not measure quality. With
    K > 1, all logs of the discriminator are those of the last of its updates. In
    validation, the losses are those of the current weights, not of their average,
    and without noise; `call`, `sample` and what is exported take the average of
    the generator's weights.

    With `training_by_sampling`, as in CTGAN, both networks are told that a column of
    a table has a certain value, as labels tell of a class. Of the values in a batch one
    is drawn by the logarithm of its frequency in the table, and the batch's rows are
    drawn anew to have it (see `kgen.tables.Conditions`), so that rare categories are
    trained on more. A value that is in few batches is trained on in these alone: use
    large batches, such as CTGAN's of 500 rows. To the generator's loss is added -log p
    that its row has the value, `condition_loss`. After training, the first number of z
    chooses the value, with the frequencies of the table. Only one device can do it.

    Args:
        generator: Built `keras.Model` from z, or `[z, labels]`, to examples.
        discriminator: Built `keras.Model` from examples, or `[x, labels]`, to
            logits of shape `(batch, 1)`. One whose input has m times the
            channels (or features) sees m examples at once (packing).
        latent_dim: Size of z; None for the size of the generator's input.
        seed: Integer for all draws, or None.
        table: The `kgen.data.Table` whose rows the generator makes, with a
            `kgen.layers.ColumnsOutput` at its end; or None.
        training_by_sampling: Whether the networks are trained on conditions, which
            they take as labels; for a table without a target.

    Raises:
        InvalidArgument: If networks don't fit together, or a value is out of
            range.

    Example:

        gan = kgen.create_model("gan", input_shape=(8, 8, 1), latent_dim=16)
        gan.compile()
        gan.fit(train, epochs=200)
        images = gan.sample(16, seed=0)

    References:
        Goodfellow et al. (2014), arXiv 1406.2661, algorithm 1;
        Lin et al. (2018), arXiv 1712.04086 (PacGAN, packing);
        Xu et al. (2019), arXiv 1907.00503, section 4.3 (training by sampling).
    """

    argument_attributes: ClassVar = {"table": "rows_table"}
    draws_gaps = True

    @checked(
        latent_dim=Optional(Integer(1)),
        seed=Optional(SEED),
        table=Optional(Instance(Table, "a kgen.data.Table")),
        training_by_sampling=Boolean(),
    )
    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        latent_dim: int | None = None,
        seed: int | None = None,
        table: Table | None = None,
        training_by_sampling: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.seed = seed
        self.rows_table = table
        self.training_by_sampling = training_by_sampling
        logs = (*_LOGS, "condition_loss") if training_by_sampling else _LOGS
        self._set_networks(
            logs, generator=generator, discriminator=discriminator
        )
        self.conditions = None
        if training_by_sampling:
            self.conditions = SampledConditions(
                table, generator, self.num_classes
            )
            # The data have no labels.
            self.conditional, self.num_classes = False, None
            self.input_shapes = self.input_shapes[:1]
        self._set_players(generator, discriminator)
        self._set_shape(
            generator.outputs[0].shape[1:],
            outputs.bounds_of("generator", "GAN", generator),
        )
        z = generator.inputs[0]
        if len(z.shape) != 2:
            expected = "a first input of shape (batch, latent_dim)"
            raise invalid("generator", "GAN", expected, f"shape {z.shape}")
        self.latent_dim = z.shape[-1]
        if latent_dim not in (None, self.latent_dim):
            expected = f"{self.latent_dim}, the size that the generator takes"
            raise invalid("latent_dim", "GAN", expected, latent_dim)
        self.seed_generator = keras.random.SeedGenerator(seed)

    @compiles(**adversarial.CONSTRAINTS)
    def compile(
        self,
        optimizer: Optimizer | str = "adam:0.001:0.5",
        discriminator_optimizer: Optimizer | str = "adam:0.001:0.5",
        loss: AdversarialLoss | str = "non_saturating",
        penalty: Penalty | str | list | None = "auto",
        discriminator_steps: int = 1,
        ema_decay: float | None = 0.999,
        label_smoothing: float = 0.0,
        instance_noise: float = 0.0,
        *,
        learning_rate_decay: float = 0.5,
        penalty_every: int = 1,
        lecam_weight: float = 0.0,
        augmentation: Augmentation | str | None = None,
        steps_per_execution: int = 16,
        run_eagerly: bool = False,
        jit_compile: bool = False,
    ) -> None:
        """Configures the training of both players.

        Args:
            optimizer: Keras optimizer of the generator, or its name.
            discriminator_optimizer: Optimizer of the discriminator. If a
                callback of `fit` changes the generator's learning rate, this
                one's changes by the same factor.
            loss: `"minimax"`, `"non_saturating"`, `"least_squares"`, `"hinge"`,
                `"wasserstein"`, `"relativistic"` (against the mean of the others),
                `"relativistic_paired"` (against one other), or an
                `AdversarialLoss`.
            penalty: On the gradient of the discriminator's logit with respect
                to its input: `"gradient_penalty"` (between real and generated
                examples), `"r1"` (at real ones), `"r2"` (at generated ones),
                `"dragan"` (near real ones), with a weight as in `"r1:0.5"`; a
                `Penalty`; a list of these, which are added up; or None. `"auto"`
                is `"r1:1"` for pictures, and `"gradient_penalty:0.1"` for all else.
            discriminator_steps: K, the discriminator's updates for each update
                of the generator.
            ema_decay: Decay of the average of the generator's weights, with
                which `sample` draws; None for none.
            label_smoothing: The discriminator's target for real examples is
                `1 - label_smoothing`, in losses that have such a target.
            instance_noise: Standard deviation of the noise on all that the
                discriminator sees in training (Sonderby et al. 2017).
            learning_rate_decay: The last share of `fit`'s epochs, in which both
                learning rates fall linearly towards 0, from one epoch to the next;
                0 for none. The first epoch of the fall has the full rate, so that
                with 0.5 the rate of one or two epochs does not fall. Unless `verbose`
                is 0, `fit` prints which epoch is the first with lower rates. Players
                that are near their equilibrium come to rest only at small rates.
                This is done where all players have kgen's Adam (which `"adam"`
                names) without a schedule or weight decay, and `fit` has neither a
                `LearningRateScheduler` nor a `ReduceLROnPlateau`. A rate that
                another callback sets is multiplied as well. Each call of `fit` has
                its own fall, so that a loop of `fit(epochs=1)` has none.
            penalty_every: k, of a penalty that only each k-th update of the
                discriminator has, from the first on, and k times: for speed.
                Several devices compute it always. Logs are those of the last of
                `discriminator_steps` updates. If that never has the penalty, as
                with 2 for both, the log `penalty` leaves it out.
            lecam_weight: Weight of the regularizer `kgen.losses.LeCam`, for little
                data; 0 for none. It is part of the log `penalty`.
            augmentation: Of all pictures that the discriminator sees in training,
                for little data: `"diffaugment"`, `"adaptive"` (by the
                overfitting), what `kgen.layers.augmentation.get` takes besides,
                or None.
            steps_per_execution: Batches for each call into TensorFlow.
            run_eagerly: Whether steps run as plain Python, for debugging.
            jit_compile: Whether XLA compiles the step. XLA leaves out the
                checks of labels and values in each batch.

        Raises:
            InvalidArgument: If a name is unknown or a value out of range.
        """
        variables = self.generator.trainable_variables
        optimizer = self._player_optimizer("optimizer", optimizer, variables)
        self._compile_players(
            {},
            optimizer,
            variables,
            discriminator_optimizer=discriminator_optimizer,
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
        return self.generator

    @training_step
    def train_step(self, data: Any) -> dict:
        inputs, x = self.unpack(data)
        parts = self._parts(self._sampled(inputs), self.discriminator_steps)
        for part in parts:
            losses = update(
                lambda part=part: self._discriminator_losses(part),
                self._discriminator_player(),
            )
            self._follow(losses, part)
        generator_losses = update(
            lambda: self._generator_losses(parts[-1]),
            Player(self.optimizer, self.generator.trainable_variables),
        )
        self._update_averages()
        return self._log(_merged(losses, generator_losses), x)

    def _step_losses(self, inputs, training):
        inputs = self._sampled(inputs)
        losses = self._discriminator_losses(inputs, training)
        return _merged(losses, self._generator_losses(inputs, training))

    def _sampled(self, inputs):
        """A batch's rows drawn anew, with their conditions; or it as it is."""
        if self.conditions is None:
            return inputs
        return self.conditions.draw(inputs, self.seed_generator)

    def _discriminator_losses(self, inputs, training=True):
        x, labels = self._split(inputs)
        (real,) = self._seen(training, x)
        fake, _ = self._generated(inputs, training)
        (fake,) = self._seen(training, fake)
        losses, *_ = self._compare(real, [fake], labels, training)
        return losses

    def _generator_losses(self, inputs, training=True):
        x, labels = self._split(inputs)
        fake, condition_loss = self._generated(inputs, training)
        regularization = regularizers(self.generator)
        (fake,) = self._seen(training, fake)
        fake_logits = self._discriminator_outputs(fake, labels, training).logits
        real_logits = None
        if self.adversarial_loss.needs_real:
            (real,) = self._seen(training, x)
            real_logits = self._discriminator_outputs(
                real, labels, training
            ).logits
        loss = self.adversarial_loss.generator_loss(fake_logits, real_logits)
        return GeneratorLosses(
            loss=loss + condition_loss + regularization,
            generator_loss=loss,
            regularization_loss=regularization,
            condition_loss=condition_loss,
        )

    def _generated(self, inputs, training):
        """As many examples as there are real ones, of the same classes.

        Returns:
            The examples, and -log p that they meet their conditions, or 0.
        """
        x, labels = self._split(inputs)
        shape = (ops.shape(x)[0], self.latent_dim)
        z = replicas.normal(shape, self.seed_generator)
        if self.conditions is not None:
            return self.conditions.generate(z, labels, training)
        x = self.generator(network_inputs(z, labels), training=training)
        return ops.cast(x, "float32"), 0.0

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """Examples from z, or `[z, labels]`, by the averaged weights if any."""
        if self.conditions is not None:
            inputs = self.conditions.with_condition(inputs)
        x = self.serving_generator(inputs, training=training)
        return ops.cast(x, "float32")

    @property
    def _called_with(self):
        return (self.latent_dim,), None


def _merged(discriminator, generator):
    """The losses of both by the names of the logs; their sum is `loss`."""
    regularization_loss = (
        discriminator.regularization_loss + generator.regularization_loss
    )
    return {
        **discriminator._asdict(),
        **generator._asdict(),
        "loss": discriminator.loss + generator.loss,
        "regularization_loss": regularization_loss,
    }
