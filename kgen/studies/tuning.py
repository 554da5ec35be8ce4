"""Runs a study: alone, or as one of several processes that share its trials."""

import contextlib
import re
import shutil
from collections.abc import Callable

from keras_tuner.engine.trial import TrialStatus

from kgen import files, locks
from kgen.errors import InvalidArgument
from kgen.params import Integer, Optional, checked
from kgen.studies import hparams, records, results, trial_plots, workers
from kgen.studies.keras_tuner_adapter import ResumableOracle, make_oracle
from kgen.studies.study import Study, check_tuner
from kgen.studies.trials import Judge, Trainer

# What a study's processes write in its folders under the study's lock.
_WRITTEN_UNDER_LOCK = re.compile(
    r"(study|oracle|trial|record)\.json|(model|last)-\d+\.keras"
)


@checked(trials=Optional(Integer(1)))
def tune(
    study: Study,
    trials: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    report: Callable | None = None,
    watch: Callable | None = None,
) -> dict | None:
    """Runs the trials of a study, and writes its results after each.

    What TensorBoard's HParams shows is in `logs`, in the folder of the trials.

    If Keras Tuner's environment variables say so, this process is the chief or
    a worker of several, which see the same folder.

    Args:
        study: A `Study`.
        trials: How many trials there are to be in all, in the place of the
            study's own number.
        resume: Whether to go on with trials that are there.
        overwrite: Whether to delete them.
        report: Function of the results so far and the trial that has just
            ended, both as in the results; or None.
        watch: Function of the number of a trial, the epochs that it has done,
            those it is to do, and its objective, after each epoch; or None.

    Returns:
        The results, as `kgen.studies.results.collect` gives them; None for a
        worker.

    Raises:
        FileExistsError: If there are trials, and neither `resume` nor
            `overwrite`.
        InvalidArgument: If the study has changed since they were run.
    """
    if workers.is_worker():
        trainer = make_trainer(study, trials, on_epoch_end=watch)
        with workers.needs_chief():
            trainer.oracle.get_space()  # waits for the chief
            _check_shared(study)
            trainer.search(verbose=0)
        return None
    if workers.is_member():
        workers.check_place()
    prepare(study, resume, overwrite, trials)
    with alone(study):
        trainer = make_trainer(study, trials, report, watch)
        oracle = trainer.oracle
        # A kill may have come between a trial's end and this deletion.
        _delete_models(study, results.collect(study, oracle), oracle)
        trainer.search(verbose=0)
        return _write_results(study, oracle)


def make_trainer(
    study: Study,
    trials: int | None = None,
    on_trial_end: Callable | None = None,
    on_epoch_end: Callable | None = None,
) -> Trainer:
    """A trainer whose oracle keeps the results up to date.

    Args:
        study: A `Study`.
        trials: As in `tune`.
        on_trial_end: What `tune` takes as `report`.
        on_epoch_end: What `tune` takes as `watch`.
    """

    def write_results(oracle, trial):
        if trial.status == TrialStatus.FAILED:
            _explain(study, trial)
        study_results = _write_results(study, oracle)
        _delete_models(study, study_results, oracle)
        if on_trial_end:
            by_number = {t["trial"]: t for t in study_results["trials"]}
            on_trial_end(study_results, by_number[int(trial.trial_id)])

    oracle = make_oracle(study, trials or study.settings.trials, write_results)
    return Trainer(study, oracle, on_epoch_end)


def _write_results(study: Study, oracle: ResumableOracle) -> dict:
    study_results = results.collect(study, oracle)
    results.write(study, study_results)
    hparams.update(study, study_results)
    return study_results


def draw(study: Study) -> None:
    """Draws the results that a study has so far, as a picture beside its file.

    Args:
        study: A `Study`; without results, nothing is drawn.
    """
    if study.results_file.exists():
        trial_plots.draw(results.read(study.path), study.picture_file)


@checked(trials=Optional(Integer(1)))
def prepare(
    study: Study,
    resume: bool = False,
    overwrite: bool = False,
    trials: int | None = None,
) -> None:
    """Makes the folder of a study's trials, or checks the one that is there.

    Args:
        study: A `Study`.
        resume: As in `tune`.
        overwrite: As in `tune`.
        trials: As in `tune`.
    """
    if trials is not None:
        check_tuner(study, trials)
    is_there = _study_file(study).exists()
    if is_there:
        with alone(study):
            pass
    if is_there and not overwrite:
        _check_resumable(study, resume)
    elif not is_there:
        _check_free(study, overwrite)
    Judge(study).check()  # takes its time if it trains a classifier
    if is_there and overwrite:
        _delete(study)
    files.write_json(_study_file(study), study.settings.lasting())
    with alone(study):
        _sweep(study)


