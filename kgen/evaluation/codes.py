"""What codes are worth."""

import numpy as np

from kgen import metrics
from kgen.data.examples import subset
from kgen.evaluation.estimates import Estimate, check_finite, share
from kgen.evaluation.evidence import Evidence, has_labels
from kgen.evaluation.groups import Metric, group, no_labels, too_few

_PROBED = 5_000  # codes at most that a probe learns from


@group(
    method="posterior",
    obstacles=(too_few(2, "test"),),
    active_units=Metric(
        "Active units",
        None,
        "latent dimensions",
        "Dimensions of the code whose posterior mean varies from example to "
        "example; the others stay unused.",
    ),
)
def active_units(evidence: Evidence) -> dict[str, Estimate]:
    mean, _ = evidence.model.posterior(evidence.batches())
    check_finite("codes", mean)
    return {"active_units": Estimate(float(metrics.active_units(mean)))}


def _nothing_to_learn(evidence):
    if evidence.model.conditional:
        return "the labels are known to the encoder"
    if no_labels(evidence):
        return "the data has no labels"
    if len(np.unique(evidence.test.labels)) < 2:
        return "the examples are all of one class"
    if evidence.train is None or not has_labels(evidence.train):
        return "no training examples with labels of these classes to learn from"
    return None


@group(
    method="encode",
    obstacles=(_nothing_to_learn,),
    knn_accuracy=Metric(
        "10-NN accuracy on codes",
        "higher",
        "",
        "How often the classes of the nearest codes are right: whether "
        "what is alike lies together.",
    ),
    logistic_accuracy=Metric(
        "Logistic accuracy on codes",
        "higher",
        "",
        "How often a linear classifier on codes is right: whether classes "
        "lie on different sides.",
    ),
)
def probes(evidence: Evidence) -> dict[str, Estimate]:
    model, test = evidence.model, evidence.test
    train = subset(evidence.train, _PROBED, evidence.seed)
    codes, test_codes = (
        check_finite("codes", model.encode(part.batches(batch_size=250)))
        for part in (train, test)
    )
    accuracies = metrics.probe(codes, train.labels, test_codes, test.labels)
    return {name: share(value, len(test)) for name, value in accuracies.items()}
