"""The nearest example of a set to each sample; whether samples copy them."""

import numpy as np

from kgen.errors import check_int, invalid


def nearest_neighbors(samples, references, batch_size=1000):
    """The nearest reference of each sample, by Euclidean distance.

    The references pass by in batches, so that neither they nor the distances to
    all of them need be in memory. Of equally near ones it may be any.

    Args:
        samples: Array of shape `(n, ...)`: pictures or features.
        references: Array of shape `(m, ...)`; or an iterable of batches of it,
            such as a dataset, of which pairs with labels may come.
        batch_size: For an array: how many references are worked on at a time.

    Returns:
        `index`, `n` integers: the place in the order in which the references
        come; and `distance`, array of shape `(n,)`, 0 for a copy.

    Raises:
        InvalidArgument: If shapes don't agree, there are no references, or
            values that are not finite.
    """
    owner = "nearest_neighbors"
    samples = _rows(owner, "samples", samples)
    shift = samples.mean(axis=0)  # a large mean would cost digits
    centred = samples - shift
    index = np.zeros(len(samples), "int64")
    best = np.full(len(samples), np.inf)
    nearest = np.empty_like(samples)
    start = 0
    for batch in _batches(references, batch_size):
        batch = _rows(owner, "references", batch, samples.shape[1])
        place, distance = _nearest(
            centred, (batch - shift).astype(samples.dtype)
        )
        better = distance < best
        index[better] = start + place[better]
        best[better] = distance[better]
        nearest[better] = batch[place[better]]
        start += len(batch)
    if not start:
        raise invalid("references", owner, "some", "none")
    # Those above are rounded by 1e-8 of the lengths: a copy would not be at 0.
    return index, np.linalg.norm(samples - nearest, axis=1)


def memorization(samples, train, test, batch_size=1000):
    """Whether samples are nearer to the training set than test examples are.

    Compares the distances of samples to their nearest training examples with
    those of test examples, by the Mann-Whitney statistic U, the number of
    pairs in which the sample is the farther one (ties count half):

        z = (U - n m / 2) / sqrt(n m (n + m + 1) / 12)

    Args:
        samples: Array of shape `(n, ...)`: pictures or features.
        train: Array, or iterable of batches, as in `nearest_neighbors`.
        test: Array of shape `(m, ...)`: real examples not trained on.
        batch_size: For an array.

    Returns:
        Dictionary with `nearer`, the chance that a sample is nearer to the
        training set than a test example is: 1/2 if they are alike, 1 for copies
        of training examples, 0 for what is far from the data; and `z`, about
        standard normal if they are alike: below -3 the model copies.

    Raises:
        InvalidArgument: As `nearest_neighbors`.

    References:
        Meehan et al. (2020), A non-parametric test to detect data-copying in
        generative models, arXiv 2004.05675, section 3 (the global test).
    """
    from scipy.stats import mannwhitneyu

    samples = _rows("memorization", "samples", samples)
    test = _rows("memorization", "test", test, samples.shape[1])
    both = np.concatenate([samples, test])  # one pass through train for both
    _, distance = nearest_neighbors(both, train, batch_size)
    n, m = len(samples), len(test)
    farther = mannwhitneyu(distance[:n], distance[n:], method="asymptotic")
    spread = np.sqrt(n * m * (n + m + 1) / 12)
    return {
        "nearer": float(1.0 - farther.statistic / (n * m)),
        "z": float((farther.statistic - n * m / 2) / spread),
    }


def _nearest(x, y):
    """The place in y that is nearest to each row of x, and how far."""
    from sklearn.metrics import pairwise_distances_argmin_min

    return pairwise_distances_argmin_min(x, y)


def _batches(references, batch_size):
    size = check_int("batch_size", "nearest_neighbors", batch_size)
    if not isinstance(references, np.ndarray):
        for batch in references:
            yield batch[0] if isinstance(batch, (tuple, list)) else batch
        return
    for start in range(0, len(references), size):
        yield references[start : start + size]


def _rows(owner, argument, x, num_features=None):
    """Examples as rows, finite, in float32 as they are or in float64."""
    x = np.asarray(x)
    if x.dtype.kind not in "fiub" or x.ndim < 2 or not x.size:
        raise invalid(
            argument,
            owner,
            "numbers of shape (n, ...), n of 1 or more",
            f"{x.dtype} of shape {x.shape}",
        )
    x = x.reshape(len(x), -1)
    if num_features not in (None, x.shape[1]):
        raise invalid(
            argument,
            owner,
            f"{num_features} values an example, as the samples have",
            f"{x.shape[1]}",
        )
    if not np.isfinite(x).all():
        raise invalid(argument, owner, "finite numbers", "NaN or infinity")
    return x if x.dtype == np.float32 else x.astype("float64")
