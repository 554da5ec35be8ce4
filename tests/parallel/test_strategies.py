"""`kgen train --strategy`: what is refused, what is left, what a kill costs."""

import contextlib
import csv
import functools
import json
import re
import signal
import socket
import subprocess
import time
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from kgen import cli, runs
from kgen.errors import InvalidArgument, WorkerLost
from kgen.parallel import strategies
from kgen.runs import training
from tests import forked
from tests.models.contract import state
from tests.test_cli import command, config, kgen, refused
from tests.test_runs import SETTINGS
from tests.workers import free_ports, tf_config

HOSTS = ["a:1", "b:1"]
SMALL = (
    *("--network", "dense", "--set", "hidden_units=[16]"),
    *("--fit-prior", "none"),
)


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
        (tf_config(["a:0"], 0), "HOST:PORT"),
        (tf_config(["a:65536"], 0), "HOST:PORT"),
        (tf_config(HOSTS, 0.5), "can't be read"),
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
    strategies.check("multi_worker")


@pytest.mark.parametrize("index", range(2))
def test_a_port_in_use(monkeypatch, index):
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        hosts = [f"localhost:{port}", f"127.0.0.1:{port}"]
        line = said(monkeypatch, tf_config(hosts, index))
    assert f"TF_CONFIG: this worker can't listen on port {port}" in line


def test_another_cluster_than_the_chiefs(monkeypatch):
    def meet(hosts, index, on_missing):
        raise strategies.meeting.Mismatch("a:1, c:1")

    monkeypatch.setattr(strategies.meeting, "meet", meet)
    line = said(monkeypatch, tf_config(HOSTS, 1))
    assert "the chief's cluster, a:1, c:1. Received: a:1, b:1" in line


def waits(monkeypatch, meet, index, *args):
    """The command's result where workers meet by a function in place."""
    monkeypatch.setenv("TF_CONFIG", tf_config(HOSTS, index))
    monkeypatch.setattr(strategies.meeting, "meet", meet)
    monkeypatch.setattr(cli.workers, "_PATIENCE", -1)
    args = ("train", "vae", "--strategy", "multi_worker", *map(str, args))
    return CliRunner().invoke(cli.main, args)


def test_one_is_told_who_is_missing_and_may_leave(monkeypatch):
    def meet(hosts, index, on_missing):
        for _ in range(3):
            on_missing(hosts[1:])
        raise KeyboardInterrupt

    result = waits(monkeypatch, meet, 0)
    assert result.exit_code == 130
    assert result.stderr.count("waiting") == 1
    assert "kgen: waiting for b:1 ...\n" in result.stderr
    assert result.stderr.endswith("kgen: interrupted.\n")


def test_nobody_waits_for_a_run_that_gets_trained_meanwhile(
    monkeypatch, tmp_path
):
    run = runs.Run(tmp_path / "run")
    run.create(SETTINGS)
    run.checkpoints.directory.mkdir()

    def meet(hosts, index, on_missing):
        on_missing(hosts[:1])
        (run.checkpoints.directory / "epoch-00003.weights.h5").touch()
        on_missing(hosts[:1])
        pytest.fail("the chief is still waited for")

    result = waits(monkeypatch, meet, 1, "--resume", "--out", run.path)
    assert result.exit_code == 0
    assert result.stdout == (
        f"{run.path} has seen all its epochs: the chief does the rest.\n"
    )


def trained_run(path, epochs=3):
    """A run that has seen all its epochs, to those who look."""
    run = runs.Run(path)
    run.create(SETTINGS)
    run.checkpoints.directory.mkdir()
    (run.checkpoints.directory / f"epoch-{epochs:05d}.weights.h5").touch()
    return run


@pytest.mark.parametrize("missing", [["c:1"], ["a:1"]])
@pytest.mark.parametrize("args", [(), ("--epochs", 3), ("--epochs", 5)])
def test_who_the_chief_waits_for_does_not_leave(
    monkeypatch, tmp_path, missing, args
):
    """The chief may go on to more epochs than the run knows of."""

    def meet(hosts, index, on_missing):
        on_missing(missing)
        raise KeyboardInterrupt

    path = trained_run(tmp_path / "run").path
    result = waits(monkeypatch, meet, 1, "--resume", "--out", path, *args)
    leaves = missing == ["a:1"] and 5 not in args
    assert result.exit_code == (0 if leaves else 130)


