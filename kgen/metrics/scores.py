"""Inception score: sure about each, spread over all."""

import numpy as np

from kgen.arrays import check_probabilities
from kgen.metrics.means import mean_and_error
from kgen.params import Integer, checked


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

    p = check_probabilities("inception_score", probabilities, least=splits)
    values = [
        np.exp(rel_entr(part, part.mean(axis=0)).sum(axis=1).mean())
        for part in np.array_split(p, splits)
    ]
    value, error = mean_and_error(values)
    return {"inception_score": value, "standard_error": error}
