"""What all models share: labels, logs, compile, config, batches, export."""

import contextlib
import functools
import inspect
import random
import typing

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kgen import arrays, optimizers
from kgen.errors import (
    InvalidArgument,
    check_bool,
    check_int,
    check_keywords,
    check_seed,
    invalid,
)
from kgen.export import savedmodel
from kgen.models import checks, faults, graph_checks, network_checks, outputs
from kgen.models.logs import LogMeans
from kgen.models.steps import check_counts, check_epochs, exactly
from kgen.parallel import replicas


class Player(typing.NamedTuple):
    """One who minimises a loss of its own by variables of its own.

    Args:
        optimizer: A built Keras optimizer.
        variables: The variables that its step may change, and no others.
        loss: The name of the part that it minimises.
        gate: The name of a boolean part that says whether it plays, or None.
    """

    optimizer: keras.optimizers.Optimizer
    variables: list
    loss: str = "loss"
    gate: str | None = None


def update(objective, *players):
    """One step: losses, each player's gradient of *its* variables, optimizers.

    Every update of every model goes through here, so that the loss is scaled
    for mixed precision and for the number of replicas in one place. All
    gradients are those before the step.

    Args:
        objective: Function without arguments that returns a dictionary of
            scalars, among them the players' losses.
        *players: `Player`s.

    Returns:
        That dictionary.
    """
    values = [[v.value for v in player.variables] for player in players]
    with tf.GradientTape(
        persistent=len(players) > 1, watch_accessed_variables=False
    ) as tape:
        tape.watch(values)
        parts = objective()
        # Gradients are summed over replicas: a mean needs the division.
        losses = [
            _scaled(player.optimizer, parts[player.loss]) for player in players
        ]
    gradients = [tape.gradient(*each) for each in zip(losses, values)]
    fine = faults.check(parts, players, gradients)
    for player, gradient in zip(players, gradients):
        _apply(player, gradient, _plays(player, parts, fine))
    return parts


def _scaled(optimizer, loss):
    share = replicas.share()
    if replicas.count() > 1:
        loss = loss * tf.cast(share, loss.dtype)
    return optimizer.scale_loss(loss)


def _plays(player, parts, fine):
    """Whether a player takes its step; None where nothing could hinder it."""
    if player.gate is None:
        return fine
    gate = parts[player.gate]
    return gate if fine is None else tf.logical_and(gate, fine)


def _apply(player, gradient, plays):
    def apply():
        player.optimizer.apply(gradient, player.variables)
        return True

    if replicas.count() > 1:
        gradient = _of_all(player.optimizer, gradient)
    if plays is None:
        apply()
    elif replicas.count() == 1:
        tf.cond(plays, apply, lambda: False)
    else:
        _apply_or_undo(player, apply, plays)


def _apply_or_undo(player, apply, plays):
    """An optimizer reaches the other replicas, which no branch of a cond may."""
    variables = [*player.variables, *player.optimizer.variables]
    before = [tf.identity(variable.value) for variable in variables]
    apply()
    for variable, value in zip(variables, before):
        variable.assign(tf.where(plays, variable.value, value))


def _of_all(optimizer, gradients):
    """The whole batch's gradients, where a replica's own ones would not do.

    Keras clips, and looks for infinities, before it sums over the replicas.
    """
    is_scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    inner = optimizer.inner_optimizer if is_scaled else optimizer
    clips = inner.clipnorm or inner.clipvalue or inner.global_clipnorm
    if is_scaled and clips:
        raise invalid(
            "optimizer",
            "compile",
            "one that does not clip, for several replicas in mixed_float16",
            inner.name,
        )
    if not (is_scaled or clips):
        return gradients
    whole = [replicas.all_sum(one) for one in gradients if one is not None]
    whole = iter(optimizer._clip_gradients(whole))
    # The optimizer sums them over the replicas once more.
    return [
        None if one is None else next(whole) / replicas.count()
        for one in gradients
    ]


def in_scope(compile):
    """Makes a `compile` one in the scope of the model's strategy.

    The optimizers that it makes belong there; it need not be called there.
    """

    known = list(inspect.signature(compile).parameters)[1:]

    @functools.wraps(compile)
    def scoped(model, *args, **kwargs):
        check_keywords(f"{type(model).__name__}.compile", known, kwargs)
        if tf.distribute.has_strategy() and not model._distribute_strategy:
            owner = f"{type(model).__name__}.compile"
            raise InvalidArgument(
                f"`{owner}`: the model was made outside of the strategy's scope. "
                "Make or load it within `with strategy.scope():`."
            )
        with model.distribute_strategy.scope():
            return compile(model, *args, **kwargs)

    return scoped


