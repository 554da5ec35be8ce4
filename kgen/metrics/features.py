"""How near a set of generated examples is to a set of real ones, by features."""

import numpy as np

from kgen.errors import check_int, invalid


def frechet_distance(real, fake):
    """Frechet distance between the Gaussians of two sets of features.

    `|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))`, with the sets' means m and
    covariances S. Only with Inception-v3's features is it FID; it is biased
    upwards, the more the fewer examples there are.

    Args:
        real: Array of shape `(n, d)`.
        fake: Array of shape `(m, d)`.

    Returns:
        Number >= 0, in squared units of the features.

    Raises:
        InvalidArgument: If shapes don't agree, there are fewer than two
            examples, or features that are not finite.

    References:
        Heusel et al. (2017), arXiv 1706.08500, equation 6.
    """
    real, fake = _checked("frechet_distance", real, fake, least=2)
    roots = [_root_of_covariance(x) for x in (real, fake)]
    # The eigenvalues of S1 S2 are the squared singular values of R1 R2', with
    # S = R'R: nothing is inverted, and no root of a product is taken.
    overlap = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    spread = sum(np.square(root).sum() for root in roots) - 2.0 * overlap
    means = np.square(real.mean(axis=0) - fake.mean(axis=0)).sum()
    return float(max(means + spread, 0.0))


def _root_of_covariance(x):
    """R with `R'R` the covariance of the rows of x."""
    centred = (x - x.mean(axis=0)) / np.sqrt(len(x) - 1)
    return np.linalg.qr(centred, mode="r")


def precision_recall(real, fake, neighbors=5):
    """Precision, recall, density and coverage of generated examples.

    Around each example lies the ball that reaches to its k-th nearest
    neighbour in its own set. Precision is the share of the generated examples
    within a real one's ball; recall the share of the real ones within a
    generated one's; density the mean number of real balls that a generated
    example lies in, over k; coverage the share of real balls with a generated
    example in them.

    Args:
        real: Array of shape `(n, d)`.
        fake: Array of shape `(m, d)`.
        neighbors: k.

    Returns:
        Dictionary with `precision`, `recall`, `density` and `coverage`.

    Raises:
        InvalidArgument: If shapes don't agree, or a set has no more than k
            examples, or features that are not finite.

    References:
        Kynkaanniemi et al. (2019), arXiv 1904.06991, equations 1 and 2;
        Naeem et al. (2020), arXiv 2002.09797, equations 4 and 5.
    """
    from sklearn.metrics import pairwise_distances_chunked

    neighbors = check_int("neighbors", "precision_recall", neighbors)
    real, fake = _checked("precision_recall", real, fake, neighbors + 1)
    real_radii, fake_radii = _radii(real, neighbors), _radii(fake, neighbors)
    balls = np.zeros(len(fake))  # real ones that each generated example is in
    recalled, covered = [], []
    start = 0
    for part in pairwise_distances_chunked(real, fake):
        inside = part <= real_radii[start : start + len(part), None]
        balls += inside.sum(axis=0)
        covered.append(inside.any(axis=1))
        recalled.append((part <= fake_radii).any(axis=1))
        start += len(part)
    return {
        "precision": float(np.mean(balls > 0)),
        "recall": float(np.mean(np.concatenate(recalled))),
        "density": float(np.mean(balls) / neighbors),
        "coverage": float(np.mean(np.concatenate(covered))),
    }


def _radii(x, neighbors):
    """The distance of each row to its k-th nearest other."""
    from sklearn.metrics import pairwise_distances_chunked

    def kth(part, start):
        # Each row is among its own neighbours, at distance 0.
        return np.partition(part, neighbors, axis=1)[:, neighbors]

    return np.concatenate(list(pairwise_distances_chunked(x, reduce_func=kth)))


def _checked(owner, real, fake, least):
    found = []
    for name, x in (("real", real), ("fake", fake)):
        try:
            x = np.asarray(x)
        except ValueError:  # rows of several lengths
            x = np.empty(())
        is_fit = x.dtype.kind in "fiub" and x.ndim == 2 and x.size
        if not is_fit or len(x) < least or not np.isfinite(x).all():
            raise invalid(
                name,
                owner,
                f"finite numbers of shape (n, d), with n of {least} or more",
                f"shape {x.shape}",
            )
        found.append(x.astype("float64"))
    if found[0].shape[1] != found[1].shape[1]:
        raise invalid(
            "fake",
            owner,
            f"{found[0].shape[1]} features, as the real ones have",
            f"shape {found[1].shape}",
        )
    return found
