"""Keras's losses in the place of a likelihood, for autoencoders."""

import inspect
import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any

import keras
from keras import ops
from tensorflow import Tensor

from kgen.errors import invalid
from kgen.losses.base import Likelihood
from kgen.params import Built

# Keras's losses that compare pixel by pixel, and their other names.
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
NAMES = (*KERAS_LOSSES, *itertools.chain(*KERAS_LOSSES.values()))
_OF_PROBABILITIES = {"binary_crossentropy", "binary_focal_crossentropy"}
# Losses of classes, of whole vectors, or of all pixels of a batch.
_NOT_OF_PIXELS = {
    *("categorical_crossentropy", "categorical_focal_crossentropy", "circle"),
    *("categorical_generalized_cross_entropy", "categorical_hinge", "ctc"),
    *("cosine_similarity", "dice", "hinge", "kl_divergence", "tversky"),
    *("sparse_categorical_crossentropy", "squared_hinge"),
}
_LOSS = Built(keras.losses.get, "a Keras loss, its name or its config")


@keras.saving.register_keras_serializable(package="kgen")
class KerasLoss(Likelihood):
    """A Keras loss in the place of -log p(x|z), for autoencoders.

    Keras's losses are means over the pixels; this is their sum, as all of
    kgen's losses are. The parameters are the reconstruction itself, or its
    logits if the loss says so (`from_logits`). A name means what it means in
    Keras: `"binary_crossentropy"` takes probabilities, and a decoder that ends
    in a sigmoid; `Bernoulli` is the same loss of logits.

    Args:
        loss: `keras.losses.Loss`, its config, a function of `(x, parameters)`,
            or the name of one, such as `"mae"`. Your own must be registered
            (`keras.saving.register_keras_serializable`), or no saved model
            could be loaded.

    Raises:
        InvalidArgument: If it can't be loaded, or doesn't compare x with its
            reconstruction pixel by pixel, as losses of classes do not.
    """

    is_density = False

    def __init__(
        self, loss: keras.losses.Loss | Callable | dict | str, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        # The message names `likelihood`, the argument by which users give a loss.
        self.loss = _LOSS.check("likelihood", "KerasLoss", loss)
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

    def log_prob(
        self, x: Tensor, parameters: Tensor, batch_axes: int = 1
    ) -> Tensor:
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

    def get_config(self) -> dict:
        loss = keras.losses.serialize(self.loss)
        # Keras leaves out some arguments, such as Huber's delta.
        arguments = getattr(self.loss, "_fn_kwargs", {})
        if arguments and loss["module"] == "keras.losses":
            loss["config"] = {**loss["config"], **arguments}
        return {**super().get_config(), "loss": loss}


def is_loss(identifier: Any) -> bool:
    """Whether it is a loss for `KerasLoss`, or the name of one of Keras's."""
    if isinstance(identifier, str):
        return identifier in NAMES
    is_object = isinstance(identifier, keras.losses.Loss)
    return is_object or inspect.isfunction(identifier)


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


def _keras_name(loss):
    """The name of the function behind one of Keras's losses, or None."""
    function = getattr(loss, "fn", loss)
    module = getattr(function, "__module__", None) or ""
    is_of_keras = module.partition(".")[0] == "keras"
    return getattr(function, "__name__", None) if is_of_keras else None
