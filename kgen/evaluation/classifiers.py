"""What a classifier by Bayes' rule is worth."""

import warnings

import numpy as np

from kgen import metrics
from kgen.evaluation.estimates import Estimate, check_finite, mean, share
from kgen.evaluation.evidence import Evidence
from kgen.evaluation.groups import NATS, Metric, group, no_labels


@group(
    method="predict_log_proba",
    obstacles=(no_labels,),
    accuracy=Metric("Accuracy", "higher", "", "How often it is right."),
    negative_log_likelihood=Metric(
        "-log P(y|x)",
        "lower",
        "nats per image",
        "What the probabilities are worth: guessing costs log of the number "
        "of classes.",
    ),
    calibration_error=Metric(
        "Calibration error",
        "lower",
        "",
        "How far its confidence is from its accuracy, in the mean.",
    ),
    log_prob=Metric(
        "log p(x)",
        "higher",
        NATS,
        "How likely it finds unseen examples, whatever their class.",
    ),
)
def classification(evidence: Evidence) -> dict[str, Estimate]:
    from scipy.special import log_softmax, logsumexp

    labels = evidence.test.labels
    joint = evidence.model.log_joint(evidence.batches(labels=False))
    check_finite("log densities", joint.max(axis=1))
    log_proba = log_softmax(joint, axis=1)
    right = joint.argmax(axis=1) == labels
    losses = -log_proba[np.arange(len(labels)), labels]
    return {
        "accuracy": share(right.mean(), len(right), right),
        "negative_log_likelihood": mean(losses[_judged(joint, labels)]),
        "calibration_error": Estimate(
            metrics.calibration_error(np.exp(log_proba), labels)
        ),
        "log_prob": mean(logsumexp(joint, axis=1)),
    }


def _judged(joint, labels):
    """Which examples are of a class that the model's prior allows for.

    If there are none, all are judged: the model is infinitely wrong.
    """
    ruled_out = np.isneginf(joint).all(axis=0)
    for label in np.flatnonzero(ruled_out):
        if count := np.sum(labels == label):
            warnings.warn(
                f"-log P(y|x) leaves out {count} examples of class {label}, of "
                "which the model saw no training example. They count as wrong "
                "in the accuracy.",
                stacklevel=2,
            )
    judged = ~ruled_out[labels]
    return judged if judged.any() else ~judged
