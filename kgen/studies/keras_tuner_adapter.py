"""All that leans on private parts of Keras Tuner (1.4).

Each use has a comment that begins with "Private:" and says what to do when an
upgrade breaks it. The tests in `tests/studies` fail then.
"""

import contextlib
import io
import itertools
import math
import pathlib
import random
import time
import warnings
from collections.abc import Callable
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src.engine import conditions

from kgen import files
from kgen.hypermodels import HyperModel, finite
from kgen.studies import records

# How often a trial is begun if its process dies each time.
ATTEMPTS = 3
# The ratio of successive numbers of epochs in Hyperband.
FACTOR = 3
_ENDED = (TrialStatus.COMPLETED, TrialStatus.FAILED)
_STOPPED = {"status": TrialStatus.STOPPED}
_PAUSE = 0.5  # seconds
_NEWEST_TRIAL = "newest_trial"


class ResumableOracle(keras_tuner.Oracle):
    """Base of the oracles of studies, which survive a kill at any moment.

    Files appear whole or not at all. After a kill, ended trials stay as they
    are, and those that were running are run again.

    Args:
        folder: The folder of the study's trials.
        on_trial_end: Function of an oracle and a trial, called when it has ended.
        minutes: After how many no trial is begun; None for no limit.
        *args: Arguments of the oracle.
        **kwargs: Arguments of the oracle.
    """

    def __init__(
        self,
        *args: Any,
        folder: pathlib.Path,
        on_trial_end: Callable,
        minutes: float | None = None,
        **kwargs: Any,
    ):
        # A trial that fails says nothing about the next one.
        super().__init__(
            *args, max_consecutive_failed_trials=float("inf"), **kwargs
        )
        self._folder = folder
        self._on_trial_end = on_trial_end
        limit = float("inf") if minutes is None else 60 * minutes
        self._stop_at = time.monotonic() + limit
        self._newest_trial = None  # its state when it was begun

    def populate_space(self, trial_id: str) -> dict:
        if time.monotonic() >= self._stop_at:
            return _STOPPED
        return super().populate_space(trial_id)

    @keras_tuner.synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        begun = self.ongoing_trials.get(tuner_id)
        if begun is not None:  # the worker has died and was started again
            begun.metrics = type(begun.metrics)()
        trial = super().create_trial(tuner_id)
        while self._deaths(trial) >= ATTEMPTS:
            trial.status = TrialStatus.FAILED
            trial.message = (
                f"its process died {ATTEMPTS} times, by a kill or for want of "
                "memory"
            )
            self.end_trial(trial)
            trial = super().create_trial(tuner_id)
        return trial

    def _deaths(self, trial):
        """How often a process died that ran the trial."""
        path = records.attempts_file(self._folder_of(trial))
        is_running = trial.status == TrialStatus.RUNNING
        return path.stat().st_size if is_running and path.exists() else 0

    def _folder_of(self, trial):
        return self._folder / f"trial_{trial.trial_id}"

    # Private: gives up after some draws of values that were tried, although
    # others are left. If it is renamed, rename it here, too; Keras Tuner's
    # oracles must call it for each random trial.
    def _random_values(self):
        values, space = super()._random_values(), self.hyperparameters.space
        if values is not None or finite.endless(space):
            return values
        left = [v for v in finite.combinations(space) if self._is_new(v)]
        self._seed_state += 1
        return random.Random(self._seed_state).choice(left) if left else None

    def _is_new(self, values):
        # Private: if it goes, compare with `trial.hyperparameters.values` of
        # all trials.
        return not self._duplicate(values)

    def continued_trials(self) -> set[str]:
        """Names of the trials whose training another one continues, or may."""
        return set()

    def end_trial(self, trial: Trial) -> None:
        # Private: the queue of trials to run again. A worker that has outlived
        # its chief may end one of them: no other worker is to run it.
        if trial.trial_id in self._retry_queue:
            self._retry_queue.remove(trial.trial_id)
        super().end_trial(trial)
        self._on_trial_end(self, self.trials[trial.trial_id])

    def save(self) -> None:
        # Not the oracle's own `save`, which writes the file in place.
        state = {**self.get_state(), _NEWEST_TRIAL: self._newest_trial}
        files.write_json(self._folder / "oracle.json", state)

    # Private: Keras Tuner's would write the file in place. If it is renamed,
    # rename it here, too.
    def _save_trial(self, trial):
        path = self._folder_of(trial) / "trial.json"
        if not path.exists():
            # The process may be killed between the writing of two files. The file of
            # the oracle is written first, and has the new trial, too. So a resume
            # finds both the trial and the state of the random stream, or neither.
            self._newest_trial = trial.get_state()
            self.save()
        files.write_json(path, trial.get_state())

    def _restore_newest_trial(self, trial_keys):
        """Writes the file of the newest trial, if a kill came before that."""
        state = self._newest_trial
        if state is None:
            return
        trial = Trial.from_state({key: state[key] for key in trial_keys})
        if not trial.trial_id.isdecimal():  # the name of a folder comes of it
            raise ValueError(f"a trial is called {trial.trial_id!r}")
        path = self._folder_of(trial) / "trial.json"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            files.write_json(path, state)

    def reload(self) -> None:
        file = self._folder / "oracle.json"
        state = records.read(file, self.get_state())
        trial_keys = Trial(keras_tuner.HyperParameters()).get_state()
        # Studies of earlier versions lack it.
        self._newest_trial = state.get(_NEWEST_TRIAL)
        with records.explain_damage(file):
            self._restore_newest_trial(trial_keys)
        for path in self._folder.glob("trial_*/trial.json"):
            records.read(path, trial_keys)
        for folder in self._folder.glob("trial_*"):
            if (path := records.record_file(folder)).exists():
                records.read(path, ("settings", "parameters"))
        with records.explain_damage(self._folder):
            super().reload()
            # Keras Tuner finds them in the order of the file system.
            by_number = sorted(
                self.trials.items(), key=lambda pair: int(pair[0])
            )
        self.trials: dict[str, Trial] = dict(by_number)
        # A kill may have come after a trial's file was written and before this.
        self.end_order += [
            name
            for name, trial in self.trials.items()
            if trial.status in _ENDED and name not in self.end_order
        ]
        # Keras Tuner counts a trial as running until the next one begins, and
        # would run it twice; it would forget one that had just begun.
        running = [t for t in self.trials.values() if t.status not in _ENDED]
        for trial in running:
            trial.metrics = type(trial.metrics)()
        # Private: as above.
        self._retry_queue = [trial.trial_id for trial in reversed(running)]


