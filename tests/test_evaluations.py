"""What judges runs, before any work is done."""

import dataclasses
import types

import numpy as np
import pytest

import kgen
from kgen import runs
from kgen.data import open_source
from kgen.data.examples import Examples
from kgen.data.sources import Source
from kgen.errors import InvalidArgument
from kgen.runs import candidates, evaluation
from tests.test_runs import SETTINGS

X = np.zeros((30, 4), "float32")


def source(name, labels, names=()):
    """One whose test split has these labels; `names` are those of all classes."""
    labels = np.resize(np.array(labels), len(X))
    found = Examples(X, labels)
    return Source(name, {"train": lambda: found, "test": lambda: found}, names)


def judged(own, other, takes_labels=True):
    model = types.SimpleNamespace(conditional=takes_labels, needs_labels=False)
    run = types.SimpleNamespace(path="runs/r")
    return candidates.Candidate(run, model, own, other, "test", None)


LETTERS = ("a", "b", "c")


@pytest.mark.parametrize(
    ("own", "other", "same"),
    [
        (([0], LETTERS), ([0], LETTERS), True),
        (([0], LETTERS), ([0], ("a", "c", "b")), False),
        (([0], LETTERS), ([0], ("a", "b")), False),
        # One without names tells of those that occur alone.
        (([0], LETTERS), ([0, 1, 2], ()), True),
        (([0], LETTERS), ([2, 0], ()), True),
        (([0], LETTERS), ([0, 1, 2, 3], ()), False),
        (([0, 1, 2], ()), ([0], LETTERS), True),
        (([0, 1, 2, 3], ()), ([0], LETTERS), False),
        (([0, 1], ()), ([0], LETTERS), False),
        (([0, 1, 2], ()), ([1, 2], ()), True),
        (([1, 2, 3], ()), ([0, 1, 2], ()), False),
    ],
)
def test_classes_are_compared_by_names_or_numbers(own, other, same):
    one = judged(source("own", *own), source("other", *other))
    assert one.has_its_classes is same
    free = judged(one.trained_on, one.source, takes_labels=False)
    candidates.check_classes([free])
    if same:
        candidates.check_classes([free, one])
        return
    for order in ([free, one], [one, free]):
        with pytest.raises(InvalidArgument, match="the classes of other"):
            candidates.check_classes(order)


def test_the_classes_that_are_not_the_same_are_told():
    one = judged(source("own", [0], LETTERS), source("other", range(14)))
    with pytest.raises(InvalidArgument) as error:
        candidates.check_classes([one])
    assert "of other (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...)" in str(error.value)
    assert "runs/r was trained on (a, b, c)" in str(error.value)


@pytest.fixture
def asked(monkeypatch):
    """What `_extractor` asks for, in the place of the extractor."""
    monkeypatch.setattr(
        evaluation.extractors, "get", lambda name, source: (name, source.name)
    )
    return evaluation._extractor


def test_the_classifier_is_of_the_classes_that_a_model_takes(asked):
    """Whatever the order of the runs is."""
    data = source("data", [0], LETTERS)
    free = judged(source("free", [0], ("d", "e")), data, takes_labels=False)
    taker = judged(source("taker", [0], LETTERS), data)
    for order in ([free, taker], [taker, free]):
        candidates.check_classes(order)
        assert asked("classifier", order) == ("classifier", "taker")
    assert asked("classifier", [free]) == ("classifier", "free")


@pytest.mark.parametrize("labels", [None, [0], [3], [-1, 3]])
def test_without_classes_there_is_no_classifier(asked, labels):
    found = Examples(X, None if labels is None else np.resize(labels, len(X)))
    own = Source("own", {"train": lambda: found, "test": lambda: found})
    assert asked("classifier", [judged(own, own, False)]) == ("pixels", "own")


def test_features_where_the_run_s_own_data_is_gone(asked):
    one = judged(None, source("data", [0], LETTERS), takes_labels=False)
    assert asked("pixels", [one]) == ("pixels", "data")
    with pytest.raises(InvalidArgument, match="Pass --extractor"):
        asked("classifier", [one])


