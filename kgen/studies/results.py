"""What came of a study: every trial's figure, and the best settings."""

import math
import os
import pathlib

from keras_tuner.engine.trial import TrialStatus

from kgen import files
from kgen.errors import InvalidArgument
from kgen.studies import records
from kgen.studies.keras_tuner_adapter import ResumableOracle
from kgen.studies.study import Study

# What readers need of the results, beside the trials and the best of them.
_NEEDED = ("model", "data", "objective", "direction", "seeds", "space")


def collect(study: Study, oracle: ResumableOracle) -> dict:
    """The results as far as they are known.

    Args:
        study: A `Study`.
        oracle: Its oracle.

    Returns:
        Dictionary that JSON can hold: the study's `objective` and `direction`,
        `best` (`trial`, `value`, `settings`, `epochs`; None where no trial has
        succeeded) and `trials`, each with `status`, its `settings`, what was
        searched of them as `parameters`, the mean `value`, one entry in `runs`
        for each seed (`epochs` is after how many it was best), or the `reason`
        why it failed; the `space`, what each parameter may be; and the study's
        `data`.
    """
    trials = [_trial(study, trial) for trial in oracle.trials.values()]
    trials.sort(key=lambda trial: trial["trial"])
    parameters = study.hypermodel().space.parameters
    return {
        "study": study.path.name,
        "model": study.settings.model,
        "data": study.settings.data,
        "objective": study.objective.name,
        "direction": study.objective.direction,
        "seeds": list(study.settings.seeds),
        "space": {
            name: parameter.describe() for name, parameter in parameters.items()
        },
        "best": best(study, trials),
        "trials": trials,
        "versions": files.versions(
            "kgen", "keras", "keras_tuner", "tensorflow"
        ),
    }


def _trial(study, trial):
    path = records.record_file(study.folder / f"trial_{trial.trial_id}")
    record = records.read(path) if path.exists() else {}
    value, status = None, trial.status
    if status == TrialStatus.COMPLETED and "runs" not in record:
        status = TrialStatus.FAILED
        record["reason"] = (
            f"its worker does not share the folder {study.folder}"
        )
    if status == TrialStatus.COMPLETED:
        # Not `trial.score`: between processes it is rounded to 32 bits.
        value = records.mean_value(record)
    return {
        "trial": int(trial.trial_id),
        "status": status.lower(),
        "value": value,
        **record,
    }


def best(study: Study, trials: list[dict]) -> dict | None:
    """The best of the trials that succeeded, or None.

    Args:
        study: A `Study`.
        trials: What `collect` gives as `trials`.

    Returns:
        Dictionary with `trial`, `value`, `settings` and `epochs`, the mean over
        the seeds of after how many epochs it was best.
    """
    winner = None
    for trial in trials:
        if trial["value"] is not None and study.objective.is_better(
            trial["value"], winner["value"] if winner else None
        ):
            winner = trial
    if winner is None:
        return None
    epochs = [run["epochs"] for run in winner["runs"]]
    return {
        **{key: winner[key] for key in ("trial", "value", "settings")},
        "epochs": math.ceil(sum(epochs) / len(epochs)),
    }


def write(study: Study, content: dict) -> None:
    """Writes what `collect` returned, whole, beside the study."""
    files.write_json(study.results_file, content)


def read(path: str | os.PathLike) -> dict:
    """The results of a study that has been run.

    Args:
        path: The study's file.

    Returns:
        What `collect` returned.

    Raises:
        FileNotFoundError: If it has none yet.
        InvalidArgument: If the file is damaged.
    """
    path = pathlib.Path(path)
    file = path.with_suffix(".results.json")
    if not file.is_file():
        raise FileNotFoundError(
            f"There is no {file}: the study has no results yet. Run `kgen tune "
            f"{path}` first."
        )
    try:
        results = files.read_json(file)
        _check(results)
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidArgument(
            f"{file} can't be read: {error}. Delete it, and run `kgen tune "
            f"{path} --resume`."
        ) from error
    return results


def _check(results):
    """Raises if something that others read of the results is missing."""
    parts = [(results, _NEEDED)]
    parts += [(t, ("trial", "status", "value")) for t in results["trials"]]
    if results["best"] is not None:
        parts.append((results["best"], ("value", "settings", "epochs")))
    for entries, names in parts:
        missing = [name for name in names if name not in entries]
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)}")
    if results["best"] is not None:
        dict(results["best"]["settings"])
