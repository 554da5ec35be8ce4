"""Estimates of log p(x) by draws from the posterior, on tensors."""

import math
from typing import Any

import keras
import tensorflow as tf
from keras import ops
from tensorflow import Tensor

# The most rows that a decoder computes at a time in importance sampling, which are
# enough to keep the cores busy; and the most numbers, which bound large pictures.
_ROWS = 4096
_NUMBERS = 4096 * 28 * 28


def parameters_given(
    model: keras.Model,
    decoder: keras.Model,
    z: Tensor,
    inputs: Any,
    training: bool = False,
) -> Tensor:
    """The likelihood's parameters for several codes of each example.

    Args:
        model: A `LikelihoodEstimator`.
        decoder: Its network to use.
        z: Tensor of shape `(samples, batch, latent_dim)`.
        inputs: x of shape `(batch, *input_shape)`, or `[x, labels]`.
        training: Whether the decoder is being trained.

    Returns:
        Tensor of shape `(samples, batch, *input_shape)`.
    """
    samples, batch = ops.shape(z)[0], ops.shape(z)[1]
    code = ops.reshape(z, (-1, model.latent_dim))
    if model.conditional:
        code = [code, ops.tile(inputs[1], [samples])]
    parameters = decoder(code, training=training)
    return ops.reshape(parameters, (samples, batch, *model.input_shapes[0]))


def log_prob_given(
    model: keras.Model,
    decoder: keras.Model,
    z: Tensor,
    inputs: Any,
    training: bool = False,
) -> Tensor:
    """log p(x|z) of several codes for each example.

    Args:
        model: As in `parameters_given`, as all that follow.
        decoder: Its network to use.
        z: Tensor of shape `(samples, batch, latent_dim)`.
        inputs: x, or `[x, labels]`.
        training: Whether the decoder is being trained.

    Returns:
        Tensor of shape `(samples, batch)`, nats per image.
    """
    parameters = parameters_given(model, decoder, z, inputs, training)
    x = inputs[0] if model.conditional else inputs
    return model.likelihood.log_prob(x, parameters, batch_axes=2)


def importance_weights(
    model: keras.Model, inputs: Any, z: Tensor, log_q: Tensor
) -> tuple[Tensor, Tensor]:
    """The parameters for draws of z, and `log p(x, z) / q(z|x)` of these.

    Args:
        model: A `LikelihoodEstimator`.
        inputs: x, or `[x, labels]`.
        z: Draws from q(z|x), of shape `(samples, batch, latent_dim)`.
        log_q: `log q(z|x)` of these, of shape `(samples, batch)`.

    Returns:
        Tensors of shape `(samples, batch, *input_shape)` and `(samples, batch)`.
    """
    parameters = parameters_given(model, model.serving_decoder, z, inputs)
    x = inputs[0] if model.conditional else inputs
    log_lik = model.likelihood.log_prob(x, parameters, batch_axes=2)
    log_prior = model.serving_prior.checked_log_prob(z)
    return parameters, log_lik + log_prior - log_q


def even_weights(log_weights: Tensor) -> Tensor:
    """Weights of an importance-sampled mean, evened where a few outweigh all others.

    Where the effective sample size of K draws is below `sqrt(K)`, the mean would be
    that of a few draws, and its variance large. There the weights are raised to a
    power below 1, the greatest with which the size is `sqrt(K)`: a bias, for less
    variance. If the weights have a finite variance, the size grows like K, and with
    enough draws the weights are left as they are.

    Args:
        log_weights: Tensor of shape `(samples, batch)`.

    Returns:
        Tensor of the same shape, with sums of 1 over the samples.

    References:
        Ionides (2008), Truncated importance sampling (a bias, for less variance);
        Koblents & Miguez (2015), arXiv 1208.5600 (powers of weights).
    """
    least = tf.sqrt(tf.cast(tf.shape(log_weights)[0], log_weights.dtype))

    def weights(power):
        return tf.nn.softmax(power * log_weights, axis=0)

    def is_enough(power):
        return 1.0 / tf.reduce_sum(weights(power) ** 2, axis=0) >= least

    one = tf.ones_like(log_weights[0])
    low, high = 2.0**-24 * one, one  # above 0: a log weight may be -inf
    for _ in range(16):
        middle = tf.sqrt(low * high)
        enough = is_enough(middle)
        low = tf.where(enough, middle, low)
        high = tf.where(enough, high, middle)
    return weights(tf.where(is_enough(one), one, low))


