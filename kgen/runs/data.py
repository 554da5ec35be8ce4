"""Which data, and which part of them, a run is trained on and judged by."""

import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgen import arrays
from kgen.data import Source, sources
from kgen.data.examples import AnyExamples, Examples, subset
from kgen.errors import say
from kgen.extractors import cache
from kgen.models import checks
from kgen.priors import vamp

_HASHED = 256  # examples of each split


def data_name(data: str) -> str:
    """A source as the settings of a run name it: the same from any folder."""
    is_path = data != "digits" and os.path.exists(data)
    return os.path.abspath(data) if is_path else data


def is_table(data: str) -> bool:
    """Whether the name of a source is that of a table: a file or a folder."""
    return sources.is_table(data)


def validation_split(source: Source) -> str | None:
    """The split that a training is judged by, epoch by epoch, or None."""
    return source.first_of("validation", "test")


def held_out_split(source: Source, is_other_source: bool = False) -> str:
    """The split whose examples show what a trained model is worth.

    This is the split `test` if there is one, since the model may have been chosen by
    the validation split.

    Args:
        source: The source.
        is_other_source: Whether it is not the run's own source. If it has no splits,
            all of it is used.
    """
    if is_other_source and "all" in source.splits:
        return "all"
    return source.first_of("test", "validation", "train") or source.splits[0]


def describe(source: Source) -> dict[str, Any]:
    """What `config.json` tells of a run's data beside the settings."""
    return {
        "examples": describe_examples(source),
        **describe_classes(source),
    }


def describe_classes(source: Source) -> dict[str, list[str]]:
    """The names of the classes, where they are known, for `config.json`."""
    names = list(source.class_names)
    return {"classes": names} if names else {}


def describe_examples(source: Source) -> dict[str, dict[str, Any]]:
    """Facts about a run's data by which a change of them is recognised.

    Args:
        source: The source.

    Returns:
        Dictionary from each split that a run uses to the number of its `examples`,
        and `blake2b`, a hash of some of them with their labels. The hash is None
        for a stream, which would have to be read as a whole.
    """
    used = ("train", validation_split(source), held_out_split(source))
    facts = {}
    for split in source.splits:
        if split not in used:
            continue
        examples, digest = source.examples(split), None
        if isinstance(examples, Examples):
            digest = cache.fingerprint([subset(examples, _HASHED)], {})
        facts[split] = {"examples": len(examples), "blake2b": digest}
    return facts


def describe_change(before: Any, source: Source) -> str | None:
    """What has changed in a run's data since its training began.

    Args:
        before: What `describe_examples` returned then; None in runs of earlier
            versions of kgen.
        source: The data as they are now.

    Returns:
        Text, or None where no change is seen.
    """
    if not isinstance(before, dict):
        return None
    now = describe_examples(source)
    if before == now:
        return None
    sizes = [
        ", ".join(
            f"{split} {facts.get('examples')}"
            for split, facts in splits.items()
            if isinstance(facts, dict)
        )
        for splits in (before, now)
    ]
    if sizes[0] != sizes[1]:
        return f"examples before: {sizes[0]}; now: {sizes[1]}"
    return "there are other examples among them, or in another order"


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


def check_training_data(
    model: keras.Model,
    source: Source,
    datasets: dict[str, tf.data.Dataset | None],
    is_chief: bool,
) -> None:
    """Raises if a model can't be trained on its data, or judged by it.

    Args:
        model: The model.
        source: The data.
        datasets: The batches of `train`, and of `validation` or None.
        is_chief: Whether this process tells the user of what is odd.

    Raises:
        InvalidArgument: If it can't.
    """
    count = len(source.examples("train"))
    vamp.check_start_examples(model.num_start_examples, count, "kgen train")
    for name, dataset in datasets.items():
        if dataset:
            checks.check_data(
                model,
                dataset,
                argument="--data",
                owner="kgen train",
                batch_size=0 if name == "train" else None,
            )
    # So far, a batch of each was checked. Of examples in memory, all are.
    for split in ("train", validation_split(source)):
        images = getattr(split and source.examples(split), "images", None)
        if isinstance(images, np.ndarray) and images.dtype != np.uint8:
            arrays.check_array(
                images,
                model.input_shapes[0],
                model.support,
                "kgen train",
                "--data",
            )
    if model.conditional and not model.needs_labels and is_chief:
        text = checks.labels_from_1(
            source.classes, source.num_classes, "kgen train"
        )
        if text:
            say(text)
