"""No test of data may reach a network; some have almost no memory."""

import socket

import pytest

from kgen.data import examples


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("a test asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def no_memory(monkeypatch):
    """Everything is streamed."""
    monkeypatch.setattr(examples, "IN_MEMORY_BYTES", 1)
