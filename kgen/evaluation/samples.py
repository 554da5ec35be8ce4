"""Samples as pictures, and beside training examples."""

import dataclasses
import math

from kgen import metrics
from kgen.evaluation.estimates import Estimate, ratio, share
from kgen.evaluation.evidence import Evidence
from kgen.evaluation.groups import (
    COMPARED,
    PARTS,
    Metric,
    group,
    no_pictures,
    too_few,
    too_small,
)
from kgen.metrics.means import mean_and_error

_PAIRS = 1000  # of samples, whose similarity is computed
_LEAST = 20  # distances, of which the nearest 5 % are told


@group(
    method="sample",
    obstacles=(no_pictures,),
    sample_sharpness=Metric(
        "Sharpness of samples",
        "near:1",
        "of the test pictures'",
        "Below 1, samples are blurred; above 1, noisy. The floor is that "
        "of training pictures.",
    ),
)
def sharpness(evidence: Evidence) -> dict[str, Estimate]:
    real = evidence.real.sharpness
    quotient = ratio(evidence.samples.sharpness, real)
    if quotient is None:
        return {}
    if evidence.train is not None:
        floor = ratio(evidence.trained_on.sharpness, real)
        quotient = dataclasses.replace(quotient, floor=floor.value)
    return {"sample_sharpness": quotient}


@group(
    method="sample",
    obstacles=(too_small, too_few(3, *COMPARED)),
    similarity=Metric(
        "Similarity of samples (MS-SSIM)",
        None,  # lower is not better: pictures of noise are the least alike
        "",
        "How alike two samples are in the mean; of 1,000 samples at most. "
        "Well above the floor, that of test pictures, samples lack "
        "variety; well below it, they are unlike the data.",
    ),
)
def diversity(evidence: Evidence) -> dict[str, Estimate]:
    def similarity(x, pairs=_PAIRS):
        return metrics.diversity(x, pairs, evidence.seed)["ms_ssim"]

    x, error = evidence.samples.first, None
    if len(x) >= 3 * PARTS:
        # Pairs are not independent, since each sample is in several of them, but
        # the parts that a set is split into are.
        parts = [similarity(x[i::PARTS], _PAIRS // PARTS) for i in range(PARTS)]
        _, error = mean_and_error(parts)
    floor = similarity(evidence.real.first)
    return {"similarity": Estimate(similarity(x), error, floor)}


def _no_training_examples(evidence):
    if evidence.train is None:
        return "no training examples to be near to"
    return None


@group(
    method="sample",
    # There are at most as many test examples in the comparison as samples.
    obstacles=(_no_training_examples, too_few(_LEAST, "samples", "test")),
    memorization=Metric(
        "Samples that are near to training examples",
        None,  # copies and distant samples may balance each other at the floor
        "",
        "The share that is nearer to a training example than 95 % of the "
        "test examples are; of 1,000 samples and 1,000 test examples at "
        "most. Well above the floor, that of test examples, the model "
        "repeats what it was trained on, or its samples are blander than "
        "the data: look at the nearest ones; far below, they are unlike "
        "the data.",
    ),
)
def memorization(evidence: Evidence) -> dict[str, Estimate]:
    count = len(evidence.samples.first)
    _, distances = evidence.nearest
    of_samples, of_test = distances[:count], distances[count:]
    result = metrics.memorization(of_samples, of_test)
    estimate, floor = share(result["memorization"], count), result["floor"]
    # A quantile of the test distances decides what is near. It has an error of its
    # own, which is that of a share of as many examples.
    quantile_error = math.sqrt(floor * (1.0 - floor) / len(of_test))
    error = math.hypot(estimate.standard_error, quantile_error)
    return {
        "memorization": dataclasses.replace(
            estimate, standard_error=error, floor=floor
        )
    }
