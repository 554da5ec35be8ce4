"""What a metric is: what it needs, how it is computed, how to read it."""

import dataclasses
from collections.abc import Callable, Mapping

import keras

from kgen.evaluation.evidence import Evidence
from kgen.metrics.similarity import WINDOW

NATS = "nats per example"
PARTS = 10  # into which a set is split, for standard errors
COMPARED = ("test", "train", "samples")


@dataclasses.dataclass(frozen=True)
class Metric:
    """What a reader should know of a metric.

    Args:
        title: Its name in tables, which several metrics may share.
        better: `"lower"`, `"higher"`, `"near:1"`, or None.
        unit: The unit, or "".
        reading: How to read it, a sentence.
    """

    title: str
    better: str | None
    unit: str
    reading: str

    @property
    def worst(self) -> float:
        """The worst value that there can be, which is infinite."""
        return float("-inf" if self.better == "higher" else "inf")


@dataclasses.dataclass(frozen=True)
class Group:
    """Metrics that are computed together. See `group`."""

    metrics: dict[str, Metric]
    compute: Callable
    method: str
    obstacles: tuple[Callable, ...]
    obstacles_of: Mapping[str, Callable]
    uses: tuple[str, ...]
    of_tables: bool

    def suits(self, model: keras.Model) -> bool:
        """Whether models of this kind can have the metrics."""
        has_table = getattr(model, "table", None) is not None
        return hasattr(model, self.method) and (has_table or not self.of_tables)

    def misfit(self, model: keras.Model) -> str:
        """Why a model that the group does not suit can't have the metrics."""
        if hasattr(model, self.method):
            return f"this {type(model).__name__} is of no table"
        return f"a {type(model).__name__} has no method `{self.method}`"

    def obstacle(self, evidence: Evidence, name: str) -> str | None:
        """Returns why a metric can't be computed, or None; before any work."""
        if not self.suits(evidence.model):
            return self.misfit(evidence.model)
        for obstacle in (*self.obstacles, self.obstacles_of.get(name)):
            if obstacle and (reason := obstacle(evidence)):
                return reason
        return None


def group(
    method: str,
    obstacles: tuple[Callable, ...] = (),
    obstacles_of: Mapping[str, Callable] | None = None,
    uses: tuple[str, ...] = (),
    of_tables: bool = False,
    **metrics: Metric,
) -> Callable[[Callable], Group]:
    """Decorates a function that computes metrics; makes a `Group` of it.

    The function takes an `Evidence`, and returns a dictionary from names to
    `Estimate`s. It leaves out metrics that are not defined for the examples.

    Args:
        method: Name of a method that a model must have for these metrics.
        obstacles: Functions of an `Evidence` that return why the metrics can't
            be computed, or None. They run before any work, in this order.
        obstacles_of: Another such function for single metrics, by name.
        uses: `"features"`, `"probabilities"` or both, if the metrics are of what
            an extractor makes of samples and examples. It runs for what is used
            alone, and is not built (no classifier is trained) where none is.
        of_tables: Whether the metrics are of the rows of a table.
        **metrics: What to tell of each metric, by name.
    """

    def decorate(compute):
        needs = obstacles, obstacles_of or {}, uses, of_tables
        return Group(metrics, compute, method, *needs)

    return decorate


def too_few(least: int, *sets: str) -> Callable:
    """Returns an obstacle: fewer than `least` examples or samples.

    Args:
        least: The least number.
        *sets: What is counted: `"test"`, `"train"` (if given), `"samples"`.
    """

    def obstacle(evidence):
        for name in sets:
            if name == "samples":
                if evidence.num_samples < least:
                    return f"{least} or more samples are needed"
                continue
            examples = getattr(evidence, name)
            if examples is not None and len(examples) < least:
                count = len(examples)
                return f"{least} or more examples are needed, not {count}"
        return None

    return obstacle


def no_features(evidence: Evidence) -> str | None:
    """An obstacle: no extractor, or too few examples to compare by it."""
    if evidence.extractor is None:
        return "no feature extractor"
    return too_few(2, *COMPARED)(evidence)


def no_pictures(evidence: Evidence) -> str | None:
    """An obstacle: examples are no pictures."""
    return None if evidence.is_picture else "examples are no pictures"


def too_small(evidence: Evidence) -> str | None:
    """An obstacle: no pictures, or too small ones for structural similarity."""
    reason = no_pictures(evidence)
    if reason is None and min(evidence.model.input_shapes[0][:2]) < WINDOW:
        reason = f"pictures are smaller than {WINDOW} x {WINDOW}"
    return reason


def no_labels(evidence: Evidence) -> str | None:
    """An obstacle: not every test example has a known class."""
    return None if evidence.has_labels else "the data has no labels"
