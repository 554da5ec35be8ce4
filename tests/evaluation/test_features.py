"""Metrics of samples beside real examples, by features."""

import types

import numpy as np
import pytest

import kgen
from kgen import metrics
from kgen.evaluation import METRICS, compute, features
from kgen.evaluation.features import _SHARES, frechet, kernel, neighbourhoods
from tests.evaluation.common import (
    SHAPE,
    Conditional,
    Copies,
    Halves,
    evidence,
    pictures,
)
from tests.models import contract

RNG = np.random.default_rng(0)


def test_distances_are_those_of_the_functions():
    train, test = pictures(400, 2), pictures(300, 1)
    x = np.clip(RNG.normal(0.4, 0.3, (250, *SHAPE)), 0, 1).astype("float32")
    own = Halves()
    found, _ = compute(
        evidence(Copies(x), test, train, num_samples=250),
        ["frechet_distance", "precision", "coverage", "sample_sharpness"],
    )
    chosen = np.random.default_rng(0).permutation(300)[:250]
    real, fake = own.features(test.images[chosen]), own.features(x)
    figure = found["frechet_distance"]
    assert figure.value == pytest.approx(metrics.frechet_distance(real, fake))
    assert figure.floor < figure.value / 10
    near = metrics.precision_recall(real, fake)
    assert found["precision"].value == pytest.approx(near["precision"])
    assert found["coverage"].value == pytest.approx(near["coverage"])
    ratio = metrics.sharpness(x).mean()
    ratio /= metrics.sharpness(test.images[chosen]).mean()
    assert found["sample_sharpness"].value == pytest.approx(ratio)


def _halves(images):
    """The features that `Halves` has."""
    return images.reshape(-1, 2, 32).mean(axis=2)


def test_the_frechet_distance_s_error_is_that_of_repeated_sets():
    """The jackknife's, against the spread over fresh samples."""
    values, errors = [], []
    real = types.SimpleNamespace(features=_halves(pictures(200, 1).images))
    for seed in range(40):
        x = np.random.default_rng(seed).random((200, *SHAPE)) ** 1.2
        own = types.SimpleNamespace(
            real=real,
            samples=types.SimpleNamespace(features=_halves(x)),
            train=None,
            num_compared=200,
        )
        found = frechet.compute(own)["frechet_distance"]
        values.append(found.value)
        errors.append(found.standard_error)
    assert 0.6 < np.mean(errors) / np.std(values) < 1.6


def test_classes_that_take_turns_are_not_left_out_at_once():
    """Which would change the distance far more than fewer samples do."""
    found = []
    for order in (np.arange(400) % 10, np.sort(np.arange(400) % 10)[::-1]):
        draws = np.random.default_rng(0).normal(size=(2, 400, 2))
        own = types.SimpleNamespace(
            real=types.SimpleNamespace(features=draws[0]),
            samples=types.SimpleNamespace(
                features=draws[1] + 3.0 * np.eye(10)[order][:, :2]
            ),
            train=None,
            num_compared=400,
        )
        found.append(frechet.compute(own)["frechet_distance"].standard_error)
    turns, rows = found
    assert turns < rows / 2


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_errors_are_those_of_repeated_sets(scale):
    """Of samples and test examples drawn anew, both."""
    values, errors = {}, {}
    for seed in range(60):
        found = _of_gaussians(scale, seed)
        for name, figure in found.items():
            values.setdefault(name, []).append(figure.value)
            errors.setdefault(name, []).append(figure.standard_error)
    ratios = {
        name: np.sqrt(np.mean(np.square(errors[name]))) / np.std(each, ddof=1)
        for name, each in values.items()
        if name not in _SHARES or 0.05 < np.mean(each) < 0.98
    }
    assert {"kernel_distance", "density", "recall"} <= set(ratios)
    # A jackknife's is too large where the distributions are the same.
    most = {"kernel_distance": 2.0} if scale == 1.0 else {}
    for name, one in ratios.items():
        assert 0.7 < one < most.get(name, 1.5), ratios


def _of_gaussians(scale, seed):
    """Figures of samples that are shrunk, beside real examples."""
    real, fake = np.random.default_rng(seed).normal(size=(2, 200, 12))
    own = types.SimpleNamespace(
        real=types.SimpleNamespace(features=real),
        samples=types.SimpleNamespace(features=scale * fake),
        train=None,
        num_compared=200,
    )
    return {**kernel.compute(own), **neighbourhoods.compute(own)}


def test_samples_that_crowd_are_no_better():
    """Shrunk ones have a density well above that of perfect ones, 1."""
    assert _of_gaussians(0.6, 0)["density"].value > 3.0
    assert METRICS["density"].better == "near:1"


def test_no_more_samples_are_compared_than_there_are_training_examples():
    """So that their distance is a floor; a report tells how many."""
    x, test, train = pictures(200).images, pictures(300, 1), pictures(80, 2)
    own = evidence(Copies(x), test, train)
    assert own.num_compared == 80
    found, _ = compute(own, ["frechet_distance"])
    real = own.real.features
    assert found["frechet_distance"].value == pytest.approx(
        metrics.frechet_distance(real, Halves().features(x[:80]))
    )
    assert evidence(Copies(x), test).num_compared == 200


@pytest.mark.parametrize(("tests", "count"), [(300, 80), (50, 50)])
def test_a_figure_tells_how_many_samples_it_is_of(tests, count):
    """Which may be less than what is drawn, and than what is compared."""
    own = evidence(Copies(pictures(200).images), pictures(tests), pictures(80))
    found, _ = compute(own, ["frechet_distance", "kernel_distance", "recall"])
    assert [figure.count for figure in found.values()] == [None, count, count]


def test_what_is_all_or_none_is_not_known_exactly():
    found, _ = compute(evidence(Conditional(None)), ["sample_accuracy"])
    assert found["sample_accuracy"].value == 1.0
    assert found["sample_accuracy"].standard_error > 0.005


def test_pairs_are_of_so_many_samples_at_most(monkeypatch):
    monkeypatch.setattr(features, "_PAIRED", 60)
    own = evidence(Copies(pictures(200).images), pictures(100, 1))
    found, _ = compute(own, ["kernel_distance", "density"])
    assert [figure.count for figure in found.values()] == [60, 60]
    seen = own.real.features[:60], own.samples.features[:60]
    near = metrics.precision_recall(*seen)
    assert found["density"].value == near["density"]
    far = metrics.kernel_distance(*seen, subsets=2)["kernel_distance"]
    assert found["kernel_distance"].value == pytest.approx(far, abs=1e-12)


def test_shares_are_not_known_exactly():
    """All of few samples may lie within the data."""
    x = 0.4 + 0.2 * pictures(200, 3).images
    found, _ = compute(evidence(Copies(x), pictures(200, 4)), ["precision"])
    assert found["precision"].standard_error > 0.005


def test_too_few_examples_for_the_features():
    own = evidence(
        contract.small_model("gan"),
        pictures(60),
        extractor=kgen.extractors.PixelExtractor(SHAPE),
    )
    _, left_out = compute(own)
    assert "for 64 features" in left_out["frechet_distance"]
