"""Which dimensions of a latent space are in use."""

import numpy as np

from kgen.errors import check_number
from kgen.metrics.checks import check_features


def active_units(mean, threshold=0.01):
    """How many latent dimensions tell examples apart.

    A dimension is active if its posterior mean varies over the data:
    `Var_x(E_q(z|x)[z]) > threshold`.

    Args:
        mean: Array of shape `(n, latent_dim)`, posterior means of n examples,
            two or more: what `encode` of a VAE returns.
        threshold: The least variance.

    Returns:
        Integer from 0 to latent_dim.

    Raises:
        InvalidArgument: If the shape is wrong, or a mean not finite.

    References:
        Burda et al. (2016), arXiv 1509.00519, section 5.2.
    """
    threshold = check_number("threshold", "active_units", threshold)
    mean = check_features("active_units", "mean", mean, least=2)
    return int(np.sum(mean.var(axis=0) > threshold))
