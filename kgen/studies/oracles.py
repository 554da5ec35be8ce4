"""Keras Tuner's oracles, made to survive a kill, and a grid that resumes."""

import contextlib
import itertools
import math
import pathlib
import random
import time
import warnings

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from kgen import files
from kgen.hypermodels import finite
from kgen.studies import kept
from kgen.studies.study import FACTOR

# How often a trial is begun that ends its worker each time.
ATTEMPTS = 3
_FINISHED = (TrialStatus.COMPLETED, TrialStatus.FAILED)


def attempts(folder):
    """The file that holds a byte for each time that a trial was begun.

    It is deleted when the trial ends, or is interrupted: what remains are
    deaths.

    Args:
        folder: The trial's.
    """
    return pathlib.Path(folder, "attempts")


class Kept(keras_tuner.Oracle):
    """What all of a study's oracles share.

    Its files appear whole or not at all; after a kill, finished trials stay as
    they are, and those that were under way are run again.

    Args:
        report: Function of an oracle and a trial, called when it has ended.
        minutes: After how many no trial is begun; None for no limit.
        *args: Of the oracle.
        **kwargs: Of the oracle.
    """

    def __init__(self, *args, report, minutes=None, **kwargs):
        # A trial that fails says nothing about the next one.
        super().__init__(
            *args, max_consecutive_failed_trials=float("inf"), **kwargs
        )
        self._report = report
        limit = float("inf") if minutes is None else 60 * minutes
        self._stop_at = time.monotonic() + limit

    def populate_space(self, trial_id):
        if time.monotonic() >= self._stop_at:
            return {"status": TrialStatus.STOPPED}
        return super().populate_space(trial_id)

    @keras_tuner.synchronized
    def create_trial(self, tuner_id):
        begun = self.ongoing_trials.get(tuner_id)
        if begun is not None:  # its worker has died, and is there again
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
        """How often a trial was begun, and its process died."""
        if trial.status != TrialStatus.RUNNING:
            return 0
        path = attempts(self._get_trial_dir(trial.trial_id))
        return path.stat().st_size if path.exists() else 0

    def _random_values(self):
        """Keras Tuner's, which gives up after some draws of what was tried."""
        values, space = super()._random_values(), self.hyperparameters.space
        if values is not None or finite.endless(space):
            return values
        left = [
            values
            for values in finite.combinations(space)
            if not self._duplicate(values)
        ]
        self._seed_state += 1
        return random.Random(self._seed_state).choice(left) if left else None

    def continued(self):
        """Names of the trials whose training another one goes on with, or may.

        Returns:
            Set of strings.
        """
        return set()

    def end_trial(self, trial):
        # Of a worker that has outlived its chief: no other is to run it.
        if trial.trial_id in self._retry_queue:
            self._retry_queue.remove(trial.trial_id)
        super().end_trial(trial)
        self._report(self, self.trials[trial.trial_id])

    def save(self):
        with files.new_file(self._get_oracle_fname()) as temporary:
            super(keras_tuner.Oracle, self).save(str(temporary))

    def _save_trial(self, trial):
        path = f"{self._get_trial_dir(trial.trial_id)}/trial.json"
        with files.new_file(path) as temporary:
            trial.save(str(temporary))

    def reload(self):
        folder = pathlib.Path(self._project_dir)
        kept.read(folder / "oracle.json", self.get_state())
        of_a_trial = Trial(keras_tuner.HyperParameters()).get_state()
        for path in folder.glob("trial_*/trial.json"):
            kept.read(path, of_a_trial)
        for path in folder.glob("trial_*/record.json"):
            kept.read(path, ("settings", "parameters"))
        with kept.reading(folder):
            super().reload()
        # A kill may have come after a trial's file was written and before this.
        self.end_order += [
            name
            for name, trial in sorted(self.trials.items())
            if trial.status in _FINISHED and name not in self.end_order
        ]
        # Keras Tuner counts a trial as under way till the next one begins, and
        # would run it twice; one that had just begun, it would forget.
        unfinished = [
            trial
            for trial in self.trials.values()
            if trial.status not in _FINISHED
        ]
        for trial in unfinished:
            trial.metrics = type(trial.metrics)()
        numbers = sorted((int(t.trial_id), t.trial_id) for t in unfinished)
        self._retry_queue = [name for _, name in reversed(numbers)]


class Random(Kept, keras_tuner.oracles.RandomSearchOracle):
    """Draws trials at random."""


