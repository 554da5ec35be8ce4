"""Several processes on one machine that share a study's trials."""

import contextlib
import os
import socket
import subprocess
import sys

from kgen.errors import InvalidArgument, invalid

_START = "from kgen.cli import main; main()"
# What Keras Tuner reads.
_NAME = "KERASTUNER_TUNER_ID"
_IP = "KERASTUNER_ORACLE_IP"
_PORT = "KERASTUNER_ORACLE_PORT"
_VARIABLES = (_NAME, _IP, _PORT)


def run(study, count, trials=None, source=None):
    """Runs a study by Keras Tuner's own protocol: a chief, and its workers.

    The chief thinks of trials and keeps what came of them; it prints what it
    is told. Workers' messages go to files in the folder of the trials.

    Args:
        study: A `Study`, whose folder is there.
        count: How many workers.
        trials: As in `kgen.studies.tune`.
        source: As in `kgen.studies.read`.

    Returns:
        How many workers ended otherwise than by having no more trials.
    """
    arguments = [sys.executable, "-c", _START, "tune", str(study.path)]
    arguments += ["--member", "--resume"]
    if trials is not None:
        arguments += ["--trials", str(trials)]
    if source is not None:
        arguments += ["--data", source]
    place = {
        _IP: "127.0.0.1",
        _PORT: str(_free_port()),
        "no_grpc_proxy": "127.0.0.1",
    }
    # Else each one would start a thread for every core.
    threads = str(max(1, (os.cpu_count() or 1) // count))
    with contextlib.ExitStack() as stack:
        chief = _start(stack, arguments, {**place, _NAME: "chief"})
        workers = [
            _start(
                stack,
                arguments,
                {
                    **place,
                    _NAME: f"worker-{number}",
                    "TF_NUM_INTRAOP_THREADS": threads,
                },
                study.folder / f"worker-{number}.log",
            )
            for number in range(1, count + 1)
        ]
        # All that a worker has handed in is on the disk once it has ended.
        while any(worker.poll() is None for worker in workers):
            with contextlib.suppress(subprocess.TimeoutExpired):
                chief.wait(0.2)
                break
        if chief.poll() is None:
            statuses = [worker.wait() for worker in workers]
        else:  # by itself: it has no more trials; or it has failed
            statuses = [_ended(worker) for worker in workers]
    return sum(status != 0 for status in statuses)


def is_member():
    """Whether this process is the chief or a worker of a shared study.

    Raises:
        InvalidArgument: If not all of Keras Tuner's variables are set, or one
            is wrong.
    """
    given = [name for name in _VARIABLES if name in os.environ]
    if given and len(given) < len(_VARIABLES):
        lacking = [name for name in _VARIABLES if name not in given]
        raise InvalidArgument(
            f"{', '.join(given)} is set, and {', '.join(lacking)} is not. Set "
            "all three to share a study between machines, or none."
        )
    port = os.environ.get(_PORT, "")
    if given and not (port.isdecimal() and 0 < int(port) < 2**16):
        raise invalid(_PORT, "kgen tune", "a number from 1 to 65535", port)
    return bool(given)


def check_place():
    """Raises if a chief can't listen where Keras Tuner's variables say."""
    try:
        socket.create_server((os.environ[_IP], int(os.environ[_PORT]))).close()
    except OSError as error:
        raise InvalidArgument(
            f"The chief can't listen at {os.environ[_IP]}:{os.environ[_PORT]}: "
            f"{error}. Expected an address of this machine ({_IP}), and a port "
            f"that nothing uses ({_PORT})."
        ) from error


def is_worker():
    """Whether this process is a worker of a shared study."""
    return is_member() and "chief" not in os.environ[_NAME]


@contextlib.contextmanager
def needs_chief():
    """Within it, a chief that is lost is one clear error."""
    import grpc

    try:
        yield
    except grpc.RpcError as error:
        place = f"{os.environ[_IP]}:{os.environ[_PORT]}"
        raise InvalidArgument(
            f"The chief at {place} is lost: {error.details()}. Its own message "
            "tells more; start it again with --resume."
        ) from error


def _start(stack, arguments, environment, log=None):
    """A process that does not outlive the stack."""
    output = None
    if log is not None:
        output = stack.enter_context(log.open("a"))
    process = subprocess.Popen(
        arguments,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )
    stack.callback(_stop, process)
    return process


def _stop(process):
    if process.poll() is None:
        process.terminate()
        process.wait()


def _ended(worker, seconds=30):
    """The status of one that has nothing more to do."""
    try:
        return worker.wait(seconds)
    except subprocess.TimeoutExpired:
        return 1  # stopped by the stack


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
