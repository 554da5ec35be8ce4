"""A sample of the disks that fill up; `python -m tests.faults` has more."""

import pytest

from tests.faults import cases

pytestmark = pytest.mark.slow
SEED = 0


def test_what_a_full_disk_ended_goes_on_exactly(bench):
    found = [*cases.disks("vae", SEED, 1), *cases.disks("export", SEED, 1)]
    assert not cases.failed(cases.run_all(bench, found))