# What is opened


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A run on a file without splits, and what there is to judge it."""
    monkeypatch.chdir(tmp_path)
    np.save("own.npy", np.arange(20, dtype="float32").reshape(10, 2))
    np.savez("tests.npz", x_test=np.zeros((4, 2), "float32"))
    run = runs.Run(tmp_path / "run")
    own = str(tmp_path / "own.npy")
    run.create(dataclasses.replace(SETTINGS, data=own))

    def opened(data, conditional=False):
        model = types.SimpleNamespace(
            conditional=conditional, needs_labels=False
        )
        (one,) = candidates.open_candidates([run], [model], data)
        return one

    return opened


@pytest.mark.parametrize("data", [None, "own.npy", "./own.npy"])
def test_a_run_s_own_data_judge_it_by_what_it_has_not_seen(trained, data):
    one = trained(data)
    assert one.source is one.trained_on and one.split == "test"
    judges = one.source.examples(one.split).images
    assert len(judges) == 2 and len(one.train) == 8
    assert not set(judges[:, 0]) & set(one.train.images[:, 0])


def test_other_data_are_taken_whole(trained):
    np.save("other.npy", np.zeros((7, 2), "float32"))
    assert trained("other.npy").split == "all"
    assert trained("tests.npz").split == "test"


@pytest.mark.parametrize("lost", [True, False])
def test_other_data_judge_a_run_whose_own_are_gone(trained, tmp_path, lost):
    """By what can be had without them."""
    if lost:
        (tmp_path / "own.npy").unlink()
    else:
        (tmp_path / "own.npy").write_text("no array")
    one = trained("tests.npz")
    assert one.trained_on is None and one.train is None and one.split == "test"
    for arguments in ((None,), ("tests.npz", True)):
        with pytest.raises((InvalidArgument, OSError), match="own.npy"):
            trained(*arguments)


def test_runs_of_the_same_data_share_it(tmp_path):
    opened = []
    for number in range(2):
        run = runs.Run(tmp_path / str(number))
        run.create(SETTINGS)
        opened.append(run)
    model = types.SimpleNamespace(conditional=False, needs_labels=False)
    one, other = candidates.open_candidates(opened, [model] * 2, None)
    assert one.trained_on is other.trained_on is other.source
    assert one.trained_on.name == open_source("digits").name


SAME = {"binarize": False}


def model_of(name, **options):
    if name == "bayes_classifier":
        options["num_classes"] = 2
    options.setdefault("network", "dense")
    return kgen.create_model(name, input_shape=(4,), latent_dim=2, **options)


@pytest.mark.parametrize(
    ("name", "options", "metric", "others", "is_marked"),
    [
        ("vae", {}, "elbo", {}, True),
        ("vae", {"likelihood": "gaussian:learned"}, "elbo", {}, True),
        ("vae", {"likelihood": "bernoulli"}, "elbo", {}, False),
        ("vae", {}, "elbo", {"binarize": True}, False),
        ("bayes_classifier", {"density": "full"}, "log_prob", {}, True),
        ("bayes_classifier", {"density": "vae"}, "log_prob", {}, True),
        (
            "bayes_classifier",
            {"density": "naive_bernoulli"},
            "log_prob",
            {},
            False,
        ),
        (
            "bayes_classifier",
            {"density": "vae", "likelihood": "bernoulli"},
            "log_prob",
            {},
            False,
        ),
        (
            "bayes_classifier",
            {"density": "full"},
            "log_prob",
            {"binarize": True},
            False,
        ),
    ],
)
def test_what_is_likely_in_several_senses_has_no_best(
    name, options, metric, others, is_marked
):
    usual = {"vae": {"likelihood": "gaussian:0.1"}}
    first = {"bayes_classifier": {"density": "naive_gaussian"}, **usual}[name]
    models = [
        model_of(name, **given)
        for given in (first, {**usual.get(name, {}), **options})
    ]
    found = [
        {
            "settings": settings,
            "metrics": {
                one: {"better": "higher"} for one in (metric, "accuracy")
            },
        }
        for settings in (SAME, {**SAME, **others})
    ]
    evaluation._unmark_likelihoods(found, models)
    for one in found:
        better = one["metrics"][metric]["better"]
        assert better == ("higher" if is_marked else None)
        assert one["metrics"]["accuracy"]["better"] == "higher"
