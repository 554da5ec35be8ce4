"""What models with a discriminator share."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kgen import optimizers
from kgen.errors import InvalidArgument
from kgen.layers import augmentation as augmentations
from kgen.losses import LeCam, adversarial, penalties
from kgen.models import checks
from kgen.models.averages import WeightAverage
from kgen.models.base import GenerativeModel
from kgen.models.discriminator import (
    DiscriminatorLosses,
    DiscriminatorOutputs,
    have_same_settings,
    judged,
    levels_of,
    network_inputs,
    penalised,
)
from kgen.models.draws import fixed_draws
from kgen.models.network_checks import check_discriminator
from kgen.models.rates import KeepRatio, falling
from kgen.models.training import Traces, validation_step
from kgen.models.updates import Player, regularizers
from kgen.parallel import replicas
from kgen.params import Integer, Number, Optional

# The discriminator's side of `compile`.
CONSTRAINTS = {
    "discriminator_steps": Integer(1),
    "penalty_every": Integer(1),
    "lecam_weight": Number(0.0),
    "ema_decay": Optional(Number(0.0, below=1.0)),
    "learning_rate_decay": Number(maximum=1.0),
    "label_smoothing": Number(0.0),
    "instance_noise": Number(0.0),
}


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
        self.augmentation = None
        self.lecam = None

    def _compile_players(
        self,
        own,
        optimizer,
        variables,
        *,
        discriminator_optimizer,
        loss,
        label_smoothing,
        penalty,
        penalty_every,
        lecam_weight,
        augmentation,
        discriminator_steps,
        ema_decay,
        learning_rate_decay,
        instance_noise,
        **execution,
    ):
        """Does the discriminator's side of `compile`, and ends it.

        Args:
            own: The arguments to save that the model has besides.
            optimizer: The optimizer of `self.optimizer`.
            variables: What it changes.
            **execution: As in `_compile`.
        """
        owner = f"{type(self).__name__}.compile"
        self.discriminator_steps = discriminator_steps
        self.instance_noise = instance_noise
        self.ema_decay = ema_decay
        self.learning_rate_decay = learning_rate_decay
        was_averaged, self._averaged = self._averaged, ema_decay is not None
        if self._averaged and not was_averaged:
            self._reset_averages()
        self.adversarial_loss = adversarial.get(loss, owner, label_smoothing)
        self.penalty = penalties.get(penalty, owner, self.input_shapes[0])
        self.penalty_every = penalty_every
        self.discriminator_optimizer = self._player_optimizer(
            "discriminator_optimizer",
            discriminator_optimizer,
            self.discriminator.trainable_variables,
        )
        self._set_augmentation(augmentation, owner)
        self._replace("lecam", LeCam(lecam_weight) if lecam_weight else None)
        arguments = {
            "discriminator_optimizer": self.discriminator_optimizer,
            "loss": self.adversarial_loss,
            "penalty": self.penalty,
            "penalty_every": penalty_every,
            "lecam_weight": lecam_weight,
            "augmentation": self.augmentation,
            "discriminator_steps": discriminator_steps,
            "ema_decay": ema_decay,
            "learning_rate_decay": learning_rate_decay,
            "instance_noise": instance_noise,
        }
        self._compile({**arguments, **own}, optimizer, variables, **execution)

    def _set_augmentation(self, given, owner):
        """Sets the augmentation, a copy: each model has a strength of its own."""
        layer = augmentations.get(given, self.input_shapes[0], owner)
        copy = layer and type(layer).from_config(layer.get_config())
        self._replace("augmentation", copy)

    def _replace(self, name, layer):
        """Sets a layer that only training needs, or None; an equal one goes on."""
        before = getattr(self, name)
        if before is not None:
            if layer is not None and have_same_settings(layer, before):
                return
            # Else its weights would stay, unused.
            self._tracker.untrack(before)
        setattr(self, name, layer)

    def _player_optimizer(self, argument, identifier, variables):
        """The optimizer of one player, built on its variables."""
        owner = f"{type(self).__name__}.compile"
        return optimizers.of_player(
            identifier, variables, self.dtype_policy, argument, owner
        )

    @property
    def _generator(self):
        """The network that generates."""
        raise NotImplementedError

    @property
    def _followers(self):
        """The optimizers beside `self.optimizer`."""
        return [self.discriminator_optimizer]

    def _own_callbacks(self, callbacks):
        """Adds what falls, and `KeepRatio` after each: Keras's know one optimizer."""
        checks.refuse_swapped_averages(f"{type(self).__name__}.fit", callbacks)
        players = [self.optimizer, *self._followers]
        falls = falling(players, self.learning_rate_decay, callbacks)
        callbacks = [*falls, *callbacks]
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
        is_pair = isinstance(inputs, (list, tuple))
        return inputs if is_pair else (inputs, None)

    # Training and validation

    @validation_step
    def test_step(self, data: Any) -> dict:
        inputs, x = self.unpack(data, values=True)
        (inputs,) = self._parts(inputs, 1)  # whole packs of examples
        with fixed_draws(self, self.seed or 0, self.log_means.seen()):
            losses = self._step_losses(inputs, training=False)
        return self._log(losses, x)

    def _step_losses(self, inputs, training):
        """The losses of all players, by the names of the logs among others."""
        raise NotImplementedError

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

    def _seen(self, training, x, *others):
        """Examples as the discriminator sees them: augmented, with noise, packed.

        Args:
            training: Whether there are augmentation and noise.
            x: Examples.
            *others: Reconstructions of these, which get the same draws: these
                are no error of reconstruction.

        Returns:
            List of tensors.
        """
        examples = [ops.cast(each, "float32") for each in (x, *others)]
        if training and self.augmentation is not None:
            count = ops.shape(x)[0]
            draws = self.augmentation.draw(count, self.seed_generator)
            examples = [
                self.augmentation.augment(each, draws) for each in examples
            ]
        noise = self._noise(x, training)
        return [self._discriminator_examples(each, noise) for each in examples]

    def _discriminator_outputs(self, x, labels=None, training=False):
        """Returns what the discriminator says of its examples."""
        logits = self.discriminator(
            network_inputs(x, labels), training=training
        )
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
            found = self._discriminator_outputs(x, labels, training)
            own = regularizers(self.discriminator)
            return found._replace(regularization=own)

        outputs, penalty = penalised(
            discriminate,
            [real, *fakes],
            judged(self.penalty, real, fakes, self.seed_generator),
            self._is_penalty_due if training else None,
            self.penalty_every,
        )
        # Those of activities are means over real and generated examples.
        regularization = sum(x.regularization for x in outputs) / len(outputs)
        real, *fakes = outputs
        logits = [x.logits for x in outputs]
        loss = self.adversarial_loss.discriminator_loss(*logits)
        if self.lecam is not None:
            penalty += self.lecam(*logits)
        fake_probability = ops.sigmoid(ops.concatenate(logits[1:]))
        losses = DiscriminatorLosses(
            loss=loss + penalty + regularization,
            discriminator_loss=loss,
            penalty=penalty,
            regularization_loss=regularization,
            real_probability=ops.mean(ops.sigmoid(real.logits)),
            fake_probability=ops.mean(fake_probability),
            levels=levels_of(self.adversarial_loss, logits[0], logits[1:])
            if self.lecam or self.augmentation
            else None,
        )
        return losses, real, fakes

    @property
    def _is_penalty_due(self):
        """Whether this update has the penalty; None where each has it."""
        if self.penalty_every == 1:
            return None
        return self.discriminator_optimizer.iterations % self.penalty_every == 0

    def _follow(self, losses, inputs):
        """Moves on what goes by the discriminator's logits, after its update.

        Args:
            losses: Those of the update, with `levels`.
            inputs: The part of the batch that it saw.
        """
        if losses.levels is None:
            return
        of_real, of_fakes, sign = ops.unstack(losses.levels, 3)
        if self.lecam is not None:
            self.lecam.follow(of_real, of_fakes)
        if self.augmentation is not None:
            x, _ = self._split(inputs)
            seen = ops.shape(replicas.without_padding(x))[0]
            seen = replicas.all_sum(ops.cast(seen, "float32"))
            self.augmentation.follow(sign, seen)

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
        if not self._judges_examples:
            how = (
                f"{self.pack} examples at once (packing)"
                if self.pack > 1
                else "rows on a condition that is drawn for each"
            )
            raise InvalidArgument(
                f"`{type(self).__name__}.discriminate`: this discriminator "
                f"judges {how}, none of them by itself."
            )
        return self._apply(self._logits, x, batch_size)

    @property
    def _judges_examples(self):
        """Whether the discriminator judges single examples, as data have them."""
        inputs = 1 + self.conditional
        return self.pack == 1 and len(self.discriminator.inputs) == inputs

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
        if not self._judges_examples:
            return {}

        def discriminate(images, labels=None):
            return {"logits": self._logits(self.with_labels(images, labels))}

        specs = [self.image_spec(), *self.label_specs()]
        return {"discriminate": (discriminate, specs)}
