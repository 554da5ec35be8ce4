"""Makes workers wait until all of them have started.

TensorFlow can do that, too, but no Python code runs meanwhile: Ctrl-C does nothing,
and users are not told which workers are missing.
"""

import contextlib
import json
import socket
import time
from collections.abc import Callable

_SECONDS = 0.5  # between two reports, or two attempts to connect
_SILENCE = 10.0  # seconds after which the other end counts as dead
_GREETING = 1.0  # seconds in which a new connection must say whose it is


class PortTaken(Exception):
    """This worker can't listen at its port; the message is the reason."""


class Mismatch(Exception):
    """The first worker has other addresses of workers, which the message lists."""


def meet(
    hosts: list[str], index: int, on_missing: Callable[[list[str]], None]
) -> None:
    """Returns once all workers have started.

    The first one listens at its address, and tells those who connect who is
    missing. A worker that dies meanwhile, and starts anew, connects again.

    Args:
        hosts: Addresses `HOST:PORT` of all workers, in one order for all.
        index: The place of this one.
        on_missing: Function that gets the addresses of those that are missing,
            called a few times a second; what it raises ends the waiting. The
            address of the first worker is among them while it can't be reached.

    Raises:
        PortTaken: If this worker's port can't be listened on.
        Mismatch: If the first worker has other `hosts`.
    """
    with _listening(hosts[index]) as server:
        if index == 0:
            return _serve(server, hosts, on_missing)
    while True:
        with contextlib.closing(_poll_first_worker(hosts, index)) as answers:
            for missing in answers:
                if not missing:
                    return None
                on_missing(missing)
        on_missing(hosts[:1])
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


def _serve(server, hosts, on_missing):
    """Tells workers that connect who is missing, until all are here."""
    server.settimeout(_SECONDS)
    connections = {}

    def missing():
        return [h for n, h in enumerate(hosts) if n and n not in connections]

    with contextlib.ExitStack() as stack:
        while missing():
            on_missing(missing())
            with contextlib.suppress(TimeoutError, ConnectionError):
                connection = stack.enter_context(server.accept()[0])
                _register(connection, hosts, connections)
            for index, connection in list(connections.items()):
                if _is_gone(connection):
                    del connections[index]
            for connection in connections.values():
                with contextlib.suppress(OSError):
                    _send(connection, {"missing": missing()})


def _register(connection, hosts, connections):
    """Keeps a connection by the index of its worker.

    Closes those that are not from this cluster, such as TensorFlow's own.
    """
    connection.settimeout(_GREETING)
    try:
        hello = json.loads(connection.makefile().readline())
        index, theirs = hello["index"], hello["hosts"]
        if theirs == hosts:
            connections[index] = connection
            return connection.setblocking(False)
        _send(connection, {"hosts": hosts})
    except (OSError, ValueError, TypeError, KeyError):
        pass
    connection.close()


def _is_gone(connection):
    """Whether the other end, which has nothing more to say, has closed."""
    try:
        return not connection.recv(1)
    except OSError as error:
        return not isinstance(error, BlockingIOError)


def _poll_first_worker(hosts, index):
    """Yields the missing workers, as often as the first worker reports them.

    Ends when the first worker can't be reached, or has closed the connection.
    """
    address = hosts[0].rpartition(":")[0].strip("[]"), port_of(hosts[0])
    with (
        contextlib.suppress(OSError, ValueError, TypeError, KeyError),
        socket.create_connection(address, _SILENCE) as connection,
        connection.makefile() as answers,
    ):
        # Linux may connect a socket to itself; SO_REUSEADDR frees the port at once.
        if connection.getsockname() == connection.getpeername():
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            return
        _send(connection, {"index": index, "hosts": hosts})
        for answer in map(json.loads, answers):
            if "hosts" in answer:
                raise Mismatch(", ".join(answer["hosts"]))
            yield list(answer["missing"])


def _send(connection, message):
    connection.sendall(json.dumps(message).encode() + b"\n")