def test_a_worker_asked_for_fewer_epochs_than_the_run_has(
    monkeypatch, tmp_path
):
    """The chief has made more of them, and goes on."""

    def meet(hosts, index, on_missing):
        on_missing(hosts[:1])
        raise KeyboardInterrupt

    args = "--resume", "--out", trained_run(tmp_path / "run", 2).path
    result = waits(monkeypatch, meet, 1, *args, "--epochs", 2)
    assert result.exit_code == 130


@pytest.mark.parametrize("index", range(2))
@pytest.mark.parametrize(
    "error",
    [
        OSError(116, "Stale file handle"),
        FileNotFoundError("no run"),
        InvalidArgument("config.json can't be read"),
    ],
)
def test_a_run_that_can_t_be_read_for_a_while(
    monkeypatch, tmp_path, index, error
):
    def is_trained(run, epochs=None):
        raise error

    def meet(hosts, index, on_missing):
        on_missing(hosts[:1])
        raise KeyboardInterrupt

    monkeypatch.setattr(runs.Run, "is_trained", is_trained)
    args = "--resume", "--out", tmp_path / "run"
    assert waits(monkeypatch, meet, index, *args).exit_code == 130


def test_what_waiting_raises_is_not_the_port_s_fault(monkeypatch):
    def meet(hosts, index, on_missing):
        on_missing([])

    def on_missing(missing, alone):
        raise error

    monkeypatch.setenv("TF_CONFIG", tf_config(HOSTS, 1))
    monkeypatch.setattr(strategies.meeting, "meet", meet)
    error = BrokenPipeError(32, "Broken pipe")
    with pytest.raises(BrokenPipeError) as raised:
        strategies.meet(on_missing)
    assert raised.value is error


@pytest.mark.parametrize(
    "error, kind",
    [
        (InvalidArgument("wrong"), InvalidArgument),
        (FileExistsError("there is one"), InvalidArgument),
        (RuntimeError("broken"), WorkerLost),
        (ValueError("broken"), WorkerLost),
    ],
)
def test_the_chief_s_errors_are_those_of_all(monkeypatch, error, kind):
    """A user's mistake is one for all; a fault of the chief is none."""
    sent = []

    def send(strategy, data):
        if strategy == "chief":
            sent.append(data)
        return sent[0]

    def fail():
        raise error

    monkeypatch.setattr(strategies, "_resolver", lambda strategy: strategy)
    monkeypatch.setattr(strategies, "_broadcast", send)
    monkeypatch.setattr(
        strategies, "is_chief", lambda strategy: strategy == "chief"
    )
    with pytest.raises(type(error)) as raised:
        strategies.by_chief("chief", fail)
    assert raised.value is error
    with pytest.raises(kind, match=f"the chief says: {error}"):
        strategies.by_chief("other", pytest.fail)


SAID = f"kgen: {strategies._START_NOTICE}\n"  # before the start
# Starts, and lets no Python run: as TensorFlow does while it waits for others.
HANGS = """
import ctypes, signal, sys
from kgen.parallel import strategies
# A shell's background jobs ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
strategies._START_TIMEOUT = float(sys.argv[1])
with strategies.end_if_start_hangs("multi_worker"):
    print("starts", flush=True)
    ctypes.PyDLL(None).sleep(int(sys.argv[2]))
print("ends", flush=True)
ctypes.CDLL(None).sleep(int(sys.argv[3]))
"""


@pytest.fixture
def hanging():
    """Starts HANGS, with three times in seconds; ends it."""
    with contextlib.ExitStack() as stack:

        def start(*times):
            one = subprocess.Popen(**command(*times, code=HANGS))
            stack.enter_context(one)
            stack.callback(one.kill)
            return one

        yield start


def test_a_start_that_takes_too_long_is_ended(hanging):
    one = hanging(0.5, 600, 0)
    output, errors = one.communicate(timeout=60)
    assert (one.returncode, output) == (1, "starts\n")
    assert errors == SAID


def test_ctrl_c_ends_a_start(hanging):
    one = hanging(600, 600, 0)
    assert one.stdout.readline() == "starts\n"
    one.send_signal(signal.SIGINT)
    _, errors = one.communicate(timeout=60)
    assert (one.returncode, errors) == (-signal.SIGINT, SAID)


def test_a_start_leaves_ctrl_c_to_python(hanging):
    one = hanging(600, 0, 600)
    lines = [one.stdout.readline() for _ in range(2)]
    assert lines == ["starts\n", "ends\n"]
    time.sleep(0.1)
    one.send_signal(signal.SIGINT)
    _, errors = one.communicate(timeout=60)
    assert errors.endswith("KeyboardInterrupt\n")


