"""The metrics that a model can be judged by, by name."""

from kgen.errors import InvalidArgument, unknown_name
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
    for name in names:
        if name not in METRICS:
            raise unknown_name("metrics", owner, METRICS, name)
    return tuple(names)


def suits(name, model):
    """Whether models of this kind can have the metric."""
    return any(name in group.metrics and group.suits(model) for group in GROUPS)


def needs_features(names, model):
    """Whether one of `names` (None: of all) is of features of its samples."""
    asked = check_metrics("needs_features", names)
    return any(
        group.of_features
        and group.suits(model)
        and set(group.metrics) & {*asked}
        for group in GROUPS
    )


def check_possible(evidence, names):
    """Raises if one of `names` can't be computed from `evidence`."""
    for group in GROUPS:
        asked = [name for name in names if name in group.metrics]
        reason = group.missing(evidence) if asked else None
        if reason:
            raise _impossible(asked[0], reason)


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
            be had.
    """
    asked = check_metrics("compute", names)
    found, left_out = {}, {}
    for group in GROUPS:
        wanted = [name for name in group.metrics if name in asked]
        if names is None and not group.suits(evidence.model):
            continue
        if not wanted:
            continue
        reason = group.missing(evidence)
        if reason is None:
            if report:
                report(", ".join(METRICS[name].title for name in wanted))
            figures = group.compute(evidence)
            found.update((k, figures[k]) for k in wanted if k in figures)
            shape = " x ".join(map(str, evidence.model.input_shapes[0]))
            reason = f"it is not defined for such examples ({shape})"
        left_out.update((n, reason) for n in wanted if n not in found)
    if names is not None and left_out:
        raise _impossible(*next(iter(left_out.items())))
    return found, left_out
