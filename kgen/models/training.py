"""How models run in Keras: `compile`, `fit`, `evaluate`, `predict`."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgen import optimizers
from kgen.errors import InvalidArgument, check_keywords, invalid
from kgen.models import batches, checks, faults, graph_checks, rates
from kgen.models.own_callbacks import with_own_callbacks
from kgen.models.steps import batches_in, exactly
from kgen.parallel import replicas
from kgen.params import (
    Boolean,
    Constraint,
    Function,
    Integer,
    Number,
    Optional,
    checked,
)

# How steps are run, in the `compile` of every model.
EXECUTION = {
    "steps_per_execution": Integer(1),
    "run_eagerly": Boolean(),
    "jit_compile": Boolean(),
}
_COUNT = Optional(Integer(1))


def training_step(train_step: Callable) -> Callable:
    """Decorates a `train_step`: devices share the batch, a `Guard` may watch."""
    return replicas.step(faults.step(train_step))


def validation_step(test_step: Callable) -> Callable:
    """Decorates a `test_step`: devices share the batch."""
    return replicas.step(test_step)


def compiles(**constraints: Constraint) -> Callable[[Function], Function]:
    """Decorates a model's `compile`, whose arguments have constraints.

    It runs in the scope of the model's strategy, since the optimizers that it
    makes belong there, and need not be called there.

    Args:
        **constraints: As in `kgen.params.checked`.
    """

    def decorate(compile):
        compile = checked(**EXECUTION, **constraints)(compile)
        known = list(inspect.signature(compile).parameters)[1:]

        @functools.wraps(compile)
        def in_scope(model, *args, **kwargs):
            owner = f"{type(model).__name__}.compile"
            check_keywords(owner, known, kwargs)
            strategy = model.distribute_strategy
            if tf.distribute.has_strategy() and not model._distribute_strategy:
                raise InvalidArgument(
                    f"`{owner}`: the model was made outside of the strategy's "
                    "scope. Make or load it within `with strategy.scope():`."
                )
            with strategy.scope():
                return compile(model, *args, **kwargs)

        return in_scope

    return decorate


class Traces:
    """Functions that were traced, which Keras must not track.

    Attributes:
        by_name: Methods that work by the batch, by their names.
        watched: The training steps that are watched, and their `Faults`, by
            how many faulty steps in a row they allow.
        unwatched: The training step that is not watched.
    """

    def __init__(self):
        self.by_name = {}
        self.watched = {}
        self.unwatched = None


class Trained(keras.Model):
    """A `keras.Model` whose data are checked, and whose steps are kgen's.

    A subclass sets `log_means` and `traces`, and implements `unpack`.
    """

    # The `Faults` that watch the steps of `fit`, which a `Guard` sets, or None.
    faults = None

    def _compile(self, arguments, optimizer, variables=None, **execution):
        """Ends the `compile` of each subclass.

        Args:
            arguments: What `compile` was called with, by name, to be saved.
            optimizer: The optimizer of `self.optimizer`.
            variables: What it changes; None for all that is trainable.
            **execution: The arguments that `EXECUTION` names.
        """
        replicas = self.distribute_strategy.num_replicas_in_sync
        if execution["jit_compile"] and replicas > 1:
            raise invalid(
                "jit_compile",
                f"{type(self).__name__}.compile",
                f"False for {replicas} replicas",
                True,
            )
        optimizer = optimizers.get(optimizer)
        self.traces = Traces()  # what they computed may have changed
        super().compile(optimizer=optimizer, loss=None, **execution)
        # Built now, so that a checkpoint finds where its state belongs.
        if variables is None:
            variables = self.trainable_variables
        self.optimizer.build(variables)
        self._compile_arguments = {
            **arguments,
            **execution,
            "optimizer": self.optimizer,
        }

    def get_compile_config(self) -> dict:
        """Returns the arguments of `compile`, serialised; `{}` before it."""
        if not self.compiled:
            return {}
        return {
            name: keras.saving.serialize_keras_object(value)
            for name, value in self._compile_arguments.items()
        }

    def compile_from_config(self, config: dict) -> None:
        """Compiles as `get_compile_config` says."""
        self.compile(
            **{
                name: keras.saving.deserialize_keras_object(value)
                for name, value in config.items()
            }
        )

    def _log(self, losses, x, metric=None):
        """Adds a step's losses to the means over the epoch.

        Args:
            losses: Named tuple or dictionary of scalars, means over x.
            x: The examples of the step.
            metric: `LogMeans`; None for `log_means`.

        Returns:
            The means so far, by name.
        """
        metric = self.log_means if metric is None else metric
        values = losses if isinstance(losses, dict) else losses._asdict()
        metric.update_state(values, replicas.num_examples(x))
        return metric.result()

    @property
    def metrics(self) -> list:
        return [self.log_means]

    @property
    def metrics_names(self) -> list[str]:
        """The logs' names, in the order of what `evaluate` returns."""
        return [name for metric in self.metrics for name in metric.logged]

    # `_flatten_metrics_in_order` and `_make_function` are private to Keras:
    # tests/models/test_steps.py fails when an upgrade changes them.

    def _flatten_metrics_in_order(self, logs):
        """Returns the logs as Keras's methods do, with `loss` first."""
        names = [name for metric in self.metrics for name in metric.names]
        return [logs[name] for name in names if name in logs]

    def _make_function(self, step_function):
        """Returns Keras's loop of steps, one for each number of steps."""
        loops = {}

        def function(iterator):
            number = self.steps_per_execution
            if number not in loops:
                loops[number] = self._make_loop(step_function)
            return loops[number](iterator)

        return function

    @property
    def needs_single_steps(self) -> bool:
        """Whether several devices can do only one step in a call to TensorFlow."""
        return False

    def _make_loop(self, step_function):
        if not replicas.needs_own_loop(self.distribute_strategy):
            return super()._make_function(step_function)
        return replicas.steps(
            step_function,
            self.distribute_strategy,
            self.steps_per_execution,
            self.run_eagerly,
            self.needs_single_steps,
        )

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Does nothing.

        The networks are built already. Keras would read a batch here, and kgen's
        datasets would count that as an epoch.
        """

    @checked(
        epochs=Integer(0),
        initial_epoch=Integer(0),
        validation_split=Number(0.0, below=1.0),
        batch_size=_COUNT,
        steps_per_epoch=_COUNT,
        validation_steps=_COUNT,
        validation_batch_size=_COUNT,
    )
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | None = None,
        class_weight: None = None,
        sample_weight: None = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | list[int] = 1,
    ) -> keras.callbacks.History:
        """`keras.Model.fit`, after a look at the data.

        Numbers of steps are kept exactly: where `steps_per_execution` does not
        divide them, calls into TensorFlow run fewer steps. The bar shows the three
        logs that matter most; with `verbose=1` all but those that equal the loss.

        Raises:
            InvalidArgument: If the data has the wrong shape or type, or holds
                NaN or values that the objective has no meaning for.
        """
        owner = f"{type(self).__name__}.fit"
        if not self.compiled:
            raise InvalidArgument(f"`{owner}`: call `compile` before it.")
        if not isinstance(validation_freq, list):  # else it lists the epochs
            Integer(1).check("validation_freq", owner, validation_freq)
        checks.refuse_weights(
            owner, class_weight=class_weight, sample_weight=sample_weight
        )
        x, validation_data = (
            checks.with_numbers(self, self.encoded(data, "fit"), owner)
            for data in (x, validation_data)
        )
        y = checks.numbers_of(self, checks.labels_beside(x, y), owner)
        is_array = not isinstance(x, (tf.data.Dataset, keras.utils.PyDataset))
        checks.check_data(
            self, x, y, owner=owner, batch_size=(batch_size or 32) * is_array
        )
        if validation_data is not None:
            validation_data = checks.without_copy(validation_data)
            checks.check_data(
                self, validation_data, argument="validation_data", owner=owner
            )
        self._before_fit(x, y, validation_split)
        if shuffle is None:  # as Keras does, where the data can be shuffled
            is_array = hasattr(x, "shape") or isinstance(x, (tuple, list))
            shuffle = is_array or bool(getattr(x, "num_batches", 0))
        with (
            graph_checks.in_words(),
            rates.restored_after(self),
            exactly(self, steps_per_epoch, validation_steps),
            faults.stops_watching_after(self),
        ):
            return super().fit(
                x,
                y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=with_own_callbacks(
                    self, callbacks, epochs, bool(verbose)
                ),
                validation_split=validation_split,
                validation_data=validation_data,
                shuffle=shuffle,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch or batches_in(x),
                validation_steps=validation_steps
                or batches_in(validation_data),
                validation_batch_size=validation_batch_size,
                validation_freq=validation_freq,
            )

    def _before_fit(self, x, y, validation_split):
        """Gives the model the training examples that it starts from.

        Args:
            x: What `fit` was given, checked.
            y: Labels beside it, or None.
            validation_split: The share of arrays that is not trained on.
        """
        count = self.num_start_examples
        examples = count and batches.some(self, x, y, count, validation_split)
        if examples:
            self.start_from(*examples)

    @property
    def num_start_examples(self) -> int:
        """How many training examples `start_from` wants; 0 once it had them."""
        return 0

    def start_from(self, x: np.ndarray, labels: np.ndarray | None) -> None:
        """Takes training examples for initial weights, before the first step.

        Args:
            x: Array of shape `(n, *input_shape)`.
            labels: `n` integers, or None.
        """

    def _own_callbacks(self, callbacks: list) -> list:
        """Returns `fit`'s callbacks with those that the model adds."""
        return callbacks

    @checked(batch_size=_COUNT, steps=_COUNT)
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: None = None,
        steps: int | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """`keras.Model.evaluate`, after a look at the data.

        Without `return_dict`, the figures are in the order of
        `metrics_names`, with `loss` first.

        Raises:
            InvalidArgument: As `fit` does.
        """
        owner = f"{type(self).__name__}.evaluate"
        # `fit` has checked its data and its steps.
        is_within_fit = kwargs.get("_use_cached_eval_dataset", False)
        if not is_within_fit:
            checks.refuse_weights(owner, sample_weight=sample_weight)
            x = checks.with_numbers(self, self.encoded(x, "evaluate"), owner)
            y = checks.numbers_of(self, checks.labels_beside(x, y), owner)
            checks.check_data(self, x, y, owner=owner)
        exact_steps = None if is_within_fit else steps
        with graph_checks.in_words(), exactly(self, exact_steps):
            return super().evaluate(
                x, y, batch_size, verbose, None, steps, *args, **kwargs
            )

    @checked(batch_size=_COUNT, steps=_COUNT)
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        **kwargs: Any,
    ) -> np.ndarray:
        """`keras.Model.predict`, after a look at the data.

        Raises:
            InvalidArgument: As `fit` does.
        """
        owner = f"{type(self).__name__}.predict"
        shape, support = self._called_with
        x = checks.with_numbers(self, self.encoded(x, "predict"), owner)
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

    def predict_step(self, data: Any) -> tf.Tensor:
        shape, support = self._called_with
        inputs, x = self._unpack(data, shape)
        graph_checks.check_values(x, support, type(self).__name__)
        with replicas.frees_graphs():
            return self(inputs, training=False)

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """`keras.Model.train_on_batch`; its figures as those of `evaluate`."""
        with graph_checks.in_words():
            return super().train_on_batch(*args, **kwargs)

    def test_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """`keras.Model.test_on_batch`; its figures as those of `evaluate`."""
        with graph_checks.in_words():
            return super().test_on_batch(*args, **kwargs)
