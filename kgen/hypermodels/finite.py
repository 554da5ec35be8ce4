"""Spaces that have an end: all the values of Keras Tuner's that go together."""

import keras_tuner


def endless(space):
    """Names of what has no end; a space without them is finite.

    Args:
        space: List of Keras Tuner's parameters, as in `HyperParameters.space`.
    """
    return list({one.name: None for one in space if _values(one) is None})


def combinations(space, chosen=None):
    """All the values that go together, in order.

    Args:
        space: A finite one, those first that others hang on.
        chosen: What is chosen already, by name; or None.

    Yields:
        Dictionaries from names to values.
    """
    chosen = chosen or {}
    if not space:
        yield chosen
        return
    first, *rest = space
    if not all(one.is_active(chosen) for one in first.conditions):
        yield from combinations(rest, chosen)
        return
    for value in _values(first):
        yield from combinations(rest, {**chosen, first.name: value})


def _values(one):
    """All values of a parameter, or None where they have no end."""
    whole = isinstance(one, keras_tuner.engine.hyperparameters.Int)
    if getattr(one, "step", 1) is not None:
        return one.values
    return range(one.min_value, one.max_value + 1) if whole else None
