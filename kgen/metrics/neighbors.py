"""The nearest example of a set to each sample; whether samples copy them."""

from collections.abc import Iterable

import numpy as np

from kgen.arrays import check_numbers
from kgen.errors import invalid
from kgen.params import Integer, Number, checked


@checked(batch_size=Integer())
def nearest_neighbors(
    samples: np.ndarray,
    references: np.ndarray | Iterable,
    batch_size: int = 1000,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the nearest reference of each sample, by Euclidean distance.

    The references are read in batches, so that neither they nor the distances to
    all of them need be in memory. Of references that are equally near, any may
    be returned.

    Args:
        samples: Array of shape `(n, ...)`: pictures or features.
        references: Array of shape `(m, ...)`; or an iterable of such batches,
            alone or in pairs with labels, such as a dataset.
        batch_size: For an array: how many references are worked on at a time.

    Returns:
        Two arrays of shape `(n,)`: the index of the nearest reference, in the
        order in which they are read; and its distance, 0 for a copy.

    Raises:
        InvalidArgument: If shapes don't agree, there are no references, or
            values that are not finite.
    """
    from sklearn.metrics import pairwise_distances_argmin_min

    samples = _rows("samples", samples)
    shift = samples.mean(axis=0)  # a large mean would cost the distances digits
    centred = samples - shift
    index = np.zeros(len(samples), "int64")
    best = np.full(len(samples), np.inf)
    nearest = np.empty_like(samples)
    start = 0
    for batch in _batches(references, batch_size):
        batch = _rows("references", batch, samples.shape[1])
        place, distance = pairwise_distances_argmin_min(
            centred, (batch - shift).astype(samples.dtype)
        )
        better = distance < best
        index[better] = start + place[better]
        best[better] = distance[better]
        nearest[better] = batch[place[better]]
        start += len(batch)
    if not start:
        raise invalid("references", "nearest_neighbors", "some", "none")
    # The distances above are rounded by 1e-8 of the examples' lengths: a copy
    # would not be at distance 0.
    return index, np.linalg.norm(samples - nearest, axis=1)


@checked(share=Number(0.0, 1.0))
def memorization(
    distances: np.ndarray, test_distances: np.ndarray, share: float = 0.05
) -> dict[str, float]:
    """Returns the share of samples that are suspiciously near to training examples.

    A sample is near if it is nearer to its nearest training example than all but
    a small `share` of the test examples are to theirs. Where half of the samples
    are copies, the result is a half or more, whatever the other samples are. A
    test on all distances, such as that of their ranks, would let distant samples
    outweigh copies.

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
    distances = _distances("distances", distances)
    usual = _distances("test_distances", test_distances)
    # The quantile is one of the distances, so that an example at this distance
    # counts as near: it is 0 where test examples are copies.
    near = np.quantile(usual, share, method="inverted_cdf")
    return {
        "memorization": float(np.mean(distances <= near)),
        "floor": float(np.mean(usual <= near)),
    }


def _distances(argument, x):
    x = check_numbers(argument, "memorization", x, ndim=1)
    if x.min() < 0.0:
        least = f"a least one of {x.min():g}"
        raise invalid(
            argument, "memorization", "distances, none below 0", least
        )
    return x


def _batches(references, batch_size):
    if not isinstance(references, Iterable):
        raise invalid(
            "references",
            "nearest_neighbors",
            "an array, or batches of examples",
            references,
        )
    if isinstance(references, np.ndarray):
        for start in range(0, len(references), batch_size):
            yield references[start : start + batch_size]
        return
    for batch in references:
        is_pair = isinstance(batch, (tuple, list)) and len(batch)
        yield batch[0] if is_pair else batch


def _rows(argument, x, width=None):
    """Examples as rows; float32 stays as it is, else they become float64."""
    x = check_numbers(argument, "nearest_neighbors", x, ndim=None)
    x = x.reshape(len(x), -1)
    if width not in (None, x.shape[1]):
        raise invalid(
            argument,
            "nearest_neighbors",
            f"{width} values an example, as the samples have",
            f"{x.shape[1]}",
        )
    return x if x.dtype == np.float32 else x.astype("float64")
