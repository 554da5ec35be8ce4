"""What the families of networks share: arguments, inputs and ends."""

import dataclasses
import functools
import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeAlias

import keras
from keras import KerasTensor, layers, ops

from kgen.errors import check_keywords, invalid
from kgen.layers import (
    BatchNormalization,
    ConcatenateLabels,
    SpectralNormalization,
    WeightClip,
)
from kgen.params import (
    Boolean,
    Built,
    Constraint,
    Each,
    Integer,
    Named,
    Optional,
    Options,
    resolve,
)

OWNER = "create_model"

Arguments = ParamSpec("Arguments")

# Types of arguments that Keras makes objects of.
Activation: TypeAlias = Callable | str | None
Regularizer: TypeAlias = keras.regularizers.Regularizer | str | None
KernelConstraint: TypeAlias = keras.constraints.Constraint | str | None

# Keras's layers, with the channels last whatever Keras is configured to. Every
# layer of kgen's networks that has a `data_format` is made by these.
(
    AveragePooling2D,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Cropping2D,
    Flatten,
    UpSampling2D,
) = (
    functools.partial(layer, data_format="channels_last")
    for layer in (
        layers.AveragePooling2D,
        layers.Conv1D,
        layers.Conv2D,
        layers.Conv2DTranspose,
        layers.Cropping2D,
        layers.Flatten,
        layers.UpSampling2D,
    )
)


@dataclasses.dataclass(frozen=True)
class Shape(Constraint):
    """Shape of one example; returned as a tuple of integers.

    Args:
        axes: Names of the axes that it must have; None for any shape.
    """

    axes: tuple[str, ...] | None = None

    def check(self, argument: str, owner: str, value: Any) -> tuple[int, ...]:
        try:
            shape = tuple(operator.index(size) for size in value)
        except TypeError:
            shape = ()
        expected = None
        if not shape or min(shape) < 1:
            expected = "a tuple of positive integers, without the batch"
        elif is_channels_first(shape):
            expected = (
                f"(height, width, channels), such as {(*shape[1:], shape[0])}; "
                "`np.moveaxis(x, 1, -1)` puts the channels of a batch last"
            )
        elif self.axes and len(shape) != len(self.axes):
            expected = (
                f"({', '.join(self.axes)}) for this network. Pictures (height, "
                "width, channels) and sequences (length, channels) can have "
                'network="conv"; volumes and other shapes need network="dense", '
                "which sees them as vectors"
            )
        if expected:
            raise invalid(argument, owner, expected, value)
        return shape


def check_shape(input_shape: Sequence[int]) -> tuple[int, ...]:
    """Returns `input_shape` as a tuple of positive integers, or raises."""
    return Shape().check("input_shape", OWNER, input_shape)


def is_channels_first(shape: Sequence[int]) -> bool:
    """Whether a shape is plainly that of a picture with its channels first.

    Args:
        shape: Shape of one example.
    """
    if len(shape) != 3 or min(shape[1:]) < 8:
        return False
    # One row of many channels is rare, but it may be meant.
    return shape[0] == 3 or (shape[0] == 1 and shape[1] == shape[2])


def _activation(identifier):
    activation = keras.activations.get(identifier)
    if isinstance(activation, type):
        raise TypeError("it is a class, not a function")
    return activation


def _activation_or_gated(identifier):
    return identifier if identifier == "gated" else _activation(identifier)


def _kernel_constraint(identifier):
    name = str(identifier).partition(":")[0]
    if name == "clip":
        table = {name: Named(WeightClip, ("", "LIMIT"))}
        return resolve("kernel_constraint", OWNER, table, identifier)
    return keras.constraints.get(identifier)


