"""Densities and divergences of diagonal Gaussians."""

import math

import keras
import tensorflow as tf
from keras import ops
from tensorflow import Tensor

# exp(20) is a variance of 5e8: nothing sensible lies beyond, and exp of much
# more is infinite.
LOG_VAR_BOUND = 20.0


def _at_least_float32(x):
    """`x` as a tensor, in float32 if it is of half precision.

    A user's network may end in half precision, in which a sum over the pixels
    has no digits left and a variance no range.
    """
    x = ops.convert_to_tensor(x)
    half = keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16")
    return ops.cast(x, "float32") if half else x


def bound_log_var(log_var: Tensor) -> Tensor:
    """Clips `log_var` to +-20 in float32, but lets the gradient pass.

    A clipped value without a gradient could never come back.

    Args:
        log_var: Tensor, the logarithm of a variance.

    Returns:
        Tensor of the same shape.
    """
    log_var = ops.cast(log_var, "float32")
    clipped = tf.clip_by_value(log_var, -LOG_VAR_BOUND, LOG_VAR_BOUND)
    # This adds a zero that has a gradient; an infinite `log_var` would make it
    # NaN. TensorFlow would keep each graph that `tf.custom_gradient` is used in.
    finite = tf.clip_by_value(log_var, tf.float32.min, tf.float32.max)
    return tf.stop_gradient(clipped) + (finite - tf.stop_gradient(finite))


def gaussian_log_prob(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """Log-density of a diagonal Gaussian, dimension by dimension.

    Args:
        x: Tensor, where the density is taken.
        mean: Tensor that broadcasts with `x`.
        log_var: Tensor that broadcasts with `x`, the logarithm of the variance.

    Returns:
        Tensor of the broadcast shape, nats per dimension.
    """
    x, mean, log_var = (_at_least_float32(each) for each in (x, mean, log_var))
    squared = ops.square(x - mean) * ops.exp(-log_var)
    return -0.5 * (math.log(2 * math.pi) + log_var + squared)


def gaussian_log_prob_of_all(
    z: Tensor, mean: Tensor, log_var: Tensor
) -> Tensor:
    """Log-density of each point under each of K diagonal Gaussians.

    By products of matrices, which need no array of shape `(n, K, d)`; in float64,
    since large numbers are subtracted from each other.

    Args:
        z: Tensor of shape `(..., d)`.
        mean: Tensor of shape `(K, d)`.
        log_var: Tensor of shape `(K, d)`.

    Returns:
        Tensor of shape `(..., K)`, nats, float32.
    """
    z, mean, log_var = (ops.cast(x, "float64") for x in (z, mean, log_var))
    precision = ops.exp(-log_var)
    distance = (
        ops.tensordot(ops.square(z), precision, [[-1], [-1]])
        - 2.0 * ops.tensordot(z, mean * precision, [[-1], [-1]])
        + ops.sum(ops.square(mean) * precision, axis=-1)
    )
    constant = ops.sum(log_var + math.log(2 * math.pi), axis=-1)
    return ops.cast(-0.5 * (distance + constant), "float32")


def gaussian_kl(
    mean: Tensor,
    log_var: Tensor,
    other_mean: Tensor | float = 0.0,
    other_log_var: Tensor | float = 0.0,
) -> Tensor:
    """KL(N(mean, exp(log_var)) || N(other_mean, exp(other_log_var))).

    In closed form, dimension by dimension: for standard deviations s1, s2 it
    is `log(s2/s1) + (s1^2 + (m1 - m2)^2) / (2 s2^2) - 1/2`. The second Gaussian
    is the standard normal unless it is given, as in Kingma & Welling (2014),
    appendix B.

    Args:
        mean: Tensor of shape `(..., d)`.
        log_var: Tensor of shape `(..., d)`.
        other_mean: Tensor or number that broadcasts with `mean`.
        other_log_var: Tensor or number that broadcasts with `log_var`.

    Returns:
        Tensor of the broadcast shape, nats per dimension.
    """
    mean, log_var = _at_least_float32(mean), _at_least_float32(log_var)
    other_mean, other_log_var = (
        ops.cast(each, log_var.dtype) for each in (other_mean, other_log_var)
    )
    log_ratio = log_var - other_log_var
    squared = ops.square(mean - other_mean) * ops.exp(-other_log_var)
    return 0.5 * (ops.exp(log_ratio) + squared - 1.0 - log_ratio)


def half_square_distance(one: Tensor, other: Tensor) -> Tensor:
    """`|one - other|^2 / 2` of each example, in the mean over the batch.

    It is `-log N(one; other, I)` without its constant.

    Args:
        one: Tensor of shape `(batch, ...)`.
        other: Tensor of the same shape.

    Returns:
        Scalar, nats per example.
    """
    square = ops.square(one - other)
    return 0.5 * ops.mean(ops.sum(square, axis=range(1, len(one.shape))))