# Arguments that every Keras model has.
_OF_ALL = ("name", "trainable", "dtype", "autocast", "activity_regularizer")


class Traces:
    """Functions that were traced, which Keras must not track.

    Attributes:
        by_name: Methods that work by the batch, by their names.
        watched: Training steps with the `Faults` that watch them.
    """

    def __init__(self):
        self.by_name = {}
        self.watched = {}


class GenerativeModel(keras.Model):
    """Base of kgen's models.

    A subclass gives its networks to `_set_networks`, and implements
    `train_step`, `test_step`, `call` and `endpoints`.
    """

    # Whether it can't be trained without labels, which it then predicts.
    needs_labels = False
    # Whether `encode` takes values outside the data's range, as noisy ones are.
    encodes_any_range = False
    # The `Faults` that watch the steps of `fit`, which a `Guard` sets, or None.
    faults = None

    def __init__(self, **kwargs):
        known = [*_own_arguments(type(self)), *_OF_ALL]
        check_keywords(type(self).__name__, known, kwargs)
        super().__init__(**kwargs)

    def _set_networks(self, log_names, support=None, **networks):
        """Keeps the networks as attributes and the means of the logs.

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
            num_classes_of(first),
            support,
        )

    def _set_data(self, log_names, shapes, num_classes, support):
        """Keeps what the data must be like, and the means of the logs.

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
        """Keeps the shape of one example, and the bounds of its values."""
        self.input_shapes[0] = tuple(shape)
        # Pictures are in [0, 1] whatever the likelihood allows.
        picture = len(self.input_shapes[0]) == 3
        self.support = support or ((0.0, 1.0) if picture else None)

    def build(self, input_shape=None):
        """Nothing to do: the networks are built."""
        self.built = True

    # Training

    def _compile(self, arguments, optimizer, variables=None, **kwargs):
        """The end of each subclass's `compile`.

        Args:
            arguments: What `compile` was called with, by name, to be saved.
            optimizer: The optimizer of `self.optimizer`.
            variables: What it changes; None for all that is trainable.
            **kwargs: Passed to `keras.Model.compile`.
        """
        check_int(
            "steps_per_execution",
            f"{type(self).__name__}.compile",
            kwargs["steps_per_execution"],
        )
        for name in ("run_eagerly", "jit_compile"):
            owner = f"{type(self).__name__}.compile"
            kwargs[name] = check_bool(name, owner, kwargs[name])
        replicas = self.distribute_strategy.num_replicas_in_sync
        if kwargs["jit_compile"] and replicas > 1:
            raise invalid(
                "jit_compile",
                f"{type(self).__name__}.compile",
                f"False for {replicas} replicas",
                True,
            )
        optimizer = optimizers.get(optimizer)
        self.traces = Traces()  # what they found may have changed
        super().compile(optimizer=optimizer, loss=None, **kwargs)
        # Built now, so that a checkpoint finds where its state belongs.
        if variables is None:
            variables = self.trainable_variables
        self.optimizer.build(variables)
        self._compile_arguments = {**arguments, "optimizer": self.optimizer}

    def get_compile_config(self):
        """The arguments of `compile`, serialised; `{}` before it."""
        if not self.compiled:
            return {}
        return {
            name: keras.saving.serialize_keras_object(value)
            for name, value in self._compile_arguments.items()
        }

    def compile_from_config(self, config):
        """Compiles as `get_compile_config` says."""
        self.compile(
            **{
                name: keras.saving.deserialize_keras_object(value)
                for name, value in config.items()
            }
        )

    @property
    def metrics(self):
        return [self.log_means]

    @property
    def metrics_names(self):
        """The logs' names, in the order of what `evaluate` returns."""
        return [name for metric in self.metrics for name in metric.names]

    def _flatten_metrics_in_order(self, logs):
        """The logs as Keras's methods return them: `loss` first."""
        return [logs[name] for name in self.metrics_names if name in logs]

    def _make_function(self, step_function):
        """Keras's loop of steps, one for each number of steps in a call."""
        made = {}

        def function(iterator):
            number = self.steps_per_execution
            if number not in made:
                made[number] = self._make_loop(step_function)
            return made[number](iterator)

        return function

    def _make_loop(self, step_function):
        strategy = self.distribute_strategy
        workers = tf.distribute.MultiWorkerMirroredStrategy  # or one of them
        several = strategy.num_replicas_in_sync > 1
        if not several and not isinstance(strategy, workers):
            return super()._make_function(step_function)
        return replicas.steps(
            step_function, strategy, self.steps_per_execution, self.run_eagerly
        )

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing to do: the networks are built, and a pass over data counts."""

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=None,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ):
        """`keras.Model.fit`, after a look at the data.

        Numbers of steps are kept exactly: where `steps_per_execution` does not
        divide them, calls into TensorFlow run fewer steps.

        Raises:
            InvalidArgument: If the data has the wrong shape or type, or holds
                NaN or values that the objective has no meaning for.
        """
        owner = f"{type(self).__name__}.fit"
        if not self.compiled:
            raise InvalidArgument(f"`{owner}`: call `compile` before it.")
        check_epochs(
            owner, epochs, initial_epoch, validation_split, validation_freq
        )
        check_counts(
            owner,
            batch_size=batch_size,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
        )
        checks.refuse_weights(
            owner, class_weight=class_weight, sample_weight=sample_weight
        )
        y = None if y is x else y  # Keras's habit for autoencoders
        is_array = not isinstance(x, (tf.data.Dataset, keras.utils.PyDataset))
        checks.check_data(
            self, x, y, owner=owner, batch_size=(batch_size or 32) * is_array
        )
        if validation_data is not None:
            validation_data = checks.without_copy(validation_data)
            checks.check_data(
                self, validation_data, argument="validation_data", owner=owner
            )
        if shuffle is None:  # as Keras does, where the data can be shuffled
            is_array = hasattr(x, "shape") or isinstance(x, (tuple, list))
            shuffle = is_array or bool(getattr(x, "num_batches", 0))
        with (
            graph_checks.in_words(),
            exactly(self, steps_per_epoch, validation_steps),
            faults.stops_watching_after(self),
        ):
            return super().fit(
                x,
                y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=self._with_own_callbacks(callbacks),
                validation_split=validation_split,
                validation_data=validation_data,
                shuffle=shuffle,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
                validation_steps=validation_steps,
                validation_batch_size=validation_batch_size,
                validation_freq=validation_freq,
            )

    def check_labels(self, labels, count, owner):
        """Raises unless `labels` are `count` of the model's classes."""
        arrays.check_labels(labels, self.num_classes, count, owner)

    def _with_own_callbacks(self, callbacks):
        """`fit`'s callbacks, and what a model has to add to them."""
        return callbacks

    def check_batch_size(self, size, owner):
        """Raises if a training batch of `size` is too small for the model."""

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        *args,
        **kwargs,
    ):
        """`keras.Model.evaluate`, after a look at the data.

        Without `return_dict`, the figures are in the order of
        `metrics_names`, with `loss` first.

        Raises:
            InvalidArgument: As `fit` does.
        """
        owner = f"{type(self).__name__}.evaluate"
        if not kwargs.get("_use_cached_eval_dataset"):  # not called by fit
            check_counts(owner, batch_size=batch_size, steps=steps)
            checks.refuse_weights(owner, sample_weight=sample_weight)
            y = None if y is x else y
            checks.check_data(self, x, y, owner=owner)
        with graph_checks.in_words(), exactly(self, steps):
            return super().evaluate(
                x, y, batch_size, verbose, None, steps, *args, **kwargs
            )

    def predict(self, x, batch_size=None, verbose="auto", steps=None, **kwargs):
        """`keras.Model.predict`, after a look at the data.

        Raises:
            InvalidArgument: As `fit` does.
        """
        owner = f"{type(self).__name__}.predict"
        check_counts(owner, batch_size=batch_size, steps=steps)
        shape, support = self._called_with
        checks.check_data(
            self,
            x,
            owner=owner,
            any_range=support is None,
            labels=self.conditional and not self.needs_labels,
            shape=shape,
        )
        with graph_checks.in_words(), exactly(self, steps):
            return super().predict(x, batch_size, verbose, steps, **kwargs)

    @property
    def _called_with(self):
        """The shape of one example that `call` takes, and its bounds or None."""
        any_range = self.encodes_any_range
        return self.input_shapes[0], None if any_range else self.support

    def predict_step(self, data):
        shape, support = self._called_with
        inputs, x = self._unpack(data, shape)
        graph_checks.check_values(x, support, type(self).__name__)
        with replicas.frees_graphs():
            return self(inputs, training=False)

    def train_on_batch(self, *args, **kwargs):
        """`keras.Model.train_on_batch`; its figures as those of `evaluate`."""
        with graph_checks.in_words():
            return super().train_on_batch(*args, **kwargs)

    def test_on_batch(self, *args, **kwargs):
        """`keras.Model.test_on_batch`; its figures as those of `evaluate`."""
        with graph_checks.in_words():
            return super().test_on_batch(*args, **kwargs)

    def unpack(self, data, values=False):
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

    def with_labels(self, x, labels):
        """`[x, labels]` for a conditional model, else `x`."""
        if not self.conditional:
            return x
        if labels is None:
            raise arrays.no_labels(type(self).__name__)
        return [x, labels]

    # Batches

    def _batches_of(self, inputs, batch_size, any_range=False):
        """A dataset or arrays as batches of inputs, which are checked."""
        if isinstance(inputs, tf.data.Dataset):
            support = None if any_range else self.support
            return graph_checks.CheckedBatches(self, inputs, support)
        batch_size = check_int("batch_size", type(self).__name__, batch_size)
        inputs = self._checked_inputs(inputs, any_range)
        return tf.data.Dataset.from_tensor_slices(inputs).batch(batch_size)

    def _in_batches(self, function, batches, *extra, verbose=0):
        """Applies a method, as a `tf.function`, batch by batch.

        Args:
            function: Method of a batch of inputs, its number and `extra`, to a
                tensor or tuple of tensors.
            batches: What `_batches_of` gives, or another dataset of inputs.
            *extra: Tensors for each call.
            verbose: 1 shows a progress bar.

        Returns:
            NumPy array or tuple of them, for all examples.
        """
        steps = int(batches.cardinality())
        bar = keras.utils.Progbar(
            steps if steps > 0 else None,
            verbose=1 if verbose == "auto" else verbose,
        )
        function = self.traces.by_name.setdefault(
            function.__name__, tf.function(function, reduce_retracing=True)
        )
        # One trace for all batch sizes: the element_spec leaves them open.
        spec = _as_inputs(batches.element_spec)
        number = tf.TensorSpec((), "int32")
        with replicas.frees_graphs():
            concrete = function.get_concrete_function(spec, number, *extra)
        results = []
        for step, batch in enumerate(batches):
            inputs = _as_inputs(batch)
            output = concrete(inputs, tf.constant(step), *extra)
            results.append(tf.nest.map_structure(np.asarray, output))
            bar.add(1)
        if not results:
            raise invalid("x", type(self).__name__, "some data", "no data")
        return tf.nest.map_structure(
            lambda *parts: np.concatenate(parts), *results
        )

    def _checked_inputs(self, inputs, any_range):
        """`inputs` as tensors of the right shape: x, or a pair with labels."""
        pair = isinstance(inputs, (tuple, list)) and self.conditional
        x, labels = inputs if pair else (inputs, None)
        x = self._checked_images(x, any_range)
        if not self.conditional:
            return x
        self.check_labels(labels, len(x), type(self).__name__)
        return x, np.asarray(labels, "int32")

    def _checked_images(self, x, any_range):
        """`x` as float32 of the right shape and range."""
        x = np.asarray(x)
        support = None if any_range else self.support
        if x.dtype == np.float64:
            with np.errstate(over="ignore"):  # which is found by the check
                x = x.astype("float32")
        owner = type(self).__name__
        arrays.check_array(x, self.input_shapes[0], support, owner)
        return x.astype("float32")

    def _labels_for(self, count, labels, method):
        """`labels` of a method as `count` checked int32, or None."""
        owner = f"{type(self).__name__}.{method}"
        if not self.conditional:
            if labels is not None:
                raise invalid(
                    "labels",
                    owner,
                    "None: the model is not conditional",
                    labels,
                )
            return None
        if labels is not None:
            labels = np.asarray(labels)
            if labels.ndim == 0:
                labels = np.full(count, labels)
        arrays.check_labels(labels, self.num_classes, count, owner)
        return labels.astype("int32")

    def labels_in_turn(self, count):
        """Labels 0, 1, 2, ... over and over; None if the model takes none."""
        if not self.conditional:
            return None
        return np.arange(count) % (self.num_classes or 1)

    # Files

    def endpoints(self):
        """Signatures of the exported model.

        Returns:
            Dictionary from a signature's name to a pair: a function of
            tensors that returns a dictionary of tensors, and a list of
            `tf.TensorSpec`s whose names are the inputs'.
        """
        raise NotImplementedError

    def lite_endpoints(self):
        """The parts of the model that may be made small for devices.

        Returns:
            Dictionary of the form of `endpoints`, whose functions have no checks
            of requests and draw nothing at random; `{}` for none.
        """
        return {}

    def export(
        self,
        filepath,
        format="tf_saved_model",
        verbose=False,
        *,
        overwrite=False,
        image_format="float",
        max_examples=1000,
        quantize=None,
        examples=None,
        held_out=None,
        facts=None,
    ):
        """Writes a SavedModel with `endpoints()` as its signatures.

        A request that is wrong (its shape, numbers that are not finite or out of
        range, too many of them, labels that there are not) gets an error. Beside
        the model are `model.json`, which describes it, and in `assets.extra`
        requests by which a server warms up and `request.json`, the body of a
        REST request to `serving_default`.

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
            x if x is None else self._checked_inputs(x, self.encodes_any_range)
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

    def image_spec(self, name="images"):
        """`tf.TensorSpec` of a batch of pictures of any size."""
        return tf.TensorSpec((None, *self.input_shapes[0]), "float32", name)

    def label_specs(self):
        """`[spec of labels]` for a conditional model, else `[]`."""
        if not self.conditional:
            return []
        return [tf.TensorSpec((None,), "int32", "labels")]

    def save(self, filepath, *args, **kwargs):
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

    def save_own_variables(self, store):
        """Keeps the random streams, which Keras does not."""
        super().save_own_variables(store)
        for index, generator in enumerate(seed_generators(self)):
            store[f"seed_{index}"] = generator.state.numpy()

    def load_own_variables(self, store):
        """Restores what `save_own_variables` kept."""
        own = {key: store[key] for key in store.keys()}  # noqa: SIM118
        for index, generator in enumerate(seed_generators(self)):
            state = own.pop(f"seed_{index}", None)
            if state is not None:
                generator.state.assign(state)
        super().load_own_variables(own)

    def get_config(self):
        """Every argument of `__init__`, serialised."""
        config = super().get_config()
        for name in _own_arguments(type(self)):
            config[name] = keras.saving.serialize_keras_object(
                getattr(self, name)
            )
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Builds the model that `get_config` described."""
        config = dict(config)
        for name in _own_arguments(cls):
            config[name] = keras.saving.deserialize_keras_object(
                config[name], custom_objects
            )
        with outputs.only_warn():
            return cls(**config)


