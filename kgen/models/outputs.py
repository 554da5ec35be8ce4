"""Checks that the output activation of a network fits its use.

A discriminator that ends in a sigmoid trains without an error, as if its
probabilities were logits, but the result is bad. The checks here turn this into
an error when the model is created.
"""

import contextlib
import contextvars
import typing
import warnings
from collections.abc import Iterator

import keras
import numpy as np

from kgen.arrays import Support
from kgen.errors import invalid
from kgen.losses import Likelihood

# An output that can be as low as -5 (as high as 5) counts as unbounded below
# (above).
_FAR = 5.0
_GRID = np.concatenate(
    [-np.geomspace(1e3, 1e-3, 200), [0.0], np.geomspace(1e-3, 1e3, 200)]
).astype("float32")[None]

# Layers and operations that, in inference, do not change the values.
_KEEPS = {
    "ActivityRegularization",
    "AlphaDropout",
    "Cast",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Dropout",
    "ExpandDims",
    "Flatten",
    "GaussianNoise",
    "GetItem",
    "Identity",
    "Permute",
    "Reshape",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "Split",
    "Squeeze",
    "Transpose",
}
# Layers and operations that are an activation by themselves.
_ACTIVATES = {
    "Celu",
    "ELU",
    "Elu",
    "Exp",
    "Gelu",
    "HardSigmoid",
    "HardSilu",
    "HardTanh",
    "LeakyReLU",
    "LeakyRelu",
    "LogSigmoid",
    "LogSoftmax",
    "ReLU",
    "Relu",
    "Relu6",
    "Selu",
    "Sigmoid",
    "Silu",
    "Softmax",
    "Softplus",
    "Softsign",
    "SparseSigmoid",
    "Squareplus",
    "Tanh",
}

_warns_only = contextvars.ContextVar("warns_only", default=False)


class OutputRange(typing.NamedTuple):
    """The activation of a network's output.

    Args:
        name: Its name.
        low: The least value that it gives.
        high: The greatest.
    """

    name: str
    low: float
    high: float

    @property
    def is_bounded(self) -> bool:
        """Whether it can't go far in either direction."""
        return self.low > -_FAR and self.high < _FAR

    def __str__(self) -> str:
        low = "minus infinity" if self.low <= -_FAR else f"{self.low:.3g}"
        high = "infinity" if self.high >= _FAR else f"{self.high:.3g}"
        return (
            f"a network that ends in {self.name}, whose values go from {low} to "
            f"{high}"
        )


@contextlib.contextmanager
def only_warn() -> Iterator[None]:
    """Within this context, the checks warn and do not raise.

    Models that were saved by versions without these checks must still load.
    """
    token = _warns_only.set(True)
    try:
        yield
    finally:
        _warns_only.reset(token)


def output_range(network: keras.Model, index: int = 0) -> OutputRange | None:
    """The activation of an output.

    Args:
        network: A built `keras.Model`.
        index: Which of its outputs.

    Returns:
        An `OutputRange`, or None if the range of the last layer is unknown.
    """
    return _end_at(network.outputs[index])


def _end_at(tensor):
    outer, node_index, tensor_index = tensor._keras_history
    operation = outer
    while isinstance(operation, keras.layers.Wrapper):
        operation = operation.layer
    if isinstance(operation, keras.Model):
        outputs = getattr(operation, "outputs", None)
        return _end_at(outputs[tensor_index]) if outputs else None
    activation = _activation_of(operation)
    if activation is None:
        return None
    end = _range_of(activation)
    if not _keeps(operation) or end is None or end.name != "linear":
        return end
    # This layer does not change the values: look at the layer before it.
    before = outer._inbound_nodes[node_index].input_tensors
    return _end_at(before[0]) if len(before) == 1 else None


def _keeps(operation):
    is_activation = isinstance(operation, keras.layers.Activation)
    return is_activation or type(operation).__name__ in _KEEPS


def _activation_of(operation):
    """The function of numbers that an operation ends in, or None."""
    kind = type(operation).__name__
    if kind in _KEEPS:
        return keras.activations.linear
    if kind in _ACTIVATES:
        return operation
    if isinstance(operation, (keras.layers.RNN, keras.layers.InputLayer)):
        return None  # a gate follows the activation of a recurrent layer
    return getattr(operation, "activation", None)


