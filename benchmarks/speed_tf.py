"""The contender tf of speed.py: a `tf.function` for each batch, by hand.

    build(CASES["gan"], images).train(steps=20, epochs=1)

It is what one would write oneself with Keras's layers, Keras's Adam and tf.data,
with the objectives of kgen's models.
"""

import math
import time

import keras
import numpy as np
import speed_cases
import tensorflow as tf
from speed_tf_networks import networks_of


def build(case, images):
    """The loop of a case."""
    return {
        "vae": VAE,
        "gan": GAN,
        "vaegan": VAEGAN,
        "denoising_autoencoder": Denoising,
    }[case.model](case, images)


class Loop:
    """What all have: networks, optimizers, and an epoch over tf.data.

    A subclass implements `step`, which returns the losses in the order of
    `case.logs`.
    """

    def __init__(self, case, images):
        self.case, self.images = case, images
        self.networks = networks_of(case)
        self.sizes = speed_cases.sizes(
            self.networks,
            lambda network: [w.shape for w in network.trainable_weights],
        )

    def adam(self, *names):
        """An optimizer, and the variables of the networks of these names."""
        variables = [
            variable
            for name in names
            for variable in self.networks[name].trainable_variables
        ]
        optimizer = keras.optimizers.Adam(
            speed_cases.RATE, beta_1=self.case.beta_1
        )
        optimizer.build(variables)
        return optimizer, variables

    def train(self, steps, epochs):
        """Returns seconds, and the losses of the last epoch by name."""
        count = steps * self.case.batch
        dataset = (
            tf.data.Dataset.from_tensor_slices(self.images[:count])
            .shuffle(count)
            .batch(self.case.batch)
            .map(lambda x: tf.cast(x, tf.float32) / 255)
            .prefetch(tf.data.AUTOTUNE)
        )
        start = time.perf_counter()
        for _ in range(epochs):
            losses = [self.step(x) for x in dataset]
            means = np.mean(losses, axis=0)
        seconds = time.perf_counter() - start
        return seconds, dict(zip(self.case.logs, means.tolist()))

    def drop(self):
        self.networks = self.images = None


def minimise(tape, loss, optimizer, variables):
    gradients = tape.gradient(loss, variables)
    optimizer.apply_gradients(zip(gradients, variables))


def noise(x, size):
    return tf.random.normal((tf.shape(x)[0], size))


def total(x):
    """The sum over all but the batch."""
    return tf.reduce_sum(x, axis=range(1, len(x.shape)))


def posterior(encoder, x):
    """z from q(z|x), and the KL divergence to the prior."""
    mean, log_var = tf.split(encoder(x, training=True), 2, axis=-1)
    z = mean + tf.exp(0.5 * log_var) * noise(mean, speed_cases.LATENT)
    kl = 0.5 * total(tf.exp(log_var) + mean**2 - 1.0 - log_var)
    return z, tf.reduce_mean(kl)


class OneOptimizer(Loop):
    """An encoder and a decoder, trained together."""

    def __init__(self, case, images):
        super().__init__(case, images)
        self.encoder, self.decoder = self.networks.values()
        self.optimizer, self.variables = self.adam("encoder", "decoder")


class VAE(OneOptimizer):
    @tf.function(reduce_retracing=True)
    def step(self, x):
        with tf.GradientTape() as tape:
            z, kl = posterior(self.encoder, x)
            logits = self.decoder(z, training=True)
            error = tf.nn.sigmoid_cross_entropy_with_logits(x, logits)
            loss = tf.reduce_mean(total(error)) + kl
        minimise(tape, loss, self.optimizer, self.variables)
        return [loss]


class Denoising(OneOptimizer):
    @tf.function(reduce_retracing=True)
    def step(self, x):
        size = self.case.pixels
        level = tf.random.uniform((tf.shape(x)[0], 1, 1, 1), *speed_cases.NOISE)
        noisy = x + level * tf.random.normal(tf.shape(x))
        with tf.GradientTape() as tape:
            clean = self.decoder(self.encoder(noisy, training=True))
            variance = tf.maximum(total((x - clean) ** 2) / size, 1e-6)
            loss = 0.5 * size * (tf.math.log(2 * math.pi * variance) + 1.0)
            loss = tf.reduce_mean(loss)
        minimise(tape, loss, self.optimizer, self.variables)
        return [loss]


