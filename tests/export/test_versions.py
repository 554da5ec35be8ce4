"""NAME/VERSION appears whole or not at all, and models.config lists it."""

import json
import os
import pathlib
import pkgutil
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from kgen import cli
from kgen.errors import InvalidArgument
from kgen.export import next_version, versions
from kgen.runs import export
from tests.export.common import make_run
from tests.export.server import Model
from tests.models import contract

EXPORTER = pathlib.Path(__file__).with_name("exporter.py")
WHOLE = {
    "README.md",
    "assets",
    "assets.extra",
    "fingerprint.pb",
    "model.json",
    "saved_model.pb",
    "variables",
}
# Where a process is killed, and which versions there are then.
POINTS = {
    # The variables are there, the graph is not.
    "before:tensorflow.python.lib.io.file_io.atomic_write_string_to_file": [],
    "before:kgen.export.requests.write_warm_up": [],
    "before:kgen.export.card.write": [],
    "before:os.rename": [],
    "after:os.rename": ["1"],
    "before:os.replace": ["1"],
    "together": ["1", "2"],
}
# These are processes; of the others, what would be left is copied on the way.
PROCESSES = ["after:os.rename", "together"]


@pytest.mark.parametrize(
    "taken, version",
    [
        ([], "1"),
        (["1"], "2"),
        (["1", "10", "9"], "11"),
        (["3"], "4"),
        (["007"], "8"),
        (["latest", ".4-x", "5.5", "²", "٣"], "1"),
        ([str(2**63 - 2)], str(2**63 - 1)),
        (["3", str(2**63)], "4"),  # which no server reads
    ],
)
def test_next_version(tmp_path, taken, version):
    for name in taken:
        (tmp_path / "vae" / name).mkdir(parents=True)
    assert next_version(tmp_path, "vae") == tmp_path / "vae" / version


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What is left of exports that were killed, each at its point."""
    path = tmp_path_factory.mktemp("killed")
    run = make_run(path / "run", contract.small_model("vae"))
    with pytest.MonkeyPatch.context() as patch:
        for point in POINTS.keys() - PROCESSES:
            when, name = point.split(":")
            assert when == "before"
            module, _, function = name.rpartition(".")
            module = pkgutil.resolve_name(module)
            copying = before(
                getattr(module, function), path / "whole", path / point
            )
            patch.setattr(module, function, copying)
        args = ["export", str(run.path), "--to", str(path / "whole")]
        done = CliRunner().invoke(cli.main, args)
    assert done.exit_code == 0, done.output
    done = subprocess.run(
        [sys.executable, EXPORTER, run.path, path, *PROCESSES],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    for line in done.stdout.splitlines():
        point, code = line.split()
        assert int(code) == (0 if point == "together" else -signal.SIGKILL)
    return path


def before(function, folder, copy):
    """The function, before whose first call a folder is copied."""

    def copying(*args, **kwargs):
        if not copy.exists():
            shutil.copytree(folder, copy)
        return function(*args, **kwargs)

    return copying


@pytest.mark.parametrize("point", POINTS)
def test_a_version_is_whole_or_not_there(folder, point, server):
    root = folder / point
    found = sorted(os.listdir(root / "vae"))
    loaded = [name for name in found if name.isdigit()]
    assert loaded == POINTS[point]
    # A server looks at numbers alone; all else says that it is not done.
    assert all(name.startswith(".") for name in found if name not in loaded)
    for name in loaded:
        path = root / "vae" / name
        assert set(os.listdir(path)) == WHOLE
        seeded = {"num_samples": np.int32(2), "seed": np.int32(0)}
        assert Model(server, path)("sample", **seeded)["images"].any()


@pytest.mark.parametrize("point", POINTS)
def test_the_config_is_whole_or_not_there(folder, point):
    config = folder / point / "models.config"
    if point == "together":
        assert [one.name for one in parsed(config)] == ["vae"]
    else:
        assert not config.exists()


def parsed(path):
    """The models of a models.config."""
    config = model_server_config_pb2.ModelServerConfig()
    return text_format.Parse(path.read_text(), config).model_config_list.config


def make_version(root, name, version="1"):
    (root / name / version).mkdir(parents=True)
    (root / name / version / "saved_model.pb").touch()


def test_the_config_lists_all_models(tmp_path):
    for name in ("vae", "gan-2"):
        make_version(tmp_path, name)
    make_version(tmp_path, "begun", ".1-x.kgen-new")
    make_version(tmp_path, "too-high", str(2**63))
    (tmp_path / "README.md").touch()
    (tmp_path / "photographs" / "2024").mkdir(parents=True)
    (tmp_path / "a link").symlink_to("vae")
    (tmp_path / "a link to nothing").symlink_to("nothing")
    assert versions.write_config(tmp_path)
    found = parsed(tmp_path / "models.config")
    assert [(one.name, one.base_path, one.model_platform) for one in found] == [
        ("gan-2", "/models/gan-2", "tensorflow"),
        ("vae", "/models/vae", "tensorflow"),
    ]
    make_version(tmp_path, "another")
    assert versions.write_config(tmp_path)
    assert len(parsed(tmp_path / "models.config")) == 3
    assert not list(tmp_path.glob(".*"))


def test_a_neighbour_that_can_t_be_read_is_passed_over(tmp_path, monkeypatch):
    for name in ("secret", "vae"):
        make_version(tmp_path, name)
    iterdir = pathlib.Path.iterdir

    def refuse(path):
        if path.name == "secret":
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(pathlib.Path, "iterdir", refuse)
    assert versions.write_config(tmp_path)
    assert [one.name for one in parsed(tmp_path / "models.config")] == ["vae"]


@pytest.mark.parametrize(
    "content", [b"model_config_list {}\n", b"\xff\xfe", b""]
)
def test_a_config_of_the_user_s_own_stays(tmp_path, content):
    make_version(tmp_path, "vae")
    (tmp_path / "models.config").write_bytes(content)
    assert not versions.write_config(tmp_path)
    assert (tmp_path / "models.config").read_bytes() == content


def test_what_is_no_file_stays(tmp_path):
    config = tmp_path / "models.config"
    config.mkdir()
    assert not versions.write_config(tmp_path)
    config.rmdir()
    config.symlink_to("nothing")
    assert not versions.write_config(tmp_path)
    assert os.readlink(config) == "nothing"


def test_there_is_no_version_above_the_highest(tmp_path):
    make_version(tmp_path, "vae", str(2**63 - 1))
    with pytest.raises(InvalidArgument, match="there is no higher one"):
        next_version(tmp_path, "vae")


def test_a_model_that_comes_meanwhile_is_listed(tmp_path, monkeypatch):
    """Another export ends between a look at the folder and the writing."""
    make_version(tmp_path, "vae")
    original, others = versions._config, iter(["gan"])

    def config(root):
        text = original(root)
        for name in others:
            make_version(root, name)
        return text

    monkeypatch.setattr(versions, "_config", config)
    assert versions.write_config(tmp_path)
    names = [one.name for one in parsed(tmp_path / "models.config")]
    assert names == ["gan", "vae"]


def test_what_was_killed_is_deleted_after_a_day(tmp_path):
    old, new, own = (
        tmp_path / name for name in (".1-x.kgen-new", ".2-x.kgen-new", ".mine")
    )
    for path in (old, new, own):
        path.mkdir()
    day_ago = time.time() - 25 * 3600
    for path in (old, own):
        os.utime(path, (day_ago, day_ago))
    contract.small_model("vae").export(tmp_path / "1")
    assert sorted(os.listdir(tmp_path)) == [".2-x.kgen-new", ".mine", "1"]


@pytest.mark.parametrize(
    "numbers, size, is_told",
    [((1, 2), 8, False), ((1, 2), 9, True), ((3, 2), 9, False)],
)
def test_a_version_of_other_inputs_is_told_of(
    tmp_path, capsys, numbers, size, is_told
):
    """Unless a server goes on with a higher version."""
    for version, shape in zip(numbers, ([None, 8], [None, size])):
        path = tmp_path / "vae" / str(version)
        path.mkdir(parents=True)
        inputs = {"images": {"shape": shape, "dtype": "float32"}}
        card = {"signatures": {"serving_default": {"inputs": inputs}}}
        (path / "model.json").write_text(json.dumps(card))
    export._tell_of_other_inputs(path)
    told = capsys.readouterr().err
    assert ("vae/1 takes other inputs than version 2" in told) is is_told
