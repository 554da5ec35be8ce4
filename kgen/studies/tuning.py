"""Runs a study: alone, or as one of several that share its trials."""

import contextlib
import io
import re
import shutil

from keras_tuner.engine.trial import TrialStatus
from keras_tuner.src.engine import conditions

from kgen import files, locks
from kgen.errors import InvalidArgument, check_int
from kgen.studies import hparams, kept, oracles, pictures, results, workers
from kgen.studies.study import check_tuner
from kgen.studies.trials import Judge, Trainer, describe

# What is written in the folders of a study, by its own processes alone.
_OWN = re.compile(r"(study|oracle|trial|record)\.json|(model|last)-\d+\.keras")


def tune(
    study, trials=None, resume=False, overwrite=False, report=None, watch=None
):
    """Runs the trials of a study, and writes its results after each.

    What TensorBoard's HParams shows is in `logs`, in the folder of the trials.

    Where Keras Tuner's environment variables say so, as the chief or a worker
    of several processes, who see the same folder.

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
        trainer = make_trainer(study, trials, watch=watch)
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
        trainer.search(verbose=0)
        return finish(study, trainer.oracle)


def make_trainer(study, trials=None, report=None, watch=None):
    """A `Trainer` whose oracle keeps the results up to date.

    Args:
        study: A `Study`.
        trials: As in `tune`.
        report: As in `tune`.
        watch: As in `tune`.
    """

    def ended(oracle, trial):
        if trial.status == TrialStatus.FAILED:
            _explain(study, trial)
        found = finish(study, oracle)
        _drop_models(study, found, oracle.continued())
        number = int(trial.trial_id)
        (own,) = (one for one in found["trials"] if one["trial"] == number)
        if report:
            report(found, own)

    most = trials or study.budget["trials"]
    oracle = oracles.make(study, most, ended)
    # Keras Tuner prints a word for each condition that it sends to a worker.
    conditions.print = lambda *words: None
    with contextlib.redirect_stdout(io.StringIO()):  # Keras Tuner's print
        return Trainer(study, oracle, watch)


def finish(study, oracle):
    """Collects the results, writes and returns them."""
    found = results.collect(study, oracle)
    results.write(study, found)
    hparams.update(study, found)
    return found


def draw(study):
    """Draws the results that a study has so far, as a picture beside its file.

    Args:
        study: A `Study`; without results, nothing is drawn.
    """
    if study.results_file.exists():
        pictures.draw(results.read(study.path), study.picture_file)


def prepare(study, resume=False, overwrite=False, trials=None):
    """Makes the folder of a study's trials, or checks the one that is there.

    Args:
        study: A `Study`.
        resume: As in `tune`.
        overwrite: As in `tune`.
        trials: As in `tune`.
    """
    if trials is not None:
        check_tuner(study, check_int("trials", "tune", trials))
    file, said = study.folder / "study.json", _lasting(study)
    if file.exists():
        with alone(study):
            pass
    _check_free(study, file, said, resume, overwrite)
    Judge(study).check()  # may take its time, to train a classifier
    if overwrite and file.exists():
        _delete(study)
    files.write_json(file, said)
    with alone(study):
        _sweep(study)


def _sweep(study):
    """Deletes what killed processes have left half written; for who holds the
    lock."""
    files.sweep(study.folder.parent, study.results_file.name.__eq__)
    files.sweep(study.folder, _OWN.fullmatch)
    if not workers.is_member():  # a worker elsewhere may still be at work
        for folder in study.folder.glob("trial_*"):
            files.sweep(folder, _OWN.fullmatch)


def _delete(study):
    """Deletes a study's trials and results."""
    # At once: half a folder would be none of a study's.
    doomed = study.folder.with_name(f".{study.folder.name}")
    shutil.rmtree(doomed, ignore_errors=True)
    study.folder.rename(doomed)
    shutil.rmtree(doomed)
    for other in (study.results_file, study.picture_file):
        other.unlink(missing_ok=True)


def _check_free(study, file, said, resume, overwrite):
    """Raises if something is there that would be replaced unasked."""
    folder = study.folder
    if file.exists() and overwrite:
        return
    if file.exists():
        if not resume:
            raise FileExistsError(
                f"{folder} holds trials already. Pass --resume to go on with "
                "them, or --overwrite to delete them."
            )
        before = kept.read(file, said)
        changed = [key for key in said if said[key] != before[key]]
        if changed:
            raise InvalidArgument(
                f"{study.path.name} has changed since its trials were run "
                f"({', '.join(changed)}): they can't be compared with new ones. "
                "Change it back, or pass --overwrite to delete them."
            )
    elif folder.exists() and _holds_others(folder, file.name):
        raise FileExistsError(
            f"{folder} holds something that is not a study's. Move it away."
        )
    elif study.results_file.exists() and not overwrite:
        raise FileExistsError(
            f"{study.results_file} holds the results of a search whose trials "
            "are gone. Pass --overwrite to replace them by those of a new one."
        )
    elif study.picture_file.exists() and not overwrite:
        raise FileExistsError(
            f"{study.picture_file} is there, and is no study's that is known. "
            "Move it away, or pass --overwrite to replace it."
        )


def _holds_others(folder, name):
    """Whether there is more than what a kill left of a file's first writing."""
    return any(
        files.is_left_over(path.name) != name for path in folder.iterdir()
    )


@contextlib.contextmanager
def alone(study):
    """Within it, no other process can run the study.

    Args:
        study: A `Study`, whose folder is there.

    Raises:
        InvalidArgument: If another one does.
    """
    with locks.alone(study.folder / "lock", study.path.name):
        yield


def _check_shared(study):
    """Raises if a worker does not see the folder of its chief."""
    file = study.folder / "study.json"
    if not file.exists() or kept.read(file) != _lasting(study):
        raise InvalidArgument(
            f"{study.folder.absolute()} is not the folder in which the chief "
            f"runs {study.path.name}. Give the chief and its workers the same "
            "file, in a folder that they all see."
        )


def _lasting(study):
    """What must not change between one trial and another."""
    return {
        "model": study.model,
        "data": study.data_settings,
        "objective": study.objective.name,
        "tuner": study.said["tuner"],
        "seeds": list(study.seeds),
        "space": study.said["space"],
        "evaluation": study.evaluation,
        "epochs": study.budget["epochs"],
    }


def _explain(study, trial):
    """Writes down why a trial failed, where its worker could not."""
    path = study.folder / f"trial_{trial.trial_id}" / "record.json"
    record = describe(study.hypermodel(), trial.hyperparameters)
    if path.exists():  # of one that was stopped
        record.update(kept.read(path))
    if "reason" not in record:
        name = study.objective.name
        record["reason"] = trial.message or f"{name} was no finite number"
        files.write_json(path, record)


def _drop_models(study, found, continued):
    """Deletes the models that nothing needs any more: they fill disks.

    Args:
        study: A `Study`.
        found: Its results.
        continued: What `Kept.continued` returns.
    """
    running = {t["trial"] for t in found["trials"] if t["status"] == "running"}
    best = found["best"] and found["best"]["trial"]
    for path in study.folder.glob("trial_*/*.keras"):
        name = path.parent.name.removeprefix("trial_")
        needed = int(name) == best
        if path.name.startswith("last-"):
            needed = name in continued
        if not needed and int(name) not in running:
            path.unlink()
