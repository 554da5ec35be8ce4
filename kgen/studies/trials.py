"""One trial of a study: a model trained with its settings, for each seed."""

import gc
import math
import pathlib
import time

import keras
import keras_tuner
import numpy as np
from keras_tuner.engine.trial import TrialStatus

from kgen import extractors, files
from kgen.callbacks import Diverged, EpochOrder, Evaluation, Guard
from kgen.errors import InvalidArgument
from kgen.evaluation import Evidence, check_possible, compute
from kgen.models.factory import load_model
from kgen.parallel import replicas
from kgen.studies import oracles

_LONGEST = 500  # characters of a reason
_PAUSE = 0.5  # seconds


class Keep(keras.callbacks.Callback):
    """Keeps the model as it was after its best epoch.

    Args:
        objective: An `Objective`.
        path: The file.
    """

    def __init__(self, objective, path):
        super().__init__()
        self.objective, self.path = objective, path
        self.best, self.epochs = None, None

    def on_epoch_end(self, epoch, logs=None):
        value = (logs or {}).get(self.objective.name, math.nan)
        if np.isfinite(value) and self.objective.is_better(value, self.best):
            self.best, self.epochs = float(value), epoch + 1
            with files.new_file(self.path) as temporary:
                self.model.save(temporary)


class Judge:
    """Gives a study's objective for a model.

    Args:
        study: A `Study`.
    """

    def __init__(self, study):
        self.study, self.objective = study, study.objective
        self._extractor = None

    def check(self):
        """Raises if the objective can't be had; makes what it needs, once."""
        if not self.objective.is_log:
            hypermodel = self.study.hypermodel()
            model = hypermodel.build_from(hypermodel.first())
            evidence = Evidence(model, **self._given(model))
            check_possible(evidence, [self.objective.figure])

    def callbacks(self, model):
        """What brings the objective into the logs of `fit`."""
        if self.objective.is_log:
            return []
        every = self.study.evaluation.get("every", 1)
        given = self._given(model)
        return [Evaluation([self.objective.figure], every=every, **given)]

    def figure(self, model, batch_size):
        """The objective's value for a model, by the validation examples."""
        if self.objective.is_log:
            dataset = self.study.data.batches("validation", batch_size, 0)
            logs = model.evaluate(dataset, return_dict=True, verbose=0)
            return float(logs[self.objective.figure])
        evidence = Evidence(model, **self._given(model))
        found, _ = compute(evidence, [self.objective.figure])
        return float(found[self.objective.figure].value)

    def _given(self, model):
        """The arguments of `Evidence` beside the model."""
        given = {
            key: value
            for key, value in self.study.evaluation.items()
            if key not in ("every", "extractor")
        }
        given.update(
            test=self.study.data.examples("validation"),
            train=self.study.data.examples("train"),
            binarize=self.study.data.binarize,
        )
        if self._extractor is None and self._needs_extractor(model, given):
            self._extractor = extractors.get(
                self.study.evaluation.get("extractor", "classifier"),
                self.study.data.source,
            )
        return {**given, "extractor": self._extractor}

    def _needs_extractor(self, model, given):
        try:
            check_possible(Evidence(model, **given), [self.objective.figure])
        except InvalidArgument:
            return True
        return False


def describe(hypermodel, hp):
    """What is known of a trial before it begins.

    Args:
        hypermodel: A study's.
        hp: Keras Tuner's hyperparameters of the trial.

    Returns:
        Dictionary with its `settings`, and what is searched as `parameters`.
    """
    return {
        "settings": hypermodel.settings(hp),
        "parameters": hypermodel.space.chosen(hp),
    }


