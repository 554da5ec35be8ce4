"""The nearest example of a set to each sample; whether samples copy them."""

from collections.abc import Iterable

import numpy as np

from kgen.errors import check_int, check_number, invalid
from kgen.metrics.checks import as_array


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


def memorization(distances, test_distances, share=0.05):
    """The share of samples that are suspiciously near to training examples.

    Near is nearer to its nearest training example than all but a small `share`
    of the test examples are to theirs. Where half of the samples are copies, it
    is a half or more, whatever the others are; a test on all distances, such as
    that of their ranks, would let far samples outweigh copies.

    Args:
        distances: Array of shape `(n,)`: how far each sample is from its nearest
            training example, as `nearest_neighbors` gives it.
        test_distances: Array of shape `(m,)`: the same of real examples not
            trained on, best 20 or more.
        share: How many of these count as near, from 0 to 1.

    Returns:
        Dictionary with `memorization`, from 0 to 1, the share of samples at most
        as far as the nearest test examples; and `floor`, that of the test
        examples: `share`, or more if many of them are equally far. A model that
        draws from the data's distribution has the floor, one that copies
        training examples 1, and one far from the data 0.

    Raises:
        InvalidArgument: If these are no distances.

    Example:

        _, near = nearest_neighbors(gan.sample(1000, seed=0), train)
        _, usual = nearest_neighbors(test, train)
        memorization(near, usual)

    References:
        Meehan et al. (2020), arXiv 2004.05675, section 3 (distances of three
        sets; by ranks); Bhattacharjee et al. (2023), arXiv 2302.13181 (what
        ranks of all samples at once can't see).
    """
    share = check_number("share", "memorization", share, maximum=1.0)
    distances = _distances("distances", distances)
    usual = _distances("test_distances", test_distances)
    # One of the distances, and near itself: 0 where test examples are copies.
    near = np.quantile(usual, share, method="inverted_cdf")
    return {
        "memorization": float(np.mean(distances <= near)),
        "floor": float(np.mean(usual <= near)),
    }


def _distances(argument, x):
    x = as_array(x)
    good = x.dtype.kind in "fiub" and x.ndim == 1 and x.size
    # Written so that NaN fails, too.
    if not good or not (x.min() >= 0.0 and x.max() < np.inf):
        raise invalid(
            argument,
            "memorization",
            "finite numbers of shape (n,), n of 1 or more, none below 0",
            f"{x.dtype} of shape {x.shape}",
        )
    return x


def _nearest(x, y):
    """The place in y that is nearest to each row of x, and how far."""
    from sklearn.metrics import pairwise_distances_argmin_min

    return pairwise_distances_argmin_min(x, y)


def _batches(references, batch_size):
    size = check_int("batch_size", "nearest_neighbors", batch_size)
    if not isinstance(references, Iterable):
        raise invalid(
            "references",
            "nearest_neighbors",
            "an array, or batches of examples",
            references,
        )
    if not isinstance(references, np.ndarray):
        for batch in references:
            is_pair = isinstance(batch, (tuple, list)) and len(batch)
            yield batch[0] if is_pair else batch
        return
    for start in range(0, len(references), size):
        yield references[start : start + size]


def _rows(owner, argument, x, num_features=None):
    """Examples as rows, finite, in float32 as they are or in float64."""
    x = as_array(x)
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