def _range_of(activation):
    name = getattr(activation, "__name__", type(activation).__name__)
    try:
        values = keras.ops.convert_to_numpy(activation(_GRID))
    except Exception:  # one's own function may do anything
        return None
    if not len(values) or np.isnan(values).any():
        return None
    return OutputRange(name.lower(), float(values.min()), float(values.max()))


def _refuse(argument, owner, expected, end):
    error = invalid(argument, owner, expected, end)
    if not _warns_only.get():
        raise error
    warnings.warn(str(error), stacklevel=2)


def check_logits(
    argument: str, owner: str, network: keras.Model, advice: str
) -> None:
    """Raises if the output can't be just any number, as a logit is.

    Args:
        argument: The network's name.
        owner: Name of the model.
        network: The network.
        advice: How to end it instead, in words.

    Raises:
        InvalidArgument: The message says what the network ends in.
    """
    end = output_range(network)
    if end is not None and (end.low > -_FAR or end.high < _FAR):
        _refuse(
            argument, owner, f"logits, which can be any number: {advice}", end
        )


def check_log_var(owner: str, encoder: keras.Model) -> None:
    """Raises if the log-variance of a posterior can't be below -0.5.

    Args:
        owner: Name of the model.
        encoder: The encoder, whose second output it is.

    Raises:
        InvalidArgument: The message says what the output ends in.
    """
    end = output_range(encoder, 1)
    if end is not None and end.low > -0.5:
        _refuse(
            "encoder",
            owner,
            "a log-variance as the second output, which is negative where the "
            "posterior is narrower than the prior: end it in a Dense layer "
            "without activation, or take `keras.ops.log` of a variance",
            end,
        )


def check_range(
    argument: str,
    owner: str,
    network: keras.Model,
    bounds: tuple[float, float],
    advice: str,
) -> None:
    """Raises if the output can leave bounds that it must keep.

    Args:
        argument: The network's name.
        owner: Name of the model.
        network: The network.
        bounds: The least value and the greatest.
        advice: How to end it instead, in words.

    Raises:
        InvalidArgument: The message says what the network ends in.
    """
    end = output_range(network)
    if end is not None and (end.low < bounds[0] or end.high > bounds[1]):
        _refuse(
            argument,
            owner,
            f"values from {bounds[0]:g} to {bounds[1]:g}: {advice}",
            end,
        )


def check_decoder(
    owner: str, decoder: keras.Model, likelihood: Likelihood
) -> Support:
    """Checks that a decoder fits a likelihood; returns the bounds of the data.

    Args:
        owner: Name of the model.
        decoder: The decoder.
        likelihood: The `Likelihood` that takes its output.

    Returns:
        Pair of numbers that the data must keep, or None.

    Raises:
        InvalidArgument: The message says what the decoder ends in.
    """
    if likelihood.parameters_are_logits:
        check_logits(
            "decoder",
            owner,
            decoder,
            "end it in a layer without activation, since the likelihood "
            "applies the sigmoid itself",
        )
    if likelihood.parameter_bounds is not None:
        check_range(
            "decoder",
            owner,
            decoder,
            likelihood.parameter_bounds,
            "end it in a sigmoid, or use a likelihood that takes logits",
        )
    if likelihood.support is not None or not likelihood.parameters_are_mean:
        return likelihood.support
    return bounds_of("decoder", owner, decoder)


def bounds_of(argument: str, owner: str, network: keras.Model) -> Support:
    """Bounds that data must keep, since a network's output can't leave them.

    Args:
        argument: The network's name.
        owner: Name of the model.
        network: One whose output is an example.

    Returns:
        Pair of numbers, or None where the output is not bounded.

    Raises:
        InvalidArgument: If the examples are pictures, whose values are in
            [0, 1], and the output's bounds are others.
    """
    end = output_range(network)
    if end is None or not end.is_bounded:
        return None
    is_picture = len(network.outputs[0].shape) == 4
    if is_picture and (end.low, end.high) != (0.0, 1.0):
        _refuse(
            argument,
            owner,
            "values from 0 to 1, as pictures have: end it in a sigmoid, and "
            "give `fit` pictures in [0, 1]",
            end,
        )
        return None
    return end.low, end.high