class RandomSearch(ResumableOracle, keras_tuner.oracles.RandomSearchOracle):
    """Draws trials at random."""


class Bayesian(ResumableOracle, keras_tuner.oracles.BayesianOptimizationOracle):
    """Draws trials where a Gaussian process expects the most."""

    def populate_space(self, trial_id: str) -> dict:
        from sklearn.exceptions import ConvergenceWarning

        # Private: draws where the search for the best values begins. No file holds
        # its state, so that it follows from the trial's number. If it is renamed,
        # rename it here, too.
        number = (self.seed + len(self.trials)) % 2**32
        self._random_state = np.random.RandomState(number)
        with warnings.catch_warnings():
            # One of many starts of the process's fit may not converge.
            warnings.simplefilter("ignore", ConvergenceWarning)
            response = super().populate_space(trial_id)
        values = response.get("values") or {}
        for parameter in self.hyperparameters.space:
            # Keras Tuner goes one beyond the end of integers on a log scale.
            if parameter.name in values and hasattr(parameter, "max_value"):
                limited = min(values[parameter.name], parameter.max_value)
                values[parameter.name] = limited
        if values and not self._is_new(values):
            # Values that were tried would tell nothing. Private: if it goes,
            # return a dictionary of status RUNNING with `_random_values()`, or
            # of status STOPPED where these are None.
            return self._random_populate_space()
        return response


class Hyperband(ResumableOracle, keras_tuner.oracles.HyperbandOracle):
    """Draws many trials, and continues the best of them.

    A trial that failed is the worst of its round. Keras Tuner would wait for it
    forever.
    """

    def populate_space(self, trial_id: str) -> dict:
        self._fill_places()
        failed = [
            trial
            for trial in self.trials.values()
            if trial.status == TrialStatus.FAILED
        ]
        worst = math.inf if self.objective.direction == "min" else -math.inf
        for trial in failed:
            trial.status, trial.score = TrialStatus.COMPLETED, worst
        try:
            return super().populate_space(trial_id)
        finally:
            for trial in failed:
                trial.status, trial.score = TrialStatus.FAILED, None

    def continued_trials(self) -> set[str]:
        names = {
            trial.hyperparameters.values.get("tuner/trial_id")
            for trial in self.trials.values()
            if trial.status not in _ENDED
        }
        sign = -1 if self.objective.direction == "max" else 1
        for past, following, _, places in self._rounds():
            chosen = {entry["past_id"] for entry in following}
            candidates = [
                name
                for name in self._with_status(past, TrialStatus.COMPLETED)
                if name not in chosen
            ]
            candidates.sort(key=lambda name: sign * self.trials[name].score)
            names.update(candidates[: places - len(following)])
        return names

    def _rounds(self):
        """Each round, the one that follows, and how many trials both will have.

        The entries of a round have the `id` of a trial, and the `past_id` of
        the one that it continues.
        """
        # Private: `_brackets` and `_get_size` as in the paper's algorithm 1. If
        # they change, see `HyperbandOracle.populate_space`, which fills them.
        for bracket in self._brackets:
            pairs = itertools.pairwise(bracket["rounds"])
            for number, (past, following) in enumerate(pairs):
                size, places = (
                    self._get_size(bracket["bracket_num"], round_number)
                    for round_number in (number, number + 1)
                )
                yield past, following, size, places

    def _with_status(self, entries, status):
        names = [entry["id"] for entry in entries]
        return [name for name in names if self.trials[name].status == status]

    def _fill_places(self):
        """Enters failed trials in the next round if too few others are left."""
        for past, following, size, places in self._rounds():
            entered = {entry["past_id"] for entry in following}
            failed = self._with_status(past, TrialStatus.FAILED)
            following.extend(
                {"past_id": name, "id": name}
                for name in failed[size - places :]
                if name not in entered
            )


