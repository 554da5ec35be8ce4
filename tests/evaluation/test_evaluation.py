import functools
import itertools
import pathlib
import re
import tracemalloc
import types

import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen import metrics
from kgen.data.examples import Examples, StreamedExamples
from kgen.errors import InvalidArgument
from kgen.evaluation import (
    METRICS,
    Evidence,
    NotFinite,
    check_metrics,
    check_possible,
    compute,
    features,
    needs_extractor,
)
from kgen.evaluation.estimates import ratio
from kgen.evaluation.features import _SHARES, frechet, kernel, neighbourhoods
from kgen.evaluation.measures import GROUPS
from kgen.evaluation.samples import diversity, memorization
from kgen.extractors import Extractor
from tests.models import contract

RNG = np.random.default_rng(0)
SHAPE = (8, 8, 1)


class Halves(Extractor):
    """The means of a picture's halves, and which one is brighter."""

    def __init__(self):
        super().__init__("halves", SHAPE, 2, 2)

    def features_of(self, images):
        halves = tf.reshape(images, (-1, 2, 32))
        return tf.reduce_mean(halves, axis=2)

    def probabilities_of(self, images):
        return tf.nn.softmax(100.0 * self.features_of(images))


HALVES = Halves()  # traced once


def pictures(count, seed=0):
    x = np.random.default_rng(seed).random((count, *SHAPE)).astype("float32")
    y = (x[:, :4].mean((1, 2, 3)) < x[:, 4:].mean((1, 2, 3))).astype("int64")
    return Examples(x, y)


class Copies:
    """A "model" that gives given pictures in turn, whatever the seed."""

    input_shapes = [SHAPE]
    conditional = needs_labels = False
    num_classes = 2

    def __init__(self, x):
        self.x, self.calls = x, []

    def sample(self, num_samples, labels=None, seed=None):
        self.calls.append((num_samples, labels, seed))
        start = sum(count for count, _, _ in self.calls[:-1])
        return self.x[start : start + num_samples]


class Conditional(Copies):
    """One that gives a picture of the class that it is asked for."""

    conditional = True

    def sample(self, num_samples, labels=None, seed=None):
        x = np.zeros((num_samples, *SHAPE), "float32")
        x[labels == 0, :4] = 1.0
        x[labels == 1, 4:] = 1.0
        return x


def evidence(model, test=None, train=None, **options):
    test = test or pictures(300, 1)
    options = {"extractor": HALVES, "num_samples": 200, **options}
    return Evidence(model, test, train, **options)


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


def test_the_frechet_distance_s_error_is_that_of_repeated_sets():
    """The jackknife's, against the spread over fresh samples."""
    values, errors = [], []
    for seed in range(40):
        x = np.random.default_rng(seed).random((200, *SHAPE)) ** 1.2
        found, _ = compute(
            evidence(Copies(x.astype("float32"))), ["frechet_distance"]
        )
        values.append(found["frechet_distance"].value)
        errors.append(found["frechet_distance"].standard_error)
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


