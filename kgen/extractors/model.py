"""Any network of the user's as an extractor."""

import math
import os
import pathlib

import keras
import tensorflow as tf

from kgen import damage
from kgen.errors import InvalidArgument, invalid
from kgen.extractors.base import Extractor
from kgen.models.factory import load_model
from kgen.networks.common import layer_output
from kgen.params import Optional, Options, checked

_OWNER = "ModelExtractor"
_KINDS = ("logits", "probabilities")


class ModelExtractor(Extractor):
    """The output of a network, or of one of its layers, as features.

    Args:
        model: A `keras.Model` (Functional or Sequential) of one input, the path
            of a `.keras` file, or of a SavedModel's directory. It takes
            pictures in [0, 1]; if it was trained on another scale, let its
            first layer rescale them.
        layer: Name of the layer whose output, flattened, is the features; None
            for the model's output. Of a SavedModel, the name of an output.
        signature: Name of the SavedModel's signature.
        classes: What the model's output is, if it tells classes apart:
            `"logits"` or `"probabilities"`; else None.

    Raises:
        InvalidArgument: If it is no such model, or has no such layer or
            signature; the message says what there is.
        FileNotFoundError: If there is nothing at the path.

    Example:

        ModelExtractor("classifier.keras", layer="features", classes="logits")
    """

    @checked(classes=Optional(Options(_KINDS)))
    def __init__(
        self,
        model: keras.Model | str | os.PathLike,
        layer: str | None = None,
        signature: str = "serving_default",
        classes: str | None = None,
    ) -> None:
        self.model, self.layer, self.classes = model, layer, classes
        self.signature = signature
        name = "the model"
        if isinstance(model, (str, os.PathLike)):
            name, model = f"the model {pathlib.Path(model).name}", _load(model)
        if isinstance(model, keras.Model):
            self._network, shapes = _keras_network(model, layer)
        elif hasattr(model, "signatures"):
            self._network, shapes = _saved_network(model, layer, signature)
        else:
            raise invalid(
                "model",
                _OWNER,
                "a keras.Model, the path of a .keras file, or of a SavedModel",
                type(model),
            )
        if layer is not None:
            name = f"{name}, layer {layer!r}"
        inputs, features, output = map(_without_batch, shapes)
        num_classes = None if classes is None else _class_count(output)
        super().__init__(name, inputs, _size(features), num_classes)

    def features_of(self, images: tf.Tensor) -> tf.Tensor:
        features = tf.cast(self._network(images)[0], "float32")
        return tf.reshape(features, (-1, self.num_features))

    def probabilities_of(self, images: tf.Tensor) -> tf.Tensor:
        if self.classes is None:
            return super().probabilities_of(images)
        output = tf.cast(self._network(images)[1], "float32")
        return tf.nn.softmax(output) if self.classes == "logits" else output


def _load(path):
    """A Keras model or a SavedModel."""
    path = pathlib.Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    if path.is_dir() and not tf.saved_model.contains_saved_model(path):
        raise InvalidArgument(
            f"{path} is a folder without a SavedModel (saved_model.pb)."
        )
    try:
        if path.is_dir():
            return tf.saved_model.load(os.fspath(path))
        return load_model(path, compile=False)
    except Exception as error:  # whatever a damaged file or a layer raises
        damage.raise_system_error(error)
        raise InvalidArgument(
            f"{path} can't be read as a model: {error}"
        ) from error


def _keras_network(model, layer):
    """A function of a batch that returns features and the model's output; the
    shapes of the batch, the features and the output."""
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise InvalidArgument(
            f"The layers of the model {model.name!r} can't be seen. Expected a "
            "built Functional or Sequential model; wrap another one: "
            "`x = keras.Input(shape); keras.Model(x, model(x))`."
        )
    _check_one("input", [tensor.name for tensor in inputs])
    # A Sequential has no graph of its own.
    graph = keras.Model(inputs[0], model.outputs)
    output = graph.outputs[0]
    if layer is None:
        _check_one("output", [tensor.name for tensor in graph.outputs])
        features = output
    else:
        features = layer_output(graph, layer, "layer", _OWNER)
    both = keras.Model(graph.inputs[0], [features, output])
    shapes = inputs[0].shape, features.shape, output.shape

    def network(images):
        return both(images, training=False)

    return network, shapes


def _saved_network(loaded, output, signature):
    """As `_keras_network`; the features are the output."""
    names = Options(sorted(loaded.signatures))
    names.check("signature", _OWNER, signature)
    function = loaded.signatures[signature]
    _, inputs = function.structured_input_signature
    _check_one("input", list(inputs))
    outputs = function.structured_outputs
    if output is None:
        _check_one("output", list(outputs))
        (output,) = outputs
    Options(sorted(outputs)).check("layer", _OWNER, output)
    ((name, spec),) = inputs.items()
    if spec.dtype != tf.float32:
        raise invalid(
            "signature", _OWNER, "one that takes float32", spec.dtype.name
        )

    def network(images):
        # `loaded` must live as long as its function does.
        features = loaded.signatures[signature](**{name: images})[output]
        return features, features

    shape = outputs[output].shape
    return network, (spec.shape, shape, shape)


def _check_one(what, names):
    if len(names) != 1:
        hint = "; say which by `layer`" if what == "output" else ""
        raise invalid(
            "model", _OWNER, f"one {what}{hint}", f"{', '.join(names)}"
        )


def _without_batch(shape):
    """The shape of an example; refuses a fixed number of them."""
    if getattr(shape, "rank", 1) is None:  # of a SavedModel
        raise invalid("model", _OWNER, "known shapes", shape)
    first, *rest = shape
    if first is not None:
        raise invalid(
            "model", _OWNER, "any number of examples", f"shape {tuple(shape)}"
        )
    return tuple(rest)


def _size(shape):
    if None in shape:
        raise invalid(
            "layer", _OWNER, "features of a fixed number", f"shape {shape}"
        )
    return math.prod(shape)


def _class_count(shape):
    if len(shape) != 1 or not shape[0]:
        raise invalid(
            "classes",
            _OWNER,
            "None, unless the model's output is (n, num_classes)",
            f"shape {shape}",
        )
    return shape[0]
