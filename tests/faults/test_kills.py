"""A sample of the commands that are killed; `python -m tests.faults` has all."""

import os
import random

import pytest

from kgen import registry
from tests.faults import cases

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="Linux"),
]
SEED = 0


def test_a_training_killed_at_some_renames_goes_on_exactly(bench):
    found = random.Random(SEED).sample(cases.renames(bench, "vae"), 6)
    assert not cases.failed(cases.run_all(bench, found))


def test_trainings_killed_at_random_moments_go_on_exactly(bench):
    found = [
        case
        for name in registry.MODELS
        if name != "vae"
        for case in cases.moments(name, SEED, 1, ["KILL"])
    ]
    assert not cases.failed(cases.run_all(bench, found))


def test_other_commands_killed_give_the_same_when_given_again(bench):
    found = [
        *cases.renames(bench, "export", ["KILL"])[:1],
        *cases.renames(bench, "evaluate", ["TERM"])[-2:-1],
        *cases.moments("tune", SEED, 1, ["KILL"]),
    ]
    assert not cases.failed(cases.run_all(bench, found))


def test_a_worker_that_stands_still_for_a_while_changes_nothing(bench):
    assert not cases.run(bench, "tune-2:stop:0.7:1:5")
