"""One trial of a study: a model trained with its settings, for each seed."""

import gc
import math
import pathlib
import time
from collections.abc import Callable
from typing import Any

import keras
import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial

from kgen import extractors, files
from kgen.callbacks import Diverged, EpochOrder, Evaluation, Guard
from kgen.callbacks.keep_best import BestSoFar
from kgen.errors import one_line
from kgen.evaluation import Evidence, check_possible, compute, needs_extractor
from kgen.models.base import GenerativeModel
from kgen.models.factory import load_model
from kgen.parallel import replicas
from kgen.studies import records
from kgen.studies.keras_tuner_adapter import ResumableOracle, ResumableTuner
from kgen.studies.objectives import Objective
from kgen.studies.study import Study

_LONGEST = 500  # characters of a reason


class SaveBest(keras.callbacks.Callback):
    """Saves the model after each epoch that is the best so far.

    Args:
        objective: What epochs are judged by.
        path: The file.
    """

    def __init__(self, objective: Objective, path: pathlib.Path):
        super().__init__()
        self.objective, self.path = objective, path
        self.best = BestSoFar(objective.direction)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        value = (logs or {}).get(self.objective.name, math.nan)
        if np.isfinite(value) and self.best.update(epoch + 1, float(value)):
            with files.new_file(self.path) as temporary:
                self.model.save(temporary)


class Judge:
    """Computes a study's objective for a model.

    Args:
        study: A `Study`.
    """

    def __init__(self, study: Study):
        self.study, self.objective = study, study.objective
        self._extractor = None

    def check(self) -> None:
        """Raises if the objective can't be computed; trains a classifier once."""
        if not self.objective.is_log:
            hypermodel = self.study.hypermodel()
            model = hypermodel.build_from(hypermodel.first())
            evidence = Evidence(model, **self._evidence_options(model))
            check_possible(evidence, [self.objective.figure])

    def callbacks(self, model: GenerativeModel) -> list:
        """The callbacks that bring the objective into the logs of `fit`."""
        if self.objective.is_log:
            return []
        every = self.study.settings.evaluation.get("every", 1)
        evidence = self._evidence_options(model)
        return [Evaluation([self.objective.figure], every=every, **evidence)]

    def figure(self, model: GenerativeModel, batch_size: int) -> float:
        """The objective's value for a model, by the validation examples."""
        if self.objective.is_log:
            dataset = self.study.data.batches("validation", batch_size, 0)
            logs = model.evaluate(dataset, return_dict=True, verbose=0)
            return float(logs[self.objective.figure])
        evidence = Evidence(model, **self._evidence_options(model))
        figures, _ = compute(evidence, [self.objective.figure])
        return float(figures[self.objective.figure].value)

    def _evidence_options(self, model):
        """The arguments of `Evidence` beside the model."""
        options = dict(self.study.settings.evidence_options)
        options.pop("every", None)
        extractor = options.pop("extractor", "classifier")
        data = self.study.data
        options.update(
            test=data.examples("validation"),
            train=data.examples("train"),
            binarize=data.binarize,
        )
        needs_one = needs_extractor([self.objective.figure], model)
        if needs_one and self._extractor is None:
            self._extractor = extractors.get(extractor, data.source)
        return {**options, "extractor": self._extractor}


class Trainer(ResumableTuner):
    """Runs the trials that a study's oracle proposes.

    Args:
        study: A `Study`.
        oracle: Its oracle.
        on_epoch_end: Function that `kgen.studies.tune` takes as `watch`.
    """

    def __init__(
        self,
        study: Study,
        oracle: ResumableOracle,
        on_epoch_end: Callable | None = None,
    ):
        self.study, self._judge = study, Judge(study)
        self._on_epoch_end = on_epoch_end
        super().__init__(oracle, study.hypermodel(), study.folder)

    def run_trial(self, trial: Trial, **kwargs: Any) -> dict:
        """Trains with each of the study's seeds, and writes the record.

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
        record = records.describe(self.hypermodel, hp)
        attempts, start = records.attempts_file(folder), time.monotonic()
        with files.naming(folder):
            with attempts.open("a") as file:
                file.write("x")
            try:
                record["runs"] = [
                    self._train(record["settings"], seed, folder, hp.values)
                    for seed in self.study.settings.seeds
                ]
            except Exception as error:
                if files.error_number(error) in files.ADVICE:
                    raise  # a full disk is not the trial's fault
                # Only the fault, since the message of `Diverged` also advises to
                # choose a Guard, which users of a study can't do.
                what = error.fault if isinstance(error, Diverged) else error
                reason = f"{type(error).__name__}: {what}"
                record["reason"] = one_line(reason)[:_LONGEST]
                raise keras_tuner.errors.FailedTrialError(reason) from error
            finally:
                attempts.unlink()
                record["seconds"] = round(time.monotonic() - start, 3)
                files.write_json(records.record_file(folder), record)
        return {self.study.objective.name: records.mean_value(record)}

    # TensorFlow keeps each graph in which a custom gradient was traced, such as
    # that of the activation silu, and of users' layers.
    @replicas.frees_graphs()
    def _train(self, settings, seed, folder, values):
        """Trains one model; returns the objective, and the best epoch's number."""
        keras.backend.clear_session()
        gc.collect()
        keras.utils.set_random_seed(seed)
        size = settings["batch_size"]
        data, objective = self.study.data, self.study.objective
        train = data.batches("train", size, seed)
        before = values.get("tuner/trial_id")  # which Hyperband continues
        if before is None:
            model = self.study.hypermodel(seed).build_from(settings)
        else:
            model = load_model(
                folder.parent / f"trial_{before}" / f"last-{seed}.keras"
            )
        save = SaveBest(objective, folder / f"model-{seed}.keras")
        epochs = values.get("tuner/epochs", self.study.settings.epochs)
        model.fit(
            train,
            validation_data=data.batches("validation", size, seed),
            initial_epoch=values.get("tuner/initial_epoch", 0),
            epochs=epochs,
            callbacks=[
                EpochOrder(train),
                Guard("stop"),
                *self._judge.callbacks(model),
                save,
                *self._epoch_callbacks(folder, epochs),
            ],
            verbose=0,
        )
        if save.best.value is None:
            raise ArithmeticError(f"{objective.name} was never a finite number")
        if "tuner/epochs" in values:
            with files.new_file(folder / f"last-{seed}.keras") as temporary:
                model.save(temporary)
        # The figure in the record is that of the model as it was saved.
        value = self._judge.figure(load_model(save.path), size)
        return {"seed": seed, "value": value, "epochs": save.best.epoch}

    def _epoch_callbacks(self, folder, epochs):
        """The callbacks that tell of a training while it goes on."""
        if self._on_epoch_end is None:
            return []
        number = int(folder.name.removeprefix("trial_"))
        name = self.study.objective.name
        return [
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: self._on_epoch_end(
                    number, epoch + 1, epochs, logs.get(name, math.nan)
                )
            )
        ]
