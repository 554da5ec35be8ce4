"""What log p(x|z) is: one layer for each observation model."""

import inspect
import itertools
import math
import warnings

import keras
import tensorflow as tf
from keras import ops

from kgen.errors import (
    build_or_refuse,
    check_bool,
    check_number,
    invalid,
    unknown_name,
)
from kgen.losses.divergences import bound_log_var, gaussian_log_prob


def sum_over_event(values, batch_axes=1):
    """Sums all axes of `values` behind the first `batch_axes`."""
    return ops.sum(values, axis=tuple(range(batch_axes, len(values.shape))))


class Likelihood(keras.layers.Layer):
    """Base of all observation models p(x|z).

    A decoder ends in *parameters* of the shape of `x`; a likelihood says what
    they mean. It is a layer, so that it may have weights and is saved with the
    model; it computes in float32 under every dtype policy.

    To add one: subclass, and implement `_log_prob_per_dim`, `mean` and
    `sample`. `support` is the range of x, or None. `bits` is None for a density
    of x; else it names how x is turned into the zeros and ones whose probability
    it is.
    """

    support = None
    bits = None
    # Whether the parameters are the mean, and keep its bounds by themselves.
    parameters_are_mean = False
    # Whether they are logits, which can be any number.
    parameters_are_logits = False
    # Bounds that they must keep by themselves, or None.
    parameter_bounds = None
    # Whether `log_prob` is a density of x, as bounds on log p(x) need.
    is_density = True

    def __init__(self, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.built = True

    def log_prob(self, x, parameters, batch_axes=1):
        """Log-likelihood of each example.

        Args:
            x: Tensor of shape `(..., *event)`, with values in [0, 1]. It may
                broadcast over leading axes of `parameters`.
            parameters: Tensor of shape `(..., *event)`, a decoder's output.
            batch_axes: How many leading axes of the broadcast shape are not
                part of the event.

        Returns:
            Tensor without the event's axes: nats per image.
        """
        parameters = ops.cast(parameters, "float32")
        x = ops.cast(x, "float32")
        return sum_over_event(self._log_prob_per_dim(x, parameters), batch_axes)

    def mean(self, parameters):
        """E[x|z], of the shape of `parameters`."""
        raise NotImplementedError

    def sample(self, parameters, seed):
        """A draw of x given z, of the shape of `parameters`.

        Args:
            parameters: Tensor, a decoder's output.
            seed: Pair of integers, as stateless TensorFlow ops take it.
        """
        raise NotImplementedError

    def _log_prob_per_dim(self, x, parameters):
        raise NotImplementedError


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

    def mean(self, parameters):
        return ops.sigmoid(ops.cast(parameters, "float32"))

    def sample(self, parameters, seed):
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
        # log((exp(l) - 1) / l) = l/2 + log(sinh(l/2) / (l/2)), even but for l/2.
        half = 0.5 * parameters
        return parameters * (x - 0.5) - _log_sinhc(half)

    def mean(self, parameters):
        logits = ops.cast(parameters, "float32")
        small = ops.abs(logits) < _SERIES_BELOW
        safe = ops.where(small, ops.ones_like(logits), logits)
        exact = 0.5 / ops.tanh(0.5 * safe) - 1.0 / safe
        square = ops.square(logits)
        series = logits * (1 / 12 - square * (1 / 720 - square / 30240))
        return 0.5 + ops.where(small, series, exact)

    def sample(self, parameters, seed):
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


@keras.saving.register_keras_serializable(package="kgen")
class Gaussian(Likelihood):
    """Real-valued data with one standard deviation for all dimensions.

    `log p(x|z) = sum_i log N(x_i; parameters_i, stddev^2)`. With the default of
    1 it is half the squared error and a constant.

    Args:
        stddev: Positive number: the standard deviation, or where it starts.
        learn_stddev: Whether the standard deviation is a weight, trained with
            the networks (Lucas et al. 2019, arXiv 1911.02469).
    """

    parameters_are_mean = True

    def __init__(self, stddev=1.0, learn_stddev=False, **kwargs):
        super().__init__(**kwargs)
        self.stddev = check_number("stddev", "Gaussian", stddev, 1e-6)
        self.learn_stddev = check_bool("learn_stddev", "Gaussian", learn_stddev)
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

    def mean(self, parameters):
        return ops.cast(parameters, "float32")

    def sample(self, parameters, seed):
        mean = self.mean(parameters)
        noise = tf.random.stateless_normal(tf.shape(mean), seed)
        return mean + ops.exp(0.5 * bound_log_var(self.log_var)) * noise

    def get_config(self):
        return {
            **super().get_config(),
            "stddev": self.stddev,
            "learn_stddev": self.learn_stddev,
        }


# Errors below it are judged by this variance: that of 60 dB.
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

    def log_prob(self, x, parameters, batch_axes=1):
        """The value for each example; see `Likelihood.log_prob`."""
        error = ops.square(
            ops.cast(x, "float32") - ops.cast(parameters, "float32")
        )
        size = math.prod(error.shape[batch_axes:])
        error = sum_over_event(error, batch_axes) / size
        variance = ops.maximum(error, _LEAST_VARIANCE)
        # The ratio is 1 above the floor, and leads on below it.
        ratio = error / variance
        return -0.5 * size * (ops.log(2.0 * math.pi * variance) + ratio)

    def mean(self, parameters):
        return ops.cast(parameters, "float32")


@keras.saving.register_keras_serializable(package="kgen")
class KerasLoss(Likelihood):
    """A Keras loss in the place of -log p(x|z), for autoencoders.

    Keras's losses are means over the pixels; this is their sum, as all else
    here is. The parameters are the reconstruction itself, or its logits if the
    loss says so (`from_logits`). A name means what it means in Keras:
    `"binary_crossentropy"` takes probabilities, and a decoder that ends in a
    sigmoid; `Bernoulli` is the same loss of logits.

    Args:
        loss: `keras.losses.Loss`, its config, a function of `(x, parameters)`,
            or the name of one, such as `"mae"`. One's own must be registered
            (`keras.saving.register_keras_serializable`), or no saved model
            could be loaded.

    Raises:
        InvalidArgument: If it can't be loaded, or doesn't compare x with its
            reconstruction pixel by pixel, as losses of classes do not.
    """

    is_density = False

    def __init__(self, loss, **kwargs):
        super().__init__(**kwargs)
        self.loss = build_or_refuse(
            "likelihood",
            "KerasLoss",
            "a Keras loss, its name or its config",
            keras.losses.get,
            loss,
        )
        _check_loadable(self.loss)
        name = _keras_name(self.loss)
        if name in _NOT_OF_PIXELS:
            raise invalid(
                "likelihood",
                "KerasLoss",
                "a loss that compares x with its reconstruction pixel by "
                'pixel, such as "mae" or "binary_crossentropy"',
                name,
            )
        from_logits = getattr(self.loss, "from_logits", False)
        self.parameters_are_mean = not from_logits
        self.parameters_are_logits = from_logits
        if name in _OF_PROBABILITIES:
            self.support = (0.0, 1.0)
            self.parameter_bounds = None if from_logits else (0.0, 1.0)

    def log_prob(self, x, parameters, batch_axes=1):
        """Minus the loss of each example; see `Likelihood.log_prob`."""
        parameters = ops.cast(parameters, "float32")
        x = ops.broadcast_to(ops.cast(x, "float32"), ops.shape(parameters))
        size = math.prod(parameters.shape[batch_axes:])
        shape = (*ops.shape(parameters)[:batch_axes], size)
        # `call` has no reduction over the batch, which `__call__` adds.
        by_example = getattr(self.loss, "call", self.loss)
        return -size * by_example(
            ops.reshape(x, shape), ops.reshape(parameters, shape)
        )

    def mean(self, parameters):
        parameters = ops.cast(parameters, "float32")
        if self.parameters_are_mean:
            return parameters
        return ops.sigmoid(parameters)

    def get_config(self):
        loss = keras.losses.serialize(self.loss)
        # Keras leaves out some arguments, such as Huber's delta.
        arguments = getattr(self.loss, "_fn_kwargs", {})
        if arguments and loss["module"] == "keras.losses":
            loss["config"] = {**loss["config"], **arguments}
        return {**super().get_config(), "loss": loss}


def _check_loadable(loss):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras's, about lambdas
            keras.losses.get(keras.losses.serialize(loss))
    except (ValueError, TypeError) as error:
        raise invalid(
            "likelihood",
            "KerasLoss",
            "a loss that a saved model gives back: register it with "
            "`keras.saving.register_keras_serializable`",
            loss,
        ) from error


LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "gaussian": Gaussian,
}


