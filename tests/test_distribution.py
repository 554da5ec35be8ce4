"""`kgen train --strategy`: what is refused, what is left, what a kill costs."""

import csv
import json
import subprocess
import time

import keras
import numpy as np
import pytest

from kgen import distribution, runs
from kgen.errors import InvalidArgument
from tests.models.contract import state
from tests.test_cli import command, kgen, refused
from tests.workers import free_ports, tf_config

HOSTS = ["a:1", "b:1"]
SMALL = ("--network", "dense", "--set", "hidden_units=[16]")


def said(monkeypatch, text):
    """What is said of a TF_CONFIG."""
    monkeypatch.setenv("TF_CONFIG", text)
    return refused("train", "vae", "--strategy", "multi_worker")


def test_an_environment_without_a_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    line = refused("train", "vae", "--strategy", "multi_worker")
    assert "has no TF_CONFIG" in line and '"index": 0' in line


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "can't be read"),
        ("[]", "can't be read"),
        ("{}", "can't be read (KeyError: 'cluster')"),
        (json.dumps({"cluster": {"worker": HOSTS}}), "KeyError: 'task'"),
        (tf_config(HOSTS, 2), "a task that is one of the cluster's"),
        (tf_config(HOSTS, -1), "a task that is one of the cluster's"),
        (tf_config(HOSTS, "one"), "can't be read"),
        (tf_config(["a:1", "a:1"], 0), "no two alike"),
        (tf_config(["a:1", "b"], 0), "HOST:PORT"),
        (tf_config("a:1", 0), "HOST:PORT"),
        (tf_config([1, 2], 0), "can't be read"),
        (tf_config(HOSTS, 0).replace('"worker":', '"ps":'), "`worker`s"),
    ],
)
def test_a_cluster_that_is_none(monkeypatch, text, message):
    assert message in said(monkeypatch, text)


@pytest.mark.parametrize(
    "text", [tf_config(HOSTS, 1), tf_config(["[::1]:9"], 0)]
)
def test_a_cluster(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    distribution.check("multi_worker")


def test_devices_belong_to_one_machine(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config(HOSTS, 0))
    line = refused("train", "vae", "--strategy", "multi_worker", "--devices", 2)
    assert "CUDA_VISIBLE_DEVICES" in line
    assert "none but with" in refused("train", "vae", "--devices", 2)


def test_a_machine_without_gpus():
    with pytest.raises(InvalidArgument, match="sees no GPU.*--devices 2"):
        distribution.create("mirrored")


def test_the_nearest_strategy_is_offered():
    line = refused("train", "vae", "--strategy", "miror")
    assert "Did you mean 'mirrored'?" in line


def test_a_batch_is_shared_evenly():
    with pytest.raises(InvalidArgument, match="by 4 devices.* such as 32"):
        runs._check_batch_size(33, 4)
    runs._check_batch_size(32, 4)


def losses(run):
    with open(run / "history.csv", newline="") as lines:
        return [float(row["loss"]) for row in csv.DictReader(lines)]


def assert_same_run(run, other):
    """The same weights and optimizers' state, but for rounding."""
    one, two = (
        keras.saving.load_model(r / "model.keras") for r in (run, other)
    )
    for mine, theirs in zip(state(one), state(two), strict=True):
        np.testing.assert_allclose(theirs, mine, atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(losses(other), losses(run), rtol=1e-4)


def trained(*args, **kwargs):
    """Runs a training in a process of its own."""
    done = subprocess.run(**command("train", "vae", *SMALL, *args, **kwargs))
    assert done.returncode == 0, done.stderr
    return done


def test_mirrored_trains_what_one_device_trains(tmp_path):
    """And a run goes on under another strategy."""
    one, two = tmp_path / "one", tmp_path / "two"
    by_two = ("--strategy", "mirrored", "--devices", 2)
    done = trained(
        *("--out", two, "--epochs", 1, "--export"), *by_two, cwd=tmp_path
    )
    assert done.stderr == ""
    assert (tmp_path / "saved_models" / "vae" / "1").is_dir()
    kgen("train", "vae", *SMALL, "--out", one, "--epochs", 2)
    kgen("train", "vae", "--out", two, "--epochs", 2, "--resume")
    assert_same_run(one, two)
    assert {path.name for path in one.iterdir()} == {
        path.name for path in two.iterdir()
    }


class Workers:
    """Two workers of one training, each in a directory of its own."""

    def __init__(self, directory, *args):
        hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
        self.processes = []
        for index in range(2):
            place = directory / f"worker-{index}"
            place.mkdir(exist_ok=True)
            given = ("train", "vae", *SMALL, "--out", "run", *args)
            options = command(
                *given,
                "--strategy",
                "multi_worker",
                cwd=place,
                env={"TF_CONFIG": tf_config(hosts, index)},
            )
            self.processes.append(subprocess.Popen(**options))

    def wait(self):
        """Waits for both; returns their exit status and their errors."""
        ends = [one.communicate(timeout=1500) for one in self.processes]
        status = [one.returncode for one in self.processes]
        return status, [errors for _, errors in ends]


@pytest.mark.slow
def test_a_killed_worker_costs_an_epoch_at_most(tmp_path):
    whole = tmp_path / "whole"
    kgen("train", "vae", *SMALL, "--out", whole, "--epochs", 12)
    workers = Workers(tmp_path, "--epochs", 12)
    checkpoints = tmp_path / "worker-0" / "run" / "checkpoints"
    while not list(checkpoints.glob("epoch-0000[2-5].weights.h5")):
        assert all(one.poll() is None for one in workers.processes)
        time.sleep(0.05)
    workers.processes[1].kill()
    status, errors = workers.wait()
    assert status == [1, -9], errors
    assert "--resume" in errors[0] and errors[0].count("\n") == 1
    assert not (tmp_path / "worker-0" / "run" / "model.keras").exists()
    assert Workers(tmp_path, "--resume").wait() == ([0, 0], ["", ""])
    assert_same_run(whole, tmp_path / "worker-0" / "run")
    assert not list((tmp_path / "worker-1").iterdir())


@pytest.mark.slow
def test_what_the_chief_refuses_ends_all(tmp_path):
    (tmp_path / "worker-0" / "run").mkdir(parents=True)
    (tmp_path / "worker-0" / "run" / "thesis.txt").touch()
    status, errors = Workers(tmp_path, "--epochs", 1).wait()
    assert status == [2, 2]
    assert all("something that is not a run" in text for text in errors)
