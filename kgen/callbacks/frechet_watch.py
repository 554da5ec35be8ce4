"""Follows a cheap Frechet distance of samples while a model is trained."""

from typing import Any

import keras
import numpy as np

from kgen import metrics
from kgen.arrays import check_labels
from kgen.callbacks.examples import check_model, checked_examples
from kgen.extractors import Extractor, RandomExtractor
from kgen.models import table_rows
from kgen.params import Instance, Integer, Optional, checked

LOG = "val_frechet_distance"
# Covariances need several times as many examples as there are features.
_EXAMPLES_A_FEATURE = 4
_MOST_FEATURES = 64


class FrechetWatch(keras.callbacks.Callback):
    """Logs the Frechet distance of samples to real examples, every few epochs.

    It is `val_frechet_distance` in the logs of these epochs, and nothing in others.
    The samples are always drawn from the same z, as many as there are examples; the
    training goes on as without the callback. With `KeepBest` after it in the list, the
    best weights are kept, and the training stops where it no longer gets better.

    Args:
        x: Real examples that the model is not trained on, of shape
            `(n, *input_shape)`; hundreds to a thousand do.
        labels: `n` integers, the classes that a conditional model's samples get; None
            for all in turn.
        extractor: A `kgen.extractors.Extractor`; None for a `RandomExtractor` of a
            quarter as many features as there are examples, 64 at most. It is cheap, and
            ranks states of one training; use `kgen.evaluation` to judge a model.
        every: Epochs from one look to the next; the last epoch has one in any case.

    Raises:
        InvalidArgument: If these are no examples or no extractor; when training
            begins, if the model does not sample such examples.

    Example:

        watch = kgen.callbacks.FrechetWatch(x_test[:1000], every=5)
        best = kgen.callbacks.KeepBest(patience=10)
        gan.fit(train, epochs=200, callbacks=[watch, best])

    References:
        Heusel et al. (2017), arXiv 1706.08500, equation 6.
    """

    @checked(
        extractor=Optional(Instance(Extractor, "an Extractor")),
        every=Integer(1),
    )
    def __init__(
        self,
        x: np.ndarray,
        labels: np.ndarray | None = None,
        extractor: Extractor | None = None,
        every: int = 1,
    ):
        super().__init__()
        self.x, self.labels = checked_examples(x, "FrechetWatch"), labels
        count = max(1, len(self.x) // _EXAMPLES_A_FEATURE)
        self.extractor = extractor or RandomExtractor(
            self.x, min(count, _MOST_FEATURES)
        )
        self.every = every
        self._real = metrics.FeatureStatistics()
        self._real.update(self.extractor.features(self.x))

    def distance(self, x: np.ndarray) -> float:
        """The Frechet distance of some examples to those of the callback.

        That of as many training examples is the floor for a model's samples.

        Args:
            x: Array of shape `(m, *input_shape)`.

        Returns:
            Number >= 0; infinity where the examples are not finite.
        """
        if not np.isfinite(x).all():
            return np.inf
        features = self.extractor.features(x)
        return metrics.frechet_distance(self._real, features)

    def on_train_begin(self, logs: dict | None = None) -> None:
        owner, kind = "FrechetWatch", "a model that samples, such as a GAN"
        check_model(self.model, self.x, owner, "sample", kind)
        if self.model.conditional and self.labels is not None:
            count, classes = len(self.x), self.model.num_classes
            check_labels(self.labels, classes, count, owner)

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        done = epoch + 1
        is_last = done == self.params.get("epochs")
        if logs is not None and (done % self.every == 0 or is_last):
            logs[LOG] = self.distance(self._samples())

    def _samples(self):
        count = len(self.x)
        labels = self.labels if self.model.conditional else None
        if labels is None:
            labels = self.model.labels_in_turn(count)
        x = self.model.sample(count, labels=labels, seed=0)
        x = np.asarray(table_rows.as_array(self.model, x), "float32")
        # Values are clipped, as they would be in a file of the picture.
        return np.clip(x, 0.0, 1.0) if x.ndim == 4 else x
