"""Hyperband's rounds, where trials fail, and the models that it keeps."""

import json
import math

import pytest

from kgen import studies
from tests.studies import common
from tests.studies.test_studies import RATE, rate_of

# Places of each bracket's rounds with 9 epochs and a factor of 3, by the paper.
PLACES = {2: [9, 3, 1], 1: [5, 2], 0: [3]}


def tuned(tmp_path, monkeypatch, fails, **options):
    """Runs a study whose trials cost nothing; and what was kept after each.

    Trials that go on with another one need what it left.
    """

    def train(self, settings, seed, folder, values):
        before = values.get("tuner/trial_id")
        if before is not None:
            file = folder.parent / f"trial_{before}" / f"last-{seed}.keras"
            assert file.read_text() == settings["optimizer"]
        if fails(settings, values):
            raise ValueError("by design")
        for name in ("model", "last"):
            file = folder / f"{name}-{seed}.keras"
            file.write_text(settings["optimizer"])
        return {"seed": seed, "value": rate_of(settings), "epochs": 1}

    common.train_by(monkeypatch, train)
    study = common.study(
        tmp_path, tuner="hyperband", budget="epochs = 9", space=RATE
    )
    kept = []

    def report(found, trial):
        kept.append(
            {
                f"{path.parent.name}/{path.name}"
                for path in study.folder.glob("trial_*/*.keras")
            }
        )

    return study, studies.tune(study, report=report, **options), kept


def rounds_of(study):
    """The trials of each bracket's rounds, as Keras Tuner wrote them."""
    found = {
        (b, r): [] for b, sizes in PLACES.items() for r in range(len(sizes))
    }
    for path in sorted(study.folder.glob("trial_*/trial.json")):
        trial = json.loads(path.read_text())
        values = trial["hyperparameters"]["values"]
        where = values["tuner/bracket"], values["tuner/round"]
        found[where].append({**trial, **values})
    return found


FAILURES = {
    "none": lambda settings, values: False,
    "large rates": lambda settings, values: rate_of(settings) > 1e-3,
    "small rates": lambda settings, values: rate_of(settings) < 1e-2,
    "second round": lambda settings, values: values["tuner/round"] == 1,
    "all": lambda settings, values: True,
}


@pytest.mark.parametrize("fails", FAILURES)
def test_failed_trials_are_the_worst_of_their_round(
    tmp_path, monkeypatch, fails
):
    study, found, _ = tuned(tmp_path, monkeypatch, FAILURES[fails])
    rounds = rounds_of(study)
    for bracket, sizes in PLACES.items():
        assert len(rounds[bracket, 0]) == sizes[0]
        for number, places in enumerate(sizes[1:]):
            past, following = (
                rounds[bracket, number],
                rounds[bracket, number + 1],
            )
            able = [one for one in past if one["status"] == "COMPLETED"]
            able.sort(key=lambda one: one["score"])
            went_on = {one["tuner/trial_id"] for one in following}
            assert went_on == {one["trial_id"] for one in able[:places]}
            assert len(following) == len(went_on)
    reasons = {one["reason"] for one in found["trials"] if "reason" in one}
    assert reasons <= {"ValueError: by design"}
    statuses = {one["status"] for one in found["trials"]}
    assert statuses <= {"completed", "failed"}


@pytest.mark.parametrize("fails", ["none", "large rates"])
def test_models_go_when_nothing_can_go_on_with_them(
    tmp_path, monkeypatch, fails
):
    _, found, kept = tuned(tmp_path, monkeypatch, FAILURES[fails])
    best = found["best"]["trial"]
    assert kept[-1] == {f"trial_{best:04d}/model-0.keras"}
    # Of a bracket's first round, as many as the next one has places for.
    most = max(sum("last-" in name for name in names) for names in kept)
    assert most == 3
    for names in kept:
        assert sum("model-" in name for name in names) <= 1


def test_a_round_that_was_spoiled_goes_on_after_a_stop(tmp_path, monkeypatch):
    seen = []

    def fails(settings, values):
        seen.append(settings)
        if len(seen) == 8:
            raise KeyboardInterrupt
        return len(seen) % 2

    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path, monkeypatch, fails)
    study, found, _ = tuned(tmp_path, monkeypatch, fails, resume=True)
    counts = {key: len(trials) for key, trials in rounds_of(study).items()}
    assert counts[2, 0] == 9 and counts[2, 1] == 3
    assert math.isfinite(found["best"]["value"])
