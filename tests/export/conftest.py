"""One server for all tests of exports."""

import pytest

from tests.export.server import Server


@pytest.fixture(scope="session")
def server():
    server = Server()
    yield server
    server.close()
