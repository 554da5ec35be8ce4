"""What the files of runs, evaluations and exports tell, without TensorFlow."""

import json
import os
import pathlib
from typing import Any

from kgen import files
from kgen.errors import InvalidArgument
from kgen.runs.history_file import DamagedHistory, read_history

_CONFIG, _HISTORY = "config.json", "history.csv"
_METRICS, _REPORT, _CARD = "metrics.json", "report.html", "model.json"
HEAD = ("RUN", "MODEL", "DATA", "EPOCHS", "LOSS", "VALIDATION")


def rows(root: str | os.PathLike) -> list[tuple[str, ...]]:
    """A row for each run in a directory, the newest last.

    Args:
        root: The directory of all runs.

    Returns:
        List of tuples of texts, as many as `HEAD` has: the run's path, its model,
        its data, the epochs that it has seen and those that it is to see, and the
        last loss in training and in validation.
    """
    found = pathlib.Path(root).glob(f"*/{_CONFIG}")
    by_time = sorted(found, key=lambda file: (file.stat().st_mtime, str(file)))
    return [_row(file.parent) for file in by_time]


def _row(path):
    try:
        config = files.read_json(path / _CONFIG)
        model, data, wanted = (config[k] for k in ("model", "data", "epochs"))
    except (ValueError, TypeError, KeyError):
        return (str(path), "damaged config.json", "", "", "", "")
    logs = _last_logs(path)
    losses = (logs.get(name) for name in ("loss", "val_loss"))
    return (
        str(path),
        str(model),
        pathlib.Path(str(data)).name,
        f"{_epochs(logs)}/{wanted}",
        *("" if loss is None else f"{loss:.5g}" for loss in losses),
    )


def describe(path: str | os.PathLike) -> str:
    """Tells about a run, an evaluation or an exported model.

    Args:
        path: Its directory; of an export, that of a version.

    Returns:
        Text of several lines.

    Raises:
        InvalidArgument: If there is none of these, or a file is damaged.
    """
    path = pathlib.Path(path)
    parts = [
        function(path)
        for name, function in _PARTS.items()
        if (path / name).is_file()
    ]
    if not parts:
        raise InvalidArgument(
            f"{path} holds no run, no evaluation and no export. Expected a "
            "directory that `kgen train`, `kgen evaluate` or `kgen export` made, "
            "such as runs/vae-1 or saved_models/vae/1."
        )
    return "\n\n".join(parts)


def _run(path):
    config = _read(path / _CONFIG)
    if not isinstance(config, dict):
        raise InvalidArgument(
            f"{path / _CONFIG} is not what `kgen train` wrote."
        )
    lines = [f"{name}: {_value(value)}" for name, value in config.items()]
    logs = _last_logs(path)
    if logs:
        lines += ["", f"After {_epochs(logs)} epochs:"]
        lines += [
            f"{name}: {value:.5g}"
            for name, value in logs.items()
            if name != "epoch"
        ]
    return "\n".join(lines)


def _evaluation(path):
    from kgen.runs import report  # which needs NumPy

    file = path / _METRICS
    try:
        table = report.table(_read(file))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise InvalidArgument(
            f"{file} is not what `kgen evaluate` wrote: {error}. Evaluate again."
        ) from error
    page = path / _REPORT
    return f"{table}\n\nThe report is {page}" if page.is_file() else table


def _card(path):
    return json.dumps(_read(path / _CARD), indent=2)


_PARTS = {_CONFIG: _run, _METRICS: _evaluation, _CARD: _card}


def _read(file: pathlib.Path) -> Any:
    try:
        return files.read_json(file)
    except ValueError as error:
        raise InvalidArgument(f"{file} can't be read: {error}.") from error


def _last_logs(path):
    """The logs of a run's last epoch by name; `{}` without any."""
    try:
        history = read_history(path / _HISTORY)
    except (OSError, DamagedHistory):
        return {}
    return {name: values[-1] for name, values in history.items()}


def _epochs(logs):
    """How many epochs there are, by the number of the last one."""
    return int(logs.get("epoch", -1)) + 1


def _value(value):
    return value if isinstance(value, str) else json.dumps(value)