def mean_softplus(x):
    return tf.reduce_mean(tf.nn.softplus(x))


class GAN(Loop):
    def __init__(self, case, images):
        super().__init__(case, images)
        self.generator, self.discriminator = self.networks.values()
        self.generator_adam = self.adam("generator")
        self.discriminator_adam = self.adam("discriminator")

    @tf.function(reduce_retracing=True)
    def step(self, x):
        for part in tf.split(x, self.case.discriminator_steps):
            discriminator_loss, penalty = self.discriminator_step(part)
        losses = [discriminator_loss, self.generator_step(part)]
        return [*losses, penalty] if self.case.penalty else losses

    def discriminator_step(self, x):
        fake = self.generator(noise(x, speed_cases.LATENT), training=True)
        with tf.GradientTape() as tape:
            real_logits, penalty = self.penalised(x, fake)
            fake_logits = self.discriminator(fake, training=True)
            if self.case.loss == "wasserstein":
                loss = tf.reduce_mean(fake_logits) - tf.reduce_mean(real_logits)
            else:
                loss = mean_softplus(-real_logits) + mean_softplus(fake_logits)
            whole = loss + penalty
        minimise(tape, whole, *self.discriminator_adam)
        return loss, penalty

    def penalised(self, x, fake):
        """The logits of real examples, and the penalty on the gradient."""
        if self.case.penalty is None:
            return self.discriminator(x, training=True), 0.0
        points = x
        if self.case.penalty == "gradient_penalty":
            u = tf.random.uniform((tf.shape(x)[0], 1, 1, 1))
            points = u * x + (1.0 - u) * fake
        with tf.GradientTape() as tape:
            tape.watch(points)
            logits = self.discriminator(points, training=True)
        square = total(tape.gradient(logits, points) ** 2)
        if self.case.penalty == "r1":
            weight = speed_cases.R1_WEIGHT
            return logits, 0.5 * weight * tf.reduce_mean(square)
        distance = tf.sqrt(square + 1e-12) - 1.0
        penalty = speed_cases.GP_WEIGHT * tf.reduce_mean(distance**2)
        return self.discriminator(x, training=True), penalty

    def generator_step(self, x):
        with tf.GradientTape() as tape:
            z = noise(x, speed_cases.LATENT)
            fake = self.generator(z, training=True)
            logits = self.discriminator(fake, training=True)
            if self.case.loss == "wasserstein":
                loss = -tf.reduce_mean(logits)
            else:
                loss = mean_softplus(-logits)
        minimise(tape, loss, *self.generator_adam)
        return loss


class VAEGAN(Loop):
    def __init__(self, case, images):
        super().__init__(case, images)
        self.encoder, self.decoder, self.discriminator = self.networks.values()
        self.players = [self.adam(name) for name in self.networks]

    @tf.function(reduce_retracing=True)
    def step(self, x):
        with tf.GradientTape(persistent=True) as tape:
            z, kl = posterior(self.encoder, x)
            x1 = self.decoder(z, training=True)
            prior = noise(x, speed_cases.LATENT)
            x2 = self.decoder(prior, training=True)
            features, real = self.discriminator(x, training=True)
            features1, fake1 = self.discriminator(x1, training=True)
            _, fake2 = self.discriminator(x2, training=True)
            discriminator = (
                mean_softplus(-real)
                + mean_softplus(fake1)
                + mean_softplus(fake2)
            )
            generator = mean_softplus(-fake1) + mean_softplus(-fake2)
            error = 0.5 * tf.reduce_mean(total((features - features1) ** 2))
            losses = [
                speed_cases.KL_WEIGHT * kl + error,
                error + generator,
                discriminator,
            ]
        gradients = [
            tape.gradient(loss, variables)
            for loss, (_, variables) in zip(losses, self.players)
        ]
        for gradient, (optimizer, variables) in zip(gradients, self.players):
            optimizer.apply_gradients(zip(gradient, variables))
        return [error, discriminator, generator]
