"""The learning rates of players: their ratio, and how they fall at the end."""

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
    """Lets learning rates fall linearly to zero in the last epochs of `fit`.

    In an epoch, counted from 0, the rates are multiplied by
    `min(1, (1 - epoch / epochs) / share)`. That depends on nothing else, so that a
    resumed training goes on exactly. It applies to kgen's Adam, which the name `"adam"`
    means; other optimizers keep their rate, and all keep a schedule that they have.

    Args:
        players: The optimizers.
        share: The last part of the epochs in which the rates fall, in (0, 1].
    """

    def __init__(self, players: list[keras.optimizers.Optimizer], share: float):
        super().__init__()
        inner = [getattr(one, "inner_optimizer", one) for one in players]
        self._factors = [
            one.rate_factor
            for one in inner
            if isinstance(one, optimizers.Adam) and is_settable(one)
        ]
        self._share = share

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        left = 1.0 - epoch / self.params["epochs"]
        self._set(min(1.0, left / self._share))

    def on_train_end(self, logs: dict | None = None) -> None:
        self._set(1.0)

    def _set(self, factor):
        for variable in self._factors:
            variable.assign(factor)


def falling(
    players: list[keras.optimizers.Optimizer], share: float, callbacks: list
) -> list[FallAtEnd]:
    """The callback that lets rates fall, unless one of `fit`'s changes them.

    Args:
        players: The optimizers.
        share: As in `FallAtEnd`; 0 for no fall.
        callbacks: Those that `fit` was given.
    """
    if not share or any(isinstance(x, _CHANGERS) for x in callbacks):
        return []
    return [FallAtEnd(players, share)]


def is_settable(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether an optimizer's learning rate can be changed: it's no schedule."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    schedule = keras.optimizers.schedules.LearningRateSchedule
    return not isinstance(inner._learning_rate, schedule)