def _as_inputs(element):
    """What a dataset gives, as networks take it: a pair is a list."""
    return list(element) if isinstance(element, tuple) else element


def own_and_given(callbacks, arrange):
    """`fit`'s callbacks with a model's own among them.

    Args:
        callbacks: What `fit` was given.
        arrange: Function from a list of callbacks to the list that runs.

    Returns:
        What `fit` passes on: a list, or the `CallbackList` it was given.
    """
    is_list = isinstance(callbacks, keras.callbacks.CallbackList)
    given = callbacks.callbacks if is_list else tf.nest.flatten(callbacks)
    found = arrange([one for one in given if one is not None])
    if is_list:
        for one in found:
            if one not in given:  # Keras's own list has told the given ones
                one.set_model(callbacks.model)
        callbacks.callbacks[:] = found
        return callbacks
    return found


def seed_generators(layer):
    """The random streams of a layer and all in it, in a fixed order."""
    return [
        generator
        for part in layer._flatten_layers()
        for generator in part._seed_generators
    ]


@contextlib.contextmanager
def fixed_draws(layer, seed, position):
    """Within it, what a layer draws is a function of two numbers alone.

    Its random streams are afterwards where they were.

    Args:
        layer: Keras layer.
        seed: Integer.
        position: Integer or tensor, such as the place of a batch in the data.
    """
    states = [generator.state for generator in seed_generators(layer)]
    kept = [ops.copy(state.value) for state in states]
    for number, state in enumerate(states):
        place = 2**10 * ops.cast(position, state.dtype)
        state.assign([ops.cast(seed + number, state.dtype), place])
    try:
        yield
    finally:
        for state, value in zip(states, kept):
            state.assign(value)


def total(losses):
    """The sum of a layer's losses, also where there is none."""
    return sum(losses, start=ops.zeros(()))


def prior_draws(num_samples, latent_dim, seed):
    """z from N(0, I), by the seed alone: in Python and in an exported model."""
    return tf.random.stateless_normal(
        [num_samples, latent_dim], tf.stack([seed, 0])
    )


def _own_arguments(cls):
    parameters = inspect.signature(cls.__init__).parameters.values()
    return [
        parameter.name
        for parameter in parameters
        if parameter.name != "self" and parameter.kind != parameter.VAR_KEYWORD
    ]


def num_classes_of(network):
    """The number of classes that a network's layers were built for, if known."""
    for layer in network.layers:
        layer = getattr(layer, "layer", layer)  # out of a wrapper
        if isinstance(layer, keras.layers.Embedding):
            return layer.input_dim
        if getattr(layer, "num_classes", None):
            return layer.num_classes
    return None


def new_seed(seed):
    """`seed`, or a draw from Python's generator (`set_random_seed` seeds it)."""
    if seed is None:
        return random.randrange(2**31)
    return check_seed("sample", seed)
