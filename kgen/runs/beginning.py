"""How a training begins in a run's directory: anew, or from its last checkpoint."""

import contextlib

import keras

from kgen import locks
from kgen.data import Source
from kgen.errors import InvalidArgument, say
from kgen.runs import tracking
from kgen.runs.data import describe, describe_change, describe_classes
from kgen.runs.directory import Run
from kgen.runs.disk import explain_disk_errors
from kgen.runs.settings import TrainSettings


def begin(
    stack: contextlib.ExitStack,
    run: Run,
    model: keras.Model,
    settings: TrainSettings,
    source: Source,
    overwrite: bool,
    resume: bool,
) -> tuple[int, list[keras.callbacks.Callback]]:
    """Makes the run, or resumes it, and begins its trackers.

    A tracker that can't begin leaves the place as it was: a run that may be
    overwritten is deleted only after that.

    Args:
        stack: The run is this process's own until the stack is closed, and its
            trackers end then.
        run: The run.
        model: The compiled model, which is brought to the run's last checkpoint.
        settings: The settings.
        source: The data.
        overwrite: Whether a run that is there may be deleted.
        resume: Whether to go on with it.

    Returns:
        How many whole epochs the run has seen, and the trackers' callbacks.
    """
    stack.enter_context(locks.directory(run.path))
    trackers = tracking.tracked(run, settings, resume)
    if resume:
        _check_same_data(run, source)
        stack.enter_context(explain_disk_errors(run, settings.model))
        run.sweep()
        done = _resume(run, model, settings, source)
        callbacks = stack.enter_context(trackers)
    else:
        run.check_free(overwrite)  # no other process has made one meanwhile
        callbacks = stack.enter_context(trackers)
        run.create(settings, overwrite, describe(source))
        stack.enter_context(explain_disk_errors(run, settings.model))
        run.sweep()
        done = 0
    tracking.note(run, callbacks)
    return done, callbacks


def _check_same_data(run: Run, source: Source) -> None:
    """Raises if a run would go on with other data than it began with."""
    change = describe_change(run.config.get("examples"), source)
    if change:
        raise InvalidArgument(
            f"The data of {run.path} have changed since its training began "
            f"({change}). A run goes on with the data that it began with: bring "
            "them back, or train anew with another --out."
        )


def _check_nothing_is_lost(run: Run) -> None:
    """Raises if beginning anew would replace a run whose checkpoints are gone.

    One that ended before its first checkpoint has nothing to go on from, and begins
    anew: the folder of checkpoints is there, and the training has not come to its end.
    """
    if not run.model_file.exists():
        return
    epochs = run.training_progress().get("epochs") or 0
    has_folder = run.checkpoints.directory.exists()
    if epochs and (epochs >= run.settings.epochs or not has_folder):
        raise InvalidArgument(
            f"{run.model_file} has seen epoch {epochs}, but there is no checkpoint "
            f"to go on from. Bring {run.checkpoints.directory} back, or train with "
            "a new --out."
        )


def _resume(
    run: Run, model: keras.Model, settings: TrainSettings, source: Source
) -> int:
    """Brings `model` to the run's last checkpoint; returns its whole epochs.

    These are all that it is to see, if its training has ended without patience.
    """
    done, wanted = run.checkpoints.restore(model), settings.epochs
    if run.checkpoints.restored is None:
        _check_nothing_is_lost(run)
    least, more = done, ""
    if run.checkpoints.partial_epoch:
        least, more = done + 1, " and a part of the next"
    if least > wanted:
        raise InvalidArgument(
            f"The run in {run.path} has seen {done} epochs{more} already; it "
            f"can't be resumed with --epochs {wanted}. Pass at least {least}."
        )
    by = (
        "strategy",
        "devices",
        "checkpoint_every",
        "on_nan",
        "log_to",
        "patience",
    )
    changed = ("fit_prior", *by) if done < wanted else ("fit_prior",)
    changes = {name: getattr(settings, name) for name in changed}
    # A folder may have been renamed, and earlier versions kept no names.
    run.extend(wanted, **changes, **describe_classes(source))
    run.history_file.trim(done)
    return wanted if _is_over(run, model, settings, done) else done


def _is_over(
    run: Run, model: keras.Model, settings: TrainSettings, done: int
) -> bool:
    """Takes up what was the best so far; whether patience has ended the training."""
    keeper, goes_on = run.checkpoints.best, done < settings.epochs
    if keeper is None:
        if goes_on and run.best_file.exists():
            say(
                f"{run.best_file} stays the best of the first {done} epochs: without "
                "--patience, those that follow are not compared with it."
            )
        return False
    keeper.resume(run.history(), done)
    if not goes_on or not keeper.so_far.is_over:
        return False
    # The best of a model with a discriminator is kept without patience, too.
    other = ", or 0" if hasattr(model, "adversarial_loss") else ""
    say(
        f"the training of {run.path} has ended after {done} epochs, by "
        f"--patience {settings.patience}. To go on, pass a larger number{other}."
    )
    return True