_ACTIVATION = Built(_activation, "a Keras activation or its name")
# What builders take; `kgen.networks` says what each argument means.
ARGUMENTS = {
    "input_shape": Shape(),
    "latent_dim": Integer(1),
    "gaussian": Boolean(),
    "context_dim": Integer(0),
    "hidden_units": Each(
        Integer(1), "a sequence of positive integers, such as (400,)"
    ),
    "filters": Integer(1),
    "max_filters": Integer(1),
    "blocks": Integer(1),
    "attention": Optional(Integer(1)),
    "minibatch_std": Boolean(),
    "activation": _ACTIVATION,
    "output_activation": _ACTIVATION,
    "batch_normalization": Boolean(),
    "spectral_normalization": Boolean(),
    "kernel_regularizer": Built(
        keras.regularizers.get, "a Keras regularizer or its name"
    ),
    "kernel_constraint": Built(
        _kernel_constraint,
        '"clip:LIMIT", or a Keras constraint or its name',
    ),
    "num_classes": Optional(Integer(1)),
    "pack": Integer(1),
}


def builder(
    function: Callable[Arguments, keras.Model],
    axes: tuple[str, ...] | None = None,
    **constraints: Constraint,
) -> Callable[Arguments, keras.Model]:
    """Decorates a builder of networks: checks and converts its arguments.

    What Keras makes of a name or a config is made here, so that a message names
    the argument. Messages name `create_model`, through which most users come.

    Args:
        function: Function whose arguments are among `ARGUMENTS`.
        axes: Names of the axes of the examples, where it builds networks for
            such alone.
        **constraints: Of arguments that it checks in a way of its own.
    """
    signature = inspect.signature(function)
    family = function.__module__.rpartition(".")[2]
    constraints = {**ARGUMENTS, "input_shape": Shape(axes), **constraints}

    @functools.wraps(function)
    def build(*args: Arguments.args, **kwargs: Arguments.kwargs) -> keras.Model:
        owner = f"{family}.{function.__name__}"
        check_keywords(owner, list(signature.parameters), kwargs)
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            constraint = constraints[name]
            bound.arguments[name] = constraint.check(name, OWNER, value)
        return function(*bound.args, **bound.kwargs)

    return build


def gated_builder(
    function: Callable[Arguments, keras.Model],
) -> Callable[Arguments, keras.Model]:
    """Decorates a builder whose activation may be `"gated"`, as `builder` does."""
    expected = '"gated", or a Keras activation or its name'
    return builder(function, activation=Built(_activation_or_gated, expected))


def picture_builder(
    function: Callable[Arguments, keras.Model],
) -> Callable[Arguments, keras.Model]:
    """Decorates a builder of networks for pictures, as `builder` does."""
    return builder(function, ("height", "width", "channels"))


def sequence_builder(
    function: Callable[Arguments, keras.Model],
) -> Callable[Arguments, keras.Model]:
    """Decorates a builder of networks for sequences, as `builder` does."""
    return builder(function, ("length", "channels"))


class Inputs:
    """The inputs of a network that is being built: a tensor, and maybe labels.

    Args:
        shape: Shape of the first input, without the batch.
        name: Its name.
        num_classes: Number of classes, or None for no labels.
    """

    def __init__(
        self, shape: Sequence[int], name: str, num_classes: int | None = None
    ) -> None:
        self.x = keras.Input(shape, name=name)
        self.num_classes = num_classes
        self.labels = None
        if num_classes is not None:
            self.labels = keras.Input((), dtype="int32", name="labels")

    def with_labels(self, x: KerasTensor) -> KerasTensor:
        """Appends the one-hot labels, if there are any, to a tensor."""
        if self.num_classes is None:
            return x
        return ConcatenateLabels(self.num_classes)([x, self.labels])

    def logit(
        self, features: KerasTensor, normalise: Callable, **kwargs: Any
    ) -> KerasTensor:
        """The end of a discriminator: `w f + b`, and `v_y f` for a label y.

        Args:
            features: Tensor f of shape `(batch, n)`.
            normalise: Function that each layer goes through, as `normalised`
                returns it.
            **kwargs: For the dense layer.

        References:
            Miyato & Koyama (2018), arXiv 1802.05637, equation 3 (projection).
        """
        dense = normalise(layers.Dense(1, dtype="float32", **kwargs))
        logit = dense(features)
        if self.labels is None:
            return logit
        embedding = layers.Embedding(
            self.num_classes,
            features.shape[-1],
            dtype="float32",
            embeddings_constraint=kwargs.get("kernel_constraint"),
        )
        classes = normalise(embedding)(self.labels)
        projection = layers.Dot(1, dtype="float32")([classes, features])
        return layers.Add(dtype="float32")([logit, projection])

    def network(
        self,
        outputs: KerasTensor | list[KerasTensor],
        name: str,
        more: Sequence[KerasTensor] = (),
    ) -> keras.Model:
        """Returns the network; it takes x, `more` inputs, then the labels."""
        inputs = [self.x, *more]
        if self.labels is not None:
            inputs.append(self.labels)
        if len(inputs) == 1:
            inputs = self.x
        return keras.Model(inputs, outputs, name=name)


