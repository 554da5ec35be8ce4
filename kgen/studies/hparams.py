"""A study in TensorBoard's HParams tab: a session for each of its trials."""

import contextlib
import pathlib
import time
from collections.abc import Iterator

import tensorflow as tf
from tensorboard.plugins.hparams import api, api_pb2, summary

from kgen import files, names
from kgen.studies.study import Study


def update(study: Study, results: dict) -> None:
    """Writes the sessions of trials that have ended and have none yet.

    Args:
        study: A `Study`.
        results: What `kgen.studies.results.collect` returns.
    """
    logs = study.folder / "logs"
    if not logs.exists():
        with _new_logs(logs):
            api.hparams_config(
                hparams=[
                    api.HParam(name, _domain(parameter))
                    for name, parameter in results["space"].items()
                ],
                metrics=[api.Metric(results["objective"])],
            )
    for trial in results["trials"]:
        path = logs / f"trial_{trial['trial']}"
        if trial["status"] != "running" and not path.exists():
            with _new_logs(path):
                _write_trial(results, trial)


@contextlib.contextmanager
def _new_logs(path: pathlib.Path) -> Iterator[None]:
    """Within it, summaries are written to a new directory, whole or not at all."""
    with files.new_directory(path) as temporary:
        writer = tf.summary.create_file_writer(str(temporary))
        try:
            with writer.as_default():
                yield
        finally:
            writer.close()


def _write_trial(results, trial):
    """Writes what was chosen, the objective, and how the trial ended."""
    chosen = {
        name: _scalar(results["space"][name], value)
        for name, value in trial.get("parameters", {}).items()
    }
    begun = time.time() - trial.get("seconds", 0.0)
    status = api_pb2.STATUS_FAILURE
    api.hparams(chosen, f"trial_{trial['trial']}", begun)
    if trial["value"] is not None:
        status = api_pb2.STATUS_SUCCESS
        tf.summary.scalar(results["objective"], trial["value"], step=0)
    end = summary.session_end_pb(status)
    tf.summary.experimental.write_raw_pb(end.SerializeToString(), step=0)


def _domain(parameter):
    """What a parameter may be, in the plugin's own terms."""
    if "values" in parameter:
        return api.Discrete(
            [_scalar(parameter, value) for value in parameter["values"]]
        )
    interval = (
        api.IntInterval
        if isinstance(parameter["min"], int)
        else api.RealInterval
    )
    return interval(parameter["min"], parameter["max"])


def _scalar(parameter, value):
    """A value as the plugin takes it: scalars of one type."""
    kinds = {type(other) for other in parameter.get("values", [])}
    if kinds <= {int, float} or kinds in ({str}, {bool}):
        return float(value) if kinds == {int, float} else value
    return names.as_typed(value)
