"""The metrics that a model can be judged by, by name.

A metric stands in the file of its kind, below the decorator `group`, which says
what a model must be able to do for it and how to read it; `GROUPS` lists it.
"""

from collections.abc import Callable, Iterable

import keras

from kgen.errors import InvalidArgument, invalid
from kgen.evaluation import (
    classifiers,
    codes,
    features,
    likelihood,
    reconstructions,
    samples,
    tables,
)
from kgen.evaluation.estimates import Estimate
from kgen.evaluation.evidence import Evidence
from kgen.evaluation.groups import Group
from kgen.params import Options

GROUPS = (
    classifiers.classification,
    likelihood.bounds,
    features.frechet,
    features.kernel,
    features.inception,
    features.neighbourhoods,
    features.conditional,
    samples.sharpness,
    samples.diversity,
    samples.memorization,
    tables.tables,
    reconstructions.denoising,
    reconstructions.reconstructions,
    codes.active_units,
    codes.marginal_kl,
    codes.probes,
)
METRICS = {
    name: metric for group in GROUPS for name, metric in group.metrics.items()
}


def check_metrics(owner: str, names: Iterable[str] | None) -> tuple[str, ...]:
    """Returns names of metrics as a tuple, None as all there are; or raises."""
    if names is None:
        return tuple(METRICS)
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise invalid("metrics", owner, "a list of names", names)
    options = Options(METRICS)
    return tuple(options.check("metrics", owner, name) for name in names)


def suits(name: str, model: keras.Model) -> bool:
    """Whether models of this kind can have the metric."""
    return any(name in group.metrics and group.suits(model) for group in GROUPS)


def needs_extractor(names: Iterable[str] | None, model: keras.Model) -> bool:
    """Whether one of `names` (None: of all) is by an extractor of samples."""
    names = check_metrics("needs_extractor", names)
    return any(
        group.uses
        and group.suits(model)
        and not set(group.metrics).isdisjoint(names)
        for group in GROUPS
    )


def check_possible(evidence: Evidence, names: Iterable[str] | None) -> None:
    """Raises if one of `names` can't be computed from `evidence`.

    Args:
        evidence: An `Evidence`, of which no example is read and no sample drawn.
        names: Names out of `METRICS`.

    Raises:
        InvalidArgument: If one can't; the message says why.
    """
    _, reasons = _possible(evidence, names)
    for name, reason in reasons.items():
        raise _impossible(name, reason)


def _possible(
    evidence: Evidence, names: Iterable[str] | None
) -> tuple[list[tuple[Group, list]], dict]:
    """Pairs of groups and names that can be computed; why others can't."""
    asked = check_metrics("compute", names)
    possible, reasons = [], {}
    for group in GROUPS:
        if names is None and not group.suits(evidence.model):
            continue
        able = []
        for name in group.metrics:
            if name not in asked:
                continue
            reason = group.obstacle(evidence, name)
            if reason:
                reasons[name] = reason
            else:
                able.append(name)
        possible += [(group, able)] if able else []
    return possible, reasons


def _impossible(name, reason):
    return InvalidArgument(
        f"The metric {name!r} can't be computed: {reason}. Leave it out."
    )


def compute(
    evidence: Evidence,
    names: Iterable[str] | None = None,
    report: Callable[[str], None] | None = None,
) -> tuple[dict[str, Estimate], dict[str, str]]:
    """Computes metrics.

    Args:
        evidence: An `Evidence`.
        names: Names out of `METRICS`, or None for all that the model allows.
        report: What is called with the titles of those that are computed next,
            or None.

    Returns:
        Dictionary from names to `Estimate`s; and one from names to the reason
        why a metric that such a model could have is left out.

    Raises:
        InvalidArgument: If a name is unknown, or one that was asked for can't
            be had: before any work, where that can be known.
        NotFinite: If what the model gives is not finite.
    """
    if names is not None:
        check_possible(evidence, names)
    possible, reasons = _possible(evidence, names)
    evidence.request(*(part for group, _ in possible for part in group.uses))
    estimates = {}
    for group, wanted in possible:
        if report:
            report(", ".join(METRICS[name].title for name in wanted))
        computed = group.compute(evidence)
        for name in wanted:
            if name in computed:
                estimates[name] = computed[name]
            else:
                reasons[name] = "it is not defined for such examples"
    if names is not None and reasons:
        raise _impossible(*next(iter(reasons.items())))
    return estimates, reasons