class Bayesian(Kept, keras_tuner.oracles.BayesianOptimizationOracle):
    """Draws trials where a Gaussian process expects the most."""

    def populate_space(self, trial_id):
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            # Of one of many starts of the process's own fit.
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = super().populate_space(trial_id)
        values = found.get("values") or {}
        for one in self.hyperparameters.space:
            # It goes one beyond the end of whole numbers' logarithms.
            if one.name in values and hasattr(one, "max_value"):
                values[one.name] = min(values[one.name], one.max_value)
        if values and self._duplicate(values):
            # Where it expects the most it has been: the same again tells nothing.
            return self._random_populate_space()
        return found


class Hyperband(Kept, keras_tuner.oracles.HyperbandOracle):
    """Draws many trials, and goes on with the best of them.

    One that failed is the worst of its round. Keras Tuner would wait for it.
    """

    def populate_space(self, trial_id):
        self._fill_places()
        with self._failed_as_worst():
            return super().populate_space(trial_id)

    def continued(self):
        names = {
            trial.hyperparameters.values.get("tuner/trial_id")
            for trial in self.trials.values()
            if trial.status not in _FINISHED
        }
        sign = -1 if self.objective.direction == "max" else 1
        for past, following, _, places in self._rounds():
            chosen = {entry["past_id"] for entry in following}
            able = [
                name
                for name in self._of_status(past, TrialStatus.COMPLETED)
                if name not in chosen
            ]
            able.sort(key=lambda name: sign * self.trials[name].score)
            names.update(able[: places - len(following)])
        return names

    def _rounds(self):
        """Each round and the one that follows, and how many both have in the end.

        Their entries have the `id` of a trial, and the `past_id` of the one
        that it goes on with.
        """
        for bracket in self._brackets:
            pairs = itertools.pairwise(bracket["rounds"])
            for number, (past, following) in enumerate(pairs):
                size, places = (
                    self._get_size(bracket["bracket_num"], one)
                    for one in (number, number + 1)
                )
                yield past, following, size, places

    def _of_status(self, entries, status):
        names = [entry["id"] for entry in entries]
        return [name for name in names if self.trials[name].status == status]

    def _fill_places(self):
        """Where too many failed, they stand in the next round, too."""
        for past, following, size, places in self._rounds():
            there = {entry["past_id"] for entry in following}
            failed = self._of_status(past, TrialStatus.FAILED)
            following.extend(
                {"past_id": name, "id": name}
                for name in failed[size - places :]
                if name not in there
            )

    @contextlib.contextmanager
    def _failed_as_worst(self):
        failed = [
            trial
            for trial in self.trials.values()
            if trial.status == TrialStatus.FAILED
        ]
        worst = math.inf if self.objective.direction == "min" else -math.inf
        for trial in failed:
            trial.status, trial.score = TrialStatus.COMPLETED, worst
        try:
            yield
        finally:
            for trial in failed:
                trial.status, trial.score = TrialStatus.FAILED, None


class Grid(Kept):
    """Visits all there is, in order; Keras Tuner's own can't resume."""

    def populate_space(self, trial_id):
        if time.monotonic() < self._stop_at:
            for values in finite.combinations(self.hyperparameters.space):
                if not self._duplicate(values):
                    return {
                        "status": TrialStatus.RUNNING,
                        "values": values,
                    }
        return {"status": TrialStatus.STOPPED}


def make(study, trials, report):
    """The oracle of a study.

    Args:
        study: A `Study`.
        trials: How many at most, or None.
        report: As in `Kept`.

    Returns:
        A `Kept` oracle that knows the whole space.
    """
    space = keras_tuner.HyperParameters()
    study.hypermodel().declare_hyperparameters(space)
    options = {
        "objective": keras_tuner.Objective(
            study.objective.name, study.objective.direction
        ),
        "hyperparameters": space,
        "seed": study.seeds[0] + 1,  # 0 would be drawn anew each time
        "minutes": study.budget["minutes"],
        "report": report,
    }
    tuner = study.said["tuner"]
    if tuner == "hyperband":
        oracle = Hyperband(
            max_epochs=study.budget["epochs"], factor=FACTOR, **options
        )
        oracle.max_trials = trials
        return oracle
    cls = {"random": Random, "bayesian": Bayesian, "grid": Grid}[tuner]
    return cls(max_trials=trials, **options)
