"""Which data, and which part of them, a run is trained on and judged by."""

import os

import keras
import tensorflow as tf

from kgen.data import Source
from kgen.data.examples import AnyExamples
from kgen.models import checks


def data_name(data: str) -> str:
    """A source as the settings of a run name it: the same from any folder."""
    is_path = data != "digits" and os.path.exists(data)
    return os.path.abspath(data) if is_path else data


def validation_split(source: Source) -> str | None:
    """The split that a training is judged by, epoch by epoch, or None."""
    return source.first_of("validation", "test")


def held_out_split(source: Source, is_other_source: bool = False) -> str:
    """The split whose examples show what a trained model is worth.

    It is test: validation may have chosen the model.

    Args:
        source: The source.
        is_other_source: Whether it is not the run's own: without splits, it is
            meant whole.
    """
    if is_other_source and "all" in source.splits:
        return "all"
    return source.first_of("test", "validation", "train") or source.splits[0]


def checked_batches(
    model: keras.Model,
    examples: AnyExamples,
    *,
    labels: bool | None = None,
    any_range: bool = False,
    batch_size: int = 256,
    owner: str = "kgen",
) -> tf.data.Dataset:
    """Batches of examples, once a look at the first has shown that they fit.

    Args:
        model: The model that takes them.
        examples: What `Source.examples` returned.
        labels: Whether the batches have labels; None if the model takes them.
        any_range: Whether values may lie outside the model's support.
        batch_size: Examples in a batch.
        owner: The command, for messages.

    Raises:
        InvalidArgument: If the model can't take the examples.
    """
    labels = model.conditional if labels is None else labels
    dataset = examples.batches(labels=labels, batch_size=batch_size)
    checks.check_data(
        model,
        dataset,
        argument="--data",
        owner=owner,
        any_range=any_range,
        labels=labels,
    )
    return dataset
