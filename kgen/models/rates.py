"""One learning rate for the callbacks, however many optimizers there are."""

import keras
from keras import ops


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


def is_settable(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether an optimizer's learning rate can be changed: it's no schedule."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    schedule = keras.optimizers.schedules.LearningRateSchedule
    return not isinstance(inner._learning_rate, schedule)
