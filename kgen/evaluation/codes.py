"""What codes are worth."""

import numpy as np

from kgen import metrics
from kgen.data.examples import subset
from kgen.evaluation.evidence import has_labels
from kgen.evaluation.figures import (
    Figure,
    Group,
    Metric,
    check_finite,
    share,
    too_few,
)

_PROBED = 5_000  # codes at most that a probe learns from


def _active_units(evidence):
    mean, _ = evidence.model.posterior(evidence.batches())
    check_finite("codes", mean)
    return {"active_units": Figure(float(metrics.active_units(mean)))}


CODES = Group(
    {
        "active_units": Metric(
            "Active units",
            None,
            "latent dimensions",
            "Dimensions of the code whose posterior mean varies from example to "
            "example; the others stay unused.",
        ),
    },
    "posterior",
    _active_units,
    lambda evidence: too_few(evidence.test, 2),
)


def _no_probes(evidence):
    if evidence.model.conditional:
        return "the labels are known to the encoder"
    if not evidence.has_labels or len(np.unique(evidence.test.labels)) < 2:
        return "the data has no labels"
    if evidence.train is None or not has_labels(evidence.train):
        return "no training examples with labels of these classes to learn from"
    return None


def _probes(evidence):
    model, test = evidence.model, evidence.test
    train = subset(evidence.train, _PROBED, evidence.seed)
    codes, test_codes = (
        check_finite("codes", model.encode(part.batches(batch_size=250)))
        for part in (train, test)
    )
    found = metrics.probe(codes, train.labels, test_codes, test.labels)
    return {name: share(value, len(test)) for name, value in found.items()}


PROBES = Group(
    {
        "knn_accuracy": Metric(
            "10-NN accuracy on codes",
            "higher",
            "",
            "How often the classes of the nearest codes are right: whether "
            "what is alike lies together.",
        ),
        "logistic_accuracy": Metric(
            "Logistic accuracy on codes",
            "higher",
            "",
            "How often a linear classifier on codes is right: whether classes "
            "lie on different sides.",
        ),
    },
    "encode",
    _probes,
    _no_probes,
)
