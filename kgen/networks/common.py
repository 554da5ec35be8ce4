"""What the families of networks share: their inputs and their ends."""

import functools
import inspect
import operator

import keras
from keras import ops

from kgen.errors import (
    build_or_refuse,
    check_bool,
    check_int,
    check_keywords,
    check_name,
    invalid,
)
from kgen.layers import (
    BatchNormalization,
    ConcatenateLabels,
    SpectralNormalization,
    WeightClip,
)

OWNER = "create_model"

# Keras's layers, with the channels last whatever Keras is configured to.
Conv2D, Conv2DTranspose, Cropping2D, Flatten, UpSampling2D = (
    functools.partial(layer, data_format="channels_last")
    for layer in (
        keras.layers.Conv2D,
        keras.layers.Conv2DTranspose,
        keras.layers.Cropping2D,
        keras.layers.Flatten,
        keras.layers.UpSampling2D,
    )
)


def builder(function):
    """Checks the arguments that builders share, before one of them runs.

    What Keras makes of a name or a config is made here, so that a mistake is
    named by its argument, and so is an argument that there is not.
    """
    known = list(inspect.signature(function).parameters)
    family = function.__module__.rpartition(".")[2]

    @functools.wraps(function)
    def build(*args, **kwargs):
        check_keywords(f"{family}.{function.__name__}", known, kwargs)
        for name, check in _SHARED.items():
            if name in kwargs:
                kwargs[name] = check(name, kwargs[name])
        return function(*args, **kwargs)

    return build


def _activation(name, identifier):
    if identifier == "gated":  # of dense networks, which know it
        return identifier
    found = build_or_refuse(
        name,
        OWNER,
        "a Keras activation or its name",
        keras.activations.get,
        identifier,
    )
    if isinstance(found, type):
        raise invalid(name, OWNER, "a function, not a class", found)
    return found


def _regularizer(name, identifier):
    return build_or_refuse(
        name,
        OWNER,
        "a Keras regularizer or its name",
        keras.regularizers.get,
        identifier,
    )


def _constraint(name, identifier):
    """A Keras constraint, None, or `"clip"` and `"clip:LIMIT"`, as an object."""
    if isinstance(identifier, str):
        clip, colon, limit = identifier.partition(":")
        if clip == "clip":
            return WeightClip(limit) if colon else WeightClip()
    return build_or_refuse(
        name,
        OWNER,
        '"clip:LIMIT", or a Keras constraint or its name',
        keras.constraints.get,
        identifier,
    )


def _boolean(name, value):
    return check_bool(name, OWNER, value)


_SHARED = {
    "activation": _activation,
    "output_activation": _activation,
    "kernel_regularizer": _regularizer,
    "kernel_constraint": _constraint,
    "batch_normalization": _boolean,
    "spectral_normalization": _boolean,
    "gaussian": _boolean,
}


def check_shape(input_shape, picture=False):
    """Returns `input_shape` as a tuple of positive ints, or raises."""
    try:
        shape = tuple(operator.index(size) for size in input_shape)
    except TypeError:
        shape = ()
    if not shape or min(shape) < 1:
        raise invalid(
            "input_shape",
            OWNER,
            "a tuple of positive integers, without the batch",
            input_shape,
        )
    if is_channels_first(shape):
        raise invalid(
            "input_shape",
            OWNER,
            f"(height, width, channels), such as {(*shape[1:], shape[0])}; "
            "`np.moveaxis(x, 1, -1)` puts the channels of a batch last",
            input_shape,
        )
    if picture and len(shape) != 3:
        raise invalid(
            "input_shape",
            OWNER,
            "(height, width, channels) for a convolutional network; "
            'use network="dense" for other shapes',
            input_shape,
        )
    return shape


def is_channels_first(shape):
    """Whether a shape is plainly that of a picture with its channels first.

    Args:
        shape: Shape of one example.
    """
    if len(shape) != 3 or min(shape[1:]) < 8:
        return False
    # One row of many channels is rare, but it may be meant.
    return shape[0] == 3 or (shape[0] == 1 and shape[1] == shape[2])


def check_widths(name, widths):
    """Returns `widths` as a tuple of positive ints, or raises."""
    if isinstance(widths, str) or not hasattr(widths, "__iter__"):
        raise invalid(
            name,
            OWNER,
            "a sequence of positive integers, such as (400,)",
            widths,
        )
    return tuple(check_int(name, OWNER, width) for width in widths)


