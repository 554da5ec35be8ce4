"""What a metric is, and what it came to."""

import dataclasses
from collections.abc import Callable

import numpy as np

from kgen.errors import InvalidArgument
from kgen.metrics.means import mean_and_error
from kgen.metrics.similarity import WINDOW

NATS = "nats per image"
PARTS = 10  # of a set, by which standard errors are found


class NotFinite(InvalidArgument):
    """What a model gives has NaN or infinity in it: its training diverged."""


def check_finite(what, x):
    """Returns what a model gave, an array, or raises if it has diverged."""
    x = np.asarray(x)
    if not np.isfinite(x).all():
        raise NotFinite(
            f"The model's {what} are not finite: its training has diverged."
        )
    return x


@dataclasses.dataclass(frozen=True)
class Figure:
    """What a metric came to.

    Args:
        value: The figure.
        standard_error: Of the value, or None where it isn't known.
        floor: What real examples have in the place of samples, or None.
        count: How many samples are compared with as many real examples, where
            there may be fewer than the evidence holds; else None.
        each: What the value is the mean of, for each test example, or None: of
            two models by the same examples, the differences tell more.
    """

    value: float
    standard_error: float | None = None
    floor: float | None = None
    count: int | None = None
    each: np.ndarray | None = dataclasses.field(
        default=None, repr=False, compare=False
    )


@dataclasses.dataclass(frozen=True)
class Metric:
    """What a reader should know of a metric.

    Args:
        title: Its name in tables, which may be shared.
        better: `"lower"`, `"higher"`, `"near:1"`, or None.
        unit: The unit, or "".
        reading: How to read it, a sentence.
    """

    title: str
    better: str | None
    unit: str
    reading: str

    @property
    def worst(self):
        """What nothing is worse than."""
        return float("-inf" if self.better == "higher" else "inf")


@dataclasses.dataclass(frozen=True)
class Group:
    """Metrics that are computed at once.

    Args:
        metrics: Dictionary from names to `Metric`s.
        method: What a model must have, the name of a method.
        compute: Function of an `Evidence`: dictionary from names to `Figure`s.
        lacks: Function of an `Evidence`: what else is missing, or None.
        lacks_each: Function of an `Evidence`: dictionary from names to what is
            missing for these metrics alone, or None.
        of_features: Whether the metrics are of an extractor's features.
        of_classes: Whether they are of its probabilities of classes.
    """

    metrics: dict
    method: str
    compute: Callable
    lacks: Callable = lambda evidence: None
    lacks_each: Callable = lambda evidence: {}
    of_features: bool = False
    of_classes: bool = False

    def suits(self, model):
        """Whether models of this kind can have the metrics."""
        return hasattr(model, self.method)

    def missing(self, evidence, name):
        """Why one of the metrics can't be computed, or None; without work."""
        model = evidence.model
        if not self.suits(model):
            return f"a {type(model).__name__} has no method `{self.method}`"
        return self.lacks(evidence) or self.lacks_each(evidence).get(name)


def mean(values):
    """Of independent values, one a test example, with its standard error."""
    if len(values) < 2:
        return Figure(float(np.mean(values)))
    return Figure(*mean_and_error(values), each=np.asarray(values))


def share(value, count):
    """A share of `count` independent examples.

    Its error is that of the share with two more of both kinds (Agresti & Coull
    1998): none of few is not known exactly.
    """
    near = (value * count + 2.0) / (count + 4.0)
    return Figure(float(value), float(np.sqrt(near * (1.0 - near) / count)))


def ratio(values, originals, paired=False):
    """The means' ratio, or None by 0; its error is that of the linear terms.

    Args:
        values: Array of shape `(n,)`.
        originals: Array of shape `(m,)`, independent of them.
        paired: Whether they belong to the values, one by one.
    """
    below = np.mean(originals)
    if not below:
        return None
    found = float(np.mean(values) / below)
    if min(len(values), len(originals)) < 2:
        return Figure(found)
    if paired:
        _, error = mean_and_error(values - found * originals)
    else:
        _, above_error = mean_and_error(values)
        _, below_error = mean_and_error(originals)
        error = np.hypot(above_error, found * below_error)
    return Figure(found, float(error / below))


def too_few(examples, least):
    """What is missing of `least` examples, or None."""
    if len(examples) < least:
        return f"{least} or more examples are needed, not {len(examples)}"
    return None


def too_few_to_compare(evidence, least):
    """What is missing of `least` samples and as many real ones, or None."""
    for examples in (evidence.test, evidence.train):
        reason = examples is not None and too_few(examples, least)
        if reason:
            return reason
    if evidence.num_samples < least:
        return f"{least} or more samples are needed"
    return None


def no_pictures(evidence):
    """What is missing where examples are no pictures, or None."""
    return None if evidence.is_picture else "examples are no pictures"


def too_small(evidence):
    """What is missing for structural similarity, or None."""
    missing = no_pictures(evidence)
    if missing is None and min(evidence.model.input_shapes[0][:2]) < WINDOW:
        missing = f"pictures are smaller than {WINDOW} x {WINDOW}"
    return missing
