"""Workers that wait until all are here.

TensorFlow can do that, too; but no Python runs meanwhile, so that Ctrl-C does
nothing, and nobody is told for whom one waits.
"""

import contextlib
import json
import socket
import time
from collections.abc import Callable

_SECONDS = 0.5  # from one look, or call, to the next
_SILENCE = 10.0  # after which the other end is taken for dead
_GREETING = 1.0  # what a call may take to say whose it is: others wait


class PortTaken(Exception):
    """This worker's port can't be listened on; it has the reason."""


class Mismatch(Exception):
    """The first worker knows of other workers; it has their addresses."""


def meet(
    hosts: list[str], index: int, waiting: Callable[[list[str]], None]
) -> None:
    """Returns once all workers are here.

    The first one listens at its address, and tells those who call who is
    missing. A worker that dies meanwhile, and starts anew, calls again.

    Args:
        hosts: Addresses `HOST:PORT` of all workers, in one order for all.
        index: The place of this one.
        waiting: Function that gets the addresses of those that are missing,
            some times a second; what it raises ends the waiting. The first
            one's is among them while it can't be reached.

    Raises:
        PortTaken: If this worker's port can't be listened on.
        Mismatch: If the first worker has other `hosts`.
    """
    with _listening(hosts[index]) as server:
        if index == 0:
            return _hear(server, hosts, waiting)
    while True:
        with contextlib.closing(_call(hosts, index)) as answers:
            for missing in answers:
                if not missing:
                    return None
                waiting(missing)
        waiting(hosts[:1])
        time.sleep(_SECONDS)


def port_of(address: str) -> int:
    """The port of `HOST:PORT`."""
    return int(address.rpartition(":")[2])


def _listening(address):
    """A socket at the address's port, on all of this machine's networks."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        return socket.create_server(
            ("", port_of(address)), family=family, dualstack_ipv6=both
        )
    except OSError as error:
        raise PortTaken(error.strerror or str(error)) from error


def _hear(server, hosts, waiting):
    """Waits as the first worker does."""
    server.settimeout(_SECONDS)
    calls = {}

    def missing():
        return [host for n, host in enumerate(hosts) if n and n not in calls]

    with contextlib.ExitStack() as stack:
        while missing():
            waiting(missing())
            with contextlib.suppress(TimeoutError, ConnectionError):
                call = stack.enter_context(server.accept()[0])
                _note(call, hosts, calls)
            for index in [n for n, call in calls.items() if _is_gone(call)]:
                del calls[index]
            for call in calls.values():
                with contextlib.suppress(OSError):
                    _send(call, {"missing": missing()})


def _note(call, hosts, calls):
    """Keeps a call by its worker's index; one of a stranger is ended.

    Such as of a worker that still trains, in TensorFlow's own protocol.
    """
    call.settimeout(_GREETING)
    try:
        hello = json.loads(call.makefile().readline())
        index, theirs = hello["index"], hello["hosts"]
        if theirs == hosts:
            calls[index] = call
            return call.setblocking(False)
        _send(call, {"hosts": hosts})
    except (OSError, ValueError, TypeError, KeyError):
        pass
    call.close()


def _is_gone(call):
    """Whether the other end, which has nothing more to say, has closed."""
    try:
        return not call.recv(1)
    except OSError as error:
        return not isinstance(error, BlockingIOError)


def _call(hosts, index):
    """Yields who is missing, as often as the first worker says it.

    Ends when that can't be reached, any more.
    """
    address = hosts[0].rpartition(":")[0].strip("[]"), port_of(hosts[0])
    with (
        contextlib.suppress(OSError, ValueError, TypeError, KeyError),
        socket.create_connection(address, _SILENCE) as call,
        call.makefile() as answers,
    ):
        # Linux may connect a local port that is free to itself; who listens
        # there next need not wait until it has forgotten that.
        if call.getsockname() == call.getpeername():
            call.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            return
        _send(call, {"index": index, "hosts": hosts})
        for answer in map(json.loads, answers):
            if "hosts" in answer:
                raise Mismatch(", ".join(answer["hosts"]))
            yield list(answer["missing"])


def _send(call, message):
    call.sendall(json.dumps(message).encode() + b"\n")
