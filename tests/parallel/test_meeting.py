"""Workers meet, whoever comes first, dies or does not belong there."""

import contextlib
import itertools
import socket
import threading

import pytest

from kgen.parallel import meeting
from tests.workers import free_ports


@pytest.fixture
def hosts(monkeypatch):
    """Three addresses, where one looks more often than users need it."""
    monkeypatch.setattr(meeting, "_SECONDS", 0.05)
    return [f"localhost:{port}" for port in free_ports(3)]


class Leave(Exception):
    """What a worker is told to end by."""


class Worker(threading.Thread):
    """A worker that comes to the meeting; `missing` is what it was told last."""

    def __init__(self, hosts, index):
        super().__init__(daemon=True)
        self.arguments = hosts, index, self.wait_for
        self.missing, self.error, self.leaves = None, None, False
        self.told = threading.Condition()
        self.start()

    def run(self):
        try:
            meeting.meet(*self.arguments)
        except Exception as error:
            self.error = error

    def wait_for(self, missing):
        with self.told:
            self.missing = missing
            self.told.notify_all()
        if self.leaves:
            raise Leave

    def hears(self, missing):
        """Waits until this worker is told that these are missing."""
        with self.told:
            return self.told.wait_for(lambda: self.missing == missing, 60)

    def leave(self):
        self.leaves = True
        self.join(60)
        assert isinstance(self.error, Leave)


def assert_met(*workers):
    for worker in workers:
        worker.join(60)
        assert not worker.is_alive()
        assert worker.error is None


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_all_meet_in_any_order(hosts, order):
    assert_met(*(Worker(hosts, index) for index in order))


def test_one_alone_waits_for_nobody(hosts):
    meeting.meet(hosts[:1], 0, pytest.fail)


def test_all_are_told_who_is_missing(hosts):
    last = Worker(hosts, 2)
    assert last.hears(hosts[:1])
    first = Worker(hosts, 0)
    assert first.hears(hosts[1:2])
    assert last.hears(hosts[1:2])
    assert_met(first, last, Worker(hosts, 1))


@pytest.mark.parametrize("index", range(2))
def test_one_that_dies_while_it_waits_may_come_again(hosts, index):
    workers = [Worker(hosts, index) for index in range(2)]
    assert all(worker.hears(hosts[2:]) for worker in workers)
    workers[index].leave()
    assert workers[1 - index].hears([hosts[index]] + hosts[2:] * index)
    workers[index] = Worker(hosts, index)
    assert_met(*workers, Worker(hosts, 2))


def test_strangers_are_sent_away(hosts):
    first = Worker(hosts, 0)
    assert first.hears(hosts[1:])
    port = meeting.port_of(hosts[0])
    for text in (b"PRI * HTTP/2.0\r\n", b"\xff\xfe\n", b"[]\n", b"{}\n", b""):
        with socket.create_connection(("localhost", port), 60) as call:
            call.sendall(text)
            call.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                assert not call.recv(1)
    assert_met(first, Worker(hosts, 1), Worker(hosts, 2))


def test_the_first_one_may_still_speak_another_language(hosts):
    """That of TensorFlow, before it knows that another worker has gone."""
    port = meeting.port_of(hosts[0])
    with socket.create_server(("", port)) as server:
        server.settimeout(60)
        second = Worker(hosts[:2], 1)
        for text in (b"\x00\x00\xff\n", b"5\n", b""):
            with server.accept()[0] as call:
                call.sendall(text)
        assert second.hears(hosts[:1])
    assert_met(Worker(hosts[:2], 0), second)


def test_workers_of_another_cluster_are_refused(hosts):
    first, other = Worker(hosts[:2], 0), Worker(hosts, 1)
    other.join(60)
    assert isinstance(other.error, meeting.Mismatch)
    assert str(other.error) == ", ".join(hosts[:2])
    assert_met(first, Worker(hosts[:2], 1))


@pytest.mark.parametrize("index", range(2))
def test_a_port_in_use(hosts, index):
    port = meeting.port_of(hosts[index])
    with (
        socket.create_server(("", port)),
        pytest.raises(meeting.PortTaken, match="in use"),
    ):
        meeting.meet(hosts, index, pytest.fail)


@pytest.mark.parametrize("error", [OSError(116, "Stale"), ValueError("?")])
@pytest.mark.parametrize("index", range(2))
def test_what_waiting_raises_ends_it(hosts, index, error):
    """Also where the first one has just said who is missing."""
    if index:
        Worker(hosts, 0)

    def on_missing(missing):
        if missing == hosts[2 - (not index) :]:
            raise error

    with pytest.raises(type(error)) as raised:
        meeting.meet(hosts, index, on_missing)
    assert raised.value is error


def test_a_silent_call_does_not_hold_others_up(hosts, monkeypatch):
    monkeypatch.setattr(meeting, "_SILENCE", 120.0)
    monkeypatch.setattr(meeting, "_GREETING", 0.05)
    first = Worker(hosts[:2], 0)
    assert first.hears(hosts[1:2])
    port = meeting.port_of(hosts[0])
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(socket.create_connection(("localhost", port)))
        assert_met(first, Worker(hosts[:2], 1))


def test_a_worker_never_meets_itself(hosts, monkeypatch):
    """Linux may connect it to the first one's port, if that is free, by itself."""
    connect = socket.create_connection

    def to_itself(address, timeout):
        return connect(address, timeout, source_address=address)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "create_connection", to_itself)
        second = Worker(hosts[:2], 1)
        assert second.hears(hosts[:1])
    second.missing = None
    assert second.hears(hosts[:1])  # the last such connection has gone
    assert_met(Worker(hosts[:2], 0), second)