def test_the_chief_of_a_trained_run_needs_no_others(monkeypatch, tmp_path):
    monkeypatch.setattr(training, "draw", lambda *args: None)
    run, args = tmp_path / "run", ("train", "vae", *SMALL)
    kgen(*args, "--set", "run_eagerly=True", "--epochs", 1, "--out", run)
    (run / "model.keras").unlink()  # as if it had died just before
    result = waits(monkeypatch, pytest.fail, 0, "--resume", "--out", run)
    assert (result.exit_code, result.stderr) == (0, "")
    assert (run / "model.keras").exists()


CHIEF = {"chief": ["c:1"], "worker": HOSTS}


@pytest.mark.parametrize(
    "cluster, task, is_chief",
    [
        ({"worker": HOSTS}, ("worker", 0), True),
        ({"worker": HOSTS}, ("worker", 1), False),
        (CHIEF, ("chief", 0), True),
        (CHIEF, ("worker", 0), False),
        (CHIEF, ("worker", 1), False),
    ],
)
def test_one_alone_writes(monkeypatch, cluster, task, is_chief):
    """By the strategy, and before there is one: who writes waits at its address."""
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster), task_type=task[0], task_id=task[1]
    )
    strategy = types.SimpleNamespace(cluster_resolver=resolver)
    assert strategies.is_chief(strategy) == is_chief
    task = dict(zip(("type", "index"), task))
    text = json.dumps({"cluster": cluster, "task": task})
    monkeypatch.setenv("TF_CONFIG", text)
    assert strategies.is_chief_by_tf_config() == is_chief


def test_devices_belong_to_one_machine(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config(HOSTS, 0))
    line = refused("train", "vae", "--strategy", "multi_worker", "--devices", 2)
    assert "CUDA_VISIBLE_DEVICES" in line
    assert "none but with" in refused("train", "vae", "--devices", 2)


def test_a_machine_without_gpus():
    with pytest.raises(InvalidArgument, match="sees no GPU.*--devices 2"):
        strategies.create("mirrored")


def test_the_nearest_strategy_is_offered():
    line = refused("train", "vae", "--strategy", "miror")
    assert "Did you mean 'mirrored'?" in line


def test_a_batch_is_shared_evenly():
    with pytest.raises(InvalidArgument, match="by 4 devices.* such as 32"):
        training._check_batch_size(33, 4)
    training._check_batch_size(32, 4)


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


def trained_by(run):
    """What a run's settings say of the strategy."""
    return {name: config(run)[name] for name in ("strategy", "devices")}


def test_mirrored_trains_what_one_device_trains(tmp_path, monkeypatch):
    """And a run goes on under another strategy."""
    one, two = tmp_path / "one", tmp_path / "two"
    by_two = ("--strategy", "mirrored", "--devices", 2)
    args = ("--out", two, "--epochs", 1, "--export", *by_two)
    process = command("train", "vae", *SMALL, *args)
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "errors").open("w+") as errors:
        with forked.Popen(
            process["args"], env=process["env"], stderr=errors
        ) as done:
            assert done.wait(300) == 0
        errors.seek(0)
        assert errors.read() == ""
    assert (tmp_path / "saved_models" / "vae" / "1").is_dir()
    assert trained_by(two) == {"strategy": "mirrored", "devices": 2}
    kgen("train", "vae", *SMALL, "--out", one, "--epochs", 2)
    monkeypatch.setattr(training, "draw", lambda *args: None)
    kgen("train", "vae", "--out", two, "--epochs", 2, "--resume")
    assert trained_by(two) == {"strategy": None, "devices": 1}
    assert_same_run(one, two)
    assert {path.name for path in one.iterdir()} == {
        path.name for path in two.iterdir()
    }


def started(hosts, index, directory, *args, **kwargs):
    """A process that is the worker of this index."""
    given = ("train", "vae", *SMALL, "--strategy", "multi_worker", *args)
    given += ("--checkpoint-every", "1e")
    environment = {"TF_CONFIG": tf_config(hosts, index)}
    return subprocess.Popen(
        **command(*given, cwd=directory, env=environment, **kwargs)
    )


# kgen that dies once all workers are here, before TensorFlow starts with them.
DIES = """
import os
from kgen import cli
from kgen.parallel import strategies
meet = strategies.meet
def meet_and_die(on_missing):
    meet(on_missing)
    os._exit(9)
strategies.meet = meet_and_die
cli.main()
"""


