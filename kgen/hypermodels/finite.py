"""Finite spaces: all combinations of the values of Keras Tuner's parameters."""

from collections.abc import Iterator

import keras_tuner


def endless(space: list) -> list[str]:
    """Names of parameters without an end; a space without them is finite.

    Args:
        space: Keras Tuner's parameters, as in `HyperParameters.space`.
    """
    names = [p.name for p in space if _values(p) is None]
    return list(dict.fromkeys(names))


def combinations(space: list, chosen: dict | None = None) -> Iterator[dict]:
    """All the values that go together, in order.

    Args:
        space: A finite one, those first that others depend on.
        chosen: What is chosen already, by name; or None.

    Yields:
        Dictionaries from names to values.
    """
    chosen = chosen or {}
    if not space:
        yield chosen
        return
    first, *rest = space
    if not all(condition.is_active(chosen) for condition in first.conditions):
        yield from combinations(rest, chosen)
        return
    for value in _values(first):
        yield from combinations(rest, {**chosen, first.name: value})


def _values(parameter):
    """All values of a parameter, or None where they have no end."""
    if getattr(parameter, "step", 1) is not None:
        return parameter.values
    if isinstance(parameter, keras_tuner.engine.hyperparameters.Int):
        return range(parameter.min_value, parameter.max_value + 1)
    return None
