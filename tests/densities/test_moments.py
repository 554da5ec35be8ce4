"""Sums over parts of the data, merged, are those over all of it."""

import numpy as np
import pytest

from kgen.densities import moments

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, size=(20, 4))
WEIGHTS = RNG.uniform(size=(20, 3)) * [1.0, 0.0, 1.0]  # of a class, nothing


def sums(x, weights, full, shared):
    """By their definition."""
    count = weights.sum(axis=0)
    mean = weights.T @ x / np.maximum(count, 1e-300)[:, None]
    shift = x[:, None] - mean
    if full:
        scatter = np.einsum("nc,nci,ncj->cij", weights, shift, shift)
    else:
        scatter = np.einsum("nc,nci->ci", weights, shift**2)
    scatter = scatter.sum(axis=0, keepdims=True) if shared else scatter
    return {"count": count, "mean": mean, "scatter": scatter}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_parts_are_merged(full, shared):
    places = np.split(np.arange(20), [7, 7, 12])  # one is empty
    parts = [sums(X[i], WEIGHTS[i], full, shared) for i in places]
    merged = moments.merge(parts)
    for name, value in sums(X, WEIGHTS, full, shared).items():
        np.testing.assert_allclose(
            merged[name], value, rtol=1e-12, atol=1e-12, err_msg=name
        )


def test_other_sums_are_added():
    parts = [{"count": np.ones(2), "ones": np.eye(2)}] * 3
    merged = moments.merge(parts)
    np.testing.assert_array_equal(merged["ones"], 3 * np.eye(2))
    assert moments.merge(parts[:1]) is parts[0]
