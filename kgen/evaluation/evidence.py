"""What metrics are computed from: a model's samples beside real examples."""

import copy
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgen import metrics
from kgen.data.examples import (
    AnyExamples,
    Examples,
    StreamedExamples,
    subset,
    subset_positions,
)
from kgen.errors import invalid
from kgen.evaluation.estimates import check_finite
from kgen.extractors import Extractor
from kgen.metrics.tables.learning import check_target
from kgen.models import table_rows
from kgen.params import SEED, Instance, Integer, Optional, Text, checked

_CHUNK = 1000  # samples at a time
_FIRST = 1000  # samples and real examples that are kept themselves

_EXAMPLES = Instance(
    (Examples, StreamedExamples),
    'examples of `kgen.data`: `kgen.data.open_source(source).examples("test")`',
)
_INPUTS = {
    "test": _EXAMPLES,
    "train": Optional(_EXAMPLES),
    "extractor": Optional(
        Instance(
            Extractor,
            'an Extractor, such as `kgen.extractors.get("classifier", source)`',
        )
    ),
}


@dataclasses.dataclass(frozen=True)
class Summary:
    """What is kept of many examples that are read once.

    Args:
        first: The first of the examples themselves, array.
        features: Array of shape `(n, d)`, or None where no metric uses them.
        sharpness: Array of shape `(n,)`, or None where these are no pictures.
        labels: `n` integers, their classes, or None.
        probabilities: P(y|x) by the extractor, or None where no metric uses it.
    """

    first: np.ndarray
    features: np.ndarray | None = None
    sharpness: np.ndarray | None = None
    labels: np.ndarray | None = None
    probabilities: np.ndarray | None = None


