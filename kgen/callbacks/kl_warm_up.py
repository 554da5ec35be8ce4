"""Warm-up of the KL term."""

import math

import keras

from kgen.errors import invalid
from kgen.params import Integer, Number, checked


class KLWarmUp(keras.callbacks.Callback):
    """Raises the weight of the KL term from `start` to the model's own.

    The weight grows linearly: by the batch if the number of batches is known,
    else by the epoch; with `steps_per_execution`, once for so many batches. With
    several `cycles`, it stays at the model's own for as many epochs as it has
    grown, and then begins at `start` again; after the last time it stays.
    This keeps latent dimensions from being switched off before the decoder can
    use them. While it lasts, `loss` and `val_loss` don't compare between
    epochs; the log `elbo` does. When training ends, the model has its own
    weight back, and so has a model that was saved in between, once loaded.

    Args:
        epochs: Positive number of epochs to take, such as 10 or 0.5.
        start: The weight at the beginning, >= 0.
        cycles: How many times the weight grows. All cycles together take
            `(2 * cycles - 1) * epochs` epochs.

    References:
        Bowman et al. (2016), arXiv 1511.06349, section 3.1;
        Sonderby et al. (2016), arXiv 1602.02282, section 2.2;
        Fu et al. (2019), Cyclical annealing schedule, arXiv 1903.10145,
        equations 5 and 6, with R = 0.5.
    """

    @checked(epochs=Number(), start=Number(), cycles=Integer(1))
    def __init__(self, epochs: float, start: float = 0.0, cycles: int = 1):
        super().__init__()
        if not epochs:
            raise invalid("epochs", "KLWarmUp", "a positive number", epochs)
        self.epochs, self.start, self.cycles = epochs, start, cycles
        self._epoch = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        if not hasattr(self.model, "sampling"):
            raise invalid(
                "model",
                "KLWarmUp",
                "a model with a KL term, such as a VAE",
                type(self.model).__name__,
            )

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch
        self._set(epoch)

    def on_train_batch_begin(
        self, batch: int, logs: dict | None = None
    ) -> None:
        steps = self.params.get("steps")
        if steps:
            self._set(self._epoch + batch / steps)

    def on_train_end(self, logs: dict | None = None) -> None:
        self._set(math.inf)

    def _set(self, passed):
        last = 2 * self.epochs * (self.cycles - 1)  # where the last one begins
        in_cycle = (
            passed - last if passed >= last else passed % (2 * self.epochs)
        )
        fraction = min(in_cycle / self.epochs, 1.0)
        target = self.model.kl_weight
        weight = self.start + fraction * (target - self.start)
        self.model.sampling.current_kl_weight.assign(weight)
