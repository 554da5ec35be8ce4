"""Samples as pictures, and beside training examples."""

import dataclasses

from kgen import metrics
from kgen.evaluation.figures import (
    Figure,
    Group,
    Metric,
    ratio,
    share,
    too_few,
    too_few_to_compare,
)
from kgen.metrics.similarity import WINDOW


def _no_pictures(evidence):
    return None if evidence.is_picture else "examples are no pictures"


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
            "Below 1, samples are blurred; above 1, noisy.",
        ),
    },
    "sample",
    _sharpness,
    _no_pictures,
)


def _no_diversity(evidence):
    missing = _no_pictures(evidence)
    if missing is None and min(evidence.model.input_shapes[0][:2]) < WINDOW:
        missing = f"pictures are smaller than {WINDOW} x {WINDOW}"
    return missing or too_few_to_compare(evidence, 3)


def _diversity(evidence):
    found = metrics.diversity(evidence.samples.first, seed=evidence.seed)
    real = metrics.diversity(evidence.real.first, seed=evidence.seed)
    return {
        "similarity": Figure(
            found["ms_ssim"], found["standard_error"], real["ms_ssim"]
        )
    }


DIVERSITY = Group(
    {
        "similarity": Metric(
            "Similarity of samples (MS-SSIM)",
            "lower",
            "",
            "How alike two samples are in the mean. Well above the floor, that "
            "of test pictures, samples lack variety.",
        ),
    },
    "sample",
    _diversity,
    _no_diversity,
)


def _no_memorization(evidence):
    if evidence.train is None:
        return "no training examples to be near to"
    return too_few(evidence.test, 20)


def _memorization(evidence):
    count = len(evidence.samples.first)
    _, distance = evidence.nearest
    found = metrics.memorization(distance[:count], distance[count:])
    value = share(found["memorization"], count)
    return {"memorization": dataclasses.replace(value, floor=found["floor"])}


MEMORY = Group(
    {
        "memorization": Metric(
            "Samples that are near to training examples",
            "near:0.05",
            "",
            "The share that is nearer to a training example than 95 % of the "
            "test examples are. Well above the floor, that of test examples, "
            "the model repeats what it was trained on, or its samples are "
            "blander than the data: look at the nearest ones; far below, they "
            "are unlike the data.",
        ),
    },
    "sample",
    _memorization,
    _no_memorization,
)
