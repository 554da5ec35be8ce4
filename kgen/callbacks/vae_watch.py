"""Says in words when a VAE's training goes wrong."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kgen.arrays import check_labels
from kgen.callbacks.examples import check_model, checked_examples
from kgen.callbacks.messages import Messages
from kgen.errors import invalid
from kgen.metrics import active_units
from kgen.params import Integer, Number, checked

_COLLAPSED = (
    "the posterior has collapsed: {active} of the code's {size} dimensions depend "
    "on x, and the reconstruction no longer gets better. The decoder does without "
    "the code. Try to raise the weight of the KL term slowly (KLWarmUp, --kl-warmup "
    "10), nats that cost nothing (free_bits=0.1), a smaller weight (kl_weight=0.5), "
    "each by --set NAME=VALUE or an argument of the model, or a decoder with fewer "
    "layers."
)
_AT_BOUND = "the learned standard deviation has gone to {stddev:.2g}. {advice}"
_TOO_SMALL = (
    "The density has no bound where values are reconstructed exactly: constant "
    "columns, or values that are 0 and 1 alone. Try likelihood=bernoulli for such "
    "values, a fixed deviation (likelihood=gaussian:0.1), or leave out constant "
    "columns."
)
_TOO_LARGE = (
    "The networks' outputs have grown out of range. Try a lower rate "
    "(optimizer=adam:0.0001)."
)
_TURNED = (
    "the loss of the validation data has risen from its best, {best:.5g} after epoch "
    "{epoch}, to {now:.5g}: unseen examples get worse, and the model learns its "
    "training examples by heart. Stop earlier (--epochs {epoch}, "
    "keras.callbacks.EarlyStopping('val_loss', restore_best_weights=True)), or try "
    "smaller networks, or more examples."
)
# The log-variances of the standard deviations 0.001, which is less than a step of
# 8-bit pixels, and 1,000 are minus and plus this number.
_MOST_LOG_VAR = 2.0 * math.log(1e3)


class VAEWatch(keras.callbacks.Callback):
    """Warns when the posterior has collapsed, or training has gone too far.

    The posterior has collapsed when no more than `collapsed` of the dimensions of
    the code tell examples apart, by the variance of the codes, and the
    reconstruction loss has not improved on its best value by 0.1 %. The
    likelihood's learned standard deviation has run to its bound when it is below
    0.001 or above 1,000. The loss of the validation data rises
    again when it is above its best value by more than `risen` of what it had gained
    until then; while `KLWarmUp` changes the weight of the KL term, losses are not
    compared. Each warning is given once, after `patience` epochs in a row, and again
    only if its condition has ended and returned. Models with a discriminator, such as
    a VAE-GAN, are refused: use `GANWatch` for them.

    Args:
        x: Real examples, of shape `(n, *input_shape)`; some hundreds do.
        labels: `n` integers, for a conditional model; else None.
        collapsed: Share of the dimensions.
        risen: Share of the gain.
        patience: How many epochs in a row.
        report: What is called with the message; None for `warnings.warn`.

    References:
        Burda et al. (2016), arXiv 1509.00519, section 5.2 (active units);
        Lucas et al. (2019), arXiv 1911.02469 (posterior collapse).
    """

    @checked(collapsed=Number(), risen=Number(), patience=Integer(1))
    def __init__(
        self,
        x: np.ndarray,
        labels: np.ndarray | None = None,
        collapsed: float = 0.1,
        risen: float = 0.05,
        patience: int = 5,
        report: Callable[[str], None] | None = None,
    ):
        super().__init__()
        self.x, self.labels = checked_examples(x, "VAEWatch"), labels
        self.collapsed, self.risen = collapsed, risen
        self._messages = Messages(report, patience)
        self._forget_losses()

    def on_train_begin(self, logs: dict | None = None) -> None:
        check_model(
            self.model,
            self.x,
            "VAEWatch",
            "posterior",
            "a model with a posterior, such as a VAE",
        )
        if hasattr(self.model, "adversarial_loss"):
            expected = "a VAE; `GANWatch` is for models with a discriminator"
            raise invalid(
                "model", "VAEWatch", expected, type(self.model).__name__
            )
        self._inputs: Any = self.x
        if self.model.conditional:
            check_labels(
                self.labels, self.model.num_classes, len(self.x), "VAEWatch"
            )
            self._inputs = [self.x, np.asarray(self.labels)]
        self._best_loss = math.inf  # of the reconstruction
        self._forget_losses()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs = logs or {}
        self._judge_posterior(epoch, logs)
        self._judge_deviation(epoch)
        self._judge_validation(epoch, logs)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._messages.send()

    def on_train_end(self, logs: dict | None = None) -> None:
        self._messages.send()

    def _judge_posterior(self, epoch, logs):
        now, best = logs.get("reconstruction_loss", math.inf), self._best_loss
        stalls = now > best - 1e-3 * abs(best)
        self._best_loss = min(now, best)
        active, size = self.model.latent_dim, self.model.latent_dim
        if stalls:  # else the codes need no look
            codes = self.model.codes_for_active_units(self._inputs)
            if np.isfinite(codes).all():
                active = active_units(codes)
        text = _COLLAPSED.format(active=active, size=size)
        is_unused = active <= self.collapsed * size
        self._messages.note("collapsed", is_unused, epoch, text)

    def _judge_deviation(self, epoch):
        log_var = getattr(self.model.likelihood, "log_var", None)
        if log_var is None or not log_var.trainable or log_var.shape.rank:
            return  # of a table, each column has its own, with bounds
        log_var = float(log_var.numpy())
        advice = _TOO_SMALL if log_var < 0 else _TOO_LARGE
        stddev = math.exp(0.5 * log_var)
        text = _AT_BOUND.format(stddev=stddev, advice=advice)
        has_run = abs(log_var) > _MOST_LOG_VAR
        self._messages.note("deviation", has_run, epoch, text)

    def _forget_losses(self):
        """Starts anew, since earlier losses can't be compared with later ones."""
        self._first_loss, self._best_epoch = None, 0
        self._best_validation = math.inf

    def _judge_validation(self, epoch, logs):
        weight = self.model.sampling.current_kl_weight.numpy()
        if weight != weight.dtype.type(self.model.kl_weight):  # a warm-up
            self._forget_losses()
            return
        now = logs.get("val_loss")
        if now is None:  # not every epoch ends with a validation
            return
        if self._first_loss is None:
            self._first_loss = now
        if now < self._best_validation:
            self._best_validation, self._best_epoch = now, epoch + 1
        best = self._best_validation
        # The gain of a training that is resumed on a plateau is almost 0.
        gain = max(self._first_loss - best, 0.01 * abs(best))
        text = _TURNED.format(best=best, epoch=self._best_epoch, now=now)
        has_turned = now > best + self.risen * gain
        self._messages.note("turned", has_turned, epoch, text)