@pytest.fixture
def pods(tmp_path):
    """Two workers in one directory, each of which is started again by itself."""
    with contextlib.ExitStack() as stack:
        yield functools.partial(Pods, tmp_path, stack)


class Pods:
    """Workers as Kubernetes has them, with the command of its document.

    Args:
        directory: Theirs.
        stack: What ends them.
        dies: Which one first dies as soon as all are here, or None.
    """

    def __init__(self, directory, stack, dies=None):
        self.directory, self.stack = directory, stack
        self.run = runs.Run(directory / "run")
        self.hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
        self.processes = [
            self._start(index, **({"code": DIES} if index == dies else {}))
            for index in range(2)
        ]
        self.ends = []

    def _start(self, index, **kwargs):
        args = ["--out", "run", "--epochs", 8]
        if self.run.config_file.exists():
            args.append("--resume")
        process = started(self.hosts, index, self.directory, *args, **kwargs)
        self.stack.enter_context(process)
        self.stack.callback(process.kill)
        return process

    def end(self, index, number):
        """Sends a signal that must end a process at once."""
        self.processes[index].send_signal(number)
        self.processes[index].wait(60)

    def are_done(self):
        """Starts those again that have failed; whether none has."""
        status = [process.poll() for process in self.processes]
        for index, one in enumerate(status):
            if one:
                error = self.processes[index].stderr.read()
                self.ends.append((one, error))
                self.processes[index] = self._start(index)
        return status == [0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("last", [[0, 1], [1, 0]])
def test_every_order_of_deaths_ends_well(pods, tmp_path, last):
    """A worker, the chief, and these after the last epoch."""
    pods = pods()
    plan = [(2, 1, signal.SIGTERM), (4, 0, signal.SIGTERM)]
    plan += [(8, index, signal.SIGKILL) for index in last]
    until = time.monotonic() + 1500
    while not pods.are_done():
        assert time.monotonic() < until, pods.ends
        _, seen = pods.run.checkpoints.newest()
        if plan and seen >= plan[0][0]:
            pods.end(*plan.pop(0)[1:])
        time.sleep(0.05)
    assert not plan
    status = {one for one, _ in pods.ends}
    assert status <= {1, -signal.SIGTERM, -signal.SIGKILL}, pods.ends
    whole = tmp_path / "whole"
    kgen("train", "vae", *SMALL, "--out", whole, "--epochs", 8)
    assert_same_run(whole, pods.run.path)
    assert trained_by(pods.run.path) == {
        "strategy": "multi_worker",
        "devices": 2,
    }


@pytest.mark.slow
@pytest.mark.parametrize("dies", range(2))
def test_a_death_before_tensorflow_starts_ends_well(pods, dies):
    """The other one hangs in TensorFlow, or is refused; it ends in words."""
    pods = pods(dies=dies)
    until = time.monotonic() + 800
    while not pods.are_done():
        assert time.monotonic() < until, pods.ends
        time.sleep(0.05)
    status, errors = zip(*pods.ends)
    assert status == (9, 1)
    assert (
        errors[1]
        .splitlines()[-1]
        .startswith(("kgen: TensorFlow ", f"kgen: {strategies._START_NOTICE}"))
    )
    assert pods.run.is_trained(8)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("index", range(2))
def test_one_that_waits_can_be_ended(tmp_path, index, number):
    hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
    with started(hosts, index, tmp_path) as worker:
        try:
            line = worker.stderr.readline()
            assert line == f"kgen: waiting for {hosts[1 - index]} ...\n"
            worker.send_signal(number)
            _, errors = worker.communicate(timeout=60)
        finally:
            worker.kill()
    if number == signal.SIGINT:
        assert worker.returncode == 130
        assert errors.endswith("kgen: interrupted.\n")
    else:
        assert worker.returncode == -number


class Workers:
    """Two workers of one training, each in a directory of its own."""

    def __init__(self, directory, *args):
        hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
        self.processes = []
        for index in range(2):
            place = directory / f"worker-{index}"
            place.mkdir(exist_ok=True)
            given = (hosts, index, place, "--out", "run", *args)
            self.processes.append(started(*given))

    def wait(self):
        """Waits for both; returns their exit status and their errors."""
        ends = [one.communicate(timeout=1500) for one in self.processes]
        status = [one.returncode for one in self.processes]
        # Who had to wait for the other may have said so, and that both are here.
        usual = "kgen: (waiting|all workers are here).*\n"
        errors = [re.sub(usual, "", text) for _, text in ends]
        return status, errors


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