def rate_distortion(
    model: keras.Model,
    inputs: Any,
    num_samples: Tensor,
    seed: Any,
    common: bool = False,
) -> tuple[Tensor, Tensor]:
    """The two parts of the ELBO; see `LikelihoodEstimator.rate_distortion`.

    Args:
        model: A `LikelihoodEstimator`.
        inputs: x of shape `(batch, *input_shape)`, or `[x, labels]`.
        num_samples: Integer tensor, the draws of z for each example.
        seed: Pair of integers for the draws.
        common: Whether all examples have the same draws of noise.

    Returns:
        Pair of tensors of shape `(batch,)`, nats per image.
    """
    posterior = model.posterior_of(inputs)

    def sums(z, log_q):
        log_lik = log_prob_given(model, model.serving_decoder, z, inputs)
        kl, _ = posterior.kl(model.serving_prior, z, log_q)
        rate = ops.broadcast_to(kl, ops.shape(log_q))
        return ops.sum(ops.stack([rate, -log_lik]), axis=1)

    totals = _over_draws(
        model,
        sums,
        ops.add,
        tf.zeros([2, tf.shape(posterior.mean)[0]]),
        posterior,
        num_samples,
        seed,
        common,
    )
    rate, distortion = tf.unstack(totals / tf.cast(num_samples, "float32"), 2)
    return rate, distortion


def importance_sampling(
    model: keras.Model,
    inputs: Any,
    num_samples: Tensor,
    seed: Any,
    common: bool = False,
) -> tuple[Tensor, Tensor]:
    """log p(x) and the effective sample size.

    See `LikelihoodEstimator.importance_sampling`.

    Args:
        model: A `LikelihoodEstimator`.
        inputs: As in `rate_distortion`, as all that follow.
        num_samples: Integer tensor.
        seed: Pair of integers.
        common: Whether all examples have the same draws of noise.

    Returns:
        Pair of tensors of shape `(batch,)`.
    """
    posterior = model.posterior_of(inputs)

    def log_weight_sums(z, log_q):
        _, log_weights = importance_weights(model, inputs, z, log_q)
        powers = [log_weights, 2.0 * log_weights]  # of w and of w^2
        return ops.stack([ops.logsumexp(x, axis=0) for x in powers])

    sums = _over_draws(
        model,
        log_weight_sums,
        ops.logaddexp,
        tf.fill([2, tf.shape(posterior.mean)[0]], float("-inf")),
        posterior,
        num_samples,
        seed,
        common,
    )
    log_sum, log_squares = tf.unstack(sums, 2)
    count = tf.cast(num_samples, "float32")
    size = tf.exp(2.0 * log_sum - log_squares)  # may be rounded out of bounds
    return log_sum - tf.math.log(count), tf.clip_by_value(size, 1.0, count)


def log_prob(
    model: keras.Model,
    inputs: Any,
    num_samples: int,
    seed: int | Tensor,
    bound: bool,
) -> Tensor:
    """log p(x), or its bound, as a function of x and the seed alone.

    The draws are the same for all examples, so that what stands beside x in a batch,
    or in a request, changes nothing.

    Args:
        model: A `LikelihoodEstimator`.
        inputs: As in `rate_distortion`.
        num_samples: How many draws of z.
        seed: Integer for them.
        bound: Whether it is the ELBO, or else the importance-sampled log p(x).

    Returns:
        Tensor of shape `(batch,)`, nats per image.
    """
    draws = (tf.constant(num_samples), [seed, 0])
    if bound:
        rate, distortion = rate_distortion(model, inputs, *draws, common=True)
        return -distortion - rate
    log_prob, _ = importance_sampling(model, inputs, *draws, common=True)
    return log_prob


def _over_draws(
    model, function, combine, start, posterior, num_samples, seed, common
):
    """Combines `function(z, log q(z|x))` over draws of z, a chunk at a time.

    Memory does not grow with `num_samples`.
    """
    shape = tf.shape(posterior.mean)
    rows = min(_ROWS, _NUMBERS // math.prod(model.input_shapes[0]))
    most = tf.maximum(rows // tf.maximum(shape[0], 1), 1)
    shared = tf.random.stateless_normal(
        [num_samples if common else 0, 1, model.latent_dim], seed
    )

    def body(done, total):
        size = tf.minimum(most, num_samples - done)
        # A seed of its own for each batch (seed[1]) and chunk (done).
        chunk_seed = tf.random.experimental.stateless_fold_in(seed, done)
        if common:
            eps = shared[done : done + size]
        else:
            eps = tf.random.stateless_normal(
                [size, shape[0], model.latent_dim], chunk_seed
            )
        part = function(*posterior.draw(eps))
        return done + size, combine(total, part)

    any_shape = tf.TensorShape([None] * start.shape.rank)
    _, total = tf.while_loop(
        lambda done, _: done < num_samples,
        body,
        (0, tf.ensure_shape(start, any_shape)),
        parallel_iterations=1,
        shape_invariants=(tf.TensorShape([]), any_shape),
    )
    return total
