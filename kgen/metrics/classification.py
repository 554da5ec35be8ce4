"""What the probabilities of a classifier are worth."""

import numpy as np

from kgen.errors import check_int, invalid
from kgen.metrics.checks import as_array, check_probabilities


def calibration_error(probabilities, labels, bins=15):
    """How far a classifier's confidence is from its accuracy.

    The expected calibration error: examples are put into bins by their highest
    probability, its confidence; the distance between a bin's accuracy and its
    mean confidence is averaged over the examples.

    Args:
        probabilities: Array of shape `(n, num_classes)`, P(y|x).
        labels: `n` integers from 0, the true classes.
        bins: How many bins of equal width there are between 0 and 1; a bin
            includes its upper bound.

    Returns:
        Float from 0 (in each bin, right as often as it claims) to 1 (always
        sure and always wrong).

    Raises:
        InvalidArgument: If rows are no probabilities, or shapes or labels don't
            fit.

    References:
        Guo et al. (2017), On Calibration of Modern Neural Networks, arXiv
        1706.04599, equations 2, 3 and 5.
    """
    bins = check_int("bins", "calibration_error", bins)
    probabilities, labels = _checked(probabilities, labels)
    confidence = np.clip(probabilities.max(axis=1), 0.0, 1.0)
    right = probabilities.argmax(axis=1) == labels
    number = np.searchsorted(np.linspace(0.0, 1.0, bins + 1)[1:-1], confidence)
    # Counts cancel: count / n * |right / count - confidence / count|.
    gaps = np.bincount(number, right - confidence)
    return float(np.sum(np.abs(gaps)) / len(labels))


def _checked(probabilities, labels):
    owner = "calibration_error"
    probabilities = check_probabilities(owner, probabilities)
    labels = as_array(labels)
    count, num_classes = probabilities.shape
    if (
        labels.shape != (count,)
        or not np.issubdtype(labels.dtype, np.integer)
        or labels.min() < 0
        or labels.max() >= num_classes
    ):
        raise invalid(
            "labels",
            owner,
            f"{count} integers from 0 to {num_classes - 1}",
            f"{labels.dtype} of shape {labels.shape}, {np.unique(labels)[:20]}",
        )
    return probabilities, labels
