"""Trackers of experiments that a run is logged to, besides its own files."""

import contextlib
import functools
import importlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import keras

from kgen import files
from kgen.errors import InvalidArgument, one_line, say_once
from kgen.runs.directory import Run
from kgen.runs.settings import TrainSettings

# In a run's directory: its name on each tracker, by which a resumed run goes on.
_FILE = "trackers.json"

# Of numbers by their names and an epoch; and of a picture's file.
Log = Callable[[dict[str, float], int], None]
Show = Callable[[str], None]


@contextlib.contextmanager
def _tensorboard(run, params, known):
    """Nothing more: a run's files for TensorBoard are always written."""
    yield None, lambda logs, epoch: None, lambda path: None


@contextlib.contextmanager
def _mlflow(run, params, known):
    import mlflow

    with mlflow.start_run(run_id=known, run_name=run.path.name) as active:
        if known is None:
            mlflow.log_params(params)
        yield active.info.run_id, mlflow.log_metrics, mlflow.log_artifact


@contextlib.contextmanager
def _wandb(run, params, known):
    import wandb

    with wandb.init(
        project=os.environ.get("WANDB_PROJECT", "kgen"),
        name=run.path.name,
        config=params,
        id=known,
        resume="allow",
        dir=run.path,
        settings=wandb.Settings(silent=True),
    ) as active:
        yield (
            active.id,
            lambda logs, epoch: active.log(logs, step=epoch),
            lambda path: active.log(
                {os.path.basename(path): wandb.Image(os.fspath(path))}
            ),
        )


_TRACKERS = {"tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb}


def check(names: tuple[str, ...]) -> None:
    """Raises unless the packages of these trackers can be imported.

    Args:
        names: Names out of `kgen.names.TRACKERS`.
    """
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise InvalidArgument(
                f"--log-to {name} needs a package that can't be imported "
                f"({error}). Install it, in a clone of kgen's repository: "
                f"pip install '.[{name}]'"
            ) from error


@contextlib.contextmanager
def tracked(
    run: Run, settings: TrainSettings, resume: bool = False
) -> Iterator[list[keras.callbacks.Callback]]:
    """Within it, a run is logged to the trackers that its settings name.

    These get the settings, the logs of each epoch and, if no error ends it, the
    run's pictures. An error marks the run as failed there. A tracker that fails
    later on, such as one that can't be reached, ends no training.

    Args:
        run: The run, whose directory is there.
        settings: Its settings.
        resume: Whether it goes on, and so on the trackers, too.

    Yields:
        Callbacks for the training, one for each tracker.

    Raises:
        InvalidArgument: If a tracker can't begin.
    """
    file = run.path / _FILE
    ids = files.read_json(file) if resume and file.exists() else {}
    params = settings.as_config()
    params |= params.pop("options")
    with contextlib.ExitStack() as stack:
        opened: dict[str, tuple[Any, Log, Show]] = {}
        for name in settings.log_to:
            tracker = _TRACKERS[name](run, params, ids.get(name))
            try:
                opened[name] = tracker.__enter__()
            except Exception as error:  # of any kind: it is not kgen's code
                raise InvalidArgument(
                    f"--log-to {name} can't begin: {one_line(error)}"
                ) from error
            stack.push(functools.partial(_end, name, tracker))
        yield [_Logs(name, *given) for name, (*given, _) in opened.items()]
        for name, (_, _, show) in opened.items():
            with _told(name):
                for picture in sorted(run.path.glob("*.png")):
                    show(os.fspath(picture))


def note(run: Run, callbacks: list[keras.callbacks.Callback]) -> None:
    """Notes a run's names on its trackers, by which a resume goes on.

    Args:
        run: The run, which has begun: what it had before is deleted by now.
        callbacks: Those of `tracked`.
    """
    file = run.path / _FILE
    ids = files.read_json(file) if file.exists() else {}
    ids |= {x.name: x.known for x in callbacks if x.known}
    if ids:
        files.write_json(file, ids)


def _end(name, tracker, *error):
    """Ends a tracker; a fault of its own is told, and hides no other error."""
    with _told(name):
        tracker.__exit__(*error)


@contextlib.contextmanager
def _told(name):
    """Within it, errors of a tracker are told, once each, and passed over."""
    try:
        yield
    except Exception as error:  # of any kind: it is not kgen's code
        say_once(f"--log-to {name}: {one_line(error)}")


class _Logs(keras.callbacks.Callback):
    """Gives a tracker the logs of each epoch, which are counted from 1."""

    def __init__(self, name: str, known: str | None, log: Log) -> None:
        super().__init__()
        self.name, self.known, self.log = name, known, log

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        values = {name: float(value) for name, value in (logs or {}).items()}
        with _told(self.name):
            self.log(values, epoch + 1)
