"""What log p(x|z) is: one layer for each observation model."""

import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops
from tensorflow import Tensor

from kgen.errors import invalid
from kgen.losses import keras_losses
from kgen.losses.base import Likelihood, sum_over_event
from kgen.losses.divergences import bound_log_var, gaussian_log_prob
from kgen.params import Boolean, Named, Number, checked, resolve


@keras.saving.register_keras_serializable(package="kgen")
class Bernoulli(Likelihood):
    """Black or white pixels; the parameters are logits.

    `log p(x|z) = sum_i x_i log m_i + (1 - x_i) log(1 - m_i)` with
    `m = sigmoid(parameters)`. On grey values it is the cross-entropy, an
    expectation over binarised pictures, and not a density of grey pictures:
    `ContinuousBernoulli` is one.
    """

    support = (0.0, 1.0)
    bits = "grey"
    parameters_are_logits = True

    def _log_prob_per_dim(self, x, parameters):
        # x log(m) + (1 - x) log(1 - m)
        return x * parameters - tf.nn.softplus(parameters)

    def sample(self, parameters: Tensor, seed: Tensor) -> Tensor:
        mean = self.mean(parameters)
        uniform = tf.random.stateless_uniform(tf.shape(mean), seed)
        return ops.cast(uniform < mean, "float32")


# Around m = 1/2 the closed forms of the continuous Bernoulli are 0/0. Their
# series, to the term given below, are exact to float32 up to this logit.
_SERIES_BELOW = 0.3


@keras.saving.register_keras_serializable(package="kgen")
class ContinuousBernoulli(Likelihood):
    """Grey pixels in [0, 1] with a normalised density; parameters are logits.

    The Bernoulli's `m^x (1 - m)^(1 - x)` times its normaliser
    `C(m) = 2 artanh(1 - 2m) / (1 - 2m)`, and `C(1/2) = 2`. In logits `l` the
    density is `exp(l x) l / (exp(l) - 1)`.

    References:
        Loaiza-Ganem & Cunningham (2019), The continuous Bernoulli,
        arXiv 1907.06845, equations 5 to 8.
    """

    support = (0.0, 1.0)
    parameters_are_logits = True

    def _log_prob_per_dim(self, x, parameters):
        # log((exp(l) - 1) / l) = l/2 + log(sinh(l/2) / (l/2)), whose second term is
        # an even function of l.
        half = 0.5 * parameters
        return parameters * (x - 0.5) - _log_sinhc(half)

    def mean(self, parameters: Tensor) -> Tensor:
        logits = ops.cast(parameters, "float32")
        small = ops.abs(logits) < _SERIES_BELOW
        safe = ops.where(small, ops.ones_like(logits), logits)
        exact = 0.5 / ops.tanh(0.5 * safe) - 1.0 / safe
        square = ops.square(logits)
        series = logits * (1 / 12 - square * (1 / 720 - square / 30240))
        return 0.5 + ops.where(small, series, exact)

    def sample(self, parameters: Tensor, seed: Tensor) -> Tensor:
        logits = ops.cast(parameters, "float32")
        uniform = tf.random.stateless_uniform(tf.shape(logits), seed)
        small = ops.abs(logits) < 0.01
        safe = ops.where(small, ops.ones_like(logits), ops.abs(logits))
        # The inverse of F(x) = (exp(l x) - 1) / (exp(l) - 1), written for
        # l > 0 and mirrored, so that no exponential overflows.
        tail = ops.log(uniform + (1.0 - uniform) * ops.exp(-safe))
        exact = 1.0 + tail / safe
        exact = ops.where(logits < 0, 1.0 - exact, exact)
        series = uniform * (1.0 + 0.5 * logits * (1.0 - uniform))
        return ops.clip(ops.where(small, series, exact), 0.0, 1.0)


def _log_sinhc(half):
    """log(sinh(h) / h), stable at 0 and for large |h|."""
    absolute = ops.abs(half)
    small = absolute < 0.5 * _SERIES_BELOW
    safe = ops.where(small, ops.ones_like(half), absolute)
    exact = (
        safe + ops.log1p(-ops.exp(-2.0 * safe)) - math.log(2.0) - ops.log(safe)
    )
    square = ops.square(half)
    series = square * (1 / 6 - square * (1 / 180 - square / 2835))
    return ops.where(small, series, exact)


# Within the bound on the logarithm of a variance, which would clip others.
_STDDEV = Number(5e-5, maximum=20_000.0)


