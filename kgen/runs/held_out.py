"""The examples that a run is judged by: as batches, with their classes and files."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kgen.data.examples import AnyExamples, Examples, subset
from kgen.errors import InvalidArgument, say
from kgen.runs.data import checked_batches, held_out_split
from kgen.runs.directory import Run


class HeldOut(NamedTuple):
    """Examples that judge a run, and what is known of them.

    Args:
        examples: What `Source.examples` returned, or a part of them.
        dataset: The same as checked batches.
        class_names: The names of their classes, or `()`.
        has_class: Truth values, one for each row of the split: whether it has a class
            that the model knows. The others are left out. None where no classes are
            needed.
    """

    examples: AnyExamples
    dataset: tf.data.Dataset
    class_names: Sequence[str]
    has_class: np.ndarray | None = None

    @property
    def facts(self) -> dict[str, np.ndarray]:
        """As far as they are known: `labels`, `class_names`, and `files`, by path."""
        labels, files = self.examples.read_labels(), self.examples.files
        found = {} if labels is None else {"labels": labels}
        if labels is not None and len(self.class_names):
            found["class_names"] = np.array(self.class_names)
        return found if files is None else {**found, "files": files.astype(str)}

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """The same as columns of a table: see `columns_of`."""
        return columns_of(self.examples, self.class_names)


def columns_of(
    examples: AnyExamples, class_names: Sequence[str]
) -> dict[str, np.ndarray]:
    """What is known of each example: its `file`, and its `label`, by its name.

    Args:
        examples: The examples.
        class_names: The names of their classes, or `()`.
    """
    labels, files = examples.read_labels(), examples.files
    found = {} if files is None else {"file": files.astype(str)}
    if labels is not None:
        known = dict(enumerate(class_names)) | {-1: ""}
        found["label"] = np.array(
            [str(known.get(n, n)) for n in labels.tolist()]
        )
    return found


def held_out(
    run: Run,
    model: keras.Model,
    data: str | None = None,
    num: int | None = None,
    any_range: bool = False,
    **options: Any,
) -> HeldOut:
    """The examples that a run is judged by.

    Args:
        run: The run.
        model: Its model.
        data: Another source than the run's own, or None.
        num: How many examples are drawn from all; None for all.
        any_range: Whether values may lie outside the model's support.
        **options: Others of `checked_batches`.

    Raises:
        InvalidArgument: If the model can't take the data.
    """
    source = run.settings.source(data, any_range, model.table)
    if not data:
        run.tell_changed_data(source)
    examples = source.examples(held_out_split(source, bool(data)))
    has_class = None
    if model.table is not None and options.get("labels", model.conditional):
        examples, has_class = _examples_with_class(examples, model.table, data)
    if num and num < len(examples):
        examples = subset(examples, num)
    names = source.class_names
    has_labels = getattr(examples, "labels", None) is not None
    if names and has_labels and model.class_names not in ((), tuple(names)):
        examples = _renumbered(examples, names, model, source.name)
        names = model.class_names
    dataset = checked_batches(model, examples, any_range=any_range, **options)
    return HeldOut(examples, dataset, names, has_class)


def _examples_with_class(examples, table, data):
    """The rows that have a class of a table's target, and which of all they are."""
    labels = examples.read_labels()
    if labels is None:
        raise InvalidArgument(
            f"--data: {data} has no column `{table.target}`, the target, whose "
            "classes the model takes."
        )
    has_class = labels >= 0
    if not has_class.any():
        raise InvalidArgument(
            f"--data: no row of {data} has a class in `{table.target}`, the "
            f"target. Known are {', '.join(map(repr, table.class_names[:20]))}."
        )
    if has_class.all():
        return examples, has_class
    say(
        f"{(~has_class).sum()} rows are left out: their target `{table.target}` is "
        "missing, or a class that training never had."
    )
    return examples.select(np.flatnonzero(has_class)), has_class


def _renumbered(examples, names, model, source):
    """Examples whose labels are the numbers that their classes have in a model."""
    known = list(model.class_names)
    others = [name for name in names if name not in known]
    if not others and isinstance(examples, Examples):
        numbers = np.array([known.index(name) for name in names], "int32")
        labels = examples.labels
        labels = np.where(labels < 0, labels, numbers[labels])
        return dataclasses.replace(examples, labels=labels)
    text = f"the classes of {source} ({', '.join(names[:9])}"
    text += ", ..." if len(names) > 9 else ""
    text += ") differ from the model's"
    if not model.needs_labels:
        raise InvalidArgument(f"--data: {text}. Pass data of the same classes.")
    say(f"{text}: its labels are ignored.")
    return examples.without_labels()
