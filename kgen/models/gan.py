"""The generative adversarial network."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from keras.optimizers import Optimizer

from kgen.arrays import Labels
from kgen.errors import invalid
from kgen.losses import AdversarialLoss, Penalty
from kgen.models import adversarial, batches, outputs, paths, table_rows
from kgen.models.adversarial import Adversarial
from kgen.models.draws import fixed_draws, new_seed
from kgen.models.training import compiles, training_step, validation_step
from kgen.models.updates import Player, regularizers, update
from kgen.parallel import replicas
from kgen.params import SEED, Instance, Integer, Optional, Options, checked
from kgen.priors.base import standard_normal
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
    """Means over a batch; `loss` is the sum of the other two."""

    loss: tf.Tensor
    generator_loss: tf.Tensor
    regularization_loss: tf.Tensor | float


@keras.saving.register_keras_serializable(package="kgen")
class GAN(Adversarial):
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
    `loss`, the sum of all four losses, which does not measure quality. With
    K > 1, all logs of the discriminator are those of the last of its updates. In
    validation, the losses are those of the current weights, not of their average,
    and without noise; `call`, `sample` and what is exported take the average of
    the generator's weights.

    Args:
        generator: Built `keras.Model` from z, or `[z, labels]`, to examples.
        discriminator: Built `keras.Model` from examples, or `[x, labels]`, to
            logits of shape `(batch, 1)`. One whose input has m times the
            channels (or features) sees m examples at once (packing).
        latent_dim: Size of z; None for the size of the generator's input.
        seed: Integer for all draws, or None.
        table: The `kgen.data.Table` whose rows the generator makes, with a
            `kgen.layers.ColumnsOutput` at its end; or None.

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
        Lin et al. (2018), arXiv 1712.04086 (PacGAN, packing).
    """

    argument_attributes: ClassVar = {"table": "rows_table"}
    draws_gaps = True

    @checked(
        latent_dim=Optional(Integer(1)),
        seed=Optional(SEED),
        table=Optional(Instance(Table, "a kgen.data.Table")),
    )
    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        latent_dim: int | None = None,
        seed: int | None = None,
        table: Table | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.seed = seed
        self.rows_table = table
        self._set_networks(
            _LOGS, generator=generator, discriminator=discriminator
        )
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
        penalty: Penalty | str | None = "gradient_penalty:0.1",
        discriminator_steps: int = 1,
        ema_decay: float | None = 0.999,
        label_smoothing: float = 0.0,
        instance_noise: float = 0.0,
        *,
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
                `"wasserstein"`, `"relativistic"`, or an `AdversarialLoss`.
            penalty: On the gradient of the discriminator's logit with respect
                to its input: `"gradient_penalty"` (between real and generated
                examples), `"r1"` (at real ones), `"dragan"` (near real ones), with a
                weight as in `"r1:0.5"`; a `Penalty`; or None.
            discriminator_steps: K, the discriminator's updates for each update
                of the generator.
            ema_decay: Decay of the average of the generator's weights, with
                which `sample` draws; None for none.
            label_smoothing: The discriminator's target for real examples is
                `1 - label_smoothing`, in losses that have such a target.
            instance_noise: Standard deviation of the noise on all that the
                discriminator sees in training (Sonderby et al. 2017).
            steps_per_execution: Batches for each call into TensorFlow.
            run_eagerly: Whether steps run as plain Python, for debugging.
            jit_compile: Whether XLA compiles the step. XLA leaves out the
                checks of labels and values in each batch.

        Raises:
            InvalidArgument: If a name is unknown or a value out of range.
        """
        variables = self.generator.trainable_variables
        optimizer = self._player_optimizer("optimizer", optimizer, variables)
        arguments = self._compile_players(
            discriminator_optimizer,
            loss,
            penalty,
            discriminator_steps,
            ema_decay,
            label_smoothing,
            instance_noise,
        )
        self._compile(
            arguments,
            optimizer,
            variables,
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
        parts = self._parts(inputs, self.discriminator_steps)
        for part in parts:
            losses = update(
                lambda part=part: self._discriminator_losses(part),
                self._discriminator_player(),
            )
        generator_losses = update(
            lambda: self._generator_losses(parts[-1]),
            Player(self.optimizer, self.generator.trainable_variables),
        )
        self._update_averages()
        return self._log_both(losses, generator_losses, x)

    @validation_step
    def test_step(self, data: Any) -> dict:
        inputs, x = self.unpack(data, values=True)
        (inputs,) = self._parts(inputs, 1)  # whole packs of examples
        with fixed_draws(self, self.seed or 0, self.log_means.seen()):
            losses = self._discriminator_losses(inputs, training=False)
            generator_losses = self._generator_losses(inputs, training=False)
        return self._log_both(losses, generator_losses, x)

    def _discriminator_losses(self, inputs, training=True):
        x, labels = self._split(inputs)
        real = self._discriminator_examples(x, self._noise(x, training))
        fake = self._generated(inputs, training)
        fake = self._discriminator_examples(fake, self._noise(fake, training))
        losses, *_ = self._compare(real, [fake], labels, training)
        return losses

    def _generator_losses(self, inputs, training=True):
        x, labels = self._split(inputs)
        fake = self._generated(inputs, training)
        regularization = regularizers(self.generator)
        fake = self._discriminator_examples(fake, self._noise(fake, training))
        fake_logits = self._discriminator_outputs(fake, labels, training).logits
        real_logits = None
        if self.adversarial_loss.needs_real:
            real = self._discriminator_examples(x, self._noise(x, training))
            real_logits = self._discriminator_outputs(
                real, labels, training
            ).logits
        loss = self.adversarial_loss.generator_loss(fake_logits, real_logits)
        return GeneratorLosses(
            loss=loss + regularization,
            generator_loss=loss,
            regularization_loss=regularization,
        )

    def _generated(self, inputs, training):
        """As many examples as there are real ones, of the same classes."""
        x, labels = self._split(inputs)
        shape = (ops.shape(x)[0], self.latent_dim)
        z = replicas.normal(shape, self.seed_generator)
        x = self.generator(self.with_labels(z, labels), training=training)
        return ops.cast(x, "float32")

    def _log_both(self, discriminator, generator, x):
        logs = discriminator._replace(
            loss=discriminator.loss + generator.loss,
            regularization_loss=discriminator.regularization_loss
            + generator.regularization_loss,
        )._asdict()
        return self._log(
            {**logs, "generator_loss": generator.generator_loss}, x
        )

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """Examples from z, or `[z, labels]`, by the averaged weights if any."""
        x = self.serving_generator(inputs, training=training)
        return ops.cast(x, "float32")

    @property
    def _called_with(self):
        return (self.latent_dim,), None

    # Once trained

    @checked(num_samples=Integer(1))
    def sample(
        self,
        num_samples: int,
        labels: Labels | None = None,
        seed: int | None = None,
        conditions: Mapping[str, Any] | None = None,
    ) -> Any:
        """Examples from the generator, by its averaged weights if there are any.

        Args:
            num_samples: How many.
            labels: Integer or `num_samples` integers, for a conditional model.
            seed: Integer; the same one gives the same examples, also from the
                exported model. None for new ones at each call.
            conditions: As in `VAE.sample`, for a table.

        Returns:
            Array of shape `(num_samples, *input_shape)`; of a table a DataFrame.

        Raises:
            InvalidArgument: As in `VAE.sample`.
        """
        return table_rows.sample(
            self, self._draw_examples, num_samples, labels, seed, conditions
        )

    def _draw_examples(self, num_samples, labels, seed):
        z = standard_normal(num_samples, self.latent_dim, seed)
        return self._generate_all(z, labels)

    @property
    def table(self) -> Table | None:
        """The table whose rows the generator makes, or None."""
        return self.rows_table

    @checked(
        num_ways=Integer(1), steps=Integer(2), path=Options(tuple(paths.PATHS))
    )
    def interpolate(
        self,
        num_ways: int,
        steps: int = 8,
        path: str = "spherical",
        labels: Labels | None = None,
        seed: int | None = None,
    ) -> np.ndarray:
        """Examples on the way from one draw of the prior to another.

        The spherical path is that of a VAE's `interpolate`: its points are as
        far from 0 as draws from the prior are.

        Args:
            num_ways: How many ways, n. They lead from the first half of
                `sample(2 * n, seed=seed)` to the second.
            steps: How many examples, the two ends among them; 2 or more.
            path: `"spherical"` or `"linear"`.
            labels: Integer or `num_ways` integers, for a conditional model: a
                way is of one class.
            seed: As in `sample`.

        Returns:
            Array of shape `(num_ways, steps, *input_shape)`.

        Raises:
            InvalidArgument: If a value can't be used.

        References:
            White (2016), arXiv 1609.04468, section 2.1.
        """
        labels = self.labels_for(num_ways, labels, "interpolate")
        if labels is not None:
            labels = np.repeat(labels, steps)
        z = standard_normal(
            2 * num_ways, self.latent_dim, new_seed(seed)
        ).numpy()
        z = paths.between(z[:num_ways], z[num_ways:], steps, path)
        images = self._generate_all(z, labels)
        return images.reshape(num_ways, steps, *self.input_shapes[0])

    def _generate_all(self, z, labels):
        inputs = batches.of_arrays(
            z if labels is None else (z, labels), 1024, "GAN"
        )
        return batches.apply(self, self._generate, inputs)

    def _generate(self, inputs, number=0):
        return self(inputs, training=False)

    def endpoints(self) -> dict:
        """Returns `serving_default` (z to images), `sample` and `discriminate`."""
        z = tf.TensorSpec((None, self.latent_dim), "float32", "z")
        count = tf.TensorSpec((), "int32", "num_samples")
        seed = tf.TensorSpec((), "int32", "seed")
        labels = self.label_specs()

        def serve(z, labels=None):
            return {"images": self(self.with_labels(z, labels))}

        def sample(num_samples, seed, labels=None):
            z = standard_normal(num_samples, self.latent_dim, seed)
            return {"images": self(self.with_labels(z, labels))}

        return {
            "serving_default": (serve, [z, *labels]),
            "sample": (sample, [count, seed, *labels]),
            **self._discriminate_endpoint(),
        }

    def lite_endpoints(self) -> dict:
        """Returns `generate`, from z to images."""
        return {"generate": self.endpoints()["serving_default"]}