@keras.saving.register_keras_serializable(package="kgen")
class Gaussian(Likelihood):
    """Real-valued data with one standard deviation for all dimensions.

    `log p(x|z) = sum_i log N(x_i; parameters_i, stddev^2)`. With the default of
    1, `-log p(x|z)` is half the squared error plus a constant.

    Args:
        stddev: The standard deviation, or where it starts; from 5e-5 to 20,000.
        learn_stddev: Whether the standard deviation is a weight, trained with
            the networks (Lucas et al. 2019, arXiv 1911.02469).
    """

    parameters_are_mean = True

    @checked(stddev=_STDDEV, learn_stddev=Boolean())
    def __init__(
        self, stddev: float = 1.0, learn_stddev: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.stddev = stddev
        self.learn_stddev = learn_stddev
        self.log_var = self.add_weight(
            name="log_var",
            initializer=keras.initializers.Constant(
                2.0 * math.log(self.stddev)
            ),
            trainable=self.learn_stddev,
        )

    def _log_prob_per_dim(self, x, parameters):
        log_var = bound_log_var(self.log_var)
        return gaussian_log_prob(x, parameters, log_var)

    def sample(self, parameters: Tensor, seed: Tensor) -> Tensor:
        mean = self.mean(parameters)
        noise = tf.random.stateless_normal(tf.shape(mean), seed)
        return mean + ops.exp(0.5 * bound_log_var(self.log_var)) * noise

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "stddev": self.stddev,
            "learn_stddev": self.learn_stddev,
        }


# The least variance, that of a PSNR of 60 dB: a perfect reconstruction would
# have an infinite density.
_LEAST_VARIANCE = 1e-6


@keras.saving.register_keras_serializable(package="kgen")
class OptimalGaussian(Likelihood):
    """A Gaussian whose variance is the best for each picture, for autoencoders.

    The variance that maximises `sum_i log N(x_i; parameters_i, v)` is the mean
    squared error; with it, the value is `-d/2 (log(2 pi error) + 1)` for d
    dimensions. So it is the mean of the PSNR in other units: easy pictures count
    as much as hard ones, where the squared error looks at the hard ones. As the
    variance knows x, it is no density of x.

    References:
        Rybkin et al. (2021), Simple and effective VAE training with calibrated
        decoders, arXiv 2006.13202, section 4.2.
    """

    parameters_are_mean = True
    is_density = False

    def log_prob(
        self, x: Tensor, parameters: Tensor, batch_axes: int = 1
    ) -> Tensor:
        """The value for each example; see `Likelihood.log_prob`."""
        difference = ops.cast(x, "float32") - ops.cast(parameters, "float32")
        error = ops.square(difference)
        size = math.prod(error.shape[batch_axes:])
        error = sum_over_event(error, batch_axes) / size
        variance = ops.maximum(error, _LEAST_VARIANCE)
        # The ratio is 1 above the floor; below it, it keeps a gradient.
        ratio = error / variance
        return -0.5 * size * (ops.log(2.0 * math.pi * variance) + ratio)


def _gaussian(stddev=1.0):
    if stddev == "learned":
        return Gaussian(stddev=0.3, learn_stddev=True)
    return Gaussian(stddev)


LIKELIHOODS = {
    "bernoulli": Named(Bernoulli),
    "continuous_bernoulli": Named(ContinuousBernoulli),
    "gaussian": Named(_gaussian, ("", "STDDEV")),
}


def get(
    identifier: Likelihood | keras.losses.Loss | Callable | str,
    owner: str = "VAE",
    losses: bool = False,
) -> Likelihood:
    """Turns a name into a likelihood.

    Args:
        identifier: A `Likelihood`, or one of `"bernoulli"`,
            `"continuous_bernoulli"`, `"gaussian"` (standard deviation 1),
            `"gaussian:0.1"` (that standard deviation), `"gaussian:learned"`.
        owner: Whose argument it is, for the message.
        losses: Whether to allow for what is no density of x, too:
            `"gaussian:optimal"`, and Keras's losses and their names, which mean
            what they mean in Keras.

    Returns:
        A `Likelihood`.

    Raises:
        InvalidArgument: If the name is unknown, or it is no density of x where
            one is needed.
    """
    if isinstance(identifier, Likelihood):
        if not (losses or identifier.is_density):
            raise invalid(
                "likelihood", owner, "a density of x", type(identifier).__name__
            )
        return identifier
    if losses and keras_losses.is_loss(identifier):
        return keras_losses.KerasLoss(identifier)
    if losses and str(identifier) == "gaussian:optimal":
        return OptimalGaussian()
    names = keras_losses.NAMES if losses else ()
    return resolve("likelihood", owner, LIKELIHOODS, identifier, names)
