"""Which data, and which part of them, a run is trained on and judged by."""

import os

from kgen.data import Source


def data_name(data: str) -> str:
    """A source as the settings of a run name it: the same from any folder."""
    is_path = data != "digits" and os.path.exists(data)
    return os.path.abspath(data) if is_path else data


def validation_split(source: Source) -> str | None:
    """The split that a training is judged by, epoch by epoch, or None."""
    return source.first_of("validation", "test")


def held_out_split(source: Source, given: bool = False) -> str:
    """The split whose examples show what a trained model is worth.

    It is test: validation may have chosen the model.

    Args:
        source: The source.
        given: Whether it is another source than the run's own: without splits,
            it is meant whole.
    """
    if given and "all" in source.splits:
        return "all"
    return source.first_of("test", "validation", "train") or source.splits[0]
