"""The learning rates of players: their ratio, and how they fall at the end."""

import contextlib
from collections.abc import Iterator

import keras
from keras import ops

from kgen import optimizers

# Those of Keras that change rates; nothing falls by itself beside them.
_CHANGERS = (
    keras.callbacks.LearningRateScheduler,
    keras.callbacks.ReduceLROnPlateau,
)


class KeepRatio(keras.callbacks.Callback):
    """Changes other optimizers' learning rates along with the first one's.

    Keras's callbacks change the rate of `model.optimizer`. This callback multiplies
    the rates of the other optimizers by the same factor, unless they were changed as
    well; a schedule is left alone. It is called after each of the other callbacks, so
    that a model that one of them saves has the rates that belong together.

    Args:
        leader: The optimizer that callbacks change.
        followers: The others.
    """

    def __init__(
        self,
        leader: keras.optimizers.Optimizer,
        followers: list[keras.optimizers.Optimizer],
    ):
        super().__init__()
        self.leader = leader
        self.followers = followers if is_settable(leader) else []
        self.followers = [one for one in self.followers if is_settable(one)]
        self._seen = self._rates()
        self._before_zero = self._seen

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._follow()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._follow()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._follow()

    def on_train_batch_begin(
        self, batch: int, logs: dict | None = None
    ) -> None:
        self._follow()

    def _follow(self):
        now = self._rates()
        if now[:1] == self._seen[:1] or not self.followers:
            self._seen = now
            return
        if self._seen[0]:
            self._before_zero = self._seen
        was = self._before_zero
        if was[0]:
            for index, other in enumerate(self.followers, 1):
                if now[index] == self._seen[index]:
                    other.learning_rate = was[index] * (now[0] / was[0])
        self._seen = self._rates()

    def _rates(self):
        return [
            float(ops.convert_to_numpy(optimizer.learning_rate))
            for optimizer in (self.leader, *self.followers)
        ]


class FallAtEnd(keras.callbacks.Callback):
    """Lets learning rates fall linearly towards 0 in the last epochs of `fit`.

    In an epoch, counted from 0, the rates are multiplied by
    `min(1, (1 - epoch / epochs) / share)`. That depends on nothing else, so that a
    resumed training goes on exactly. Unless `verbose` is 0, a message at the beginning
    of `fit` names the first epoch with lower rates.

    Args:
        players: The optimizers, all of them kgen's Adam.
        share: The last part of the epochs in which the rates fall, in (0, 1].
    """

    def __init__(self, players: list[keras.optimizers.Optimizer], share: float):
        super().__init__()
        self._players, self._share = players, share

    def on_train_begin(self, logs: dict | None = None) -> None:
        first = first_lower_epoch(self.model, self.params["epochs"])
        # A `CallbackList` that `fit` was given does not know of `verbose`.
        if first is not None and self.params.get("verbose"):
            print(  # noqa: T201 - as Keras's own callbacks that set a rate
                f"The learning rates fall towards 0 from epoch {first} on "
                f"(learning_rate_decay={self._share})."
            )

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        factor = _factor(epoch, self.params["epochs"], self._share)
        _set_factors(self._players, factor)


@contextlib.contextmanager
def restored_after(model: keras.Model) -> Iterator[None]:
    """Resets the factors of all rates to 1 when `fit` ends, also by an exception.

    Args:
        model: The compiled model.
    """
    try:
        yield
    finally:
        _set_factors(optimizers_of(model), 1.0)


def falling(
    players: list[keras.optimizers.Optimizer], share: float, callbacks: list
) -> list[FallAtEnd]:
    """Returns the callback that lets the rates fall, or none.

    There is none if `share` is 0, if an optimizer is not kgen's Adam or has a schedule
    or a weight decay, or if a callback of `fit` sets the rate.

    Args:
        players: The optimizers.
        share: As in `FallAtEnd`; 0 for no fall.
        callbacks: Those that `fit` was given.
    """
    is_changed = any(isinstance(x, _CHANGERS) for x in callbacks)
    if is_changed or not share or not _can_fall(players):
        return []
    return [FallAtEnd(players, share)]


def first_lower_epoch(model: keras.Model, epochs: int) -> int | None:
    """The first of so many epochs in which `learning_rate_decay` lowers the rates.

    Args:
        model: The compiled model.
        epochs: Those of `fit`.

    Returns:
        The epoch, counted from 1, or None where there is none.
    """
    share = getattr(model, "learning_rate_decay", 0.0)
    if not share or not _can_fall(optimizers_of(model)):
        return None
    factors = (_factor(epoch, epochs, share) for epoch in range(epochs))
    # Rounding may leave a factor of 1 a little below it.
    lower = (n for n, factor in enumerate(factors, 1) if factor < 1.0 - 1e-9)
    return next(lower, None)


def optimizers_of(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    """The optimizers of all players of a model, each of them once."""
    return list(
        {
            id(value): value
            for value in vars(model).values()
            if isinstance(value, keras.optimizers.Optimizer)
        }.values()
    )


def is_settable(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether an optimizer's learning rate can be changed: it's no schedule."""
    schedule = keras.optimizers.schedules.LearningRateSchedule
    return not isinstance(_inner(optimizer)._learning_rate, schedule)


def _factor(epoch, epochs, share):
    """What rates are multiplied by in an epoch, counted from 0."""
    return min(1.0, (1.0 - epoch / epochs) / share)


def _set_factors(players, factor):
    for one in map(_inner, players):
        if isinstance(one, optimizers.Adam) and one.built:
            one.rate_factor.assign(factor)


def _can_fall(players):
    """Whether the rates of all players can: one alone would unbalance the game.

    A weight decay goes by the whole rate: at the end it would outweigh the gradient.
    """
    return all(
        isinstance(_inner(one), optimizers.Adam)
        and is_settable(one)
        and not _inner(one).weight_decay
        for one in players
    )


def _inner(optimizer):
    """The optimizer itself, where another one scales its losses."""
    return getattr(optimizer, "inner_optimizer", optimizer)