def get(identifier, owner="VAE", losses=False):
    """Turns a name into a likelihood, once, at the border.

    Args:
        identifier: A `Likelihood`, or one of `"bernoulli"`,
            `"continuous_bernoulli"`, `"gaussian"` (standard deviation 1),
            `"gaussian:0.1"` (that standard deviation), `"gaussian:learned"`.
        owner: Whose argument it is, for the message.
        losses: Whether what is no density of x will do as well:
            `"gaussian:optimal"`, and Keras's losses and their names, which mean
            what they mean in Keras.

    Returns:
        A `Likelihood`.
    """
    if isinstance(identifier, Likelihood):
        if not (losses or identifier.is_density):
            raise invalid(
                "likelihood", owner, "a density of x", type(identifier).__name__
            )
        return identifier
    if (
        losses
        and isinstance(identifier, str)
        and (identifier == "gaussian:optimal")
    ):
        return OptimalGaussian()
    if losses and _is_loss(identifier):
        return KerasLoss(identifier)
    name, colon, argument = str(identifier).partition(":")
    if name not in LIKELIHOODS or (colon and name != "gaussian"):
        known = [*LIKELIHOODS, *(_LOSS_NAMES if losses else ())]
        raise unknown_name("likelihood", owner, known, identifier)
    if not colon:
        return LIKELIHOODS[name]()
    if argument == "learned":
        return Gaussian(stddev=0.3, learn_stddev=True)
    return Gaussian(stddev=argument)


