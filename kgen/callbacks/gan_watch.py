"""Says in words when a GAN's training goes wrong."""

from collections.abc import Callable

import keras
import numpy as np

from kgen.callbacks.examples import check_model, checked_examples
from kgen.callbacks.messages import Messages
from kgen.models import table_rows
from kgen.params import Integer, Number, checked

_WON = (
    "the discriminator has won: its loss is {loss:.2g}, where {undecided:.2g} is "
    "that of one that can't tell, so the generator learns next to nothing. Try a "
    "stronger penalty (penalty=r1:10), noise on what it sees "
    "(instance_noise=0.1), or a lower rate for it "
    "(discriminator_optimizer=adam:0.00005:0.5)."
)
_COLLAPSED = (
    "the samples have collapsed: they differ from each other {ratio:.2g} times as "
    "much as the data does. Try a lower rate of both players "
    "(optimizer=adam:0.0001:0.5), a stronger penalty (penalty=r1:10), or a "
    "discriminator that sees several examples at once (pack=2)."
)


class GANWatch(keras.callbacks.Callback):
    """Warns when the discriminator has won, or the samples have collapsed.

    The discriminator has won when its loss, without the penalty, has come down
    from that of one whose logits are all 0 to within `won` of the way to the
    least there can be. (The Wasserstein loss has no least, and is no sign of
    it.) The samples have collapsed when their mean distance from each other, or
    from the nearest other one, is below `collapsed` times that of the data, and
    no longer grows. Each warning is given once, after `patience` epochs in a
    row, and again only after it was over.

    Args:
        x: Real examples, of shape `(n, *input_shape)`; some hundreds do.
        won: Share of the way from the least loss to the undecided one's.
        collapsed: Share of the data's distance.
        patience: How many epochs in a row.
        report: What is called with the message; None for `warnings.warn`.
    """

    @checked(won=Number(), collapsed=Number(), patience=Integer(1))
    def __init__(
        self,
        x: np.ndarray,
        won: float = 0.1,
        collapsed: float = 0.25,
        patience: int = 3,
        report: Callable[[str], None] | None = None,
    ):
        super().__init__()
        self.x = checked_examples(x, "GANWatch")
        self.won, self.collapsed = won, collapsed
        self._distances = _distances(self.x)
        self._messages = Messages(report, patience)
        self._ratio = np.inf  # of the epoch before
        self._levels = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        check_model(
            self.model,
            self.x,
            "GANWatch",
            "discriminator_levels",
            "a model with a discriminator, such as a GAN",
        )
        self._levels = None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._judge_discriminator(epoch, logs or {})
        self._judge_samples(epoch)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._messages.send()

    def on_train_end(self, logs: dict | None = None) -> None:
        self._messages.send()

    def _judge_discriminator(self, epoch, logs):
        # Computed once: they depend only on the loss that `compile` has set.
        self._levels = self._levels or self.model.discriminator_levels()
        undecided, least = self._levels
        loss = logs.get("discriminator_loss", undecided)
        text = _WON.format(loss=loss, undecided=undecided)
        # A negative `least` means that the loss has no lower bound.
        level = least + self.won * (undecided - least)
        has_won = least >= 0 and loss < level
        self._messages.note("won", has_won, epoch, text)

    def _judge_samples(self, epoch):
        count = len(self.x)
        labels = self.model.labels_in_turn(count)
        samples = self.model.sample(count, labels=labels, seed=0)
        samples = table_rows.as_array(self.model, samples)
        ratio = np.min(_distances(samples) / np.maximum(self._distances, 1e-12))
        text = _COLLAPSED.format(ratio=ratio)
        # The samples of an untrained generator are alike, too. As long as their
        # distances grow, it is still learning.
        learns = ratio > 1.1 * self._ratio
        self._ratio = ratio
        has_collapsed = ratio < self.collapsed and not learns
        self._messages.note("collapsed", has_collapsed, epoch, text)


def _distances(x):
    """The mean distances of examples: to the nearest other one, and to all."""
    from sklearn.metrics import pairwise_distances

    distances = pairwise_distances(np.asarray(x).reshape(len(x), -1))
    others = distances[~np.eye(len(x), dtype=bool)].reshape(len(x), -1)
    return np.array([others.min(axis=1).mean(), others.mean()])
