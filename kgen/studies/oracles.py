"""Keras Tuner's oracles, made to survive a kill, and a grid that resumes."""

import time
import warnings

import keras_tuner
from keras_tuner.engine.trial import TrialStatus

from kgen import files
from kgen.studies.study import FACTOR

_FINISHED = (TrialStatus.COMPLETED, TrialStatus.FAILED)


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
        super().reload()
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
        values = found.get("values")
        if values is not None and self._duplicate(values):
            # Where it expects the most it has been: the same again tells nothing.
            return self._random_populate_space()
        return found


class Hyperband(Kept, keras_tuner.oracles.HyperbandOracle):
    """Draws many trials, and goes on with the best of them."""


class Grid(Kept):
    """Visits all there is, in order; Keras Tuner's own can't resume."""

    def populate_space(self, trial_id):
        if time.monotonic() < self._stop_at:
            for values in _combinations(self.hyperparameters.space, {}):
                if not self._duplicate(values):
                    return {
                        "status": TrialStatus.RUNNING,
                        "values": values,
                    }
        return {"status": TrialStatus.STOPPED}


def _combinations(space, chosen):
    """All the values that go together."""
    if not space:
        yield chosen
        return
    first, *rest = space
    if not all(one.is_active(chosen) for one in first.conditions):
        yield from _combinations(rest, chosen)
        return
    for value in first.values:
        yield from _combinations(rest, {**chosen, first.name: value})


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
