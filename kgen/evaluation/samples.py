"""Samples as pictures, and beside training examples."""

import dataclasses
import math

from kgen import metrics
from kgen.evaluation.figures import (
    PARTS,
    Figure,
    Group,
    Metric,
    no_pictures,
    ratio,
    share,
    too_few,
    too_few_to_compare,
    too_small,
)
from kgen.metrics.means import mean_and_error

_PAIRS = 1000  # of samples, whose similarity is looked at
_LEAST = 20  # distances, to tell the nearest 5 % of them


def _sharpness(evidence):
    value = ratio(evidence.samples.sharpness, evidence.real.sharpness)
    if value is None:
        return {}
    floor = None
    if evidence.train is not None:
        floor = ratio(evidence.trained_on.sharpness, evidence.real.sharpness)
    return {
        "sample_sharpness": dataclasses.replace(
            value, floor=floor and floor.value
        )
    }


SHARPNESS = Group(
    {
        "sample_sharpness": Metric(
            "Sharpness of samples",
            "near:1",
            "of the test pictures'",
            "Below 1, samples are blurred; above 1, noisy. The floor is that "
            "of training pictures.",
        ),
    },
    "sample",
    _sharpness,
    no_pictures,
)


def _no_diversity(evidence):
    return too_small(evidence) or too_few_to_compare(evidence, 3)


def _diversity(evidence):
    def similarity(x, pairs=_PAIRS):
        return metrics.diversity(x, pairs, evidence.seed)["ms_ssim"]

    x, error = evidence.samples.first, None
    if len(x) >= 3 * PARTS:  # a sample is in several pairs, but in one part
        parts = [similarity(x[i::PARTS], _PAIRS // PARTS) for i in range(PARTS)]
        error = mean_and_error(parts)[1]
    floor = similarity(evidence.real.first)
    return {"similarity": Figure(similarity(x), error, floor)}


DIVERSITY = Group(
    {
        "similarity": Metric(
            "Similarity of samples (MS-SSIM)",
            None,  # noise is the least alike
            "",
            "How alike two samples are in the mean; of 1,000 samples at most. "
            "Well above the floor, that of test pictures, samples lack "
            "variety; well below it, they are unlike the data.",
        ),
    },
    "sample",
    _diversity,
    _no_diversity,
)


def _no_memorization(evidence):
    if evidence.train is None:
        return "no training examples to be near to"
    # As many test examples as samples, at most, are looked at.
    if evidence.num_samples < _LEAST:
        return f"{_LEAST} or more samples are needed"
    return too_few(evidence.test, _LEAST)


def _memorization(evidence):
    count = len(evidence.samples.first)
    _, distance = evidence.nearest
    own, usual = distance[:count], distance[count:]
    found = metrics.memorization(own, usual)
    value, floor = share(found["memorization"], count), found["floor"]
    # What is near is told by a quantile of the test distances, which has an
    # error of its own: that of a share of so many.
    error = math.hypot(
        value.standard_error, math.sqrt(floor * (1.0 - floor) / len(usual))
    )
    return {
        "memorization": dataclasses.replace(
            value, standard_error=error, floor=floor
        )
    }


MEMORY = Group(
    {
        "memorization": Metric(
            "Samples that are near to training examples",
            None,  # copies and samples far from all may balance at the floor
            "",
            "The share that is nearer to a training example than 95 % of the "
            "test examples are; of 1,000 samples and 1,000 test examples at "
            "most. Well above the floor, that of test examples, the model "
            "repeats what it was trained on, or its samples are blander than "
            "the data: look at the nearest ones; far below, they are unlike "
            "the data.",
        ),
    },
    "sample",
    _memorization,
    _no_memorization,
)
