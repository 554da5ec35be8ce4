"""Finds losses and gradients that are not finite, and leaves their steps out.

Callbacks run only once per `steps_per_execution` steps, so the check is part of
the training step. A model's steps are watched while its attribute `faults` is
set, as the callback `Guard` does; otherwise, nothing is added to a step.
"""

import contextlib
import functools
import threading
import typing
from collections.abc import Callable, Iterator, Sequence

import keras
import tensorflow as tf

from kgen.parallel import replicas

# MirroredStrategy runs each replica in a thread of its own.
_current = threading.local()


class Record(typing.NamedTuple):
    """What has happened since the epoch began.

    Args:
        steps: How many steps there were.
        left_out: How many of them changed nothing.
        in_a_row: Length of the current run of faulty steps, which may have begun
            in an earlier epoch.
        first: The number of the first faulty step, from 1 on; 0 for none.
        found: Pairs of a kind (`"part"` of the loss, `"gradient"` of a network,
            or `"player"`) and a name: what was not finite in that step.
        halted: Whether all further steps are left out, until `go_on`.
    """

    steps: int
    left_out: int
    in_a_row: int
    first: int
    found: list
    halted: bool


class Faults:
    """Watches a model's steps.

    In a step in which a player's loss or gradient is not finite, nothing is
    updated from then on, and the model's state (moving means, averages of
    weights, sums of logs) is put back to what it was before the step. Random
    streams move on. After `most` such steps in a row, no step changes anything.

    Args:
        model: A `GenerativeModel`.
        most: A positive number of steps.
    """

    def __init__(self, model: keras.Model, most: int):
        self.most = most
        self._names = []  # the meaning of each bit of the last number
        # Not a variable of the model: not saved, and not summed over replicas.
        with model.distribute_strategy.scope():
            self._numbers = tf.Variable(
                [0] * 5,
                dtype="int64",
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )
        self._networks = {
            id(variable): name
            for name, layer in vars(model).items()
            if isinstance(layer, keras.Layer) and not name.startswith("_")
            for variable in layer.trainable_variables
        }

    @property
    def has_updates(self) -> bool:
        """Whether the steps have any update to look at."""
        return bool(self._names)

    def read(self) -> Record:
        """The `Record` so far."""
        steps, left_out, in_a_row, first, bits = self._numbers.numpy().tolist()
        found = [
            name for place, name in enumerate(self._names) if bits >> place & 1
        ]
        halted = in_a_row >= self.most
        return Record(steps, left_out, in_a_row, first, found, halted)

    def reset(self) -> None:
        """Forgets all that happened."""
        self._numbers.assign([0] * 5)

    def begin_epoch(self) -> None:
        """Resets the record, except `in_a_row` and so `halted`."""
        self._numbers.assign([0, 0, self.read().in_a_row, 0, 0])

    def go_on(self) -> None:
        """Lets steps change the model again."""
        record = self.read()
        self._numbers.assign([record.steps, record.left_out, 0, 0, 0])

    def watch(self, model: keras.Model, run: Callable[[], dict]) -> dict:
        """Runs a step, and undoes what a fault leaves to undo.

        Args:
            model: The model.
            run: Function without arguments that runs the step.

        Returns:
            The step's logs, to which a faulty step adds nothing.
        """
        variables = [*model.non_trainable_weights, *model.metrics_variables]
        before = [tf.identity(variable.value) for variable in variables]
        _current.step = watched = _Step(self, self._numbers.read_value())
        try:
            logs = run()
        finally:
            _current.step = None
        if not self.has_updates:  # fitted by counting, without gradients
            return logs

        def put_back():
            for variable, value in zip(variables, before):
                variable.assign(tf.where(watched.fine, variable.value, value))
            self._numbers.assign(watched.noted())
            logs_by_now = model.get_metrics_result()
            return {name: logs_by_now[name] for name in logs}

        def count():
            self._numbers.assign(watched.counted())
            return logs

        # Replicas can't communicate within a branch of `tf.cond`.
        if replicas.count() > 1:
            return put_back()
        return tf.cond(watched.fine, count, put_back)

    def bits_of(
        self, parts: dict, players: Sequence, gradients: list
    ) -> tf.Tensor:
        """What is not finite in an update, as an integer; 0 for nothing.

        The replicas' answers are the same.
        """
        tensors = _tensors(gradients)
        losses = [tf.convert_to_tensor(parts[one.loss]) for one in players]
        if replicas.count() > 1:  # one without examples has no loss
            is_real = replicas.share() > 0
            losses = [
                tf.math.multiply_no_nan(x, tf.cast(is_real, x.dtype))
                for x in losses
            ]
        # One pass over the gradients: a sum is finite only if each number is.
        # Where large numbers add up to infinity, a closer look follows.
        sums = [*losses, *(tf.reduce_sum(x) for x in tensors)]
        total = tf.add_n([tf.cast(x, "float32") for x in sums])
        looks = _checks_by_name(
            parts, players, gradients, losses, self._networks
        )
        is_finite = tf.math.is_finite(total)
        places = [2 ** self._place_of(name) for name in looks]
        if replicas.count() == 1:
            zero = tf.constant(0, "int64")
            return tf.cond(
                is_finite, lambda: zero, lambda: _bits(_flags(looks), places)
            )
        flags = tf.cond(
            is_finite, lambda: tf.zeros(len(looks)), lambda: _flags(looks)
        )
        return _bits(replicas.all_sum(flags), places)

    def _place_of(self, name):
        if name not in self._names:
            self._names.append(name)
        return self._names.index(name)


