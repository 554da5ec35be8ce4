"""How samples spread over the modes of a mixture that is known."""

import numpy as np

from kgen.arrays import as_array, check_features
from kgen.errors import invalid
from kgen.params import Number, checked


@checked(stddev=Number(), within=Number())
def mode_coverage(
    samples: np.ndarray,
    centers: np.ndarray,
    stddev: float,
    within: float = 3.0,
    weights: np.ndarray | None = None,
) -> dict[str, float]:
    """Returns how well samples cover the modes of a known mixture.

    Each sample belongs to the mode whose centre is nearest. It is of high
    quality if it is no farther from there than `within` standard deviations; a
    mode counts as found with one such sample. The balance is
    `KL(s || w) = sum s log(s / w)`, s the modes' shares of all samples.

    Args:
        samples: Array of shape `(n, d)`.
        centers: Array of shape `(modes, d)`.
        stddev: That of each mode, in each direction.
        within: In standard deviations.
        weights: The mixture's weights, positive numbers; None for equal ones.

    Returns:
        Dictionary with `modes`, an integer; `high_quality`, a share of the
        samples; and `reverse_kl`, in nats.

    Raises:
        InvalidArgument: If shapes don't agree, or a value is out of range.

    Example:

        # A GAN of points, trained on eight Gaussians on a circle.
        angles = 2 * np.pi * np.arange(8) / 8
        centers = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        mode_coverage(gan.sample(2500, seed=0), centers, stddev=0.01)

    References:
        Srivastava et al. (2017), VEEGAN, arXiv 1705.07761, section 4.1;
        Lin et al. (2018), PacGAN, arXiv 1712.04086, section 4.1.
    """
    from scipy.spatial import KDTree

    owner = "mode_coverage"
    samples = check_features("samples", owner, samples)
    centers = check_features("centers", owner, centers, 1, samples.shape[1])
    weights = _checked_weights(weights, len(centers))
    distances, nearest = KDTree(centers).query(samples)
    good = distances <= within * stddev
    shares = np.bincount(nearest, minlength=len(centers)) / len(samples)
    used = shares > 0  # 0 log 0 = 0
    ratio = shares[used] / weights[used]
    return {
        "modes": len(np.unique(nearest[good])),
        "high_quality": float(good.mean()),
        "reverse_kl": float(np.sum(shares[used] * np.log(ratio))),
    }


def _checked_weights(weights, count):
    if weights is None:
        return np.full(count, 1.0 / count)
    numbers = as_array(weights)
    is_fit = numbers.dtype.kind in "fiub" and numbers.shape == (count,)
    if not is_fit or not (np.isfinite(numbers) & (numbers > 0)).all():
        raise invalid(
            "weights", "mode_coverage", f"{count} positive numbers", weights
        )
    numbers = numbers.astype("float64")
    return numbers / numbers.sum()
