"""The best model of a training, kept beside the last one as `best.keras`."""

import math
import re
import shutil
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kgen import files, terminal
from kgen.callbacks import FrechetWatch
from kgen.callbacks.frechet_watch import LOG
from kgen.callbacks.guard import state_of
from kgen.callbacks.keep_best import BestSoFar
from kgen.data import Source
from kgen.data.examples import subset
from kgen.errors import InvalidArgument, say
from kgen.models import saving
from kgen.parallel import strategies
from kgen.runs.checkpoint_files import Checkpoint, DamagedCheckpoint, content_of
from kgen.runs.data import validation_split
from kgen.runs.directory import Run
from kgen.runs.listing import figure_of
from kgen.runs.settings import TrainSettings

# Validation examples that samples are compared with: the least, and the most.
_LEAST, _MOST = 8, 1000
# They are at most half as many as the training examples, but this many may always be
# compared. With more, comparisons would be so rare that a training has hardly any. The
# number must not depend on the epochs, which a resume may change: distances of
# different numbers of examples don't compare.
_FEW = 64
# Examples are trained on for each one that is compared. A row of a table takes up to
# twice as long to compare as to train on, others less than half of it
# (benchmarks/frechet_watch.py): the comparisons take less than a twentieth of the time.
# Saving the best state takes additional time.
_TRAINED_ON = 40
_NAME = re.compile(r"best-(\d+)\.weights\.h5")


def callbacks_of(
    run: Run, settings: TrainSettings, model: keras.Model, source: Source
) -> list[keras.callbacks.Callback]:
    """What follows how good a run's model is, and keeps the best.

    A model with a discriminator, whose losses don't tell, is followed by a Frechet
    distance; another one by the figure that compares such models, if there is a
    `patience`.

    Args:
        run: The run; its checkpoints get the `BestModel`.
        settings: Its settings.
        model: The compiled model.
        source: The data.

    Raises:
        InvalidArgument: If there is a `patience` and nothing to follow.
    """
    if not hasattr(model, "adversarial_loss"):
        if not settings.patience:
            return []
        run.checkpoints.best = BestModel(run, settings, ("val_loss", "loss"))
        return [run.checkpoints.best]
    watch = _watch(settings, model, source)
    if watch is None:
        if settings.patience:
            raise InvalidArgument(
                f"--patience: {settings.model} is judged by {_LEAST} validation "
                "examples or more, and there are fewer. Leave the option out."
            )
        return []
    run.checkpoints.best = BestModel(run, settings)
    # All epochs have the column, though few have the figure.
    run.history_file.sparse = (LOG,)
    return [watch, run.checkpoints.best]


