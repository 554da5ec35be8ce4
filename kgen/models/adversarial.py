"""What models with a discriminator share."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kgen import optimizers
from kgen.errors import InvalidArgument, invalid
from kgen.losses import adversarial, penalties
from kgen.models.averages import WeightAverage
from kgen.models.base import GenerativeModel
from kgen.models.network_checks import check_discriminator
from kgen.models.rates import KeepRatio
from kgen.models.training import Traces
from kgen.models.updates import Player, regularizers
from kgen.parallel import replicas
from kgen.params import Integer, Number, Optional

# The discriminator's side of `compile`.
CONSTRAINTS = {
    "discriminator_steps": Integer(1),
    "ema_decay": Optional(Number(0.0, below=1.0)),
    "label_smoothing": Number(0.0),
    "instance_noise": Number(0.0),
}


class DiscriminatorOutputs(NamedTuple):
    """What a discriminator says of examples.

    Args:
        logits: Of shape `(batch / pack, 1)`: above 0 where they look real.
        features: What it sees in them, or None.
    """

    logits: tf.Tensor
    features: tf.Tensor | None = None


class DiscriminatorLosses(NamedTuple):
    """Means over a batch; `loss` is the sum of the three losses after it."""

    loss: tf.Tensor
    discriminator_loss: tf.Tensor
    penalty: tf.Tensor | float
    regularization_loss: tf.Tensor | float
    real_probability: tf.Tensor
    fake_probability: tf.Tensor


class Adversarial(GenerativeModel):
    """Base of models with a discriminator beside a network that generates.

    A subclass passes both to `_set_players` once its networks are set, and calls
    `_compile_players` in `compile`. A batch of `fit` is cut into
    `discriminator_steps` parts, one for each update of the discriminator.
    """

    # How many kinds of generated examples the discriminator sees.
    num_fake_kinds = 1

    def _set_players(self, generator, discriminator):
        """Sets up packing, and the average of the generator's weights.

        Args:
            generator: The network whose weights may be averaged.
            discriminator: One that fits its output.
        """
        owner = type(self).__name__
        self.pack = check_discriminator(owner, generator, discriminator)
        self.average = WeightAverage(generator)
        self._averaged = False
        self.discriminator_steps = 1

    def _compile_players(
        self,
        discriminator_optimizer,
        loss,
        penalty,
        discriminator_steps,
        ema_decay,
        label_smoothing,
        instance_noise,
    ):
        """Does the discriminator's side of `compile`.

        Returns:
            Dictionary of the arguments to save.
        """
        owner = f"{type(self).__name__}.compile"
        self.discriminator_steps = discriminator_steps
        self.instance_noise = instance_noise
        self.ema_decay = ema_decay
        was_averaged, self._averaged = self._averaged, ema_decay is not None
        if self._averaged and not was_averaged:
            self._reset_averages()
        self.adversarial_loss = adversarial.get(loss, owner, label_smoothing)
        self.penalty = penalties.get(penalty, owner)
        self.discriminator_optimizer = self._player_optimizer(
            "discriminator_optimizer",
            discriminator_optimizer,
            self.discriminator.trainable_variables,
        )
        return {
            "discriminator_optimizer": self.discriminator_optimizer,
            "loss": self.adversarial_loss,
            "penalty": self.penalty,
            "discriminator_steps": discriminator_steps,
            "ema_decay": ema_decay,
            "instance_noise": instance_noise,
        }

    def _player_optimizer(self, argument, identifier, variables):
        """The optimizer of one player, built on its variables."""
        owner = f"{type(self).__name__}.compile"
        optimizer = optimizers.of_player(
            identifier, self.dtype_policy, argument, owner
        )
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        if inner.built:
            built_for = {id(v) for v in inner._trainable_variables}
            if built_for != {id(v) for v in variables}:
                raise invalid(
                    argument,
                    owner,
                    "an optimizer of its own for each player, and each model",
                    f"{optimizer.name}, which has other variables already",
                )
        else:
            # Built now, so that a checkpoint finds where its state belongs.
            optimizer.build(variables)
        return optimizer

    @property
    def _generator(self):
        """The network that generates."""
        raise NotImplementedError

    @property
    def _followers(self):
        """The optimizers beside `self.optimizer`."""
        return [self.discriminator_optimizer]

    def _own_callbacks(self, callbacks):
        """Adds `KeepRatio` after each callback: Keras's know one optimizer."""
        if any(
            isinstance(x, keras.callbacks.SwapEMAWeights) for x in callbacks
        ):
            raise InvalidArgument(
                f"`{type(self).__name__}.fit`: SwapEMAWeights looks at one "
                "optimizer, and here each player has its own. The average is "
                "the model's: pass ema_decay=0.999 to `compile`; `sample` and "
                "what is saved use it."
            )
        ratio = KeepRatio(self.optimizer, self._followers)
        return [ratio, *(x for each in callbacks for x in (each, ratio))]

    # The average of weights

    @property
    def _averages(self):
        """Pairs of an average and the network that it follows."""
        return [(self.average, self._generator)]

    def _reset_averages(self):
        for average, network in self._averages:
            average.reset(network)

    def _update_averages(self):
        if self._averaged:
            for average, network in self._averages:
                average.update(network, self.ema_decay)

    @property
    def serving_generator(self) -> keras.Model:
        """The network that samples come from: the average, if there is one."""
        return self.average.copy if self._averaged else self._generator

    # Batches

    def check_batch_size(self, size: int, owner: str) -> None:
        """Raises if a batch is too small for `discriminator_steps` updates."""
        least = self.discriminator_steps * self.pack
        replicas = self.distribute_strategy.num_replicas_in_sync
        if size < least * replicas:
            shared = f" for {replicas} devices" if replicas > 1 else ""
            raise InvalidArgument(
                f"`{owner}`: a batch of {size}{shared} is too small: "
                f"{self.discriminator_steps} updates of the discriminator, on "
                f"{self.pack} or more examples each, need {least} or more. "
                "Raise batch_size."
            )

    def _parts(self, inputs, count):
        """Cuts a batch for `count` updates, each with a multiple of `pack`."""
        if count * self.pack == 1:
            return [inputs]
        x, _ = self._split(inputs)
        size = tf.maximum(tf.shape(x)[0] // (count * self.pack), 1) * self.pack
        # A last batch that is too small gives some examples twice.
        order = tf.range(count * size) % tf.shape(x)[0]
        return [
            tf.nest.map_structure(
                lambda value, index=index: tf.gather(value, index), inputs
            )
            for index in tf.split(order, count)
        ]

    def _split(self, inputs):
        """x, and the labels or None."""
        return inputs if self.conditional else (inputs, None)

    # The discriminator

    def _noise(self, x, training):
        """What is added to x, in training, before the discriminator sees it."""
        if not (training and self.instance_noise):
            return 0.0
        noise = replicas.normal(ops.shape(x), self.seed_generator)
        return self.instance_noise * noise

    def _discriminator_examples(self, x, noise=0.0):
        """x as the discriminator sees it: with noise, and packed."""
        x = ops.cast(x, "float32") + noise
        if self.pack == 1:
            return x
        x = ops.reshape(x, (-1, self.pack, *x.shape[1:]))
        x = ops.moveaxis(x, 1, -1)
        return ops.reshape(x, (-1, *self.discriminator.inputs[0].shape[1:]))

    def _discriminator_outputs(self, x, labels=None, training=False):
        """Returns what the discriminator says of its examples."""
        inputs = self.with_labels(x, labels)
        logits = self.discriminator(inputs, training=training)
        return DiscriminatorOutputs(ops.cast(logits, "float32"))

    def _compare(self, real, fakes, labels, training):
        """Compares real with generated examples by the discriminator.

        Args:
            real: Examples, as the discriminator sees them.
            fakes: List of as many generated ones, for each kind.
            labels: Of all of these, or None.
            training: Whether the discriminator is being trained.

        Returns:
            `DiscriminatorLosses`, and the `DiscriminatorOutputs` of `real` and
            of each of `fakes`.
        """

        def discriminate(x):
            return self._discriminator_outputs(x, labels, training)

        real, penalty = self._penalised(discriminate, real, fakes[0])
        fakes = [discriminate(fake) for fake in fakes]
        regularization = regularizers(self.discriminator)
        fake_logits = [fake.logits for fake in fakes]
        loss = self.adversarial_loss.discriminator_loss(
            real.logits, *fake_logits
        )
        fake_probability = ops.sigmoid(ops.concatenate(fake_logits))
        losses = DiscriminatorLosses(
            loss=loss + penalty + regularization,
            discriminator_loss=loss,
            penalty=penalty,
            regularization_loss=regularization,
            real_probability=ops.mean(ops.sigmoid(real.logits)),
            fake_probability=ops.mean(fake_probability),
        )
        return losses, real, fakes

    def _penalised(self, discriminate, real, fake):
        """The outputs for real examples, and the penalty.

        A penalty names the points at which it wants the gradient. Where these
        are the real examples, as in R1, one run on them serves for both.
        """
        if self.penalty is None:
            return discriminate(real), 0.0  # a number is not logged
        points = self.penalty.points(real, fake, self.seed_generator)
        with tf.GradientTape() as tape:
            tape.watch(points)
            outputs = discriminate(points)
            # Examples don't meet in a discriminator: the sum has all gradients.
            score = ops.sum(outputs.logits)
        penalty = self.penalty(tape.gradient(score, points))
        return outputs if points is real else discriminate(real), penalty

    def _discriminator_player(self, **fields):
        return Player(
            self.discriminator_optimizer,
            self.discriminator.trainable_variables,
            **fields,
        )

    def discriminator_levels(self) -> tuple[float, float]:
        """Its loss where all logits are 0, and the least there can be.

        Returns:
            Two numbers; the second is negative where there is no least.
        """

        def loss(real, fake):
            logits = (np.full((1, 1), x, "float32") for x in (real, fake))
            real, fake = (tf.constant(x) for x in logits)
            fakes = [fake] * self.num_fake_kinds
            return float(self.adversarial_loss.discriminator_loss(real, *fakes))

        reals = np.geomspace(0.01, 30.0, 50)
        fakes = (lambda real: -real, lambda real: -30.0, lambda real: 0.0)
        least = min(loss(real, fake(real)) for real in reals for fake in fakes)
        return loss(0.0, 0.0), least

    def discriminate(self, x: Any, batch_size: int = 1024) -> np.ndarray:
        """The discriminator's logits: above 0 where it takes x for real.

        Args:
            x: Array of shape `(n, *input_shape)`, `[x, labels]`, or a dataset.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Array of shape `(n,)`.

        Raises:
            InvalidArgument: If the discriminator sees several examples at once.
        """
        if self.pack > 1:
            raise InvalidArgument(
                f"`{type(self).__name__}.discriminate`: this discriminator "
                f"judges {self.pack} examples at once (packing), none of them "
                "by itself."
            )
        return self._apply(self._logits, x, batch_size)

    def _logits(self, inputs, number=0):
        return self._discriminator_outputs(*self._split(inputs)).logits[:, 0]

    # Files

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        store["averaged"] = np.array(self._averaged)

    def load_own_variables(self, store: Any) -> None:
        rest = {key: store[key] for key in store.keys()}  # noqa: SIM118
        self._loaded_average = bool(np.asarray(rest.pop("averaged", False)))
        if not self.compiled:  # else `compile` has said it
            self._averaged = self._loaded_average
            self.traces, self.predict_function = Traces(), None
        super().load_own_variables(rest)

    def load_weights(self, *args: Any, **kwargs: Any) -> None:
        """`keras.Model.load_weights`; an average they lack starts from them."""
        super().load_weights(*args, **kwargs)
        if self._averaged and not self._loaded_average:
            self._reset_averages()

    def _discriminate_endpoint(self):
        """The signature `discriminate`, of single examples."""
        if self.pack > 1:
            return {}

        def discriminate(images, labels=None):
            return {"logits": self._logits(self.with_labels(images, labels))}

        specs = [self.image_spec(), *self.label_specs()]
        return {"discriminate": (discriminate, specs)}