class Evidence:
    """A model, its samples, and the examples that it is judged by.

    Everything is computed when it is first used, batch by batch: a stream is
    never in memory. Of examples and samples the features are kept, and the first
    thousand of themselves. The extractor runs only for what `request` announces.

    Args:
        model: A trained model of kgen.
        test: `kgen.data` examples that it was not trained on.
        train: Those that it was trained on, or None.
        extractor: A `kgen.extractors.Extractor`, for metrics of samples.
        num_samples: How many samples are drawn, and how many real examples they
            are compared with at most.
        importance_samples: Draws of z for each example, for log p(x).
        seed: Integer for all draws.
        binarize: Whether bounds are of pixels drawn as 0 or 1.
        target: Of a table: name of the column that is predicted by what is learned
            of rows; None for the table's target.

    Raises:
        InvalidArgument: If a value is out of range, shapes don't agree, or the
            target is no column.
    """

    @checked(
        **_INPUTS,
        num_samples=Integer(2),
        importance_samples=Integer(),
        seed=SEED,
        target=Optional(Text("None, or the name of a column")),
    )
    def __init__(
        self,
        model: keras.Model,
        test: AnyExamples,
        train: AnyExamples | None = None,
        extractor: Extractor | None = None,
        num_samples: int = 10_000,
        importance_samples: int = 100,
        seed: int = 0,
        binarize: bool = False,
        target: str | None = None,
    ) -> None:
        self.model, self.test, self.train = model, test, train
        self.extractor = extractor
        self.num_samples = num_samples
        self.importance_samples = importance_samples
        self.seed = seed
        self.binarize = binarize
        self._target = target
        self._check_target()
        self._requested = frozenset()
        self._cache = {}  # of the data, for all that share it
        shape = model.input_shapes[0]
        for name, examples in (("test", test), ("train", train)):
            if examples is not None and tuple(examples.shape) != shape:
                raise invalid(
                    name,
                    "Evidence",
                    f"examples of the model's shape {shape}",
                    f"shape {tuple(examples.shape)}",
                )

    def _check_target(self):
        """Raises unless the model's table has the column that was named."""
        if self._target is None:
            return
        if self._table is None:
            expected = "none, since the model is of no table"
            raise invalid("target", "Evidence", expected, self._target)
        check_target(self._target, self._table.figured_kinds, "Evidence")

    @property
    def _table(self):
        return getattr(self.model, "table", None)

    @property
    def target(self) -> str | None:
        """The column of a table that is predicted, or None."""
        return self._target or getattr(self._table, "target", None)

    @property
    def num_compared(self) -> int:
        """How many samples are compared with real examples, by features.

        At most as many as there are training examples, whose distance is the
        floor.
        """
        if self.train is None:
            return self.num_samples
        return min(self.num_samples, len(self.train))

    @property
    def is_picture(self) -> bool:
        """Whether examples are pictures that have neighbouring pixels."""
        shape = self.model.input_shapes[0]
        return len(shape) == 3 and min(shape[:2]) >= 3

    @property
    def has_labels(self) -> bool:
        """Whether each test example has a known class."""
        return has_labels(self.test)

    @property
    def has_labelled_samples(self) -> bool:
        """Whether the model samples from classes that are asked for."""
        return self.model.conditional or self.model.needs_labels

    @property
    def has_drawn(self) -> bool:
        """Whether samples were drawn."""
        return "samples" in vars(self)

    def batches(
        self, count: int | None = None, **options: Any
    ) -> tf.data.Dataset:
        """Returns test examples, at most `count`, as the model takes them.

        Args:
            count: How many, drawn by the seed; None for all.
            **options: Of `Examples.batches`.
        """
        test = self.test
        if count is not None and len(test) > count:
            test = subset(test, count, self.seed)
        labels = self.model.conditional
        return test.batches(**{"batch_size": 250, "labels": labels, **options})

    def request(self, *parts: str) -> None:
        """Announces what the extractor will be used for.

        Args:
            *parts: `"features"`, `"probabilities"`, or both.
        """
        if not self._requested.issuperset(parts):
            self._requested |= {*parts}
            self._forget_samples()

    def cached(self, key: Any, function: Callable[[], Any]) -> Any:
        """Returns `function()`, which runs once for all that share the data."""
        if key not in self._cache:
            self._cache[key] = function()
        return self._cache[key]

    @property
    def real(self) -> Summary:
        """`Summary` of test examples."""
        return self._summary_of_data("test", self._requested)

    @property
    def trained_on(self) -> Summary:
        """`Summary` of training examples, without probabilities."""
        parts = self._requested - {"probabilities"}
        return self._summary_of_data("train", parts)

    @functools.cached_property
    def samples(self) -> Summary:
        """`Summary` of samples."""
        places = np.arange(self.num_samples)
        return self._summary(self._draws(), self._requested, places)

    @functools.cached_property
    def first_samples(self) -> np.ndarray:
        """The first 1,000 samples; the others need not be drawn for them."""
        if self.has_drawn:
            return self.samples.first
        x, _ = next(self._draws())
        return x

    @functools.cached_property
    def nearest(self) -> tuple[np.ndarray, np.ndarray]:
        """The nearest training example of the first samples and test examples.

        Positions and distances, of 1,000 samples at most and then of 1,000 test
        examples at most, which are drawn by the seed.
        """
        both = np.concatenate([self.first_samples, self.real.first])
        return metrics.nearest_neighbors(
            both, self.train.batches(batch_size=_CHUNK)
        )

    @functools.cached_property
    def rows(self) -> tuple[Any, Any, Any]:
        """Training, held-out and synthetic rows of a table, as DataFrames.

        At most `num_samples` of each; of the synthetic ones as many as of training
        rows.
        """
        train, test = (
            self.cached((name, "rows"), functools.partial(self._rows, name))
            for name in ("train", "test")
        )
        drawn = self.model.sample(len(train), seed=self.seed)
        return train, test, drawn

    def _rows(self, split):
        """Some examples of a split, as the table decodes them."""
        found = subset(getattr(self, split), self.num_samples, self.seed)
        batches = found.batches(batch_size=_CHUNK).as_numpy_iterator()
        x = np.concatenate(list(batches))
        return self.model.table.decode(x, found.labels)

    def for_model(
        self, model: keras.Model, binarize: bool | None = None
    ) -> "Evidence":
        """Returns evidence for another model, or for this one as it is now.

        Args:
            model: One that takes the same examples.
            binarize: As in `Evidence`, or None for the value here.

        Returns:
            An `Evidence` that shares what is known of the data.
        """
        other = copy.copy(self)
        other._forget_samples()
        other.model = model
        if binarize is not None:
            other.binarize = binarize
        other._check_target()
        return other

    def _forget_samples(self):
        for name in ("samples", "first_samples", "nearest", "rows"):
            vars(self).pop(name, None)

    def _summary_of_data(self, split, parts):
        """`Summary` of examples that are drawn, in the order of the draw.

        They are drawn since the first examples of sorted data are of one class.
        """
        examples = getattr(self, split)
        order = subset_positions(len(examples), self.num_samples, self.seed)
        is_stream = isinstance(examples, StreamedExamples)  # of its own order

        def summary():
            has_labels = examples.labels is not None
            batches = (
                examples.select(order)
                .batches(labels=has_labels, batch_size=_CHUNK)
                .as_numpy_iterator()
            )
            if not has_labels:
                batches = ((x, None) for x in batches)
            places = np.argsort(order) if is_stream else np.arange(len(order))
            return self._summary(batches, parts, places)

        return self.cached((split, parts), summary)

    def _draws(self):
        """Pairs of samples and their labels, or None, by the batch."""
        labels = self._labels() if self.has_labelled_samples else None
        starts = range(0, self.num_samples, _CHUNK)
        seeds = np.random.default_rng(self.seed).integers(
            2**31, size=len(starts)
        )
        for start, seed in zip(starts, seeds):
            stop = min(start + _CHUNK, self.num_samples)
            part = None if labels is None else labels[start:stop]
            x = self.model.sample(stop - start, labels=part, seed=int(seed))
            x = table_rows.as_array(self.model, x)
            check_finite("samples", x)
            # Values are clipped, as they would be in a file of the picture.
            yield np.clip(x, 0.0, 1.0) if x.ndim == 4 else x, part

    def _labels(self):
        """Classes as frequent as among the test examples; else equally frequent."""
        draws = np.random.default_rng(self.seed)
        if not self.has_labels:
            # Not in turn: every tenth sample, a part of them, might be of one class.
            return draws.permutation(
                np.arange(self.num_samples) % self.model.num_classes
            )
        return draws.choice(self.test.labels, self.num_samples)

    def _summary(self, batches, parts, places):
        """`Summary` of pairs of examples and labels, by the batch.

        Args:
            batches: Pairs of an array and of labels or None.
            parts: What the extractor is used for.
            places: The position of each in the summary.
        """
        first, columns, start = [], {}, 0
        for x, labels in batches:
            place = places[start : start + len(x)]
            first.append(x[place < _FIRST])
            for name, column in self._columns(x, labels, parts).items():
                columns.setdefault(name, []).append(column)
            start += len(x)
        order = np.argsort(places)
        of_first = np.argsort(places[places < _FIRST])
        return Summary(
            first=np.concatenate(first)[of_first],
            **{
                name: np.concatenate(column)[order]
                for name, column in columns.items()
            },
        )

    def _columns(self, x, labels, parts):
        """What is kept of a batch, one row an example."""
        columns = {}
        if labels is not None:
            columns["labels"] = labels
        if self.is_picture:
            columns["sharpness"] = metrics.sharpness(x)
        if "features" in parts:
            columns["features"] = self.extractor.features(x)
        if "probabilities" in parts:
            columns["probabilities"] = self.extractor.probabilities(x)
        return columns


def check_given(owner: str, test: Any, train: Any, extractor: Any) -> None:
    """Raises unless these are examples and an extractor; see `Evidence`."""
    values = {"test": test, "train": train, "extractor": extractor}
    for name, constraint in _INPUTS.items():
        constraint.check(name, owner, values[name])


def has_labels(examples: AnyExamples) -> bool:
    """Whether the class of each example is known, and in memory."""
    labels = examples.labels
    return isinstance(labels, np.ndarray) and labels.min() >= 0
