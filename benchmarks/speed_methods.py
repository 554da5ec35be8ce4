"""The part --methods of speed.py: samples and log p(x) beside a loop by hand.

report(repeats=3)

Both sides use one dense VAE. The loop by hand is what one would write with TensorFlow
alone: a `tf.function` for a batch, and a loop over the batches.
"""

import math
import time

import numpy as np
import tensorflow as tf
from speed_report import spread

import kgen

_SHAPE, _LATENT, _HIDDEN = (28, 28, 1), 16, 500
_SAMPLES, _BATCH = 100_000, 1024
_IMAGES, _IMAGE_BATCH, _DRAWS, _CHUNK = 1000, 128, 5000, 10


def _sample_by_hand(model):
    decoder = model.decoder

    @tf.function
    def draw(number):
        z = tf.random.stateless_normal([_BATCH, _LATENT], seed=[0, number])
        return tf.sigmoid(decoder(z, training=False))

    def sample():
        count = math.ceil(_SAMPLES / _BATCH)
        batches = [draw(number).numpy() for number in tf.range(count)]
        return np.concatenate(batches)[:_SAMPLES]

    return sample


def _log_likelihood_by_hand(model, x):
    encoder, decoder = model.encoder, model.decoder

    @tf.function
    def log_weights(images, mean, log_var, number):
        shape = [_CHUNK, len(images), _LATENT]
        noise = tf.random.stateless_normal(shape, seed=[0, number])
        z = mean + tf.exp(0.5 * log_var) * noise
        logits = decoder(tf.reshape(z, [-1, _LATENT]), training=False)
        logits = tf.reshape(logits, [_CHUNK, len(images), -1])
        flat = tf.reshape(images, [len(images), -1])
        cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(
            labels=tf.broadcast_to(flat, tf.shape(logits)), logits=logits
        )
        log_ratio = 0.5 * (noise**2 - z**2 + log_var)
        return tf.reduce_logsumexp(
            tf.reduce_sum(log_ratio, -1) - tf.reduce_sum(cross_entropy, -1),
            axis=0,
        )

    def log_likelihood():
        values = []
        for start in range(0, len(x), _IMAGE_BATCH):
            images = tf.constant(x[start : start + _IMAGE_BATCH])
            mean, log_var = encoder(images, training=False)
            sums = [
                log_weights(images, mean, log_var, number)
                for number in tf.range(_DRAWS // _CHUNK)
            ]
            values.append(tf.reduce_logsumexp(sums, axis=0) - math.log(_DRAWS))
        return np.concatenate(values)

    return log_likelihood


def report(repeats):
    """Returns a table of seconds and ratios.

    Args:
        repeats: How often each is measured, in turn; the table has medians.
    """
    model = kgen.create_model(
        "vae",
        input_shape=_SHAPE,
        network="dense",
        latent_dim=_LATENT,
        hidden_units=(_HIDDEN,),
        likelihood="bernoulli",
    )
    x = np.random.default_rng(0).random((_IMAGES, *_SHAPE)).astype("float32")
    cases = {
        f"sample({_SAMPLES:,})": (
            lambda: model.sample(_SAMPLES, seed=0),
            _sample_by_hand(model),
        ),
        f"log_likelihood, {_DRAWS:,} draws": (
            lambda: model.log_likelihood(x, _DRAWS, seed=0, verbose=0),
            _log_likelihood_by_hand(model, x),
        ),
    }
    lines = [
        f"{'method':30} {'kgen':>8} {'by hand':>8}   kgen is x times as fast"
    ]
    for name, functions in cases.items():
        rounds = []
        for repeat in range(repeats + 1):
            seconds = []
            for function in functions:
                start = time.perf_counter()
                function()
                seconds.append(time.perf_counter() - start)
            if repeat:  # the first one traces
                rounds.append((*seconds, seconds[1] / seconds[0]))
        (own, *_), (hand, *_), (ratio, low, high) = map(spread, zip(*rounds))
        lines.append(
            f"{name:30} {own:6.2f} s {hand:6.2f} s   "
            f"{ratio:.2f} ({low:.2f} to {high:.2f})"
        )
    return "\n".join(lines)