# Those of Keras's losses that compare pixel by pixel, and their other names.
KERAS_LOSSES = {
    "mean_absolute_error": ("mae", "MAE", "MeanAbsoluteError"),
    "mean_squared_error": ("mse", "MSE", "MeanSquaredError"),
    "mean_squared_logarithmic_error": (
        "msle",
        "MSLE",
        "MeanSquaredLogarithmicError",
    ),
    "huber": ("Huber",),
    "log_cosh": ("LogCosh",),
    "binary_crossentropy": ("bce", "BCE", "BinaryCrossentropy"),
    "binary_focal_crossentropy": ("BinaryFocalCrossentropy",),
}
_LOSS_NAMES = [*KERAS_LOSSES, *itertools.chain(*KERAS_LOSSES.values())]
_OF_PROBABILITIES = {"binary_crossentropy", "binary_focal_crossentropy"}
# Those that are of classes, of whole vectors, or of all pixels of a batch.
_NOT_OF_PIXELS = {
    *("categorical_crossentropy", "categorical_focal_crossentropy", "circle"),
    *("categorical_generalized_cross_entropy", "categorical_hinge", "ctc"),
    *("cosine_similarity", "dice", "hinge", "kl_divergence", "tversky"),
    *("sparse_categorical_crossentropy", "squared_hinge"),
}


def _keras_name(loss):
    """The name of the function behind a loss of Keras's own, or None."""
    function = getattr(loss, "fn", loss)
    module = getattr(function, "__module__", None) or ""
    is_own = module.partition(".")[0] != "keras"
    return None if is_own else getattr(function, "__name__", None)


def _is_loss(identifier):
    if isinstance(identifier, str):
        return identifier in _LOSS_NAMES
    is_object = isinstance(identifier, keras.losses.Loss)
    return is_object or inspect.isfunction(identifier)
