"""The callbacks of a run's training: what they watch, write and show."""

import keras
import numpy as np
import tensorflow as tf

from kgen import plots, registry
from kgen.callbacks import (
    EpochOrder,
    GANWatch,
    Guard,
    KLWarmUp,
    SampleProgress,
    VAEWatch,
)
from kgen.data import Source
from kgen.errors import InvalidArgument, say
from kgen.runs import best, progress, tracking
from kgen.runs.checkpoints import Interval
from kgen.runs.directory import Run
from kgen.runs.disk import DirectoryCheck
from kgen.runs.drawings import first_examples
from kgen.runs.settings import TrainSettings

# How many real examples the samples are compared with while training.
_COMPARED = 256


def callbacks_of(
    run: Run,
    settings: TrainSettings,
    model: keras.Model,
    source: Source,
    dataset: tf.data.Dataset,
    is_chief: bool,
) -> list[keras.callbacks.Callback]:
    """The callbacks that say how a run is trained, and show it.

    Args:
        run: The run.
        settings: Its settings.
        model: The compiled model.
        source: The data.
        dataset: The batches to train on.
        is_chief: Whether this process shows and writes what it does, as one of
            several workers does.

    Raises:
        InvalidArgument: If a setting is for another kind of model, or a tracker's
            package is missing.
    """
    report = say if is_chief else lambda text: None
    callbacks = [EpochOrder(dataset), Guard(settings.on_nan, report=report)]
    if settings.kl_warmup:
        if not hasattr(model, "sampling"):
            raise InvalidArgument(
                f"--kl-warmup: the loss of {settings.model} has no KL term. "
                "Leave the option out."
            )
        callbacks.append(KLWarmUp(settings.kl_warmup))
    together = []
    if settings.patience and settings.strategy == "multi_worker":
        together = [best.StopTogether(model.distribute_strategy)]
    if not is_chief:
        return [*callbacks, *together]
    tracking.check(settings.log_to)
    if hasattr(model, "adversarial_loss"):
        _, x = first_examples(model, dataset, _COMPARED)
        callbacks.append(GANWatch(x, report=say))
    elif hasattr(model, "posterior"):
        inputs, x = first_examples(model, dataset, _COMPARED)
        labels = np.asarray(inputs[1]) if model.conditional else None
        callbacks.append(VAEWatch(x, labels, report=say))
    if hasattr(model, "sample") and plots.is_drawable(model.input_shapes[0]):
        callbacks.append(
            SampleProgress(run.path / "progress", run.path / "progress.png")
        )
    callbacks += best.callbacks_of(run, settings, model, source)
    return [*callbacks, *together]


def set_checkpoints(
    run: Run, settings: TrainSettings, model: keras.Model
) -> None:
    """Sets when the checkpoints of a run are kept.

    Args:
        run: The run.
        settings: Its settings.
        model: The compiled model.

    Raises:
        InvalidArgument: If the training could not go on from such checkpoints.
    """
    obstacle = _obstacle_within_epochs(settings, model)
    text = settings.checkpoint_every
    interval = Interval.of(text) if text else None
    if interval and interval.within_epochs and obstacle:
        raise InvalidArgument(
            f"--checkpoint-every {obstacle} Pass a number of epochs, such as 1e."
        )
    run.checkpoints.interval = interval
    run.checkpoints.can_resume_within_epochs = obstacle is None


def _obstacle_within_epochs(
    settings: TrainSettings, model: keras.Model
) -> str | None:
    """Why a training can't go on from within an epoch; None if it can."""
    if settings.on_nan != "stop":
        return (
            f"can't be used with --on-nan {settings.on_nan}: a "
            "training that goes on within an epoch would no longer know the "
            "state that the epoch began with, nor the steps left out before."
        )
    if model.needs_labels:
        return (
            f"can't be used within epochs: {settings.model} counts over an "
            "epoch, which no checkpoint holds."
        )
    if settings.strategy:
        return (
            "can't be used within epochs of several devices: their sums are not "
            "kept."
        )
    return None


def with_records(
    run: Run,
    callbacks: list[keras.callbacks.Callback],
    settings: TrainSettings,
    screen: progress.Screen,
) -> list[keras.callbacks.Callback]:
    """Adds what writes into a run, and what shows its epochs.

    Args:
        run: The run.
        callbacks: The others.
        settings: The run's settings.
        screen: What shows them.
    """
    figures = registry.MODELS[settings.model].figures
    return [
        DirectoryCheck(run),
        *callbacks,
        *screen.callbacks(figures, run.history()),
        run.history_file,
        keras.callbacks.TensorBoard(run.path / "logs", write_graph=False),
        run.checkpoints,
    ]
