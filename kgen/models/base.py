"""The base of all models: networks, data, files."""

import os
from typing import Any, ClassVar, Self

import keras
import numpy as np
import tensorflow as tf

from kgen import arrays
from kgen.errors import check_keywords, invalid
from kgen.export import savedmodel
from kgen.models import (
    batches,
    checks,
    graph_checks,
    network_checks,
    outputs,
    saving,
)
from kgen.models.labelled import Labelled
from kgen.models.logs import LogMeans
from kgen.models.training import Traces
from kgen.parallel import replicas

# Arguments that every Keras model has.
_OF_ALL = ("name", "trainable", "dtype", "autocast", "activity_regularizer")


class GenerativeModel(Labelled):
    """Base of kgen's models.

    A subclass gives its networks to `_set_networks`, and implements `compile`,
    `train_step`, `test_step`, `call` and `endpoints`.
    """

    # Whether it can't be trained without labels, which it then predicts.
    needs_labels = False
    # Attributes of arguments of `__init__` whose names are those of methods.
    argument_attributes: ClassVar[dict[str, str]] = {}
    # Whether methods take values outside the data's range, as noisy ones are.
    encodes_any_range = False
    # For a table: whether the model learns gaps, and draws rows with them.
    draws_gaps = False

    def __init__(self, **kwargs: Any):
        known = [*saving.arguments_of(type(self)), *_OF_ALL]
        check_keywords(type(self).__name__, known, kwargs)
        super().__init__(**kwargs)

    def _set_networks(self, log_names, support=None, **networks):
        """Sets the networks as attributes, and what follows from them.

        Args:
            log_names: Names of the logs, in order.
            support: Bounds that the data must keep, or None.
            **networks: Built `keras.Model`s; the first one tells the shape of
                the data and whether the model is conditional.
        """
        for name, network in networks.items():
            network_checks.check_network(name, type(self).__name__, network)
            setattr(self, name, network)
        network_checks.check_precision(self, networks)
        network_checks.check_nothing_shared(type(self).__name__, networks)
        first = next(iter(networks.values()))
        self._set_data(
            log_names,
            [tuple(x.shape[1:]) for x in first.inputs],
            network_checks.num_classes_of(first),
            support,
        )

    def _set_data(self, log_names, shapes, num_classes, support):
        """Sets what the data must be like, and the means of the logs.

        Args:
            log_names: Names of the logs, in order.
            shapes: Those of one example and, with labels, of one label.
            num_classes: How many there are, if known.
            support: Bounds that the data must keep, or None.
        """
        self.input_shapes = list(shapes)
        self.conditional = len(shapes) == 2
        self.num_classes = num_classes
        self._set_shape(shapes[0], support)
        self.log_means = LogMeans(log_names)
        self.traces = Traces()
        self.built = True

    def _set_shape(self, shape, support=None):
        """Sets the shape of one example, and the bounds of its values."""
        self.input_shapes[0] = tuple(shape)
        # Pictures are in [0, 1] whatever the likelihood allows.
        picture = len(self.input_shapes[0]) == 3
        self.support = support or ((0.0, 1.0) if picture else None)

    def build(self, input_shape: Any = None) -> None:
        """Does nothing: the networks are built."""
        self.built = True

    def check_batch_size(self, size: int, owner: str) -> None:
        """Raises if a training batch of `size` is too small for the model."""

    # Data

    def encoded(self, x: Any, method: str | None = None) -> Any:
        """The examples of a DataFrame; what is no DataFrame, as it is.

        Args:
            x: What a method was given.
            method: Its name, for messages; None where it is not known.

        Returns:
            float32 of shape `(n, *input_shape)`; for a conditional model a pair
            with the labels.
        """
        if self.table is None or not hasattr(x, "iloc"):
            return x
        owner = type(self).__name__ + (f".{method}" if method else "")
        rows = self.table.encode(x, owner)
        # A classifier is only given classes to learn them, or to be judged.
        wants = method in ("fit", "evaluate") or not self.needs_labels
        if not (self.conditional and wants):
            return rows
        return rows, self.table.labels_of(x, owner)

    def rows_of(self, x: np.ndarray, labels: np.ndarray | None = None) -> Any:
        """What a method returns as examples: of a table's, a DataFrame.

        Args:
            x: Array of shape `(n, *input_shape)`.
            labels: `n` integers for the target, or None.
        """
        return x if self.table is None else self.table.decode(x, labels)

    def unpack(self, data: Any, values: bool = False) -> tuple[Any, tf.Tensor]:
        """Splits a batch into the networks' inputs and the examples.

        Args:
            data: What a dataset yields: `x`, `(x,)` or `(x, labels)`.
            values: Whether the values of x are looked at, too. Training does
                without, for its speed: there, NaN is seen in the loss.

        Returns:
            `inputs`: `[x, labels]` for a conditional model, else `x`; and `x`.

        Raises:
            InvalidArgument: If x has the wrong shape or type, or labels are no
                classes; `graph_checks.in_words` for what the graph finds.
        """
        inputs, x = self._unpack(data, self.input_shapes[0])
        if values:
            graph_checks.check_values(x, self.support, type(self).__name__)
        return inputs, x

    def _unpack(self, data, shape):
        owner = type(self).__name__
        x, labels = checks.parts_of(data, owner)
        x = graph_checks.examples(x, shape, owner)
        if self.conditional:
            labels = graph_checks.labels(labels, self.num_classes, owner)
            return [x, labels], x
        if labels is not None:
            checks.check_no_target(labels, shape, owner)
        return x, x

    def checked_inputs(self, inputs: Any, any_range: bool = False) -> Any:
        """Checks the arrays that a method is given.

        Args:
            inputs: Array of shape `(n, *input_shape)`, or `[x, labels]`.
            any_range: Whether values may lie outside the model's support.

        Returns:
            The examples as float32, for a conditional model with the labels as
            int32.

        Raises:
            InvalidArgument: If they can't be used.
        """
        inputs = self.encoded(inputs)
        pair = isinstance(inputs, (tuple, list)) and self.conditional
        owner = type(self).__name__
        x, labels = checks.parts_of(inputs, owner) if pair else (inputs, None)
        x = self._checked_examples(x, any_range)
        if not self.conditional:
            return x
        labels = arrays.numbered(labels, self.class_names, owner)
        self.check_labels(labels, len(x), owner)
        return x, np.asarray(labels, "int32")

    def _checked_examples(self, x, any_range):
        x = np.asanyarray(x)  # with its mask, if it has one, for the check
        support = None if any_range else self.support
        if x.dtype == np.float64:
            with np.errstate(over="ignore"):  # the check finds infinity
                x = x.astype("float32")
        owner = type(self).__name__
        arrays.check_array(x, self.input_shapes[0], support, owner)
        return np.asarray(x, "float32")

    def _apply(self, method, x, batch_size, *extra, verbose=0):
        """Applies a method of tensors to arrays or a dataset."""
        inputs = batches.of(self, x, batch_size, self.encodes_any_range)
        return batches.apply(self, method, inputs, *extra, verbose=verbose)

    # Files

    def endpoints(self) -> dict:
        """Signatures of the exported model.

        Returns:
            Dictionary from a signature's name to a pair: a function of
            tensors that returns a dictionary of tensors, and a list of
            `tf.TensorSpec`s whose names are the inputs'.
        """
        raise NotImplementedError

    def lite_endpoints(self) -> dict:
        """The parts of the model that may be made small for devices.

        Returns:
            Dictionary of the form of `endpoints`, whose functions have no checks
            of requests and draw nothing at random; `{}` for none.
        """
        return {}

    @replicas.frees_graphs()
    def export(
        self,
        filepath: str | os.PathLike,
        format: str = "tf_saved_model",
        verbose: bool = False,
        *,
        overwrite: bool = False,
        image_format: str = "float",
        max_examples: int = 1000,
        quantize: str | None = None,
        examples: Any = None,
        held_out: Any = None,
        facts: dict | None = None,
    ) -> None:
        """Writes a SavedModel with `endpoints()` as its signatures.

        A request that is wrong (its shape, numbers that are not finite or out of
        range, too many of them, labels that there are not) gets an error. Beside
        the model are `model.json`, which describes it, and in `assets.extra`
        requests by which a server warms up and `request.json`, the body of a
        REST request to `serving_default`. Names of classes are in `model.json` and
        in `classes.txt` there, a line for each label.

        Args:
            filepath: Directory to make, such as `"saved_models/vae/1"`. It
                appears whole or not at all.
            format: `"tf_saved_model"`; there is no other one. Keras's are for
                networks alone: `model.decoder.export(path, format="onnx")`.
            verbose: Whether to print where it is, with its signatures' names.
            overwrite: Whether an existing export may be replaced.
            image_format: What signatures take and give as pictures: `"float"`,
                `images` in [0, 1]; `"uint8"`, `images` from 0 to 255; `"png"`,
                strings by the name of `images_bytes`, which REST sends in
                base64.
            max_examples: The most pictures, codes or samples of one request.
            quantize: `"float16"` or `"int8"`, to write the model's parts for
                LiteRT, too, as `assets.extra/NAME.tflite`, with what they lose
                noted in `model.json`; None for none. The SavedModel keeps
                float32.
            examples: Array of shape `(n, *input_shape)`, or `[x, labels]`, for
                requests that are like real ones. `quantize` needs them: to find
                the ranges of numbers by 256 of them.
            held_out: Others, in the same form, to measure by 256 of them what
                `quantize` loses, which needs them.
            facts: Dictionary of what `model.json` is to say besides.

        Raises:
            FileExistsError: If it exists and `overwrite` is False, or is no
                export.
            InvalidArgument: If a value can't be used.
        """
        given = (examples, held_out)
        examples, held_out = (
            x if x is None else self.checked_inputs(x, self.encodes_any_range)
            for x in given
        )
        endpoints = savedmodel.Endpoints(
            model=type(self).__name__,
            signatures=self.endpoints(),
            lite_signatures=self.lite_endpoints(),
            image_shape=self.input_shapes[0],
            support=None if self.encodes_any_range else self.support,
            num_classes=self.num_classes,
            labels=self.labels_in_turn,
            table=self.table,
            class_names=self.class_names,
        )
        savedmodel.write(
            endpoints,
            filepath,
            format=format,
            verbose=verbose,
            overwrite=overwrite,
            image_format=image_format,
            max_examples=max_examples,
            quantize=quantize,
            examples=examples,
            held_out=held_out,
            facts=facts,
        )

    def image_spec(self, name: str = "images") -> tf.TensorSpec:
        """`tf.TensorSpec` of a batch of pictures of any size."""
        return tf.TensorSpec((None, *self.input_shapes[0]), "float32", name)

    def save(
        self, filepath: str | os.PathLike, *args: Any, **kwargs: Any
    ) -> None:
        """`keras.Model.save`, to a file that `load_model` can read.

        Raises:
            InvalidArgument: If the name ends in `.h5` or `.hdf5`: Keras writes
                such a file, and can't read it again.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise invalid(
                "filepath",
                f"{type(self).__name__}.save",
                "a name that ends in .keras; Keras can't load a model of one's "
                "own out of HDF5",
                repr(str(filepath)),
            )
        super().save(filepath, *args, **kwargs)

    def save_own_variables(self, store: Any) -> None:
        """Saves the random streams, too, so that a resume draws the same."""
        super().save_own_variables(store)
        saving.save_streams(self, store)

    def load_own_variables(self, store: Any) -> None:
        """Restores what `save_own_variables` saved."""
        super().load_own_variables(saving.load_streams(self, store))

    def get_config(self) -> dict:
        """Returns every argument of `__init__`, serialised, and `class_names`."""
        config = super().get_config()
        if self._class_names:
            config["class_names"] = list(self._class_names)
        for name in saving.arguments_of(type(self)):
            value = getattr(self, self.argument_attributes.get(name, name))
            config[name] = keras.saving.serialize_keras_object(value)
        return config

    @classmethod
    def from_config(
        cls, config: dict, custom_objects: dict | None = None
    ) -> Self:
        """Builds the model that `get_config` described."""
        config = dict(config)
        class_names = config.pop("class_names", ())
        for name in saving.arguments_of(cls):
            if name in config:  # models of earlier versions have fewer
                config[name] = keras.saving.deserialize_keras_object(
                    config[name], custom_objects
                )
        with outputs.only_warn():
            model = cls(**config)
        model.class_names = class_names
        return model
