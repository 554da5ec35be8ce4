"""Processes that share a study: what dies, and what must not live on."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from kgen import studies
from kgen.errors import WorkerLost
from kgen.studies import tuning, workers
from tests import forked
from tests.studies import common
from tests.studies.test_studies import kgen_tune
from tests.test_cli import command

# In the place of a training: a line in a file, and a kill where `DIES` says so.
TRAIN = """
import os, signal
from kgen.studies import trials

def train(self, settings, seed, folder, values):
    z, epochs = settings["latent_dim"], values.get("tuner/epochs", 1)
    with (folder.parent / "begun").open("a") as begun:
        begun.write(f"{{folder.name}}\\n")
    times = (folder.parent / "begun").read_text().split().count(folder.name)
    if {dies}:
        os.kill(os.getpid(), signal.SIGKILL)
    for name in ("model", "last"):
        (folder / f"{{name}}-{{seed}}.keras").write_text("")
    return {{"seed": seed, "value": float(z), "epochs": epochs}}

trials.Trainer._train = train
from kgen.cli import main
main()
"""


def run_counts(study):
    """How often a trial of each name came to its end."""
    state = json.loads((study.folder / "oracle.json").read_text())
    assert sorted(state["end_order"]) == sorted(state["run_times"])
    return state["run_times"]


@pytest.mark.parametrize(
    "tuner", [pytest.param("random", marks=pytest.mark.slow), "hyperband"]
)
def test_a_worker_that_is_killed_is_started_again(tmp_path, monkeypatch, tuner):
    dies = 'times == 1 and folder.name.endswith("1")'
    monkeypatch.setattr(subprocess, "Popen", forked.Popen)
    monkeypatch.setattr(workers, "_WORKER_PROGRAM", TRAIN.format(dies=dies))
    path = common.write(
        tmp_path,
        tuner=tuner,
        budget="trials = 5\nepochs = 3",
        space="latent_dim = {min = 1, max = 40}\nhidden_units = [4]",
    )
    result = kgen_tune(path, "--workers", 2)
    assert result.exit_code == 0, result.output
    assert "was ended by signal 9, and is started again" in result.stderr
    found = common.results_of(path)["trials"]
    assert [one["trial"] for one in found] == [0, 1, 2, 3, 4]
    assert {one["status"] for one in found} == {"completed"}
    study = studies.read(path)
    assert set(run_counts(study).values()) == {1}
    begun = (study.folder / "begun").read_text().split()
    assert sorted(begun) == ["trial_0", "trial_1", *sorted(begun)[2:]]
    assert begun.count("trial_1") == 2 and len(begun) == 6


@pytest.mark.slow
def test_a_trial_that_kills_its_worker_each_time_has_failed(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(subprocess, "Popen", forked.Popen)
    monkeypatch.setattr(workers, "_WORKER_PROGRAM", TRAIN.format(dies="z == 2"))
    space = "latent_dim = {min = 1, max = 3}\nhidden_units = [4]"
    path = common.write(tmp_path, **{**common.GRID, "space": space})
    result = kgen_tune(path, "--workers", 2)
    assert result.exit_code == 0, result.output
    first, second, third = common.results_of(path)["trials"]
    assert first["status"] == third["status"] == "completed"
    assert second["status"] == "failed"
    assert "its process died 3 times" in second["reason"]
    assert second["settings"]["latent_dim"] == 2
    begun = (studies.read(path).folder / "begun").read_text().split()
    assert begun.count("trial_0001") == 3 and len(begun) == 5


# Who fails, and who waits.
SOME_DIE = """
import os, time
if os.environ["KERASTUNER_TUNER_ID"].startswith("{name}"):
    raise SystemExit(3)
