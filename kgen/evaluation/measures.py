"""The metrics that a model can be judged by, by name."""

from collections.abc import Iterable

from kgen.errors import InvalidArgument, check_name, invalid
from kgen.evaluation import (
    classifiers,
    codes,
    features,
    likelihood,
    reconstructions,
    samples,
)

GROUPS = (
    classifiers.CLASSES,
    likelihood.BOUNDS,
    features.FRECHET,
    features.KERNEL,
    features.INCEPTION,
    features.NEIGHBOURS,
    features.CONDITIONAL,
    samples.SHARPNESS,
    samples.DIVERSITY,
    samples.MEMORY,
    reconstructions.DENOISING,
    reconstructions.RECONSTRUCTIONS,
    codes.CODES,
    codes.PROBES,
)
METRICS = {
    name: metric for group in GROUPS for name, metric in group.metrics.items()
}


def check_metrics(owner, names):
    """Returns `names` as a tuple, None as all there are; or raises."""
    if names is None:
        return tuple(METRICS)
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise invalid("metrics", owner, "a list of names", names)
    return tuple(check_name("metrics", owner, METRICS, name) for name in names)


def suits(name, model):
    """Whether models of this kind can have the metric."""
    return any(name in group.metrics and group.suits(model) for group in GROUPS)


def needs_extractor(names, model):
    """Whether one of `names` (None: of all) is by features of its samples."""
    asked = check_metrics("needs_extractor", names)
    return any(
        (group.of_features or group.of_classes)
        and group.suits(model)
        and set(group.metrics) & {*asked}
        for group in GROUPS
    )


def check_possible(evidence, names):
    """Raises if one of `names` can't be computed from `evidence`.

    Args:
        evidence: An `Evidence`; neither samples nor examples are looked at.
        names: Names out of `METRICS`.

    Raises:
        InvalidArgument: If one can't; the message says why.
    """
    _, left_out = _possible(evidence, names)
    for name, reason in left_out.items():
        raise _impossible(name, reason)


def _possible(evidence, names):
    """Pairs of groups and names that can be computed; why others can't."""
    asked = check_metrics("compute", names)
    possible, left_out = [], {}
    for group in GROUPS:
        if names is None and not group.suits(evidence.model):
            continue
        wanted = [name for name in group.metrics if name in asked]
        reasons = {name: group.missing(evidence, name) for name in wanted}
        left_out.update((n, why) for n, why in reasons.items() if why)
        able = [name for name, why in reasons.items() if not why]
        possible += [(group, able)] if able else []
    return possible, left_out


def _impossible(name, reason):
    return InvalidArgument(
        f"The metric {name!r} can't be computed: {reason}. Leave it out."
    )


def compute(evidence, names=None, report=None):
    """Computes metrics.

    Args:
        evidence: An `Evidence`.
        names: Names out of `METRICS`, or None for all that the model allows.
        report: What is called with the names of those that are computed next,
            or None.

    Returns:
        Dictionary from names to `Figure`s; and one from names to the reason why
        a metric is left out that such a model could have.

    Raises:
        InvalidArgument: If a name is unknown, or one that was asked for can't
            be had: before any work, where that can be known.
        NotFinite: If what the model gives is not finite.
    """
    if names is not None:
        check_possible(evidence, names)
    possible, left_out = _possible(evidence, names)
    evidence.want(
        features=any(group.of_features for group, _ in possible),
        probabilities=any(group.of_classes for group, _ in possible),
    )
    found = {}
    for group, wanted in possible:
        if report:
            report(", ".join(METRICS[name].title for name in wanted))
        figures = group.compute(evidence)
        found.update((k, figures[k]) for k in wanted if k in figures)
        left_out.update(
            (name, "it is not defined for such examples")
            for name in wanted
            if name not in figures
        )
    if names is not None and left_out:
        raise _impossible(*next(iter(left_out.items())))
    return found, left_out