class Trainer(keras_tuner.Tuner):
    """Runs the trials of a study that an oracle thinks of.

    Args:
        study: A `Study`.
        oracle: A `Kept` oracle.
        watch: As in `kgen.studies.tune`.
    """

    def __init__(self, study, oracle, watch=None):
        self.study, self._judge = study, Judge(study)
        self._watch = watch
        self._idle = False
        super().__init__(
            oracle,
            study.hypermodel(),
            directory=str(study.folder.parent),
            project_name=study.folder.name,
        )

    # The oracle holds all that there is to keep; Keras Tuner's own file would
    # carry the worker's name, and another number of workers could not resume.

    def _get_tuner_fname(self):
        return str(self.study.folder / "oracle.json")

    def save(self):
        if not self._is_worker():
            self.oracle.save()

    def reload(self):
        if not self._is_worker():
            self.oracle.reload()

    def _populate_initial_space(self):
        """Nothing: the oracle knows the space, and no model needs building."""

    # Keras Tuner asks again at once where there is nothing to do as yet.

    def pre_create_trial(self):
        if self._idle:
            time.sleep(_PAUSE)
        self._idle = True

    def on_trial_begin(self, trial):
        self._idle = False

    def _try_run_and_update_trial(self, trial, **kwargs):
        """As Keras Tuner's, which would print a traceback in between."""
        try:
            self._run_and_update_trial(trial, **kwargs)
            trial.status = TrialStatus.COMPLETED
        except keras_tuner.errors.FailedTrialError as error:
            trial.status, trial.message = TrialStatus.FAILED, str(error)

    def run_trial(self, trial, **kwargs):
        """Trains with each of the study's seeds, and writes down what came.

        Args:
            trial: Keras Tuner's.
            **kwargs: Not used.

        Returns:
            The objective's mean over the seeds, by its name.

        Raises:
            OSError: If the machine is at fault, as by a full disk: the trial is
                run again when the study goes on.
        """
        folder = pathlib.Path(self.get_trial_dir(trial.trial_id))
        hp = trial.hyperparameters
        record = describe(self.hypermodel, hp)
        attempts, start = oracles.attempts(folder), time.monotonic()
        with files.naming(folder):
            with attempts.open("a") as begun:
                begun.write("x")
            try:
                record["runs"] = [
                    self._train(record["settings"], seed, folder, hp.values)
                    for seed in self.study.seeds
                ]
            except Exception as error:
                if files.error_number(error) in files.ADVICE:
                    raise  # a full disk is not the trial's fault
                # A study has no Guard to choose, which the whole message advises.
                what = error.fault if isinstance(error, Diverged) else error
                reason = f"{type(error).__name__}: {what}"
                record["reason"] = " ".join(reason.split())[:_LONGEST]
                raise keras_tuner.errors.FailedTrialError(reason) from error
            finally:
                attempts.unlink()
                record["seconds"] = round(time.monotonic() - start, 3)
                files.write_json(folder / "record.json", record)
        values = [run["value"] for run in record["runs"]]
        return {self.study.objective.name: sum(values) / len(values)}

    @replicas.frees_graphs()  # of the activation silu, and of users' layers
    def _train(self, settings, seed, folder, values):
        """One model: the objective's value, and after how many epochs."""
        keras.backend.clear_session()
        gc.collect()
        keras.utils.set_random_seed(seed)
        size = settings["batch_size"]
        data = self.study.data
        train = data.batches("train", size, seed)
        before = values.get("tuner/trial_id")  # Hyperband goes on with it
        if before is None:
            model = self.study.hypermodel(seed).build_from(settings)
        else:
            model = load_model(
                folder.parent / f"trial_{before}" / f"last-{seed}.keras"
            )
        keep = Keep(self.study.objective, folder / f"model-{seed}.keras")
        epochs = values.get("tuner/epochs", self.study.budget["epochs"])
        model.fit(
            train,
            validation_data=data.batches("validation", size, seed),
            initial_epoch=values.get("tuner/initial_epoch", 0),
            epochs=epochs,
            callbacks=[
                EpochOrder(train),
                Guard("stop"),
                *self._judge.callbacks(model),
                keep,
                *self._watchers(folder, epochs),
            ],
            verbose=0,
        )
        if keep.best is None:
            raise ArithmeticError(
                f"{self.study.objective.name} was never a finite number"
            )
        if "tuner/epochs" in values:
            with files.new_file(folder / f"last-{seed}.keras") as temporary:
                model.save(temporary)
        # What is recorded is what the kept model gives once it is loaded.
        value = self._judge.figure(load_model(keep.path), size)
        return {"seed": seed, "value": value, "epochs": keep.epochs}

    def _watchers(self, folder, epochs):
        """What tells of a training while it goes on."""
        if self._watch is None:
            return []
        number = int(folder.name.removeprefix("trial_"))
        name = self.study.objective.name
        return [
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: self._watch(
                    number, epoch + 1, epochs, logs.get(name, math.nan)
                )
            )
        ]
