"""Several processes on one machine that share a study's trials."""

import contextlib
import functools
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

from kgen.errors import InvalidArgument, WorkerLost, invalid
from kgen.params import Integer, checked
from kgen.studies import records, results
from kgen.studies.keras_tuner_adapter import ATTEMPTS
from kgen.studies.study import Study

_WORKER_PROGRAM = "from kgen.cli import main; main()"
# The environment variables that Keras Tuner reads.
_NAME = "KERASTUNER_TUNER_ID"
_IP = "KERASTUNER_ORACLE_IP"
_PORT = "KERASTUNER_ORACLE_PORT"
_VARIABLES = (_NAME, _IP, _PORT)


@checked(count=Integer(1))
def run(
    study: Study,
    count: int,
    trials: int | None = None,
    source: str | None = None,
    tell: Callable | None = None,
) -> None:
    """Runs a study by Keras Tuner's own protocol: a chief, and its workers.

    The chief proposes trials and keeps their results, and prints them. Workers'
    messages go to files in the folder of the trials. A worker that dies is
    started again under its name, and runs its trial anew; one that dies again
    and again, without any trial coming to its end, is left out.

    Args:
        study: A `Study`, whose folder is there.
        count: How many workers.
        trials: As in `kgen.studies.tune`.
        source: As in `kgen.studies.read`.
        tell: Function of a text, called when a worker has died; or None.

    Raises:
        WorkerLost: If the chief dies, or the workers are lost before all trials
            are done.
    """
    environment = {
        _IP: "127.0.0.1",
        _PORT: str(_free_port()),
        "no_grpc_proxy": "127.0.0.1",
    }
    # Otherwise each worker would start a thread for every core.
    threads = str(max(1, (os.cpu_count() or 1) // count))
    of_workers = {**environment, "TF_NUM_INTRAOP_THREADS": threads}
    with _no_deaths_by_interrupt(study), contextlib.ExitStack() as stack:
        start = functools.partial(
            _start_process, stack, _arguments(study, trials, source)
        )
        chief = start({**environment, _NAME: "chief"})
        workers = [
            _Worker(study, f"worker-{number}", start, of_workers, tell)
            for number in range(1, count + 1)
        ]
        while (status := _wait(chief, 0.2)) is None:
            # A sum and not `any`: the call also restarts a worker that has died.
            if not sum(worker.is_running() for worker in workers):
                break  # all of their results are on the disk
        if status:
            raise _lost(f"The chief {_end(status)}")
        lost = [worker.lost for worker in workers if worker.lost]
        if status is None and (
            len(lost) == count or lost and _count(study, is_running=True)
        ):
            raise _lost(lost[-1])
        for worker in workers:  # there are no more trials
            _wait(worker.process, 30)


def _lost(what):
    return WorkerLost(f"{what}. Finished trials are kept; go on with --resume.")


@contextlib.contextmanager
def _no_deaths_by_interrupt(study):
    """Within it, Ctrl-C ends workers without counting against their trials."""
    try:
        yield
    except KeyboardInterrupt:
        for trial in study.folder.glob("trial_*"):
            records.attempts_file(trial).unlink(missing_ok=True)
        raise


class _Worker:
    """A process that is started again when it dies, but not forever.

    Args:
        study: A `Study`.
        name: By which the chief knows it, so that it hands it the same trial.
        start: Function of environment variables and a file for messages, which
            returns a process.
        environment: Dictionary of environment variables.
        report: What `run` takes as `tell`.
    """

    def __init__(self, study, name, start, environment, report):
        self._study, self._name = study, name
        self._report = report or (lambda text: None)
        self._log = study.folder / f"{name}.log"
        self._start = functools.partial(
            start, {**environment, _NAME: name}, self._log
        )
        self._deaths, self._ended = 0, None
        self.process, self.lost = self._start(), None

    def is_running(self):
        """Whether it goes on; if not, it has ended well, or is lost."""
        status = self.process.poll()
        if status and not self.lost:
            self._start_again(status)
        return status != 0 and not self.lost

    def _start_again(self, status):
        ended = _count(self._study, is_running=False)
        self._deaths = 1 + (self._deaths if ended == self._ended else 0)
        self._ended = ended
        what = f"{self._name} {_end(status)}"
        # After ATTEMPTS deaths the chief gives up the trial. One more death must have
        # another reason than the trial.
        if self._deaths > ATTEMPTS:
            self.lost = (
                f"{what}, {self._deaths} times in a row; see {self._log}"
            )
            self._report(f"{what} again, and is left out; see {self._log}")
            return
        self._report(f"{what}, and is started again; see {self._log}")
        self.process = self._start()


def _count(study, is_running):
    """How many trials are running, or how many have ended."""
    if not study.results_file.exists():
        return 0
    trials = results.read(study.path)["trials"]
    return sum((t["status"] == "running") == is_running for t in trials)


def end_with_parent() -> None:
    """Ends this process once the one that started it has ended, in any way.

    The standard input is a pipe that the parent alone holds, and closes then.
    """

    def wait():
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def is_member() -> bool:
    """Whether this process is the chief or a worker of a shared study.

    Raises:
        InvalidArgument: If not all of Keras Tuner's variables are set, or one
            is wrong.
    """
    given = [name for name in _VARIABLES if name in os.environ]
    if given and len(given) < len(_VARIABLES):
        missing = [name for name in _VARIABLES if name not in given]
        raise InvalidArgument(
            f"{', '.join(given)} is set, and {', '.join(missing)} is not. Set "
            "all three to share a study between machines, or none."
        )
    port = os.environ.get(_PORT, "")
    if given and not (port.isdecimal() and 0 < int(port) < 2**16):
        raise invalid(_PORT, "kgen tune", "a number from 1 to 65535", port)
    return bool(given)


def check_place() -> None:
    """Raises if a chief can't listen where Keras Tuner's variables say."""
    try:
        socket.create_server((os.environ[_IP], int(os.environ[_PORT]))).close()
    except OSError as error:
        raise InvalidArgument(
            f"The chief can't listen at {os.environ[_IP]}:{os.environ[_PORT]}: "
            f"{error}. Expected an address of this machine ({_IP}), and a port "
            f"that nothing uses ({_PORT})."
        ) from error


def is_worker() -> bool:
    """Whether this process is a worker of a shared study."""
    return is_member() and "chief" not in os.environ[_NAME]


@contextlib.contextmanager
def needs_chief() -> Iterator[None]:
    """Turns the errors of a chief that is lost into one that names it."""
    import grpc

    try:
        yield
    except grpc.RpcError as error:
        address = f"{os.environ[_IP]}:{os.environ[_PORT]}"
        raise InvalidArgument(
            f"The chief at {address} is lost: {error.details()}. Its own message "
            "tells more; start it again with --resume."
        ) from error


def _arguments(study, trials, source):
    """The command of the chief and of each worker."""
    arguments = [sys.executable, "-c", _WORKER_PROGRAM, "tune", str(study.path)]
    arguments += ["--member", "--resume"]
    if trials is not None:
        arguments += ["--trials", str(trials)]
    if source is not None:
        arguments += ["--data", source]
    return arguments


def _start_process(stack, arguments, environment, log=None):
    """A process that does not outlive the stack."""
    with contextlib.nullcontext() if log is None else log.open("a") as output:
        # kgen itself: no shell, and no program that a study could name.
        process = subprocess.Popen(  # nosec B603
            arguments,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,  # see `end_with_parent`
            stdout=output,
            stderr=output,
        )
    stack.enter_context(process)
    stack.callback(process.terminate)
    return process


def _wait(process, seconds):
    """A process's status, or None if it has not ended meanwhile."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def _end(status):
    """How a process ended, in words."""
    if status < 0:
        return f"was ended by signal {-status}"
    return f"ended with status {status}"


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