def hidden_layers(
    activation: Activation,
    batch_normalization: bool,
    kernel_regularizer: Regularizer = None,
) -> tuple[dict[str, Any], Callable[[KerasTensor], KerasTensor]]:
    """What hidden layers are given, and what follows each of them.

    Args:
        activation: Keras activation or its name.
        batch_normalization: Whether it comes before the activation.
        kernel_regularizer: Keras regularizer.

    Returns:
        Keyword arguments of the layers, which have no activation; and a function
        that applies batch normalisation, if asked for, and the activation to a
        layer's output.
    """
    kwargs = {
        "use_bias": not batch_normalization,
        "kernel_regularizer": kernel_regularizer,
    }

    def activated(x):
        if batch_normalization:
            # Statistics that follow fast, for networks that change fast.
            x = BatchNormalization(momentum=0.9, epsilon=1e-4)(x)
        return layers.Activation(activation)(x)

    return kwargs, activated


def doubling(count: int, filters: int, max_filters: int) -> list[int]:
    """Filters of `count` stages: twice as many each time, up to the most."""
    return [min(filters * 2**stage, max_filters) for stage in range(count)]


def cropped(x: KerasTensor, size: Sequence[int]) -> KerasTensor:
    """Maps without the last rows and columns beyond `(height, width)`."""
    excess = [side - limit for side, limit in zip(x.shape[1:3], size)]
    if not any(excess):
        return x
    return Cropping2D([(0, rows) for rows in excess])(x)


def packed(shape: Sequence[int], pack: int) -> tuple[int, ...]:
    """The shape of `pack` examples side by side in the last axis."""
    return (*shape[:-1], shape[-1] * pack)


def normalised(spectral_normalization: bool) -> Callable:
    """A function that each layer goes through: spectral normalisation or none."""
    if spectral_normalization:
        return SpectralNormalization
    return lambda layer: layer


def latent_outputs(
    features: KerasTensor,
    latent_dim: int,
    gaussian: bool,
    context_dim: int = 0,
) -> KerasTensor | list[KerasTensor]:
    """The end of an encoder: `[mean, log_var]`, or z alone; in float32.

    With a `context_dim`, a Gaussian's parameters are followed by the context.
    """
    if not gaussian:
        return layers.Dense(latent_dim, dtype="float32", name="z")(features)
    posterior = layers.Dense(2 * latent_dim, dtype="float32", name="posterior")
    parameters = ops.split(posterior(features), 2, axis=-1)
    if not context_dim:
        return parameters
    context = layers.Dense(context_dim, dtype="float32", name="context")
    return [*parameters, context(features)]


def layer_output(
    network: keras.Model, name: str, argument: str, owner: str
) -> KerasTensor:
    """The output of a layer where `network` applies it.

    Args:
        network: A Functional `keras.Model`.
        name: The layer's name.
        argument: The argument that named it, for the message.
        owner: Whose argument it is.

    Returns:
        A `KerasTensor` of the network's own graph.

    Raises:
        InvalidArgument: If there is no such layer, or the network applies it
            more than once, or it has several outputs.
    """
    by_name = {
        layer.name: layer
        for layer in network.layers
        if not isinstance(layer, layers.InputLayer)
    }
    Options(by_name).check(argument, owner, name)
    # Not `layer.output`, which belongs to the layer's first call anywhere.
    outputs = [
        tensor
        for nodes in network._nodes_by_depth.values()
        for node in nodes
        if node.operation is by_name[name]
        for tensor in node.outputs
    ]
    if len(outputs) != 1:
        raise invalid(
            argument,
            owner,
            "a layer that the network applies once, of one output",
            name,
        )
    return outputs[0]
