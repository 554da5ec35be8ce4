"""Which dimensions of a latent space are in use."""

import numpy as np

from kgen.arrays import check_features
from kgen.params import Number, checked


@checked(threshold=Number())
def active_units(mean: np.ndarray, threshold: float = 0.01) -> int:
    """Returns how many latent dimensions tell examples apart.

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
    mean = check_features("mean", "active_units", mean, least=2)
    return int(np.sum(mean.var(axis=0) > threshold))
