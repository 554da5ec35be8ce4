"""A study in TensorBoard's HParams tab: a session for each of its trials."""

import contextlib
import time

import tensorflow as tf
from tensorboard.plugins.hparams import api, api_pb2, summary

from kgen import files
from kgen.studies import results


def update(study, found):
    """Writes the sessions of trials that have ended and have none yet.

    Args:
        study: A `Study`.
        found: What `kgen.studies.results.collect` returns.
    """
    logs = study.folder / "logs"
    if not logs.exists():
        with files.new_directory(logs) as temporary:
            _write_space(temporary, found)
    for trial in found["trials"]:
        path = logs / f"trial_{trial['trial']}"
        if trial["status"] != "running" and not path.exists():
            with files.new_directory(path) as temporary:
                _write_trial(temporary, found, trial)


def _write_space(path, found):
    """What is searched, and what it is judged by."""
    with _writer(path):
        api.hparams_config(
            hparams=[
                api.HParam(name, _domain(one))
                for name, one in found["space"].items()
            ],
            metrics=[api.Metric(found["objective"])],
        )


def _write_trial(path, found, trial):
    """What was chosen, what it was worth, and how it ended."""
    chosen = {
        name: _scalar(found["space"][name], value)
        for name, value in trial.get("parameters", {}).items()
    }
    begun = time.time() - trial.get("seconds", 0.0)
    status = api_pb2.STATUS_FAILURE
    with _writer(path):
        api.hparams(chosen, f"trial_{trial['trial']}", begun)
        if trial["value"] is not None:
            status = api_pb2.STATUS_SUCCESS
            tf.summary.scalar(found["objective"], trial["value"], step=0)
        end = summary.session_end_pb(status)
        tf.summary.experimental.write_raw_pb(end.SerializeToString(), step=0)


@contextlib.contextmanager
def _writer(path):
    writer = tf.summary.create_file_writer(str(path))
    try:
        with writer.as_default():
            yield
    finally:
        writer.close()


def _domain(one):
    """What a parameter may be, in the plugin's own terms."""
    if "values" in one:
        return api.Discrete([_scalar(one, value) for value in one["values"]])
    if isinstance(one["min"], int):
        return api.IntInterval(one["min"], one["max"])
    return api.RealInterval(one["min"], one["max"])


def _scalar(one, value):
    """A value as the plugin takes it: scalars of one type."""
    kinds = {type(other) for other in one.get("values", [])}
    if kinds <= {int, float} or kinds in ({str}, {bool}):
        return float(value) if kinds == {int, float} else value
    return results.words(value)
