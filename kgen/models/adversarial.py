"""What models with a discriminator share."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kgen import optimizers
from kgen.errors import InvalidArgument, check_int, check_number, invalid
from kgen.losses import adversarial, penalties
from kgen.models import outputs
from kgen.models.averages import WeightAverage
from kgen.models.base import (
    GenerativeModel,
    Player,
    Traces,
    num_classes_of,
    own_and_given,
    total,
)
from kgen.models.rates import KeepRatio
from kgen.parallel import replicas


class Adversarial(GenerativeModel):
    """Base of models with a discriminator beside what generates.

    A subclass gives both to `_set_players` once its networks are set, and calls
    `_compile_players` in `compile`. A batch of `fit` is cut into
    `discriminator_steps` parts, one for each update of the discriminator.
    """

    # How many kinds of generated examples the discriminator sees.
    kinds = 1

    def _set_players(self, generator, discriminator):
        """Keeps an average of the generator's weights, and what packs.

        Args:
            generator: The network whose weights may be averaged.
            discriminator: One that fits its output.
        """
        owner = type(self).__name__
        self.pack = _check_discriminator(owner, generator, discriminator)
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
        """The discriminator's side of `compile`; returns what to save of it."""
        owner = f"{type(self).__name__}.compile"
        self.discriminator_steps = check_int(
            "discriminator_steps", owner, discriminator_steps
        )
        self.instance_noise = check_number(
            "instance_noise", owner, instance_noise
        )
        self.ema_decay = _check_decay(owner, ema_decay)
        averaged, self._averaged = self._averaged, ema_decay is not None
        if self._averaged and not averaged:
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
            "discriminator_steps": self.discriminator_steps,
            "ema_decay": self.ema_decay,
            "instance_noise": self.instance_noise,
        }

    def _player_optimizer(self, argument, identifier, variables):
        """The optimizer of one player, built on its variables."""
        owner = f"{type(self).__name__}.compile"
        found = optimizers.of_player(
            identifier, self.dtype_policy, argument, owner
        )
        inner = getattr(found, "inner_optimizer", found)
        if inner.built:
            have = {id(v) for v in inner._trainable_variables}
            if have != {id(v) for v in variables}:
                raise invalid(
                    argument,
                    owner,
                    "an optimizer of its own for each player, and each model",
                    f"{found.name}, which has other variables already",
                )
        else:
            # Built now, so that a checkpoint finds where its state belongs.
            found.build(variables)
        return found

    @property
    def _generator(self):
        """The network that generates."""
        raise NotImplementedError

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
    def _drawn_by(self):
        """The network that samples come from: the average, if there is one."""
        return self.average.copy if self._averaged else self._generator

    @property
    def _followers(self):
        """The optimizers beside `self.optimizer`."""
        return [self.discriminator_optimizer]

    def _with_own_callbacks(self, callbacks):
        return own_and_given(callbacks, self._keeping_ratio)

    def _keeping_ratio(self, given):
        if any(isinstance(x, keras.callbacks.SwapEMAWeights) for x in given):
            raise InvalidArgument(
                f"`{type(self).__name__}.fit`: SwapEMAWeights looks at one "
                "optimizer, and here each player has its own. The average is "
                "the model's: pass ema_decay=0.999 to `compile`; `sample` and "
                "what is saved use it."
            )
        own = KeepRatio(self.optimizer, self._followers)
        return [own, *(each for callback in given for each in (callback, own))]

    def check_batch_size(self, size, owner):
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
        """The examples of `count` updates, each a multiple of `pack`."""
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
        return inputs if self.conditional else (inputs, None)

    def _judged(self, real, fakes, labels, training):
        """What the discriminator minimises, and what it says.

        Args:
            real: Examples, as the discriminator sees them.
            fakes: List of as many generated ones, for each kind.
            labels: Of all of these, or None.
            training: Whether this is an update.

        Returns:
            The parts of its loss by the logs' names, and the pairs of logits and
            features for `real` and for each of `fakes`.
        """

        def judge(x):
            return self._judge(x, labels, training)

        judged, penalty = self._penalised(judge, real, fakes[0])
        judged_fakes = [judge(fake) for fake in fakes]
        # Before replicas may meet in the loss: layers' losses are shared lists.
        regularization = total(self.discriminator.losses)
        fake_logits = [logits for logits, _ in judged_fakes]
        own = self.adversarial_loss.discriminator_loss(judged[0], *fake_logits)
        fake_probability = ops.sigmoid(ops.concatenate(fake_logits))
        parts = {
            "loss": own + penalty + regularization,
            "discriminator_loss": own,
            "penalty": penalty,
            "regularization_loss": regularization,
            "real_probability": ops.mean(ops.sigmoid(judged[0])),
            "fake_probability": ops.mean(fake_probability),
        }
        return parts, judged, judged_fakes

    def _penalised(self, judge, real, fake):
        """What `judge` says of real examples, and the penalty.

        R1, whose points these examples are, needs no run more.
        """
        if self.penalty is None:
            return judge(real), ops.zeros(())
        points = self.penalty.points(real, fake, self.seed_generator)
        with tf.GradientTape() as tape:
            tape.watch(points)
            judged = judge(points)
            # Examples don't meet in a discriminator: the sum has all gradients.
            total = ops.sum(judged[0])
        penalty = self.penalty(tape.gradient(total, points))
        return judged if points is real else judge(real), penalty

    def _discriminator_player(self, **kwargs):
        return Player(
            self.discriminator_optimizer,
            self.discriminator.trainable_variables,
            **kwargs,
        )

    def discriminator_levels(self):
        """Its loss where all logits are 0, and the least there can be.

        Returns:
            Two numbers; the second is negative where there is no least.
        """

        def loss(real, fake):
            logits = (np.full((1, 1), x, "float32") for x in (real, fake))
            real, fake = (tf.constant(x) for x in logits)
            fakes = [fake] * self.kinds
            return float(self.adversarial_loss.discriminator_loss(real, *fakes))

        reals = np.geomspace(0.01, 30.0, 50)
        fakes = (lambda real: -real, lambda real: -30.0, lambda real: 0.0)
        least = min(loss(real, fake(real)) for real in reals for fake in fakes)
        return loss(0.0, 0.0), least

    def _noise(self, x, training):
        """What is added to x, in training, before the discriminator sees it."""
        if not (training and self.instance_noise):
            return 0.0
        noise = replicas.normal(ops.shape(x), self.seed_generator)
        return self.instance_noise * noise

    def _seen(self, x, noise=0.0):
        """What the discriminator sees of x: with noise, packed."""
        x = ops.cast(x, "float32") + noise
        if self.pack == 1:
            return x
        x = ops.reshape(x, (-1, self.pack, *x.shape[1:]))
        x = ops.moveaxis(x, 1, -1)
        return ops.reshape(x, (-1, *self.discriminator.inputs[0].shape[1:]))

    def _judge(self, x, labels=None, training=False):
        """Logits of shape `(batch / pack, 1)`, and features or None."""
        logits = self.discriminator(
            self.with_labels(x, labels), training=training
        )
        return ops.cast(logits, "float32"), None

    def discriminate(self, x, batch_size=1024):
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
        batches = self._batches_of(x, batch_size)
        return self._in_batches(self._logits, batches)

    def _logits(self, inputs, number=0):
        logits, _ = self._judge(*self._split(inputs))
        return logits[:, 0]

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["averaged"] = np.array(self._averaged)

    def load_own_variables(self, store):
        own = {key: store[key] for key in store.keys()}  # noqa: SIM118
        self._loaded_average = bool(np.asarray(own.pop("averaged", False)))
        if not self.compiled:  # else `compile` has said it
            self._averaged = self._loaded_average
            self.traces, self.predict_function = Traces(), None
        super().load_own_variables(own)

    def load_weights(self, *args, **kwargs):
        """`keras.Model.load_weights`; an average they lack starts from them."""
        super().load_weights(*args, **kwargs)
        if self._averaged and not self._loaded_average:
            self._reset_averages()

    def _discriminate_endpoint(self):
        """The signature `discriminate`, where a single example is judged."""
        if self.pack > 1:
            return {}

        def discriminate(images, labels=None):
            return {"logits": self._logits(self.with_labels(images, labels))}

        specs = [self.image_spec(), *self.label_specs()]
        return {"discriminate": (discriminate, specs)}


