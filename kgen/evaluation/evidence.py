"""What metrics are computed from: a model's samples beside real examples."""

import copy
import dataclasses
import functools

import numpy as np

from kgen import metrics
from kgen.data.examples import (
    Examples,
    StreamedExamples,
    subset,
    subset_positions,
)
from kgen.errors import check_int, check_seed, invalid
from kgen.evaluation.figures import check_finite
from kgen.extractors import Extractor

_CHUNK = 1000  # samples at a time
_KEPT = _CHUNK  # samples and real examples that are kept themselves
_PARTS = ("features", "sharpness", "labels", "probabilities")  # one an example


@dataclasses.dataclass(frozen=True)
class Seen:
    """What is left of many examples, once they were looked at.

    Args:
        first: The first of the examples themselves, array.
        features: Array of shape `(n, d)`, or None where nobody wants them.
        sharpness: Array of shape `(n,)`, or None where these are no pictures.
        labels: `n` integers, their classes, or None.
        probabilities: P(y|x) by the extractor, or None where nobody wants it.
    """

    first: np.ndarray
    features: np.ndarray | None = None
    sharpness: np.ndarray | None = None
    labels: np.ndarray | None = None
    probabilities: np.ndarray | None = None


class Evidence:
    """A model, what it makes, and the examples that it is judged by.

    Everything is computed when it is first asked for, by the batch; of examples
    and samples, their features stay, and the first thousand of themselves. The
    extractor runs for what is announced by `want` alone.

    Args:
        model: A trained model of kgen's.
        test: `kgen.data` examples that it was not trained on.
        train: Those that it was trained on, or None.
        extractor: A `kgen.extractors.Extractor`, for metrics of samples.
        num_samples: How many samples are drawn, and how many real examples they
            are compared with at most.
        importance_samples: Draws of z for each example, for log p(x).
        seed: Integer for all draws.
        binarize: Whether bounds are of pixels drawn as 0 or 1.

    Raises:
        InvalidArgument: If a value is out of range, or shapes don't agree.
    """

    def __init__(
        self,
        model,
        test,
        train=None,
        extractor=None,
        num_samples=10_000,
        importance_samples=100,
        seed=0,
        binarize=False,
    ):
        self.model, self.test, self.train = model, test, train
        self.num_samples = check_int("num_samples", "Evidence", num_samples, 2)
        self.importance_samples = check_int(
            "importance_samples", "Evidence", importance_samples
        )
        self.seed = check_seed("Evidence", seed, optional=False)
        self.binarize = binarize
        self.extractor = extractor
        check_given("Evidence", test, train, extractor)
        self._wanted = frozenset()
        self._known = {}  # of the data, by all that share it
        shape = model.input_shapes[0]
        for name, examples in (("test", test), ("train", train)):
            if examples is not None and tuple(examples.shape) != shape:
                raise invalid(
                    name,
                    "Evidence",
                    f"examples of the model's shape {shape}",
                    f"shape {tuple(examples.shape)}",
                )

    @property
    def num_compared(self):
        """How many samples are compared with real examples, by features: as many
        as there are training examples at most, whose distance is the floor."""
        if self.train is None:
            return self.num_samples
        return min(self.num_samples, len(self.train))

    @property
    def is_picture(self):
        """Whether examples are pictures whose neighbourhoods mean something."""
        shape = self.model.input_shapes[0]
        return len(shape) == 3 and min(shape[:2]) >= 3

    @property
    def has_labels(self):
        """Whether each test example has a known class."""
        return has_labels(self.test)

    def batches(self, count=None, **options):
        """Test examples, at most `count`, as the model takes them."""
        options = {
            "batch_size": 250,
            "labels": self.model.conditional,
            **options,
        }
        test = self.test
        if count is not None and len(test) > count:
            test = subset(test, count, self.seed)
        return test.batches(**options)

    def want(self, features=False, probabilities=False):
        """Tells what of the extractor's will be asked for, before it is.

        Args:
            features: Whether features will be.
            probabilities: Whether probabilities of classes will be.
        """
        wanted = {"features"} if features else set()
        wanted |= {"probabilities"} if probabilities else set()
        if not wanted <= self._wanted:
            self._wanted |= wanted
            self._forget_samples()

    def once(self, key, function):
        """`function()`, once for all that share the data."""
        if key not in self._known:
            self._known[key] = function()
        return self._known[key]

    @property
    def real(self):
        """`Seen` of test examples."""
        wanted = self._wanted
        return self.once(
            ("real", wanted), lambda: self._seen_of(self.test, wanted)
        )

    @property
    def trained_on(self):
        """`Seen` of training examples, without probabilities."""
        wanted = self._wanted - {"probabilities"}
        return self.once(
            ("trained_on", wanted), lambda: self._seen_of(self.train, wanted)
        )

    @functools.cached_property
    def samples(self):
        """`Seen` of samples."""
        return self._seen(self._drawn(), self._wanted)

    @functools.cached_property
    def first_samples(self):
        """The first of the samples, without drawing the others for them."""
        if self.has_drawn:
            return self.samples.first
        x, _ = next(self._drawn())
        return x

    @property
    def has_drawn(self):
        """Whether samples were drawn."""
        return "samples" in vars(self)

    @functools.cached_property
    def nearest(self):
        """The nearest training example of each of the first samples and of the
        first test examples, after them: places and distances. Of both these are
        1,000 at most, drawn by the seed."""
        both = np.concatenate([self.first_samples, self.real.first])
        return metrics.nearest_neighbors(
            both, self.train.batches(batch_size=_CHUNK)
        )

    @property
    def has_labelled_samples(self):
        """Whether samples are of classes that are asked for."""
        return self.model.conditional or self.model.needs_labels

    def again(self, model=None, binarize=None):
        """The same evidence, for the model as it is now, or for another one.

        Args:
            model: One that takes the same examples, or None.
            binarize: As in `Evidence`, or None as it is here.

        Returns:
            An `Evidence` that shares what is known of the data.
        """
        other = copy.copy(self)
        other._forget_samples()
        if model is not None:
            other.model = model
        if binarize is not None:
            other.binarize = binarize
        return other

    def _forget_samples(self):
        for name in ("samples", "first_samples", "nearest"):
            vars(self).pop(name, None)

    def _seen_of(self, examples, wanted):
        """Of those that are drawn, in the order in which they are drawn."""
        order = subset_positions(len(examples), self.num_samples, self.seed)
        with_labels = examples.labels is not None
        batches = (
            examples.select(order)
            .batches(labels=with_labels, batch_size=_CHUNK)
            .as_numpy_iterator()
        )
        if not with_labels:
            batches = ((x, None) for x in batches)
        is_stream = isinstance(examples, StreamedExamples)  # in its own order
        places = np.argsort(order) if is_stream else None
        return self._seen(batches, wanted, places)

    def _labels(self):
        """As often as among the test examples, or in turn."""
        if not self.has_labels:
            return np.arange(self.num_samples) % self.model.num_classes
        draws = np.random.default_rng(self.seed)
        return draws.choice(self.test.labels, self.num_samples)

    def _drawn(self):
        labels = self._labels() if self.has_labelled_samples else None
        starts = range(0, self.num_samples, _CHUNK)
        seeds = np.random.default_rng(self.seed).integers(
            2**31, size=len(starts)
        )
        for start, seed in zip(starts, seeds):
            stop = min(start + _CHUNK, self.num_samples)
            own = None if labels is None else labels[start:stop]
            x = self.model.sample(stop - start, labels=own, seed=int(seed))
            check_finite("samples", x)
            # As a file of the picture would hold it.
            yield np.clip(x, 0.0, 1.0) if x.ndim == 4 else x, own

    def _seen(self, batches, wanted, places=None):
        """`Seen` of pairs of examples and labels, by the batch.

        Args:
            batches: Pairs of an array and of labels or None.
            wanted: What of the extractor's.
            places: Where each belongs, as they come; None: where it comes.
        """
        found = {name: [] for name in _PARTS}
        first, start = [], 0
        for x, labels in batches:
            stop = start + len(x)
            place = np.arange(start, stop)
            place = place if places is None else places[start:stop]
            first.append(x[place < _KEPT])
            for name, part in self._looked_at(x, labels, wanted).items():
                found[name].append(part)
            start = stop
        places = np.arange(start) if places is None else places
        order, of_first = np.argsort(places), np.argsort(places[places < _KEPT])
        return Seen(
            first=np.concatenate(first)[of_first],
            **{
                name: np.concatenate(parts)[order] if parts else None
                for name, parts in found.items()
            },
        )

    def _looked_at(self, x, labels, wanted):
        """What stays of a batch: some of `_PARTS`."""
        found = {}
        if labels is not None:
            found["labels"] = labels
        if self.is_picture:
            found["sharpness"] = metrics.sharpness(x)
        if "features" in wanted:
            found["features"] = self.extractor.features(x)
        if "probabilities" in wanted:
            found["probabilities"] = self.extractor.probabilities(x)
        return found


def check_given(owner, test, train, extractor):
    """Raises if these are no examples, or no extractor."""
    for name, value in (("test", test), ("train", train)):
        if name == "train" and value is None:
            continue
        if not isinstance(value, (Examples, StreamedExamples)):
            raise invalid(
                name,
                owner,
                "examples of `kgen.data`: "
                f'`kgen.data.open_source(source).examples("{name}")`',
                type(value).__name__,
            )
    if extractor is not None and not isinstance(extractor, Extractor):
        raise invalid(
            "extractor",
            owner,
            'an Extractor, such as `kgen.extractors.get("classifier", source)`',
            repr(extractor),
        )


def has_labels(examples):
    """Whether the class of each example is known, and in memory."""
    labels = examples.labels
    return isinstance(labels, np.ndarray) and labels.min() >= 0
