"""What came of a study: every trial's figure, and the best settings."""

import json
import math
import pathlib
import sys

from kgen import files
from kgen.errors import InvalidArgument
from kgen.studies import kept

_COMPLETED = "COMPLETED"
# Of the results, beside the trials and the best of them.
_NEEDED = ("model", "data", "objective", "direction", "seeds", "space")


def collect(study, oracle):
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
    trials = [
        _trial(study, trial)
        for trial in sorted(
            oracle.trials.values(), key=lambda trial: int(trial.trial_id)
        )
    ]
    versions = {
        name: sys.modules[name].__version__
        for name in ("kgen", "keras", "keras_tuner", "tensorflow")
    }
    return {
        "study": study.path.name,
        "model": study.model,
        "data": study.data_settings,
        "objective": study.objective.name,
        "direction": study.objective.direction,
        "seeds": list(study.seeds),
        "space": {
            name: one.describe() for name, one in study.space.parameters.items()
        },
        "best": best(study, trials),
        "trials": trials,
        "versions": versions,
    }


def _trial(study, trial):
    path = study.folder / f"trial_{trial.trial_id}" / "record.json"
    record = kept.read(path) if path.exists() else {}
    value, status = None, trial.status
    if status == _COMPLETED and "runs" not in record:
        status = "FAILED"
        record["reason"] = (
            f"its worker does not share the folder {study.folder}"
        )
    if status == _COMPLETED:
        # Not `trial.score`: between processes it is rounded to 32 bits.
        runs = [run["value"] for run in record["runs"]]
        value = sum(runs) / len(runs)
    return {
        "trial": int(trial.trial_id),
        "status": status.lower(),
        "value": value,
        **record,
    }


def best(study, trials):
    """The best of the trials that succeeded, or None.

    Args:
        study: A `Study`.
        trials: What `collect` gives as `trials`.

    Returns:
        Dictionary with `trial`, `value`, `settings` and `epochs`, the mean over
        the seeds of after how many epochs it was best.
    """
    found = None
    for one in trials:
        if one["value"] is None:
            continue
        if study.objective.is_better(one["value"], found and found["value"]):
            found = one
    if found is None:
        return None
    epochs = [run["epochs"] for run in found["runs"]]
    return {
        **{key: found[key] for key in ("trial", "value", "settings")},
        "epochs": math.ceil(sum(epochs) / len(epochs)),
    }


def words(value):
    """A parameter's value as it is typed.

    Args:
        value: One of the `parameters` of a trial.
    """
    if isinstance(value, str):
        return value
    return "None" if value is None else json.dumps(value)


def write(study, found):
    """Writes what `collect` returned, whole, beside the study."""
    files.write_json(study.results_file, found)


def read(path):
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
        found = files.read_json(file)
        _check(found)
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidArgument(
            f"{file} can't be read: {error}. Delete it, and run `kgen tune "
            f"{path} --resume`."
        ) from error
    return found


def _check(found):
    """Raises if something that others read of the results is lacking."""
    parts = [(found, _NEEDED)]
    parts += [(one, ("trial", "status", "value")) for one in found["trials"]]
    if found["best"] is not None:
        parts.append((found["best"], ("value", "settings", "epochs")))
    for entries, names in parts:
        lacking = [name for name in names if name not in entries]
        if lacking:
            raise ValueError(f"it lacks {', '.join(lacking)}")
    dict(found["best"]["settings"] if found["best"] else {})
