"""`kgen train --log-to`, by stand-ins for trackers, and by the real ones if there."""

import contextlib
import csv
import dataclasses
import os
import pathlib
import sys
import types

import pytest
from click.testing import CliRunner

from kgen import cli, runs
from kgen.errors import InvalidArgument, say_once
from kgen.runs import beginning, tracking
from tests.settings import USUAL

TRAIN = (
    "train vae --set hidden_units=[8] --set run_eagerly=True --network dense "
)
TRAIN += "--batch-size 720 --out run --log-to "


class Stand:
    """A run of a stand-in; `calls` has what it was told."""

    def __init__(self):
        self.calls = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.calls.append(("end", kind))

    def says(self, name):
        """A function that notes its arguments."""
        return lambda *args, **kwargs: self.calls.append((name, args, kwargs))


@pytest.fixture
def stand(monkeypatch, tmp_path):
    """Stand-ins for both packages."""
    monkeypatch.chdir(tmp_path)
    stand = Stand()
    stand.info = types.SimpleNamespace(run_id="17")
    stand.id = "17"
    stand.log = stand.says("log")

    def begin(**options):
        stand.calls.append(("begin", options))
        return stand

    mlflow = types.SimpleNamespace(
        start_run=begin,
        **{
            name: stand.says(name)
            for name in ("log_params", "log_metrics", "log_artifact")
        },
    )
    wandb = types.SimpleNamespace(
        init=begin, Settings=dict, Image=lambda path: ("picture", path)
    )
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    return stand


def kgen(line):
    result = CliRunner().invoke(cli.main, line.split())
    assert result.exit_code == 0, result.output
    return result.output


def history():
    with open("run/history.csv") as file:
        return list(csv.DictReader(file))


def test_mlflow_gets_settings_logs_and_pictures_and_goes_on(stand):
    kgen(f"{TRAIN} mlflow --epochs 1")
    calls, stand.calls = stand.calls, []
    assert calls[0] == ("begin", {"run_id": None, "run_name": "run"})
    name, (params,), _ = calls[1]
    assert name == "log_params" and params["latent_dim"] == 16
    assert params["hidden_units"] == [8] and "options" not in params
    (row,) = history()
    expected = {k: float(v) for k, v in row.items() if k != "epoch"}
    name, (logs, epoch), _ = calls[2]
    assert name == "log_metrics" and epoch == 1
    assert logs == pytest.approx(expected)
    shown = [os.path.basename(call[1][0]) for call in calls[3:-1]]
    assert shown == sorted(
        path.name for path in pathlib.Path("run").glob("*.png")
    )
    assert "samples.png" in shown and calls[-1] == ("end", None)
    kgen("train vae --resume --out run --epochs 2")
    assert stand.calls[0] == ("begin", {"run_id": "17", "run_name": "run"})
    name, (_, epoch), _ = stand.calls[1]
    assert (name, epoch) == ("log_metrics", 2)


def settings_of(names):
    given = {"options": {"kl_weight": 4}, "log_to": names}
    return runs.TrainSettings(**USUAL | given)


def test_wandb_gets_them_too(stand):
    pathlib.Path("run").mkdir()
    run = runs.Run("run")
    (run.path / "a.png").write_bytes(b"")
    with tracking.tracked(run, settings_of(["wandb"])) as (callback,):
        tracking.note(run, [callback])
        callback.on_epoch_end(0, {"loss": 2})
    (begin, options), log, show, end = stand.calls
    assert options["config"]["kl_weight"] == 4 and options["id"] is None
    assert options["project"] == "kgen" and options["dir"] == run.path
    assert log == ("log", ({"loss": 2.0},), {"step": 1})
    assert show == ("log", ({"a.png": ("picture", "run/a.png")},), {})
    assert end == ("end", None)
    with tracking.tracked(run, settings_of(["wandb"]), resume=True):
        assert stand.calls[-1][1]["id"] == "17"


def test_an_error_of_the_training_is_one_there(stand):
    pathlib.Path("run").mkdir()
    with (
        pytest.raises(KeyError),
        tracking.tracked(runs.Run("run"), settings_of(["mlflow"])),
    ):
        raise KeyError
    assert stand.calls[-1] == ("end", KeyError)


