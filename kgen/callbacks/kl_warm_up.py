"""Warm-up of the KL term."""

import keras

from kgen.errors import invalid
from kgen.params import Number, checked


class KLWarmUp(keras.callbacks.Callback):
    """Raises the weight of the KL term from `start` to the model's own.

    The weight grows linearly: by the batch if the number of batches is known,
    else by the epoch; with `steps_per_execution`, once for so many batches.
    This keeps latent dimensions from being switched off before the decoder can
    use them. While it lasts, `loss` and `val_loss` don't compare between
    epochs; the log `elbo` does. When training ends, the model has its own
    weight back, and so has a model that was saved in between, once loaded.

    Args:
        epochs: Positive number of epochs to take, such as 10 or 0.5.
        start: The weight at the beginning, >= 0.

    References:
        Bowman et al. (2016), arXiv 1511.06349, section 3.1;
        Sonderby et al. (2016), arXiv 1602.02282, section 2.2.
    """

    @checked(epochs=Number(), start=Number())
    def __init__(self, epochs: float, start: float = 0.0):
        super().__init__()
        if not epochs:
            raise invalid("epochs", "KLWarmUp", "a positive number", epochs)
        self.epochs, self.start = epochs, start
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
        self._set(self.epochs)

    def _set(self, passed):
        fraction = min(passed / self.epochs, 1.0)
        target = self.model.kl_weight
        weight = self.start + fraction * (target - self.start)
        self.model.sampling.current_kl_weight.assign(weight)
