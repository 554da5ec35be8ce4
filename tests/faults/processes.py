"""Commands as processes: forked from one that has imported TensorFlow."""

import contextlib
import dataclasses
import functools
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import signal
import threading
import time

import numpy as np

from tests.faults import child

_LONGEST = 600  # seconds
# Held while a process is started or its status is read. Starting a process also reads
# the status of all others, and a status can be read only once: of two threads that
# read it at the same time, `multiprocessing` would tell one that it is 255.
_STATUSES = threading.Lock()


@functools.cache
def _context():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.warm"])
    return context


def _begun(target, *arguments, **options):
    """A process that runs a function."""
    process = _context().Process(target=target, args=arguments, kwargs=options)
    with _STATUSES:
        process.start()
    return process


def _status(process, seconds=None):
    """The exit status of a process; None of one that still runs then."""
    multiprocessing.connection.wait([process.sentinel], seconds)
    with _STATUSES:
        return process.exitcode


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a process ended.

    Args:
        status: Its exit status; of a signal, the signal's number below 0.
        text: What it has printed.
        seconds: How long it took.
    """

    status: int
    text: str
    seconds: float

    def problems(self):
        """What must not be where a command should have done its work."""
        if self.status or "Traceback" in self.text:
            return [f"it ended with status {self.status}: {self.text[-600:]}"]
        return []

    def refused(self):
        """Whether it ended with one line that says why."""
        lines = self.text.strip().splitlines()
        told = bool(lines) and lines[-1].startswith("kgen: ")
        return self.status > 0 and told and "Traceback" not in self.text


class Command:
    """A `kgen` command that runs.

    Args:
        folder: `pathlib.Path` in which it runs.
        arguments: Those of `kgen`.
        **fault: Passed to `child.run`.
    """

    def __init__(self, folder, arguments, **fault):
        self._log = folder.with_name(f"{folder.name}.log")
        self._log.write_text(
            ""
        )  # a signal may come before the process opens it
        self._begun = time.monotonic()
        self._process = _begun(child.run, str(folder), arguments, **fault)
        self.pid = self._process.pid

    def wait(self, seconds):
        """Whether it has ended within so many seconds."""
        return _status(self._process, max(0.0, seconds)) is not None

    def send(self, sign, pid=None):
        """Sends a signal, such as `"KILL"`, to it, or to one it has started."""
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(pid or self.pid, signal.Signals[f"SIG{sign}"])

    def members(self):
        """The processes that it has started, the oldest first."""
        found = [
            int(path.name)
            for path in pathlib.Path("/proc").glob("[0-9]*")
            if _session(path) == self.pid
        ]
        return sorted(set(found) - {self.pid})

    def end(self):
        """Waits for it and for all that it has started; an `Ended`."""
        if not self.wait(_LONGEST):
            self.send("KILL")
        status = _status(self._process)
        seconds = time.monotonic() - self._begun
        deadline = time.monotonic() + 60
        while self.members():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.members()} have outlived kgen")
            time.sleep(0.1)
        return Ended(status, self._log.read_text(), seconds)


def _session(path):
    """The session of a process that lives; None of one that does not."""
    try:
        state, _, _, session = (
            (path / "stat").read_text().rpartition(")")[2].split()[:4]
        )
    except OSError:
        return None
    return None if state in "ZX" else int(session)


def run(folder, arguments, **fault):
    """Runs a command to its end; an `Ended`."""
    return Command(folder, arguments, **fault).end()


def answers(path):
    """What a SavedModel answers: a dictionary of arrays.

    Args:
        path: `pathlib.Path` of a version of an export.
    """
    file = path.with_name(f"{path.name}.npz")
    if not file.exists():
        if _status(_begun(child.answer, str(path)), _LONGEST) != 0:
            raise OSError(f"{path} can't be loaded")
    return dict(np.load(file))