def _study_file(study):
    return study.folder / "study.json"


def _sweep(study):
    """Deletes what killed processes have left half written.

    Its caller must hold the study's lock.
    """
    beside = {study.results_file.name, study.picture_file.name}
    files.sweep(study.folder.parent, beside.__contains__)
    files.sweep(study.folder, _WRITTEN_UNDER_LOCK.fullmatch)
    if not workers.is_member():  # a worker elsewhere may still be running
        for folder in study.folder.glob("trial_*"):
            files.sweep(folder, _WRITTEN_UNDER_LOCK.fullmatch)


def _delete(study):
    """Deletes a study's trials and results."""
    # By one renaming: a folder without `study.json` would be no study's.
    doomed = study.folder.with_name(f".{study.folder.name}")
    shutil.rmtree(doomed, ignore_errors=True)
    study.folder.rename(doomed)
    shutil.rmtree(doomed)
    for other in (study.results_file, study.picture_file):
        other.unlink(missing_ok=True)


def _check_resumable(study, resume):
    """Raises if trials that are there can't be continued, or are not to be."""
    if not resume:
        raise FileExistsError(
            f"{study.folder} holds trials already. Pass --resume to go on with "
            "them, or --overwrite to delete them."
        )
    lasting = study.settings.lasting()
    before = records.read(_study_file(study), lasting)
    changed = [key for key in lasting if lasting[key] != before[key]]
    if changed:
        raise InvalidArgument(
            f"{study.path.name} has changed since its trials were run "
            f"({', '.join(changed)}): they can't be compared with new ones. "
            "Change it back, or pass --overwrite to delete them."
        )


def _check_free(study, overwrite):
    """Raises if a new study would replace something unasked."""
    # A kill during the first writing may have left a part of `study.json`.
    if study.folder.exists() and any(
        files.is_left_over(path.name) != _study_file(study).name
        for path in study.folder.iterdir()
    ):
        raise FileExistsError(
            f"{study.folder} holds something that is not a study's. Move it "
            "away."
        )
    if study.results_file.exists() and not overwrite:
        raise FileExistsError(
            f"{study.results_file} holds the results of a search whose trials "
            "are gone. Pass --overwrite to replace them by those of a new one."
        )
    if study.picture_file.exists() and not overwrite:
        raise FileExistsError(
            f"{study.picture_file} is there, and is no study's that is known. "
            "Move it away, or pass --overwrite to replace it."
        )


def alone(study: Study) -> contextlib.AbstractContextManager:
    """Within it, no other process can run the study.

    Args:
        study: A `Study`, whose folder is there.

    Raises:
        InvalidArgument: If another one does.
    """
    return locks.alone(study.folder / "lock", study.path.name)


def _check_shared(study):
    """Raises if a worker does not see the folder of its chief."""
    file = _study_file(study)
    if not file.exists() or records.read(file) != study.settings.lasting():
        raise InvalidArgument(
            f"{study.folder.absolute()} is not the folder in which the chief "
            f"runs {study.path.name}. Give the chief and its workers the same "
            "file, in a folder that they all see."
        )


def _explain(study, trial):
    """Writes down why a trial failed, where its worker could not."""
    path = records.record_file(study.folder / f"trial_{trial.trial_id}")
    record = records.describe(study.hypermodel(), trial.hyperparameters)
    if path.exists():  # the trial was stopped before it was given up
        record.update(records.read(path))
    if "reason" not in record:
        name = study.objective.name
        record["reason"] = trial.message or f"{name} was no finite number"
        files.write_json(path, record)


def _delete_models(study, study_results, oracle):
    """Deletes models that nothing needs any more, since they fill disks.

    Args:
        study: A `Study`.
        study_results: Its results.
        oracle: Its oracle.
    """
    continued = oracle.continued_trials()
    trials = study_results["trials"]
    running = {t["trial"] for t in trials if t["status"] == "running"}
    best = study_results["best"] and study_results["best"]["trial"]
    for path in study.folder.glob("trial_*/*.keras"):
        name = path.parent.name.removeprefix("trial_")
        # What Hyperband continues is `last-SEED`; `model-SEED` is the best epoch.
        is_last = path.name.startswith("last-")
        is_needed = name in continued if is_last else int(name) == best
        if not is_needed and int(name) not in running:
            path.unlink()
