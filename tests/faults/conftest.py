"""The folder of all cases."""

import pytest

from tests.faults.bench import Bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory):
    """One for all, since each task is run once without any fault."""
    return Bench(tmp_path_factory.mktemp("faults") / "bench")