time.sleep(600)
"""


@pytest.mark.parametrize(
    "name, message, begun",
    [
        ("chief", "The chief ended with status 3", 3),
        ("worker", "worker-2 ended with status 3, 4 times in a row", 9),
    ],
)
def test_what_always_dies_ends_the_study(
    tmp_path, monkeypatch, name, message, begun
):
    common.at_best(monkeypatch, lambda settings, seed: 1.0)
    path = common.write(tmp_path)
    assert kgen_tune(path, "--trials", 1).exit_code == 0
    monkeypatch.setattr(workers, "_WORKER_PROGRAM", SOME_DIE.format(name=name))
    started = []
    popen = subprocess.Popen

    def start(*args, **kwargs):
        started.append(popen(*args, **kwargs))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    result = kgen_tune(path, "--workers", 2, "--resume")
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"kgen: {message}") and "--resume" in last
    assert "Best" not in result.stdout
    assert len(started) == begun
    assert None not in [process.returncode for process in started]
    with pytest.raises(WorkerLost, match=message):
        workers.run(studies.read(path), 2)


def test_a_worker_that_cannot_start_leaves_its_trials_to_the_others(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(subprocess, "Popen", forked.Popen)
    dead = 'import os; os.environ["KERASTUNER_TUNER_ID"] == "worker-2" and os._exit(3)'
    monkeypatch.setattr(
        workers, "_WORKER_PROGRAM", dead + TRAIN.format(dies="False")
    )
    path = common.write(
        tmp_path,
        budget="trials = 3\nepochs = 1",
        space="latent_dim = {min = 1, max = 40}\nhidden_units = [4]",
    )
    result = kgen_tune(path, "--workers", 2)
    assert result.exit_code == 0, result.output
    assert (
        "worker-2 ended with status 3 again, and is left out" in result.stderr
    )
    found = common.results_of(path)["trials"]
    assert [one["status"] for one in found] == ["completed"] * 3


def test_a_process_ends_when_its_input_does():
    code = (
        "import time; from kgen.studies import workers; "
        "workers.end_with_parent(); print('up', flush=True); time.sleep(600)"
    )
    with forked.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout.readline() == b"up\n"
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.5)
        child.stdin.close()
        assert child.wait(60) == 1


def children_of(pid):
    path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return [int(one) for one in path.read_text().split()]


def is_alive(pid):
    try:
        return (
            "State:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
        )
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds=600):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc"), reason="needs Linux's /proc")
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_nobody_outlives_the_command(tmp_path, sign):
    path = common.write(
        tmp_path,
        budget="trials = 500\nepochs = 1",
        space="latent_dim = {min = 1, max = 900}\nhidden_units = [4]",
    )
    process = subprocess.Popen(**command("tune", path, "--workers", 2))
    try:
        wait_until(path.with_suffix(".results.json").exists)
        children = children_of(process.pid)
        assert len(children) == 3
    finally:
        process.send_signal(sign)
        process.communicate()
    assert process.returncode == -sign
    wait_until(lambda: not any(map(is_alive, children)), 60)
    with tuning.alone(studies.read(path)):
        pass


def test_two_workers_run_no_trial_twice_on_other_data(
    tmp_path, monkeypatch, capfd
):
    """And what they found is found again by one process, with all threads."""
    monkeypatch.setattr(subprocess, "Popen", forked.Popen)
    path = common.write(
        tmp_path,
        model="gan",
        objective="val_frechet_distance",
        budget="trials = 4\nepochs = 1",
        space=f"latent_dim = {{min = 2, max = 9}}\n{common.EAGER}",
        more=common.BY_PIXELS,
        data='source = "nowhere.npy"',
    )
    source = tmp_path / "x.npy"
    np.save(source, common.DATA)
    result = kgen_tune(path, "--workers", 2, "--data", source)
    assert result.exit_code == 0, result.output
    results = common.results_of(path)
    assert results["data"]["source"] == str(source)
    found = results["trials"]
    assert [one["trial"] for one in found] == [0, 1, 2, 3]
    assert {one["status"] for one in found} == {"completed"}
    assert len({json.dumps(one["settings"]) for one in found}) == 4
    study = studies.read(path, str(source))
    # One of two runs of a trial would be there, too.
    assert set(run_counts(study).values()) == {1}
    assert capfd.readouterr().out.count("Trial ") == 4  # the chief's
    assert "Best val_frechet_distance" in result.stdout
    best = results["best"]
    file = study.folder / f"trial_{best['trial']}" / "model-0.keras"
    assert common.frechet_distance(study, file) == best["value"]