def test_a_tracker_that_is_lost_ends_no_training(stand, capsys, monkeypatch):
    say_once.cache_clear()

    def lost(*_):
        raise ConnectionError("no\nserver")

    monkeypatch.setattr(sys.modules["mlflow"], "log_metrics", lost)
    pathlib.Path("run").mkdir()
    run = runs.Run("run")
    with tracking.tracked(run, settings_of(["mlflow"])) as (callback,):
        for epoch in range(2):
            callback.on_epoch_end(epoch, {"loss": 2})
    assert capsys.readouterr().err == "kgen: --log-to mlflow: no server\n"
    monkeypatch.setattr(sys.modules["mlflow"], "start_run", lambda **_: lost())
    with (
        pytest.raises(InvalidArgument, match="mlflow can't begin: no server"),
        tracking.tracked(run, settings_of(["mlflow"])),
    ):
        pass


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_a_tracker_that_fails_at_its_end_hides_nothing(
    stand, capsys, monkeypatch, error
):
    say_once.cache_clear()

    def lost(self, *_):
        raise ConnectionError("no server")

    monkeypatch.setattr(Stand, "__exit__", lost)
    pathlib.Path("run").mkdir()
    with (
        pytest.raises(error) if error else contextlib.nullcontext(),
        tracking.tracked(runs.Run("run"), settings_of(["mlflow", "wandb"])),
    ):
        if error:
            raise error
    assert capsys.readouterr().err.splitlines() == [
        "kgen: --log-to wandb: no server",
        "kgen: --log-to mlflow: no server",
    ]


def test_a_tracker_that_can_t_begin_leaves_the_place_as_it_was(
    stand, monkeypatch
):
    """And the next run there is another one on the tracker."""
    run, settings = runs.Run("run"), settings_of(["wandb"])
    source = settings.source()

    def begin(overwrite):
        with contextlib.ExitStack() as stack:
            beginning.begin(
                stack, run, None, settings, source, overwrite, False
            )
            return (run.path / "trackers.json").read_text()

    def refuse(dir, **_):
        os.makedirs(dir / "wandb", exist_ok=True)
        raise ConnectionError("no server")

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["wandb"], "init", refuse)
        with pytest.raises(InvalidArgument, match="wandb can't begin"):
            begin(False)
        assert os.listdir("run") == ["wandb"]
    assert "17" in begin(False)
    (run.path / "model.keras").touch()
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["wandb"], "init", refuse)
        with pytest.raises(InvalidArgument, match="wandb can't begin"):
            begin(True)
    assert run.config_file.exists() and run.model_file.exists()
    stand.id = "18"
    assert "18" in begin(True)
    assert stand.calls[-2][1]["id"] is None and not run.model_file.exists()
    settings = settings_of([])
    with contextlib.ExitStack() as stack:
        beginning.begin(stack, run, None, settings, source, True, False)
    assert not (run.path / "trackers.json").exists()


def test_a_package_that_is_missing_is_named_before_anything_is_written(
    stand, monkeypatch
):
    monkeypatch.setitem(sys.modules, "wandb", None)
    result = CliRunner().invoke(cli.main, f"{TRAIN} wandb".split())
    assert result.exit_code and not pathlib.Path("run").exists()
    assert "pip install '.[wandb]'" in result.output


def test_tensorboard_is_always_there(stand):
    tracking.check(("tensorboard",))
    pathlib.Path("run").mkdir()
    run = runs.Run("run")
    with tracking.tracked(run, settings_of(["tensorboard"])) as (callback,):
        callback.on_epoch_end(0, {"loss": 2})
    assert not (run.path / "trackers.json").exists()


def test_unknown_trackers_and_old_runs():
    with pytest.raises(InvalidArgument, match="did you mean 'wandb'"):
        settings_of(["wandbb"])
    assert dataclasses.replace(settings_of([])).log_to == ()


def test_the_real_mlflow(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri(f"file:{tmp_path}/mlruns")
    run = runs.Run(tmp_path)
    for epoch in range(2):  # the second one goes on
        with tracking.tracked(run, settings_of(["mlflow"]), epoch > 0) as made:
            tracking.note(run, made)
            made[0].on_epoch_end(epoch, {"loss": 2.0 - epoch})
    (found,) = mlflow.MlflowClient().search_runs(["0"])
    logged = mlflow.MlflowClient().get_metric_history(found.info.run_id, "loss")
    assert [(metric.step, metric.value) for metric in logged] == [
        (1, 2),
        (2, 1),
    ]
    assert found.data.params["kl_weight"] == "4"
    assert found.info.status == "FINISHED"


def test_the_real_wandb_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    with tracking.tracked(runs.Run(tmp_path), settings_of(["wandb"])) as made:
        made[0].on_epoch_end(0, {"loss": 2.0})
    (folder,) = tmp_path.glob("wandb/offline-run-*")
    (file,) = folder.glob("*.wandb")
    assert b"loss" in file.read_bytes()
