"""One process at a time."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from kgen import locks
from kgen.errors import InvalidArgument

HOLD = """
import os, signal, sys
from kgen import locks
with locks.directory(sys.argv[1]):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_directory_is_one_process_s(tmp_path):
    with locks.directory(tmp_path):
        with (
            pytest.raises(
                InvalidArgument, match=rf"kgen process \(PID {os.getpid()} on "
            ),
            locks.directory(tmp_path),
        ):
            pass
        assert os.listdir(tmp_path) == [locks.NAME]
    assert os.listdir(tmp_path) == []
    with locks.directory(tmp_path):
        pass


def test_a_killed_process_lets_go(tmp_path):
    subprocess.run([sys.executable, "-c", HOLD, tmp_path], check=False)
    assert os.listdir(tmp_path) == [locks.NAME]
    with locks.directory(tmp_path):
        assert str(os.getpid()) in (tmp_path / locks.NAME).read_text()
    assert os.listdir(tmp_path) == []


def test_a_directory_that_stays_empty_is_not_left(tmp_path):
    with locks.directory(tmp_path / "a" / "b"):
        pass
    with locks.directory(tmp_path / "c" / "d"):
        (tmp_path / "c" / "mine").touch()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["c", "mine"]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(tmp_path, monkeypatch, number):
    def fail(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)
    with locks.directory(tmp_path), locks.directory(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_a_lock_that_its_holder_deletes_meanwhile(tmp_path, monkeypatch):
    """Who has opened it before would hold a file that nobody else sees."""
    opened = locks._open
    calls = []

    def late(path):
        file = opened(path)
        if not calls:
            path.unlink()
        calls.append(path)
        return file

    monkeypatch.setattr(locks, "_open", late)
    with (
        locks.directory(tmp_path),
        pytest.raises(InvalidArgument, match="another kgen process"),
        locks.directory(tmp_path),
    ):
        pass
    assert len(calls) == 3


def test_a_directory_that_is_removed_meanwhile(tmp_path):
    with locks.directory(tmp_path / "run"):
        (tmp_path / "run" / locks.NAME).unlink()
        (tmp_path / "run").rmdir()
    assert os.listdir(tmp_path) == []


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with (
            pytest.raises(NotADirectoryError, match="file is a file, or"),
            locks.directory(path),
        ):
            pass