def test_similarity_s_error_is_that_of_repeated_sets():
    """Of 100 samples, each of which is in twenty of the pairs."""
    draws, found = np.random.default_rng(0), []
    real = types.SimpleNamespace(first=draws.random((4, 12, 12, 1)))
    for _ in range(25):
        light = draws.random(
            (100, 1, 1, 1)
        )  # some are like all, some like none
        x = (0.1 * draws.random((100, 12, 12, 1)) + 0.9 * light).astype(
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


@pytest.mark.parametrize(
    ("name", "metrics", "needed"),
    [
        ("vae", None, True),
        ("vae", ["elbo", "precision"], True),
        ("vae", ["elbo", "sample_sharpness", "memorization"], False),
        ("autoencoder", None, False),
    ],
)
def test_whose_features_are_needed(name, metrics, needed):
    model = contract.small_model(name)
    assert needs_extractor(metrics, model) is needed


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


def test_few_examples_leave_out_only_what_needs_more():
    model = contract.small_model("vae")
    own = evidence(
        model, pictures(3), pictures(80), num_samples=10, importance_samples=2
    )
    found, left_out = compute(own)
    assert "elbo" in found and "mse" in found
    assert "6 or more" in left_out["precision"]
    assert "20 or more" in left_out["kernel_distance"]
    _, left_out = compute(evidence(model, pictures(1), importance_samples=2))
    assert "2 or more" in left_out["elbo"]


def test_constant_pictures_have_no_sharpness_to_compare_with():
    data = Examples(np.full((60, *SHAPE), 0.5, "float32"))
    _, left_out = compute(evidence(contract.small_model("gan"), data))
    assert "sample_sharpness" in left_out


def test_what_a_vae_can_be_judged_by():
    model = contract.small_model("vae")
    own = evidence(model, pictures(60), pictures(80, 2), importance_samples=5)
    found, left_out = compute(own)
    assert set(left_out) == {
        "inception_score",
        "sample_accuracy",
        "similarity",
        "ssim",
    }
    assert "too few" not in str(left_out)
    expected = metrics.bounds(
        model, own.test.images, num_samples=5, batch_size=128
    )
    assert found["elbo"].value == pytest.approx(expected["elbo"]["value"])
    rebuilt = model.reconstruct(own.test.images)
    assert found["mse"].value == pytest.approx(
        np.mean(np.square(rebuilt - own.test.images)), rel=1e-5
    )
    for name, figure in found.items():
        assert np.isfinite(figure.value), name


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("gan", "frechet_distance"),
        ("vaegan", "elbo"),
        ("autoencoder", "psnr"),
        ("denoising_autoencoder", "denoised_psnr"),
    ],
)
def test_other_models(name, metric):
    model = contract.small_model(name)
    found, left_out = compute(
        evidence(model, pictures(60), pictures(80), importance_samples=2)
    )
    assert np.isfinite(found[metric].value)
    has_samples = hasattr(model, "sample")
    assert ("precision" in found) is has_samples
    assert ("inception_score" in left_out) is has_samples


def test_a_classifier():
    data = pictures(200)
    model = kgen.create_model(
        "bayes_classifier", input_shape=SHAPE, num_classes=2, density="full"
    )
    model.compile()
    model.fit(data.images, data.labels.astype("int32"), verbose=0)
    found, _ = compute(evidence(model, pictures(100, 1), data))
    right = model.classify(pictures(100, 1).images) == pictures(100, 1).labels
    assert found["accuracy"].value == right.mean()
    assert found["sample_accuracy"].value > 0.6


def test_a_classifier_that_never_saw_a_class():
    """It is judged by the others; a warning says what is left out."""
    data, test = pictures(200), pictures(100, 1)
    model = kgen.create_model(
        "bayes_classifier", input_shape=SHAPE, num_classes=2, density="full"
    )
    model.compile()
    only = data.labels == 0
    model.fit(data.images[only], np.zeros(only.sum(), "int32"), verbose=0)
    count = np.sum(test.labels == 1)
    with pytest.warns(UserWarning, match=f"{count} examples of class 1"):
        found, _ = compute(
            evidence(model, test, data),
            ["accuracy", "negative_log_likelihood", "log_prob"],
        )
    assert found["accuracy"].value == 1.0 - count / 100
    assert found["negative_log_likelihood"].value == 0.0
    assert np.isfinite(found["log_prob"].value)


def test_vectors_have_no_sharpness():
    x = RNG.normal(size=(100, 5)).astype("float32")
    model = kgen.create_model(
        "vae", input_shape=(5,), network="dense", latent_dim=2
    )
    model.compile()
    pixels = kgen.extractors.PixelExtractor((5,))
    own = Evidence(model, Examples(x), None, pixels, 50, importance_samples=2)
    found, left_out = compute(own)
    assert left_out["sample_sharpness"] == "examples are no pictures"
    assert left_out["knn_accuracy"] == "the data has no labels"
    assert "mse" in found and "psnr" not in found