def _watch(settings, model, source):
    """The `FrechetWatch`, or None without enough validation examples."""
    split = validation_split(source)
    if split is None or len(source.examples(split)) < _LEAST:
        return None
    trained_on = len(source.examples("train"))
    count = min(max(_FEW, trained_on // 2), _MOST)
    x, labels = _some(source, split, count, model)
    every = math.ceil(_TRAINED_ON * len(x) / trained_on)
    return FrechetWatch(x, labels, every=every)


def _some(source, split, count, model):
    """Examples in the order of a fixed draw, and labels that a model takes or None."""
    examples = subset(source.examples(split), count)
    x = np.concatenate(
        list(examples.batches(batch_size=count).as_numpy_iterator())
    )
    labels = examples.labels if model.conditional else None
    known = labels is not None and labels.min() >= 0
    return x, np.asarray(labels) if known else None


def say_if_too_patient(
    settings: TrainSettings,
    callbacks: list[keras.callbacks.Callback],
    epochs_done: int,
) -> None:
    """Says so if a new training has too few epochs for its patience to end it early.

    Args:
        settings: Of the training.
        callbacks: Those that `callbacks_of` returned, and others.
        epochs_done: Above 0 for a resumed training, of which nothing is said: the
            evaluations so far count, too.
    """
    watch = _watch_in(callbacks)
    every = watch.every if watch else 1
    # The first evaluation finds the best model so far, unless its figure is not
    # finite, and only then waiting begins.
    earliest = (settings.patience + 1) * every
    is_new = epochs_done == 0
    if is_new and settings.patience and earliest >= settings.epochs:
        say(
            f"--patience {settings.patience} can't end this training early: the "
            f"model is evaluated {_often(every)}, so the training could end after "
            f"{earliest:,} epochs at the earliest, and --epochs is "
            f"{settings.epochs:,}."
        )


def describe(
    callbacks: list[keras.callbacks.Callback],
    model: keras.Model,
    source: Source,
) -> str:
    """A line that says what a `FrechetWatch` compares, and its floor; `""` without."""
    watch = _watch_in(callbacks)
    if watch is None:
        return ""
    train, _ = _some(source, "train", len(watch.x), model)
    text = (
        f"{LOG}, {_often(watch.every)}: Frechet distance of {watch.extractor.name} of "
        f"{len(watch.x):,} samples to those of as many {validation_split(source)} "
        f"examples ({watch.distance(train):.4g} for training examples)."
    )
    return f"\n{terminal.wrapped(text)}"


def _watch_in(callbacks):
    return next((x for x in callbacks if isinstance(x, FrechetWatch)), None)


def _often(every):
    return "every epoch" if every == 1 else f"every {every} epochs"


class BestModel(keras.callbacks.Callback):
    """Keeps the state of the best epoch so far, and ends a training without patience.

    The state is a file beside the checkpoints, which is written just before the next
    checkpoint: so each checkpoint that a training may go on from has the best state
    until then. Which epoch that is, and how many looks there were since, is seen in the
    history.

    Args:
        run: The run.
        settings: Its settings.
        others: Logs to go by where none is there that compares such models.
    """

    def __init__(
        self, run: Run, settings: TrainSettings, others: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.run, self.settings, self.others = run, settings, others
        self.so_far = BestSoFar(patience=settings.patience)
        self.log = ""
        self._state: list[np.ndarray] | None = None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self._look(epoch + 1, logs or {}):
            self._state = _values(self.model)
        if self.so_far.is_over:
            self.model.stop_training = True

    def _look(self, epochs: int, logs: dict[str, Any]) -> bool:
        """Takes the logs after so many epochs; returns whether it is the best one."""
        sparse = self.run.history_file.sparse
        names = [
            n for n, x in logs.items() if n not in sparse or not math.isnan(x)
        ]
        log, better = figure_of(self.settings.model, names, self.others)
        if log is None:
            return False
        self.log = log
        self.so_far.mode = "max" if better == "higher" else "min"
        return self.so_far.update(epochs, float(logs[log]))

    def resume(self, history: dict[str, list[float]], epochs: int) -> None:
        """Takes up what was found within so many epochs.

        Args:
            history: The run's logs of these epochs.
            epochs: How many there are.
        """
        for kept in self._all():
            if kept.epochs > epochs:  # of another continuation
                kept.delete()
        rows = zip(*history.values())
        for row in (dict(zip(history, values)) for values in rows):
            self._look(int(row.pop("epoch")) + 1, row)
        if self.so_far.epoch and not self._file().path.exists():
            say(
                f"no state of epoch {self.so_far.epoch} of {self.run.path}, the best "
                "so far, was kept: the best model is looked for from here on."
            )
            self.so_far = BestSoFar(patience=self.settings.patience)

    def write(self) -> None:
        """Writes the state of the best epoch, unless it is there already."""
        if self._state is None:
            return
        last = _values(self.model)
        _assign(self.model, self._state)
        try:
            content = content_of(self.model)
        finally:
            _assign(self.model, last)
        self._file().write(content)
        self._state = None

    def delete_old(self, kept: list[int]) -> None:
        """Deletes all but the best states until some numbers of epochs."""
        needed = {
            max(
                (x.epochs for x in self._all() if x.epochs <= epochs), default=0
            )
            for epochs in kept
        }
        for each in self._all():
            if each.epochs not in {*needed, self.so_far.epoch}:
                each.delete()

    def save(self) -> None:
        """Writes `best.keras`, once `model.keras` is there."""
        self.write()
        if not self.so_far.epoch:
            return
        facts = {"epochs": self.so_far.epoch, "interrupted": False}
        if self.run.training_progress() == facts:  # the last one is the best
            with files.new_file(self.run.best_file) as temporary:
                shutil.copyfile(self.run.model_file, temporary)
            return
        model = self.run.model()
        try:
            self._file().load(model)
        except DamagedCheckpoint as error:
            self._file().set_aside()
            say(f"{error}. {self.run.best_file.name} is not written.")
            return
        saving.save_with_facts(self.run.best_file, model, facts)

    def comparison(self) -> str | None:
        """Says which model is better, the best or the last; None if they are one."""
        so_far = self.so_far
        if not so_far.epoch or so_far.epoch == self.run.checkpoints.epochs:
            return None
        return (
            f"{self.run.best_file} is better: it is of epoch {so_far.epoch}, with "
            f"{self.log} {so_far.value:.4g}; that of the last model is "
            f"{so_far.last:.4g}. The commands use it with --best."
        )

    def _all(self):
        folder = self.run.checkpoints.directory
        return [
            Checkpoint(int(match[1]), 0, path)
            for path in sorted(folder.glob("best-*.weights.h5"))
            if (match := _NAME.fullmatch(path.name))
        ]

    def _file(self):
        name = f"best-{self.so_far.epoch:05d}.weights.h5"
        path = self.run.checkpoints.directory / name
        return Checkpoint(self.so_far.epoch, 0, path)


def _values(model):
    """Copies of all that training changes."""
    return [np.array(x) for x in map(ops.convert_to_numpy, state_of(model))]


def _assign(model, values):
    for variable, value in zip(state_of(model), values, strict=True):
        variable.assign(value)


class StopTogether(keras.callbacks.Callback):
    """Ends the training of all workers when the chief's ends.

    Args:
        strategy: The strategy that they train under.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        super().__init__()
        self.strategy = strategy

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.model.stop_training = strategies.by_chief(
            self.strategy, lambda: bool(self.model.stop_training)
        )
