"""Samples beside real examples, by features."""

import dataclasses

import numpy as np

from kgen import metrics
from kgen.evaluation.estimates import Estimate, share
from kgen.evaluation.evidence import Evidence
from kgen.evaluation.groups import (
    COMPARED,
    PARTS,
    Metric,
    group,
    no_features,
    too_few,
)
from kgen.metrics.kernels import kernel_distance_and_error
from kgen.metrics.manifolds import precision_recall_and_error
from kgen.metrics.means import jackknife_error

_PAIRED = 10_000  # examples at most where each is compared with each other
_NEAREST = 5  # neighbours that a neighbourhood reaches to
_SHARES = ("precision", "recall", "coverage")


def _equally_many(evidence):
    """Features of test examples, of samples, and of as many training examples.

    The number of examples then affects a figure and its floor alike.
    """
    count = evidence.num_compared
    real, fake = evidence.real.features, evidence.samples.features[:count]
    if evidence.train is None:
        return real, fake, None
    return real, fake, evidence.trained_on.features[:count]


def _paired(evidence):
    """As `_equally_many`, with as many test examples as samples.

    There are few enough of them to compare all pairs.
    """
    sets = _equally_many(evidence)
    count = min(_PAIRED, *(len(x) for x in sets[:2]))
    return [None if x is None else x[:count] for x in sets]


def _floor(evidence, name, function, real, trained_on):
    """`function` of two sets of real examples, or None without training ones."""
    if trained_on is None:
        return None
    return evidence.cached(name, lambda: function(real, trained_on))


def _too_few_for_covariances(evidence):
    size = evidence.extractor.num_features
    # A tenth of the samples is left out for the standard error.
    count = min(len(evidence.test), evidence.num_compared)
    count = count * (PARTS - 1) // PARTS
    if count <= size:
        return f"there are too few examples or samples for {size} features"
    return None


@group(
    method="sample",
    obstacles=(no_features, _too_few_for_covariances),
    uses=("features",),
    frechet_distance=Metric(
        "Frechet distance",
        "lower",
        "squared units of the features",
        "How far the samples' features are from the test examples', both "
        "taken for Gaussians. The floor is what as many training examples "
        "have. Comparable for the same extractor and number of samples only; "
        "the error is that of the samples.",
    ),
)
def frechet(evidence: Evidence) -> dict[str, Estimate]:
    real, fake, trained_on = _equally_many(evidence)
    value = metrics.frechet_distance(real, fake)
    distance = metrics.frechet_distance
    floor = _floor(evidence, "frechet_distance", distance, real, trained_on)
    return {"frechet_distance": Estimate(value, _jackknife(real, fake), floor)}


def _jackknife(real, fake):
    """The Frechet distance's standard error, by leaving out parts of samples."""
    whole = metrics.FeatureStatistics()
    whole.update(real)
    parts = np.arange(len(fake)) * PARTS // len(fake)
    return jackknife_error(
        [
            metrics.frechet_distance(whole, fake[parts != part])
            for part in range(PARTS)
        ]
    )


@group(
    method="sample",
    obstacles=(no_features, too_few(2 * PARTS, *COMPARED)),
    uses=("features",),
    kernel_distance=Metric(
        "Kernel distance",
        "lower",
        "",
        "The same by a kernel, without the bias of few samples: 0 for "
        "samples that can't be told from the data.",
    ),
)
def kernel(evidence: Evidence) -> dict[str, Estimate]:
    def distance(x, y):
        return kernel_distance_and_error(x, y, PARTS)

    real, fake, trained_on = _paired(evidence)
    value, error = distance(real, fake)
    floor = _floor(evidence, "kernel_distance", distance, real, trained_on)
    floor = floor and floor[0]
    return {"kernel_distance": Estimate(value, error, floor, len(fake))}


@group(
    method="sample",
    obstacles=(no_features, too_few(_NEAREST + 1, *COMPARED)),
    uses=("features",),
    precision=Metric(
        "Precision",
        "higher",
        "",
        "The share of samples that lie where real examples do, no farther "
        f"from one than its {_NEAREST}th nearest neighbour: quality.",
    ),
    recall=Metric(
        "Recall",
        "higher",
        "",
        "The share of real examples that lie where samples do, no farther "
        f"from one than its {_NEAREST}th nearest neighbour: variety.",
    ),
    density=Metric(
        "Density",
        "near:1",
        "",
        "As precision, but counts how many real neighbourhoods a sample is "
        f"in, over {_NEAREST}, so that an outlier among the real examples "
        "matters less. Well above 1, samples crowd where the data are "
        "dense.",
    ),
    coverage=Metric(
        "Coverage",
        "higher",
        "",
        "The share of real examples with a sample in their neighbourhood, "
        f"which reaches to their {_NEAREST}th nearest neighbour.",
    ),
)
def neighbourhoods(evidence: Evidence) -> dict[str, Estimate]:
    # As many of each, since more samples would be nearer to any other example.
    real, fake, trained_on = _paired(evidence)
    count = len(fake)
    values, density_error = precision_recall_and_error(real, fake, _NEAREST)

    def of_real(x, y):
        return metrics.precision_recall(x, y, _NEAREST)

    floors = _floor(evidence, "neighbourhoods", of_real, real, trained_on) or {}
    # These are errors for a fixed second set. Over new sets, the errors of recall and
    # coverage may be twice as large where there are few dimensions.
    errors = {
        name: share(values[name], count).standard_error for name in _SHARES
    }
    errors["density"] = density_error
    return {
        name: Estimate(value, errors[name], floors.get(name), count)
        for name, value in values.items()
    }


def _no_inception(evidence):
    if not evidence.extractor.is_inception:
        return "it takes the classes of Inception-v3"
    return None


@group(
    method="sample",
    obstacles=(no_features, _no_inception, too_few(PARTS, "samples")),
    uses=("probabilities",),
    inception_score=Metric(
        "Inception score",
        "higher",
        "",
        "High where each sample is of a clear class, and all classes occur.",
    ),
)
def inception(evidence: Evidence) -> dict[str, Estimate]:
    score = metrics.inception_score(evidence.samples.probabilities, PARTS)
    estimate = Estimate(score["inception_score"], score["standard_error"])
    return {"inception_score": estimate}


def _no_classes(evidence):
    if not evidence.has_labelled_samples:
        return "the model's samples have no labels"
    if not evidence.extractor.num_classes:
        return "the extractor knows no classes"
    return None


@group(
    method="sample",
    obstacles=(no_features, _no_classes),
    uses=("probabilities",),
    sample_accuracy=Metric(
        "Accuracy on samples",
        "higher",
        "",
        "How often the extractor's classifier sees the class that a sample "
        "was asked for. The floor is how often it is right on test "
        "examples.",
    ),
)
def conditional(evidence: Evidence) -> dict[str, Estimate]:
    def accuracy(examples):
        guesses = examples.probabilities.argmax(axis=1)
        return np.mean(guesses == examples.labels)

    samples, real = evidence.samples, evidence.real
    floor = accuracy(real) if real.labels is not None else None
    estimate = share(accuracy(samples), len(samples.labels))
    return {"sample_accuracy": dataclasses.replace(estimate, floor=floor)}