class Grid(ResumableOracle):
    """Visits the whole space in order. Keras Tuner's grid can't resume."""

    def populate_space(self, trial_id: str) -> dict:
        if time.monotonic() < self._stop_at:
            for values in finite.combinations(self.hyperparameters.space):
                if self._is_new(values):
                    return {"status": TrialStatus.RUNNING, "values": values}
        return _STOPPED


_ORACLES = {
    "random": RandomSearch,
    "bayesian": Bayesian,
    "hyperband": Hyperband,
    "grid": Grid,
}
TUNERS = tuple(_ORACLES)


def make_oracle(
    study: Any, trials: int | None, on_trial_end: Callable
) -> ResumableOracle:
    """The oracle of a study, which knows the whole space.

    Args:
        study: A `Study`.
        trials: How many trials there are at most, or None.
        on_trial_end: As in `ResumableOracle`.
    """
    settings, objective = study.settings, study.objective
    space = keras_tuner.HyperParameters()
    study.hypermodel().declare_hyperparameters(space)
    options = {
        "folder": study.folder,
        "objective": keras_tuner.Objective(objective.name, objective.direction),
        "hyperparameters": space,
        "seed": settings.seeds[0] + 1,  # 0 would be drawn anew each time
        "minutes": settings.minutes,
        "on_trial_end": on_trial_end,
    }
    if settings.tuner == "hyperband":
        options.update(max_epochs=settings.epochs, factor=FACTOR)
    oracle = _ORACLES[settings.tuner](**options)
    oracle.max_trials = trials  # Hyperband does not take it as an argument
    return oracle


def hyperband_draws(epochs: int) -> int:
    """How many different settings all brackets of Hyperband begin with.

    Args:
        epochs: The epochs of the longest trainings.
    """
    oracle = keras_tuner.oracles.HyperbandOracle(
        keras_tuner.Objective("value", "min"), max_epochs=epochs, factor=FACTOR
    )
    # Private: the number of brackets, and the size of the first round of each.
    # If they go, take both from the paper's algorithm 1.
    brackets = range(oracle._get_num_brackets())
    return sum(oracle._get_size(number, 0) for number in brackets)


class ResumableTuner(keras_tuner.Tuner):
    """Base of a tuner that keeps nothing beside its oracle's files.

    Keras Tuner's file would carry the worker's name, and the search could not be
    resumed by another number of workers.

    Args:
        oracle: A `ResumableOracle`.
        hypermodel: The study's hypermodel.
        folder: The folder of the study's trials.
    """

    def __init__(
        self,
        oracle: ResumableOracle,
        hypermodel: HyperModel,
        folder: pathlib.Path,
    ):
        self._file = folder / "oracle.json"
        self._is_idle = False
        # Private: it prints a word for each condition that it sends to a worker.
        # If this fails, see whether the module still prints.
        conditions.print = lambda *words: None
        with contextlib.redirect_stdout(io.StringIO()):  # it says "Reloading"
            super().__init__(
                oracle,
                hypermodel,
                directory=str(folder.parent),
                project_name=folder.name,
            )

    # Private: the file whose existence makes a tuner reload. If it is renamed,
    # rename it here, too.
    def _get_tuner_fname(self):
        return str(self._file)

    # Private: `_is_worker` is True in a worker of a shared search, which has no
    # oracle. If it goes, take `kgen.studies.workers.is_worker`.
    def save(self) -> None:
        if not self._is_worker():
            self.oracle.save()

    def reload(self) -> None:
        if not self._is_worker():
            self.oracle.reload()

    # Private: builds models to find the parameters of the space, which the
    # oracle knows. If it is renamed, searches begin more slowly.
    def _populate_initial_space(self):
        pass

    # Keras Tuner asks again at once where there is nothing to do yet.

    def pre_create_trial(self) -> None:
        if self._is_idle:
            time.sleep(_PAUSE)
        self._is_idle = True

    def on_trial_begin(self, trial: Trial) -> None:
        self._is_idle = False

    # Private: Keras Tuner's would catch all errors, also those of a full disk,
    # and put a traceback into the message. If it is renamed, rename it here;
    # `_run_and_update_trial` calls `run_trial` and hands the figure in.
    def _try_run_and_update_trial(self, trial, **kwargs):
        try:
            self._run_and_update_trial(trial, **kwargs)
            trial.status = TrialStatus.COMPLETED
        except keras_tuner.errors.FailedTrialError as error:
            trial.status, trial.message = TrialStatus.FAILED, str(error)
