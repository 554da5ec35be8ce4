"""What there is to say of an evaluation beside its figures."""

from kgen.report.evaluations import num_compared

_TIED = (
    "The best figure of a row is marked; figures that are not worse than it by "
    "more than two standard errors of the difference are tied with it. Means over "
    "the same test examples are compared example by example."
)


def data(evaluation):
    """The data that a run was judged on: `digits, split test, 360 examples`."""
    found = evaluation.get("data") or {}
    parts = [str(found.get("source", ""))]
    if found.get("split"):
        parts.append(f"split {found['split']}")
    if found.get("examples") is not None:
        parts.append(f"{found['examples']:,} examples")
    return ", ".join(filter(None, parts))


def samples(evaluation):
    """How many samples, by which seed, and how many of them are compared."""
    count, seed = evaluation.get("num_samples"), evaluation.get("seed")
    if count is None:
        return ""
    text = f"{count:,}" if seed is None else f"{count:,} (seed {seed})"
    compared = num_compared(evaluation)
    if compared == count:
        return text
    return f"{text}, of which {compared:,} at most are compared by features"


def features(evaluation):
    """Whose features the distances are of, and whether they may be called FID."""
    extractor = evaluation.get("extractor")
    if not extractor:
        return "" if evaluation.get("num_samples") is None else "none"
    name, count = extractor["name"], extractor.get("features")
    text = name if count is None else f"{name}, {count:,} features"
    if extractor.get("inception"):
        return text
    return f"{text}; a Frechet distance by them is no FID"


def parameters(evaluation):
    """`encoder 12,345; decoder 2,345; 14,690 together`."""
    found = evaluation.get("parameters") or {}
    parts = [f"{name} {count:,}" for name, count in found.items()]
    if len(found) > 1:
        parts.append(f"{sum(found.values()):,} together")
    return "; ".join(parts)


def seconds(evaluation):
    """`12 s`, or `3 min 20 s`."""
    found = evaluation.get("seconds")
    if found is None:
        return ""
    if found < 10:
        return f"{found:.1f} s"
    minutes, rest = divmod(round(found), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def better(row):
    """`lower`, `higher`, `near 1`, or nothing."""
    kind, _, target = row.better.partition(":")
    return f"{kind} {float(target):g}" if target else kind


def marking(unlike):
    """How the runs' figures compare, or why none is marked as the best.

    Args:
        unlike: What `kgen.report.evaluations.unlike` returns.
    """
    if not unlike:
        return _TIED
    return (
        f"These runs were not judged alike: they differ in {_listed(unlike)}. "
        "Figures of a row can't be compared, and no best one is marked."
    )


def _listed(words):
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last
