"""What is drawn, read and kept, and what is shared."""

import functools
import tracemalloc
import types

import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen.data.examples import StreamedExamples
from kgen.errors import InvalidArgument
from kgen.evaluation import Evidence, NotFinite, compute
from tests.evaluation.common import (
    HALVES,
    SHAPE,
    Conditional,
    Copies,
    Halves,
    evidence,
    pictures,
)
from tests.models import contract

RNG = np.random.default_rng(0)


def test_samples_are_drawn_in_parts_by_other_seeds():
    model = Copies(pictures(2500).images)
    own = evidence(model, num_samples=2500)
    own.request("features")
    seen = own.samples
    counts, _, seeds = zip(*model.calls)
    assert counts == (1000, 1000, 500) and len(set(seeds)) == 3
    assert seen.features.shape == (2500, 2)
    assert len(seen.first) == 1000
    np.testing.assert_array_equal(seen.first, model.x[:1000])


def test_samples_are_clipped_as_pictures_are():
    x = RNG.normal(0.5, 1.0, (200, *SHAPE)).astype("float32")
    assert np.ptp(evidence(Copies(x)).samples.first) <= 1.0


def test_classes_are_asked_for_as_often_as_they_occur():
    test = pictures(300, 1)
    few = test.select(np.flatnonzero(test.labels == 1)[:100])
    found = evidence(Conditional(None), few)
    assert set(found.samples.labels) == {1}
    both, _ = compute(evidence(Conditional(None), test), ["sample_accuracy"])
    assert both["sample_accuracy"].value == 1.0
    assert both["sample_accuracy"].floor > 0.9


def test_the_order_of_the_data_does_not_matter():
    """A directory is read class by class."""
    data = pictures(3000, 7)
    in_order = data.select(np.argsort(data.labels, kind="stable"))
    train = pictures(3000, 8)
    model = Copies(pictures(1500, 9).images)
    for test in (data, in_order):
        model.calls.clear()
        own = evidence(model, test, train, num_samples=1500)
        share = np.mean(own.real.labels[:500])
        assert share == pytest.approx(np.mean(data.labels), abs=0.07)
        found, _ = compute(own, ["memorization", "coverage"])
        assert found["memorization"].value < 0.08


def streamed(found):
    return StreamedExamples(
        tf.data.Dataset.from_tensor_slices((found.images, found.labels)),
        len(found),
    )


def test_a_stream_is_judged_as_what_is_in_memory():
    test, train = pictures(2600, 1), pictures(1500, 2)
    x = pictures(1400, 3).images
    one, other = (
        evidence(Copies(x), *data, num_samples=1400)
        for data in ((test, train), (streamed(test), streamed(train)))
    )
    np.testing.assert_array_equal(one.real.first, other.real.first)
    np.testing.assert_array_equal(one.real.labels, other.real.labels)
    names = ["frechet_distance", "precision", "sample_sharpness"]
    names += ["memorization", "kernel_distance"]
    figures, of_stream = (compute(own, names)[0] for own in (one, other))
    for name in names:
        for part in ("value", "standard_error", "floor"):
            expected = getattr(figures[name], part)
            got = getattr(of_stream[name], part)
            assert got == pytest.approx(expected, rel=1e-4), (name, part)


def test_a_stream_is_never_in_memory():
    """But a batch of it, and a thousand of the examples."""
    size, count = 1000, 20_000  # 80 MB
    dataset = tf.data.Dataset.range(count).map(
        lambda i: tf.fill((size,), tf.cast(i, "float32"))
    )
    model = types.SimpleNamespace(input_shapes=[(size,)])
    own = Evidence(model, StreamedExamples(dataset, count), num_samples=count)
    tracemalloc.start()
    try:
        seen = own.real
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    order = np.random.default_rng(0).permutation(count)
    np.testing.assert_array_equal(seen.first[:, 0], order[:1000])
    assert peak < 0.3 * count * size * 4


def test_samples_are_drawn_anew_and_it_keeps_what_is_known_of_the_data():
    model = contract.small_model("gan")
    first = evidence(model)
    first.request("features")
    before = first.samples, first.real
    model.fit(contract.X, verbose=0)
    after = first.for_model(model)
    assert after.real is before[1]
    assert np.any(after.samples.features != before[0].features)


class Counted(Halves):
    """Counts the examples whose features and probabilities are computed."""

    def __init__(self):
        super().__init__()
        self.seen = {"features": 0, "probabilities": 0}

    def features(self, images, batch_size=None):
        self.seen["features"] += len(images)
        return HALVES.features(images, batch_size)

    def probabilities(self, images, batch_size=None):
        self.seen["probabilities"] += len(images)
        return HALVES.probabilities(images, batch_size)


@pytest.mark.parametrize(
    ("names", "features", "probabilities"),
    [
        (["sample_sharpness", "memorization"], 0, 0),
        (["precision", "sample_sharpness"], 3 * 200, 0),
        (["sample_accuracy"], 0, 2 * 200),
        (["precision", "sample_accuracy"], 3 * 200, 2 * 200),
    ],
)
def test_the_extractor_runs_for_what_is_asked_alone(
    names, features, probabilities
):
    extractor = Counted()
    own = evidence(
        Conditional(None), train=pictures(300, 2), extractor=extractor
    )
    compute(own, names)
    assert extractor.seen == {
        "features": features,
        "probabilities": probabilities,
    }


def test_other_models_share_what_is_known_of_the_data():
    extractor, names = Counted(), ["frechet_distance", "precision"]
    data = pictures(300, 1), pictures(300, 2)
    first = evidence(Copies(pictures(200).images), *data, extractor=extractor)
    # Copied before anything is computed, as well as after.
    second = first.for_model(Copies(pictures(200, 5).images), binarize=True)
    assert second.binarize and not first.binarize
    compute(first, names)
    shared, _ = compute(second, names)
    assert extractor.seen["features"] == 4 * 200
    alone, _ = compute(evidence(Copies(pictures(200, 5).images), *data), names)
    assert shared == alone


def test_without_known_classes_all_are_asked_for_in_a_random_order():
    """A part of the samples, every tenth of them, has all classes."""
    own = evidence(Conditional(None), streamed(pictures(300, 1)))
    labels = own.samples.labels
    assert np.bincount(labels).tolist() == [100, 100]
    assert all(0.2 < labels[part::10].mean() < 0.8 for part in range(10))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_told(bad):
    x = pictures(200).images.copy()
    x[7, 0, 0] = bad
    with pytest.raises(NotFinite, match="samples are not finite"):
        compute(evidence(Copies(x)), ["sample_sharpness"])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"extractor": "classifier"}, "kgen.extractors.get"),
        ({"test": contract.X}, "open_source"),
        ({"train": tf.data.Dataset.range(3)}, "open_source"),
    ],
)
def test_what_is_given_must_be_examples_and_an_extractor(given, expected):
    given = {"test": pictures(20), **given}
    for build in (
        functools.partial(Evidence, contract.small_model("gan")),
        functools.partial(kgen.callbacks.Evaluation, ["precision"]),
    ):
        with pytest.raises(InvalidArgument, match=expected):
            build(**given)
