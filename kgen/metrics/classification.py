"""What a classifier's probabilities tell: of itself, and of what it is shown."""

from collections.abc import Sequence

import numpy as np

from kgen import arrays
from kgen.metrics.means import mean_and_error
from kgen.params import Integer, checked


@checked(bins=Integer())
def calibration_error(
    probabilities: np.ndarray,
    labels: Sequence[int] | np.ndarray,
    bins: int = 15,
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


@checked(splits=Integer(2))
def inception_score(
    probabilities: np.ndarray, splits: int = 10
) -> dict[str, float]:
    """Returns the Inception score of generated pictures' class probabilities.

    `exp(E_x[KL(p(y|x) || p(y))])`, with p(y) the mean of p(y|x): from 1 (all
    pictures alike to the classifier) to the number of classes (each surely of
    one class, and all classes alike). Only with Inception-v3's probabilities is
    it what papers report; it never looks at real pictures.

    Args:
        probabilities: Array of shape `(n, num_classes)`, P(y|x), in random
            order.
        splits: Into how many parts of n / splits pictures they are split, 2 or
            more; the score grows with the size of a part.

    Returns:
        Dictionary with `inception_score`, the mean over the parts, and its
        `standard_error`.

    Raises:
        InvalidArgument: If rows are no probabilities, or fewer than `splits`.

    References:
        Salimans et al. (2016), arXiv 1606.03498, section 4.
    """
    from scipy.special import rel_entr

    p = arrays.check_probabilities(
        "inception_score", probabilities, least=splits
    )
    values = [
        np.exp(rel_entr(part, part.mean(axis=0)).sum(axis=1).mean())
        for part in np.array_split(p, splits)
    ]
    value, error = mean_and_error(values)
    return {"inception_score": value, "standard_error": error}
