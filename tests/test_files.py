"""Files and directories that appear whole or not at all."""

import errno
import os
import pathlib
import resource
import shutil

import numpy as np
import pytest

from kgen import files


class Failure(Exception):
    """What goes wrong in the middle."""


@pytest.mark.parametrize("before", [None, "old"])
def test_a_file_appears_whole(tmp_path, before):
    path = tmp_path / "new" / "file.txt"
    if before:
        path.parent.mkdir()
        path.write_text(before)
    with files.new_file(path) as temporary:
        assert temporary.suffix == ".txt"
        temporary.write_text("new")
        assert (path.read_text() if path.exists() else None) == before
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["file.txt"]


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(Failure), files.new_file(path) as temporary:
        temporary.write_text("half")
        raise Failure
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_directory_appears_whole(tmp_path):
    path = tmp_path / "new" / "1"
    with files.new_directory(path) as temporary:
        # TF Serving looks for numbers and must not find this one.
        assert pathlib.Path(temporary).name.startswith(".")
        pathlib.Path(temporary, "a").write_text("a")
        assert not path.exists()
    assert os.listdir(path.parent) == ["1"]
    assert os.listdir(path) == ["a"]
    assert path.stat().st_mode & 0o777 == 0o755


def test_a_failure_leaves_no_directory(tmp_path):
    with pytest.raises(Failure), files.new_directory(tmp_path / "1") as new:
        pathlib.Path(new, "a").write_text("half")
        raise Failure
    assert os.listdir(tmp_path) == []


def test_a_directory_is_replaced_only_if_asked(tmp_path):
    path = tmp_path / "1"
    path.mkdir()
    (path / "old").touch()
    with (
        pytest.raises(FileExistsError, match="exists already"),
        files.new_directory(path),
    ):
        pass
    assert os.listdir(path) == ["old"]
    with files.new_directory(path, overwrite=True) as temporary:
        pathlib.Path(temporary, "new").touch()
    assert os.listdir(path) == ["new"]


def test_an_old_directory_is_replaced_at_once(tmp_path, monkeypatch):
    """At no time is there a half of it, which a server would load."""
    path = tmp_path / "1"
    (path / "old").mkdir(parents=True)
    original, seen = shutil.rmtree, []

    def rmtree(victim, **kwargs):
        seen.append(pathlib.Path(victim).name)
        assert os.listdir(path) == ["new"]
        original(victim, **kwargs)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    with files.new_directory(path, overwrite=True) as temporary:
        pathlib.Path(temporary, "new").touch()
    assert all(name.startswith(".1-") for name in seen) and seen
    assert os.listdir(tmp_path) == ["1"]


def test_what_was_being_replaced_is_never_swept(tmp_path):
    """A kill between the two renames leaves it by another name."""
    path = tmp_path / "1"
    path.mkdir()
    with files.new_directory(path, overwrite=True):
        pass
    left = []
    for ending in (files._ENDING, files._REPLACED):
        left.append(tmp_path / f".1-x{ending}")
        left[-1].mkdir()
        os.utime(left[-1], (0, 0))
    with files.new_directory(tmp_path / "2"):
        pass
    assert [one.exists() for one in left] == [False, True]


def test_what_a_dead_process_left_is_swept(tmp_path):
    """At once if it was on this machine; never what a living one makes."""
    endings = {
        f"4194305.{files._machine()}": False,
        f"{os.getpid()}.{files._machine()}": True,
        "4194305.ffffff": True,
    }
    for owner in endings:
        (tmp_path / f".1-{owner}-x{files._ENDING}").mkdir()
    with files.new_directory(tmp_path / "2") as temporary:
        assert files._OWNED.fullmatch(pathlib.Path(temporary).name)
    left = [
        (tmp_path / f".1-{owner}-x{files._ENDING}").exists()
        for owner in endings
    ]
    assert left == list(endings.values())


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(bytes(2**20)),
        lambda path: np.save(path, np.zeros(2**18)),
    ],
    ids=["python", "numpy"],
)
def test_errors_name_the_file_and_the_reason(tmp_path, write):
    """NumPy has no words for it. Python ignores the signal."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, hard))
    try:
        with (
            pytest.raises(OSError) as error,
            files.new_file(tmp_path / "x.npy") as temporary,
        ):
            write(temporary)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert error.value.errno == errno.EFBIG
    assert error.value.filename == str(tmp_path / "x.npy")
    assert os.listdir(tmp_path) == []


def test_another_file_s_error_keeps_its_name(tmp_path):
    with (
        pytest.raises(FileNotFoundError) as error,
        files.new_file(tmp_path / "x"),
    ):
        open(tmp_path / "other")  # noqa: SIM115
    assert error.value.filename == str(tmp_path / "other")


def test_a_link_to_nothing_is_there(tmp_path):
    path = tmp_path / "1"
    path.symlink_to("nowhere")
    with (
        pytest.raises(FileExistsError, match="exists already"),
        files.new_directory(path),
    ):
        raise Failure
    with (
        pytest.raises(NotADirectoryError, match="a link to nothing"),
        files.new_directory(path / "2"),
    ):
        raise Failure


def test_a_directory_that_came_meanwhile_stays(tmp_path):
    path = tmp_path / "1"
    with (
        pytest.raises(FileExistsError, match="exists already"),
        files.new_directory(path),
    ):
        path.mkdir()
        (path / "theirs").touch()
    assert os.listdir(tmp_path) == ["1"]
    assert os.listdir(path) == ["theirs"]
