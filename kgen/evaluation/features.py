"""Samples beside real examples, by features."""

import dataclasses

import numpy as np

from kgen import metrics
from kgen.evaluation.figures import (
    PARTS,
    Figure,
    Group,
    Metric,
    share,
    too_few_to_compare,
)
from kgen.metrics.kernels import kernel_distance_and_error
from kgen.metrics.manifolds import precision_recall_and_error
from kgen.metrics.means import jackknife_error

_PAIRED = 10_000  # examples at most where each meets each other
_NEAREST = 5  # neighbours that a neighbourhood reaches to
_SHARES = ("precision", "recall", "coverage")


def no_features(evidence):
    """What is missing for features of samples and real examples, or None."""
    if evidence.extractor is None:
        return "no feature extractor"
    return too_few_to_compare(evidence, 2)


def _as_many(evidence):
    """Features of test examples and samples, and of as many training examples.

    What the number of examples does to a figure, it does to its floor.
    """
    count = evidence.num_compared
    real, fake = evidence.real.features, evidence.samples.features[:count]
    if evidence.train is None:
        return real, fake, None
    return real, fake, evidence.trained_on.features[:count]


def _paired(evidence):
    """The same, but as many of each, and not too many to make pairs of."""
    sets = _as_many(evidence)
    count = min(_PAIRED, *(len(x) for x in sets[:2]))
    return [None if x is None else x[:count] for x in sets]


def _no_frechet(evidence):
    missing = no_features(evidence)
    if missing:
        return missing
    size = evidence.extractor.num_features
    # A tenth of the samples is left out for the standard error.
    count = min(len(evidence.test), evidence.num_compared)
    count = count * (PARTS - 1) // PARTS
    if count <= size:
        return f"there are too few examples or samples for {size} features"
    return None


def _frechet(evidence):
    real, fake, trained_on = _as_many(evidence)
    floor = None
    if trained_on is not None:
        floor = evidence.once(
            "frechet_distance",
            lambda: metrics.frechet_distance(real, trained_on),
        )
    value = metrics.frechet_distance(real, fake)
    return {"frechet_distance": Figure(value, _jackknife(real, fake), floor)}


def _jackknife(real, fake):
    """The Frechet distance's standard error, by leaving out parts of samples."""
    whole = metrics.FeatureStatistics()
    whole.update(real)
    # In a row: of samples whose classes take turns, a part would be one class.
    order = np.arange(len(fake)) * PARTS // len(fake)
    found = [
        metrics.frechet_distance(whole, fake[order != group])
        for group in range(PARTS)
    ]
    return jackknife_error(found)


FRECHET = Group(
    {
        "frechet_distance": Metric(
            "Frechet distance",
            "lower",
            "squared units of the features",
            "How far the samples' features are from the test examples', both "
            "taken for Gaussians. The floor is what as many training examples "
            "have. Comparable for the same extractor and number of samples only; "
            "the error is that of the samples.",
        ),
    },
    "sample",
    _frechet,
    _no_frechet,
    of_features=True,
)


def _no_kernel(evidence):
    return no_features(evidence) or too_few_to_compare(evidence, 2 * PARTS)


def _kernel(evidence):
    real, fake, trained_on = _paired(evidence)
    value, error = kernel_distance_and_error(real, fake, PARTS)
    floor = None
    if trained_on is not None:
        floor, _ = evidence.once(
            "kernel_distance",
            lambda: kernel_distance_and_error(real, trained_on, PARTS),
        )
    return {"kernel_distance": Figure(value, error, floor, len(fake))}


KERNEL = Group(
    {
        "kernel_distance": Metric(
            "Kernel distance",
            "lower",
            "",
            "The same by a kernel, without the bias of few samples: 0 for "
            "samples that can't be told from the data.",
        ),
    },
    "sample",
    _kernel,
    _no_kernel,
    of_features=True,
)


def _no_neighbourhoods(evidence):
    missing = no_features(evidence)
    return missing or too_few_to_compare(evidence, _NEAREST + 1)


def _neighbourhoods(evidence):
    # As many of each: more samples would be nearer to everything.
    real, fake, trained_on = _paired(evidence)
    count = len(fake)
    found, error = precision_recall_and_error(real, fake, _NEAREST)
    floors = {}
    if trained_on is not None:
        floors = evidence.once(
            "neighbourhoods",
            lambda: metrics.precision_recall(real, trained_on, _NEAREST),
        )
    # As if the other set were given: in few dimensions it matters, and recall's
    # and coverage's may be half of what they are over new sets.
    errors = {
        name: share(found[name], count).standard_error for name in _SHARES
    }
    errors["density"] = error
    return {
        name: Figure(value, errors[name], floors.get(name), count)
        for name, value in found.items()
    }


NEIGHBOURS = Group(
    {
        "precision": Metric(
            "Precision",
            "higher",
            "",
            "The share of samples that lie where real examples do, no farther "
            f"from one than its {_NEAREST}th nearest neighbour: quality.",
        ),
        "recall": Metric(
            "Recall",
            "higher",
            "",
            "The share of real examples that lie where samples do, no farther "
            f"from one than its {_NEAREST}th nearest neighbour: variety.",
        ),
        "density": Metric(
            "Density",
            "near:1",
            "",
            "As precision, but counts how many real neighbourhoods a sample is "
            f"in, over {_NEAREST}, so that an outlier among the real examples "
            "matters less. Well above 1, samples crowd where the data are "
            "dense.",
        ),
        "coverage": Metric(
            "Coverage",
            "higher",
            "",
            "The share of real examples with a sample in their neighbourhood, "
            f"which reaches to their {_NEAREST}th nearest neighbour.",
        ),
    },
    "sample",
    _neighbourhoods,
    _no_neighbourhoods,
    of_features=True,
)


def _no_inception(evidence):
    missing = no_features(evidence)
    if missing is None and not evidence.extractor.is_inception:
        missing = "it takes the classes of Inception-v3"
    if missing is None and evidence.num_samples < PARTS:
        missing = f"{PARTS} or more samples are needed"
    return missing


def _inception_score(evidence):
    found = metrics.inception_score(evidence.samples.probabilities, PARTS)
    return {
        "inception_score": Figure(
            found["inception_score"], found["standard_error"]
        )
    }


INCEPTION = Group(
    {
        "inception_score": Metric(
            "Inception score",
            "higher",
            "",
            "High where each sample is of a clear class, and all classes occur.",
        ),
    },
    "sample",
    _inception_score,
    _no_inception,
    of_classes=True,
)


def _no_accuracy_of_samples(evidence):
    missing = no_features(evidence)
    if missing is None and not evidence.has_labelled_samples:
        missing = "the model's samples have no labels"
    if missing is None and not evidence.extractor.num_classes:
        missing = "the extractor knows no classes"
    return missing


def _accuracy_of_samples(evidence):
    def accuracy(seen):
        return np.mean(seen.probabilities.argmax(axis=1) == seen.labels)

    samples, real = evidence.samples, evidence.real
    floor = accuracy(real) if real.labels is not None else None
    value = share(accuracy(samples), len(samples.labels))
    return {"sample_accuracy": dataclasses.replace(value, floor=floor)}


CONDITIONAL = Group(
    {
        "sample_accuracy": Metric(
            "Accuracy on samples",
            "higher",
            "",
            "How often the extractor's classifier sees the class that a sample "
            "was asked for. The floor is how often it is right on test "
            "examples.",
        ),
    },
    "sample",
    _accuracy_of_samples,
    _no_accuracy_of_samples,
    of_classes=True,
)
