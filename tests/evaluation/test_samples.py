"""Metrics of samples as pictures, and of copies."""

import types

import numpy as np
import pytest

from kgen.data.examples import Examples
from kgen.evaluation import compute
from kgen.evaluation.estimates import ratio, share
from kgen.evaluation.samples import diversity, memorization
from tests.evaluation.common import SHAPE, Copies, evidence, pictures
from tests.models import contract

RNG = np.random.default_rng(0)


def test_copies_of_training_examples_are_told():
    train, test = pictures(400, 2), pictures(300, 1)
    fresh, copied = (
        compute(evidence(Copies(x), test, train), ["memorization"])[0]
        for x in (pictures(200, 5).images, train.images)
    )
    assert fresh["memorization"].value < 0.12
    assert copied["memorization"].value == 1.0
    half = np.concatenate([train.images[:100], RNG.random((100, *SHAPE))])
    half, _ = compute(
        evidence(Copies(half.astype("float32")), test, train), ["memorization"]
    )
    assert half["memorization"].value == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("tests", [100, 1000])
def test_memorization_s_error_is_that_of_repeated_sets(tests):
    """Of samples and test examples, by which the threshold is known, both."""
    draws, found = np.random.default_rng(0), []
    for _ in range(1000):
        distances = draws.random(200 + tests)  # those of a perfect model
        seen = types.SimpleNamespace(first=np.empty(200))
        own = types.SimpleNamespace(samples=seen, nearest=(None, distances))
        found.append(memorization.compute(own)["memorization"])
    error = np.mean([figure.standard_error for figure in found])
    spread = np.std([figure.value for figure in found])
    assert 0.95 < error / spread < 1.15


def test_the_error_of_a_share_is_that_of_four_more_examples():
    error = share(0.0, 10).standard_error
    assert error == pytest.approx(np.sqrt(2 / 14 * 12 / 14 / 14))


def test_similarity_s_error_is_that_of_repeated_sets():
    """Of 100 samples, each of which is in twenty of the pairs."""
    draws, found = np.random.default_rng(0), []
    real = types.SimpleNamespace(first=draws.random((4, 11, 11, 1)))
    for _ in range(25):
        light = draws.random(
            (100, 1, 1, 1)
        )  # some are like all, some like none
        x = (0.1 * draws.random((100, 11, 11, 1)) + 0.9 * light).astype(
            "float32"
        )
        seen = types.SimpleNamespace(first=x)
        own = types.SimpleNamespace(samples=seen, real=real, seed=0)
        found.append(diversity.compute(own)["similarity"])
    error = np.mean([figure.standard_error for figure in found])
    spread = np.std([figure.value for figure in found])
    assert 0.7 < error / spread < 1.5
    few = types.SimpleNamespace(first=x[:29])
    own = types.SimpleNamespace(samples=few, real=real, seed=0)
    assert diversity.compute(own)["similarity"].standard_error is None


@pytest.mark.parametrize(
    ("tests", "num_samples", "reason"),
    [
        (20, 20, None),
        (19, 200, "20 or more examples are needed, not 19"),
        (300, 19, "20 or more samples are needed"),
    ],
)
def test_memorization_needs_distances_to_compare_with(
    tests, num_samples, reason
):
    """As many as are looked at, which are no more than samples."""
    own = evidence(
        Copies(pictures(200).images),
        pictures(tests, 1),
        pictures(50, 2),
        num_samples=num_samples,
    )
    found, left_out = compute(own)
    assert left_out.get("memorization") == reason
    assert ("memorization" in found) is (reason is None)


def test_constant_pictures_have_no_sharpness_to_compare_with():
    data = Examples(np.full((60, *SHAPE), 0.5, "float32"))
    _, left_out = compute(evidence(contract.small_model("gan"), data))
    assert "sample_sharpness" in left_out


@pytest.mark.parametrize("paired", [False, True])
def test_a_ratio_s_error_is_that_of_repeated_sets(paired):
    draws = np.random.default_rng(0)
    found = []
    for _ in range(400):
        originals = draws.uniform(0.5, 1.5, 100)
        like = originals if paired else draws.uniform(0.5, 1.5, 100)
        values = 0.7 * like + draws.uniform(0.0, 0.2, 100)
        found.append(ratio(values, originals, paired))
    spread = np.std([one.value for one in found])
    errors = np.mean([one.standard_error for one in found])
    assert 0.9 < errors / spread < 1.1


def test_the_nearest_of_a_thousand_need_no_more_samples():
    model = Copies(pictures(2500).images)
    own = evidence(model, train=pictures(300, 2), num_samples=2500)
    index, _ = own.nearest
    assert [count for count, _, _ in model.calls] == [1000]
    assert len(index) == 1300 and not own.has_drawn
