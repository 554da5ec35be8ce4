"""A sample of damaged files; `python -m tests.faults` has more."""

import pytest

from tests.faults import cases

pytestmark = pytest.mark.slow


def test_a_damaged_checkpoint_is_never_taken_for_a_whole_one(bench):
    """The one before it is, and all is as if nothing had been."""
    found = cases.damages("vae", 0, 1)
    assert not cases.failed(cases.run_all(bench, found))


def test_damaged_checkpoints_are_told_and_stay(bench):
    assert not cases.run(bench, "vae:every:flip:0")


def test_a_damaged_model_is_refused(bench):
    assert not cases.run(bench, "export:model:flip:0")
