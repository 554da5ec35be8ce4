"""What the probabilities of a classifier are worth."""

import numpy as np

from kgen import arrays
from kgen.params import Integer, checked


@checked(bins=Integer())
def calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = 15
) -> float:
    """Returns how far a classifier's confidence is from its accuracy.

    This is the expected calibration error. Examples are put into bins by their
    confidence, which is their highest probability; the distance between a bin's
    accuracy and its mean confidence is averaged over the examples.

    Args:
        probabilities: Array of shape `(n, num_classes)`, P(y|x).
        labels: `n` integers from 0, the true classes.
        bins: How many bins of equal width there are between 0 and 1; a bin
            includes its upper bound.

    Returns:
        Float from 0 (in each bin the classifier is right as often as it claims)
        to 1 (it is always sure and always wrong).

    Raises:
        InvalidArgument: If rows are no probabilities, or shapes or labels don't
            fit.

    References:
        Guo et al. (2017), On Calibration of Modern Neural Networks, arXiv
        1706.04599, equations 2, 3 and 5.
    """
    probabilities = arrays.check_probabilities(
        "calibration_error", probabilities
    )
    labels, (count, num_classes) = arrays.as_array(labels), probabilities.shape
    arrays.check_labels(labels, num_classes, count, "calibration_error")
    confidence = np.clip(probabilities.max(axis=1), 0.0, 1.0)
    right = probabilities.argmax(axis=1) == labels
    number = np.searchsorted(np.linspace(0.0, 1.0, bins + 1)[1:-1], confidence)
    # Counts cancel: count / n * |right / count - confidence / count|.
    gaps = np.bincount(number, right - confidence)
    return float(np.sum(np.abs(gaps)) / count)
