"""Which metrics a model has, and what they come to."""

import functools
import itertools
import pathlib
import re

import numpy as np
import pytest

import kgen
from kgen import metrics
from kgen.data.examples import Examples
from kgen.errors import InvalidArgument
from kgen.evaluation import (
    METRICS,
    Evidence,
    check_metrics,
    check_possible,
    compute,
    needs_extractor,
)
from kgen.evaluation.measures import GROUPS
from tests.evaluation.common import SHAPE, evidence, pictures
from tests.models import contract

RNG = np.random.default_rng(0)
# They are not trained, and what they trace is for all tests.
small_model = functools.cache(contract.small_model)


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
    model = small_model(name)
    assert needs_extractor(metrics, model) is needed


def test_few_examples_leave_out_only_what_needs_more():
    model = small_model("vae")
    own = evidence(
        model, pictures(3), pictures(80), num_samples=10, importance_samples=2
    )
    found, left_out = compute(own)
    assert "elbo" in found and "mse" in found
    assert "6 or more" in left_out["precision"]
    assert "20 or more" in left_out["kernel_distance"]
    _, left_out = compute(evidence(model, pictures(1), importance_samples=2))
    assert "2 or more" in left_out["elbo"]


class Codes:
    """A model whose codes are given, and its prior N(0, I)."""

    conditional = False
    input_shapes = (SHAPE,)

    def __init__(self, mean, stddev, latent_dim=2):
        self.mean, self.stddev, self.latent_dim = mean, stddev, latent_dim

    def log_prior(self, z):
        return kgen.priors.NormalPrior().log_prob(z).numpy()

    def sample_codes(self, batches, seed):
        count = sum(map(len, batches))
        size = (count, self.latent_dim)
        noise = np.random.default_rng(count).normal(size=size)
        return (self.mean + self.stddev * noise).astype("float32")


def test_the_gap_between_codes_and_prior_is_the_kl():
    """Of Gaussian codes, it has a closed form."""
    model = Codes(mean=1.0, stddev=0.5)
    own = evidence(model, pictures(2000), pictures(3000))
    found = compute(own, ["marginal_kl"])[0]["marginal_kl"]
    exact = 2 * (0.5 * (0.25 + 1.0 - 1.0) - np.log(0.5))
    assert 0 < found.standard_error < 0.05
    assert abs(found.value - exact) < 4 * found.standard_error


@pytest.mark.parametrize(
    "latent_dim, count", [(2, 3000), (8, 2000), (64, 1500)]
)
def test_codes_that_are_distributed_as_the_prior_have_no_gap(latent_dim, count):
    model = Codes(0.0, 1.0, latent_dim)
    own = evidence(model, pictures(2000), pictures(count))
    found = compute(own, ["marginal_kl"])[0]["marginal_kl"]
    # What is lost by fitting a density.
    assert abs(found.value) < 0.05 + 4 * found.standard_error < 0.1


def test_a_density_of_few_large_codes_is_not_fitted():
    own = evidence(Codes(0.0, 1.0, 64), pictures(50), pictures(200))
    with pytest.raises(InvalidArgument, match="too few training examples"):
        compute(own, ["marginal_kl"])


def test_a_fitted_prior_closes_the_gap():
    model = contract.small_model("autoencoder", training=contract.EAGERLY)
    own = evidence(model, pictures(60), pictures(200))
    with pytest.raises(InvalidArgument, match="marginal_kl"):
        compute(own, ["marginal_kl"])
    model.fit(own.train.batches(batch_size=64), verbose=0)
    model.fit_prior(own.train.batches(batch_size=64), "gaussian")
    found = compute(own.for_model(model), ["marginal_kl"])[0]["marginal_kl"]
    assert abs(found.value) < 1.0


def test_what_a_vae_can_be_judged_by():
    model = small_model("vae")
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
    model = small_model(name)
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
    own = evidence(small_model(kind), Unread(data.images, data.labels))
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


def test_every_metric_is_described():
    names = [name for group in GROUPS for name in group.metrics]
    assert len(set(names)) == len(names)
    for name, metric in METRICS.items():
        assert metric.title and metric.reading.endswith("."), name
        assert metric.better in ("lower", "higher", "near:1", None)


def test_the_guide_s_table_has_all_metrics():
    guide = pathlib.Path(__file__).parents[2] / "docs" / "guides" / "judging.md"
    lines = guide.read_text().splitlines()
    start = lines.index("| of | metrics |") + 2
    table = itertools.takewhile(lambda line: line[:1] == "|", lines[start:])
    named = re.findall(r"`(\w+)`", " ".join(table))
    assert sorted(named) == sorted(METRICS)


def test_bad_values_are_refused():
    model = small_model("autoencoder")
    with pytest.raises(InvalidArgument, match="did you mean 'psnr'"):
        check_metrics("compute", ["psrn"])
    with pytest.raises(InvalidArgument, match="no method `sample`"):
        compute(evidence(model), ["precision"])
    with pytest.raises(InvalidArgument, match="no feature extractor"):
        compute(
            evidence(small_model("gan"), extractor=None),
            ["precision"],
        )
    with pytest.raises(InvalidArgument, match="the model's shape"):
        Evidence(model, Examples(np.zeros((5, 3, 3, 1), "float32")))
    with pytest.raises(InvalidArgument, match="num_samples"):
        evidence(model, num_samples=1)