class _Step:
    """One step: whether its updates are applied, and the record after it."""

    def __init__(self, faults, numbers):
        self.faults = faults
        self.numbers = numbers
        self.halted = numbers[2] >= faults.most
        self.fine = tf.logical_not(self.halted)
        self.bits = tf.constant(0, "int64")

    def check(self, parts, players, gradients):
        bits = self.faults.bits_of(parts, players, gradients)
        self.bits = tf.where(self.bits == 0, bits, self.bits)
        self.fine = tf.logical_and(self.fine, bits == 0)
        return self.fine

    def counted(self):
        """The numbers after a step without fault."""
        return self.numbers * [1, 1, 0, 1, 1] + [1, 0, 0, 0, 0]

    def noted(self):
        """The numbers after any step."""
        steps, left_out, in_a_row, first, bits = tf.unstack(self.numbers)
        more = tf.where(self.fine, tf.constant(0, "int64"), in_a_row + 1)
        is_first = tf.logical_and(
            first == 0, tf.logical_and(self.bits != 0, ~self.halted)
        )
        return tf.stack(
            [
                steps + 1,
                left_out + tf.cast(~self.fine, "int64"),
                tf.where(self.halted, in_a_row, more),
                tf.where(is_first, steps + 1, first),
                tf.where(is_first, self.bits, bits),
            ]
        )


def start_watching(model: keras.Model, most: int) -> None:
    """Starts watching a model's steps, which may be traced already.

    Args:
        model: A compiled `GenerativeModel`.
        most: As in `Faults`.
    """
    traces = model.traces
    traces.unwatched = model.train_function
    if most not in traces.watched:
        model.faults = Faults(model, most)
        model.make_train_function(force=True)
        traces.watched[most] = model.faults, model.train_function
    model.faults, model.train_function = traces.watched[most]
    model.faults.reset()


@contextlib.contextmanager
def stops_watching_after(model: keras.Model) -> Iterator[None]:
    """Ends the watch that a callback has begun, however `fit` ends."""
    try:
        yield
    finally:
        if model.faults is not None:
            model.faults = None
            model.train_function = model.traces.unwatched


def step(function: Callable) -> Callable:
    """Decorates a `train_step`: it is watched while `model.faults` is set."""

    @functools.wraps(function)
    def watched(model, data):
        if model.faults is None:
            return function(model, data)
        return model.faults.watch(model, lambda: function(model, data))

    return watched


def check(parts: dict, players: Sequence, gradients: list) -> tf.Tensor | None:
    """Whether an update may be applied; all replicas get the same answer.

    Args:
        parts: Dictionary of scalars, among them the players' losses.
        players: List of `Player`s.
        gradients: A list for each player.

    Returns:
        Boolean tensor; None where nobody watches.
    """
    watched = getattr(_current, "step", None)
    return watched and watched.check(parts, players, gradients)


def zero_if_skipped(x: tf.Tensor) -> tf.Tensor:
    """x; zeros of its shape in a step that has been left out."""
    watched = getattr(_current, "step", None)
    return x if watched is None else tf.where(watched.fine, x, tf.zeros_like(x))


def _tensors(gradients):
    """The numbers of all gradients, which may be sparse or missing."""
    return [
        one.values if isinstance(one, tf.IndexedSlices) else one
        for of_player in gradients
        for one in of_player
        if one is not None
    ]


def _checks_by_name(parts, players, gradients, losses, networks):
    """Functions that say whether something is faulty, by kind and name."""
    looks = {}
    for player, gradient, loss in zip(players, gradients, losses):
        groups = {}
        for variable, one in zip(player.variables, gradient):
            name = networks.get(id(variable), "model")
            groups.setdefault(name, []).append(one)
        for name, group in groups.items():
            looks["gradient", name] = functools.partial(
                _is_faulty, player.optimizer, group
            )
        # Several players (of a GAN) are named by their losses; a single one by
        # its network, if it has only one.
        name = player.loss if len(players) > 1 else next(iter(groups))
        if len(players) > 1 or len(groups) == 1:
            looks["player", name] = functools.partial(
                _is_faulty, player.optimizer, gradient, loss
            )
        looks["loss", player.loss] = functools.partial(_is_infinite, loss)
    for name, value in parts.items():
        value = tf.convert_to_tensor(value)
        if value.dtype.is_floating and value.shape.rank == 0:
            looks["part", name] = functools.partial(_is_infinite, value)
    return looks


def _is_infinite(x):
    return tf.logical_not(tf.reduce_all(tf.math.is_finite(x)))


def _is_faulty(optimizer, gradient, *losses):
    """Whether a gradient, or a loss, is at fault.

    A LossScaleOptimizer lowers its scale when the gradient of the scaled loss
    is infinite. That is a fault only once the scale is below 1.
    """
    tensors = _tensors([gradient])
    faulty = [_is_infinite(x) for x in tensors]
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        small = optimizer.dynamic_scale.value < 1.0
        faulty = [tf.logical_and(x, small) for x in faulty]
    faulty += [_is_infinite(x) for x in losses]
    return tf.reduce_any(tf.stack(faulty)) if faulty else tf.constant(False)


def _flags(looks):
    """1 for what is not finite, if a player's loss or gradient is not."""
    found = {name: look() for name, look in looks.items()}
    decisive = [flag for (kind, _), flag in found.items() if kind != "part"]
    flags = tf.cast(tf.stack(list(found.values())), "float32")
    return flags * tf.cast(tf.reduce_any(tf.stack(decisive)), "float32")


def _bits(flags, places):
    """Flags of replicas, added up, as one integer."""
    return tf.reduce_sum(tf.where(flags > 0, tf.constant(places, "int64"), 0))
