"""Which data a run is trained on and judged by."""

import os


def data_name(data):
    """A source as the settings of a run name it: the same from any folder."""
    is_path = data != "digits" and os.path.exists(data)
    return os.path.abspath(data) if is_path else data


def validation_split(source):
    """The split that a training is judged by, epoch by epoch, or None."""
    return source.first_of("validation", "test")


def held_out_split(source, given=False):
    """The split whose examples show what a trained model is worth.

    It is test: validation may have chosen the model.

    Args:
        source: A `Source`.
        given: Whether it is not the run's own: without splits, it is meant
            whole.
    """
    if given and "all" in source.splits:
        return "all"
    return source.first_of("test", "validation", "train")