class Inputs:
    """The inputs of a network in the making: one tensor, and maybe labels.

    Args:
        shape: Shape of the first input, without the batch.
        name: Its name.
        num_classes: Number of classes, or None for no labels.
    """

    def __init__(self, shape, name, num_classes=None):
        self.x = keras.Input(shape, name=name)
        self.labels = None
        if num_classes is not None:
            self.num_classes = check_int("num_classes", OWNER, num_classes)
            self.labels = keras.Input((), dtype="int32", name="labels")

    def with_labels(self, x):
        """Appends the one-hot labels, if there are any, to a tensor."""
        if self.labels is None:
            return x
        return ConcatenateLabels(self.num_classes)([x, self.labels])

    def logit(self, features, make, **kwargs):
        """The end of a discriminator: `w f + b`, and `v_y f` for a label y.

        Args:
            features: Tensor of shape `(batch, n)`.
            make: What each layer goes through, such as `normalised()`.
            **kwargs: For the dense layer.

        References:
            Miyato & Koyama (2018), arXiv 1802.05637, equation 3 (projection).
        """
        logit = make(keras.layers.Dense(1, dtype="float32", **kwargs))(features)
        if self.labels is None:
            return logit
        size = features.shape[-1]
        classes = make(
            keras.layers.Embedding(
                self.num_classes,
                size,
                dtype="float32",
                embeddings_constraint=kwargs.get("kernel_constraint"),
            )
        )
        projection = keras.layers.Dot(1, dtype="float32")
        return keras.layers.Add(dtype="float32")(
            [logit, projection([classes(self.labels), features])]
        )

    def network(self, outputs, name, more=()):
        """Closes the network; it takes x, `more` inputs, then the labels."""
        inputs = [self.x, *more]
        if self.labels is not None:
            inputs.append(self.labels)
        if len(inputs) == 1:
            inputs = self.x
        return keras.Model(inputs, outputs, name=name)


def hidden_layers(activation, batch_normalization, kernel_regularizer=None):
    """What hidden layers are given, and what follows each of them.

    Args:
        activation: Keras activation or its name.
        batch_normalization: Whether that comes before it.
        kernel_regularizer: Keras regularizer or its name.

    Returns:
        Keyword arguments of the layers, which have no activation; and the
        function from their output to that of batch normalisation, if asked for,
        and of the activation.
    """
    kwargs = {
        "use_bias": not batch_normalization,
        "kernel_regularizer": kernel_regularizer,
    }

    def hidden(x):
        if batch_normalization:
            # Statistics that follow fast, for networks that change fast.
            x = BatchNormalization(momentum=0.9, epsilon=1e-4)(x)
        return keras.layers.Activation(activation)(x)

    return kwargs, hidden


def doubling(count, filters, max_filters):
    """Filters of `count` stages: twice as many each time, up to the most."""
    filters = check_int("filters", OWNER, filters)
    max_filters = check_int("max_filters", OWNER, max_filters)
    return [min(filters * 2**stage, max_filters) for stage in range(count)]


def cropped(x, size):
    """Maps without the last rows and columns beyond `(height, width)`."""
    excess = [have - want for have, want in zip(x.shape[1:3], size)]
    if not any(excess):
        return x
    return Cropping2D([(0, rows) for rows in excess])(x)


def packed(shape, pack):
    """The shape of `pack` examples side by side in the last axis."""
    return (*shape[:-1], shape[-1] * check_int("pack", OWNER, pack))


def normalised(spectral_normalization):
    """A function that each layer goes through: spectral normalisation or none."""
    if spectral_normalization:
        return SpectralNormalization
    return lambda layer: layer


def latent_outputs(features, latent_dim, gaussian):
    """The end of an encoder: `[mean, log_var]`, or z alone; in float32."""
    latent_dim = check_int("latent_dim", OWNER, latent_dim)
    if not gaussian:
        return keras.layers.Dense(latent_dim, dtype="float32", name="z")(
            features
        )
    posterior = keras.layers.Dense(
        2 * latent_dim, dtype="float32", name="posterior"
    )(features)
    return ops.split(posterior, 2, axis=-1)


def layer_output(network, name, argument, owner):
    """The output of a layer where `network` applies it.

    Args:
        network: A Functional `keras.Model`.
        name: The layer's name.
        argument: The argument that named it, for the message.
        owner: Whose argument it is.

    Returns:
        A `KerasTensor` of the network's own graph.

    Raises:
        InvalidArgument: If there is no such layer, it's applied more than once,
            or has several outputs.
    """
    by_name = {
        layer.name: layer
        for layer in network.layers
        if not isinstance(layer, keras.layers.InputLayer)
    }
    check_name(argument, owner, by_name, name)
    # Not `layer.output`: that is of the layer's first call anywhere.
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