def test_too_few_examples_for_the_features():
    own = evidence(
        contract.small_model("gan"),
        pictures(60),
        extractor=kgen.extractors.PixelExtractor(SHAPE),
    )
    _, left_out = compute(own)
    assert "for 64 features" in left_out["frechet_distance"]


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


@pytest.mark.parametrize(
    ("kind", "names", "reason"),
    [
        ("autoencoder", ["mse", "ssim"], "smaller than 11 x 11"),
        ("gan", ["precision", "similarity"], "smaller than 11 x 11"),
        ("vae", ["precision", "ssim"], "'ssim' can't be computed"),
    ],
)
def test_what_is_not_defined_is_known_before_work(kind, names, reason):
    class Unread(Examples):
        def batches(self, *args, **kwargs):
            raise RuntimeError("it is read")

    data = pictures(60)
    own = evidence(contract.small_model(kind), Unread(data.images, data.labels))
    for function in (check_possible, compute):
        with pytest.raises(InvalidArgument, match=reason):
            function(own, names)


@pytest.mark.parametrize(
    "name", ["psnr", "ssim", "reconstruction_sharpness", "sample_sharpness"]
)
def test_vectors_are_no_pictures(name):
    model = kgen.create_model(
        "vae", input_shape=(5,), network="dense", latent_dim=2
    )
    own = Evidence(model, Examples(np.zeros((9, 5), "float32")))
    with pytest.raises(InvalidArgument, match="examples are no pictures"):
        check_possible(own, [name])


class Rebuilt:
    """A "model" that adds something to each picture."""

    input_shapes = [SHAPE]
    conditional = needs_labels = False

    def __init__(self, error):
        self.error = error

    def reconstruct(self, x):
        raise NotImplementedError

    def unpack(self, batch):
        return batch, batch

    def __call__(self, x):
        return x + self.error


def test_an_equal_picture_has_what_rounding_leaves_it():
    found, _ = compute(evidence(Rebuilt(0.0)), ["psnr", "mse"])
    assert found["mse"].value == 0.0
    assert found["psnr"].value == pytest.approx(58.92, abs=0.01)


def test_the_psnr_is_of_pictures_as_a_file_holds_them():
    ones = Examples(np.ones((20, *SHAPE), "float32") - 1e-3)
    found, _ = compute(evidence(Rebuilt(0.5), ones), ["psnr", "mse"])
    assert found["mse"].value == pytest.approx(0.25)
    assert found["psnr"].value == pytest.approx(58.92, abs=0.01)


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


def test_every_metric_is_described():
    names = [name for group in GROUPS for name in group.metrics]
    assert len(set(names)) == len(names)
    for name, metric in METRICS.items():
        assert metric.title and metric.reading.endswith("."), name
        assert metric.better in ("lower", "higher", "near:1", None)


def test_the_readme_s_table_has_all_metrics():
    readme = pathlib.Path(__file__).parents[2] / "README.md"
    lines = readme.read_text().partition("\n## Judging\n")[2].splitlines()
    start = lines.index("| of | metrics |") + 2
    table = itertools.takewhile(lambda line: line[:1] == "|", lines[start:])
    named = re.findall(r"`(\w+)`", " ".join(table))
    assert sorted(named) == sorted(METRICS)


def test_bad_values_are_refused():
    model = contract.small_model("autoencoder")
    with pytest.raises(InvalidArgument, match="did you mean 'psnr'"):
        check_metrics("compute", ["psrn"])
    with pytest.raises(InvalidArgument, match="no method `sample`"):
        compute(evidence(model), ["precision"])
    with pytest.raises(InvalidArgument, match="no feature extractor"):
        compute(
            evidence(contract.small_model("gan"), extractor=None),
            ["precision"],
        )
    with pytest.raises(InvalidArgument, match="the model's shape"):
        Evidence(model, Examples(np.zeros((5, 3, 3, 1), "float32")))
    with pytest.raises(InvalidArgument, match="num_samples"):
        evidence(model, num_samples=1)