def _check_decay(owner, decay):
    if decay is None:
        return None
    number = check_number("ema_decay", owner, decay)
    if number >= 1:
        raise invalid("ema_decay", owner, "a number in [0, 1), or None", decay)
    return number


def _check_discriminator(owner, generator, discriminator):
    """How many examples the discriminator sees at once; or raises."""
    shape = tuple(generator.outputs[0].shape[1:])
    inputs = len(generator.inputs)
    if len(generator.outputs) != 1 or not shape or inputs not in (1, 2):
        raise invalid(
            "generator",
            owner,
            "one output, the examples, and z or [z, labels] as inputs",
            f"{len(generator.outputs)} outputs, the first of shape {shape}, and "
            f"{inputs} inputs",
        )
    seen = tuple(discriminator.inputs[0].shape[1:])
    fits = seen[:-1] == shape[:-1] and None not in seen + shape
    pack, rest = divmod(seen[-1], shape[-1]) if fits and seen else (0, 0)
    if rest or not pack:
        raise invalid(
            "discriminator",
            owner,
            f"an input of the generated examples' shape {shape}, or with m "
            "times the channels (packing)",
            f"shape {seen}",
        )
    shapes = [tuple(output.shape[1:]) for output in discriminator.outputs]
    if shapes != [(1,)]:
        raise invalid(
            "discriminator",
            owner,
            "one output of shape (batch, 1), a logit",
            f"outputs of shape {shapes}",
        )
    outputs.check_logits(
        "discriminator",
        owner,
        discriminator,
        "end it in a Dense(1) layer without activation, since the loss applies "
        "the sigmoid itself",
    )
    counts = [num_classes_of(one) for one in (generator, discriminator)]
    if None not in counts and counts[0] != counts[1]:
        raise invalid(
            "discriminator",
            owner,
            f"{counts[0]} classes, as the generating network has",
            f"{counts[1]} classes",
        )
    if len(generator.inputs) != len(discriminator.inputs):
        raise invalid(
            "discriminator",
            owner,
            "labels as a second input of both networks or of none",
            f"{len(discriminator.inputs)} inputs",
        )
    if pack > 1 and len(generator.inputs) > 1:
        raise invalid(
            "discriminator", owner, "no packing with labels", f"packs {pack}"
        )
    return pack
