"""Metrics of samples, codes and reconstructions, epoch by epoch."""

import math
from collections.abc import Iterable
from typing import Any, Self

import keras

from kgen.data.examples import AnyExamples
from kgen.errors import invalid
from kgen.evaluation import (
    METRICS,
    Evidence,
    NotFinite,
    check_metrics,
    check_possible,
    compute,
)
from kgen.evaluation.evidence import check_given
from kgen.extractors import Extractor
from kgen.params import Integer, checked


class Evaluation(keras.callbacks.Callback):
    """Computes metrics after epochs, as `val_NAME` in the logs.

    `EarlyStopping`, `ModelCheckpoint` and Keras Tuner see them there, if they
    come later in the list of callbacks; they need a `mode`. Between two
    computations the last figures stay, so that a `patience` is of epochs, not of
    computations; before the first, and where a model gives NaN or infinity, they
    are infinite, on the worse side.

    What the model logs itself, such as the `elbo` of a VAE, comes from the
    `validation_data` of `fit`; it is no metric for this callback, which would
    write over it.

    Args:
        metrics: Names such as `"frechet_distance"`, of
            `kgen.evaluation.METRICS`.
        test: `kgen.data` examples that the model is not trained on: what
            `kgen.data.open_source(source).examples("test")` gives.
        train: The training examples, for metrics that need them, or None.
        extractor: As in `kgen.evaluation.Evidence`.
        every: Epochs from one computation to the next; the last epoch has one in
            any case.
        **options: Others of `kgen.evaluation.Evidence`, such as
            `num_samples=2000`.

    Raises:
        InvalidArgument: If a name is unknown, or what is given are no examples
            or no extractor; when training begins, if a metric
            can't be computed, or is one of the model's own logs.

    Example:

        source = kgen.data.open_source("digits")
        judge = kgen.callbacks.Evaluation(
            ["frechet_distance"],
            source.examples("test"),
            extractor=kgen.extractors.get("classifier", source),
        )
        stop = keras.callbacks.EarlyStopping(
            "val_frechet_distance", mode="min", patience=3
        )
        gan.fit(train, epochs=100, callbacks=[judge, stop])
    """

    @checked(every=Integer(1))
    def __init__(
        self,
        metrics: Iterable[str],
        test: AnyExamples,
        train: AnyExamples | None = None,
        extractor: Extractor | None = None,
        every: int = 1,
        **options: Any,
    ):
        super().__init__()
        if not metrics:
            raise invalid("metrics", "Evaluation", "a list of names", metrics)
        self.names = check_metrics("Evaluation", metrics)
        self.every = every
        check_given("Evaluation", test, train, extractor)
        self._given = {
            "test": test,
            "train": train,
            "extractor": extractor,
            **options,
        }
        self._logs: dict[str, float] = {}
        self._evidence: Evidence | None = None

    def __deepcopy__(self, memo: dict) -> Self:
        """A copy that shares the data: Keras Tuner makes one for each trial."""
        return type(self)(self.names, every=self.every, **self._given)

    def on_train_begin(self, logs: dict | None = None) -> None:
        # Keras tells a callback too late whether there is validation data, whose
        # logs the metrics must not write over.
        of_model = {
            name
            for metric in self.model.metrics
            for name in getattr(metric, "names", [metric.name])
        }
        for name in self.names:
            if name in of_model:
                raise invalid(
                    "metrics",
                    "Evaluation",
                    f"others than the logs of a {type(self.model).__name__}: "
                    f"`fit(..., validation_data=...)` gives `val_{name}`",
                    repr(name),
                )
        self._evidence = Evidence(self.model, **self._given)
        check_possible(self._evidence, self.names)
        self._logs = self._worst()

    def on_train_end(self, logs: dict | None = None) -> None:
        self._evidence = None  # the model would hinder copies of the callback

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        done = epoch + 1
        if done % self.every == 0 or done == self.params["epochs"]:
            # What is known of the data stays; samples are drawn anew.
            self._evidence = self._evidence.for_model(self.model)
            self._logs = self._worst()
            try:
                figures, _ = compute(self._evidence, self.names)
            except NotFinite:  # the model has diverged
                figures = {}
            for name, figure in figures.items():
                if not math.isnan(figure.value):
                    self._logs[f"val_{name}"] = figure.value
        if logs is not None:
            logs.update(self._logs)

    def _worst(self):
        return {f"val_{name}": METRICS[name].worst for name in self.names}
