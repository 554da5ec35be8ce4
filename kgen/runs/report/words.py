"""Sentences and phrases on an evaluation, beside its numbers."""

import pathlib

_TIED = (
    "The best figure of a row is marked; figures that are not worse than it by "
    "more than two standard errors of the difference are tied with it. Means over "
    "the same test examples are compared example by example."
)


def num_compared(evaluation: dict) -> int | None:
    """How many samples are compared by features at most: all, if not said."""
    compared = evaluation.get("num_compared")
    return evaluation.get("num_samples") if compared is None else compared


def data(evaluation: dict) -> str:
    """The data that a run was judged on: `digits, split test, 360 examples`."""
    given = evaluation.get("data") or {}
    parts = [str(given.get("source", ""))]
    if given.get("split"):
        parts.append(f"split {given['split']}")
    if given.get("examples") is not None:
        parts.append(f"{given['examples']:,} examples")
    return ", ".join(filter(None, parts))


def samples(evaluation: dict) -> str:
    """How many samples, by which seed, and how many of them are compared."""
    count, seed = evaluation.get("num_samples"), evaluation.get("seed")
    if count is None:
        return ""
    text = f"{count:,}" if seed is None else f"{count:,} (seed {seed})"
    compared = num_compared(evaluation)
    if compared == count:
        return text
    return f"{text}, of which {compared:,} at most are compared by features"


def features(evaluation: dict) -> str:
    """Whose features the distances are of, and whether they may be called FID."""
    extractor = evaluation.get("extractor")
    if not extractor:
        return "" if evaluation.get("num_samples") is None else "none"
    name, count = extractor["name"], extractor.get("features")
    text = name if count is None else f"{name}, {count:,} features"
    if extractor.get("inception"):
        return text
    return f"{text}; a Frechet distance by them is no FID"


def parameters(evaluation: dict) -> str:
    """`encoder 12,345; decoder 2,345; 14,690 together`."""
    counts = evaluation.get("parameters") or {}
    parts = [f"{name} {count:,}" for name, count in counts.items()]
    if len(counts) > 1:
        parts.append(f"{sum(counts.values()):,} together")
    return "; ".join(parts)


def seconds(evaluation: dict) -> str:
    """`12 s`, or `3 min 20 s`."""
    duration = evaluation.get("seconds")
    if duration is None:
        return ""
    if duration < 10:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def better(text: str) -> str:
    """`lower`, `higher`, `near 1`, or nothing."""
    kind, _, target = text.partition(":")
    return f"{kind} {float(target):g}" if target else kind


def marking(differences: list[str]) -> str:
    """How the runs' values compare, or why none is marked as the best.

    Args:
        differences: What `kgen.runs.report.ranking.differences` returns.
    """
    if not differences:
        return _TIED
    *head, last = differences
    listed = f"{', '.join(head)} and {last}" if head else last
    return (
        f"These runs were not judged alike: they differ in {listed}. "
        "Figures of a row can't be compared, and no best one is marked."
    )


def nearest(examples: list[dict]) -> str:
    """What the nearest training examples are: `From the left: cat (a.png), ...`."""
    texts = []
    for example in examples:
        file = pathlib.PurePath(example.get("file", "")).name
        parts = [example.get("class", ""), f"({file})" if file else ""]
        texts.append(" ".join(filter(None, parts)))
    return f"From the left: {', '.join(texts)}." if any(texts) else ""
