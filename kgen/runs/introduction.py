"""What a training begins with, in words: its data, its model, its run."""

import collections
import math

import keras
import numpy as np

from kgen import terminal
from kgen.data import Source
from kgen.data.examples import AnyExamples, Examples
from kgen.models import rates
from kgen.runs.data import validation_split
from kgen.runs.directory import Run
from kgen.runs.settings import TrainSettings

_NETWORKS = ("encoder", "decoder", "generator", "discriminator")
_NAMED = 12  # classes that are named, at most
_INDENT = 7


def introduce(
    run: Run,
    settings: TrainSettings,
    source: Source,
    model: keras.Model,
    epochs_done: int,
) -> str:
    """Says what is going to be trained, on what, and where it will be.

    Args:
        run: The run.
        settings: Its settings.
        source: Where the data is from.
        model: The model.
        epochs_done: How many epochs it has seen already.

    Returns:
        Text of some lines, which fit a terminal.
    """
    examples = source.examples("train")
    lines = {
        "Data:": _data(settings, source, examples),
        "": _classes(source, examples),
        "Model:": _model(settings, model),
        "Train:": _epochs(settings, model, len(examples), epochs_done),
        "Run:": str(run.path),
    }
    return "\n".join(
        terminal.wrapped(f"{head:{_INDENT}}{text}", _INDENT)
        for head, text in lines.items()
        if text
    )


def parameters_of(model: keras.Model) -> dict[str, int]:
    """How many parameters each network of a model has, by its name."""
    return {
        name: getattr(model, name).count_params()
        for name in _NETWORKS
        if hasattr(model, name)
    }


def _data(settings, source, examples):
    count = f"{settings.data}, {len(examples):,}"
    if source.table is not None:
        return f"{count} rows of {_columns(source.table)}{_held_out(source)}"
    shape = "x".join(map(str, examples.shape))
    kind = {
        1: f"vectors of {shape} numbers",
        2: f"sequences of {shape}, length x channels",
        3: f"pictures of {shape}",
    }
    kind = kind.get(len(examples.shape), f"examples of {shape}")
    return f"{count} {kind}{_range(examples)}{_held_out(source)}"


def _held_out(source):
    split = validation_split(source)
    if not split:
        return ""
    return f"; {len(source.examples(split)):,} more ({split}) to validate"


def _columns(table):
    kinds = collections.Counter(column.kind for column in table.columns)
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    target = table.target_column
    classes = f"; target {target.name}" if target else ""
    return f"{kinds.total()} columns ({listed}{classes})"


def _range(examples):
    """The range of the values, where it is known without reading files."""
    images = getattr(examples, "images", None)
    is_read = isinstance(images, np.ndarray) and not isinstance(
        images, np.memmap
    )
    if is_read and images.dtype != np.uint8:
        low, high = float(images.min()), float(images.max())
        return f", values from {low:.4g} to {high:.4g}"
    return ", values in [0, 1]" if len(examples.shape) == 3 else ""


def _classes(source: Source, examples: AnyExamples) -> str:
    """The classes by their names, or else by their numbers."""
    names = source.class_names
    labels = examples.labels if isinstance(examples, Examples) else None
    if not names and labels is not None:
        names = [str(label) for label in np.unique(labels) if label >= 0]
    if not names:
        return ""
    more = ", ..." if len(names) > _NAMED else ""
    return f"{len(names)} classes: {', '.join(names[:_NAMED])}{more}"


def _model(settings, model):
    parts = [f"{n} {count:,}" for n, count in parameters_of(model).items()]
    networks = f"{settings.network} networks: {', '.join(parts)} parameters"
    if not parts:
        networks = f"{model.count_params():,} parameters"
    text = f"{settings.model}; {networks}"
    if hasattr(model, "latent_dim"):
        text += f"; latent size {model.latent_dim}"
    if model.conditional and not model.needs_labels:
        text += "; conditional on the class"
    return text


def _epochs(settings, model, count, done):
    steps = math.ceil(count / settings.batch_size)
    plural = "s" * (steps > 1)
    of = f"{steps:,} step{plural}, {settings.batch_size} examples each"
    lower = rates.first_lower_epoch(model, settings.epochs)
    if lower is not None:
        of += f"; the learning rates fall from epoch {lower} on"
    then = ""
    if settings.fit_prior:
        then = f"; then {settings.fit_prior} is fitted to the codes"
    all_epochs = f"{settings.epochs} epoch{'s' * (settings.epochs > 1)}"
    if done >= settings.epochs:
        return f"nothing left of {all_epochs}{then}"
    if done:
        return f"epochs {done + 1} to {settings.epochs} of {of}{then}"
    return f"{all_epochs} of {of}{then}"
