import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from kgen import metrics
from kgen.errors import InvalidArgument

RNG = np.random.default_rng(0)


def exact(mean, cov, other_mean, other_cov):
    root = sqrtm(cov @ other_cov).real
    return np.square(mean - other_mean).sum() + np.trace(
        cov + other_cov - 2 * root
    )


def test_frechet_distance_of_sample_moments():
    x = RNG.normal(size=(500, 6)) @ RNG.normal(size=(6, 6))
    y = RNG.normal(size=(300, 6)) @ RNG.normal(size=(6, 6)) + 1.0
    expected = exact(x.mean(0), np.cov(x.T), y.mean(0), np.cov(y.T))
    assert metrics.frechet_distance(x, y) == pytest.approx(expected)


def test_frechet_distance_of_diagonal_gaussians():
    """|m1 - m2|^2 + sum (s1 - s2)^2, with moments set exactly."""
    x = RNG.normal(size=(400, 3))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    got = metrics.frechet_distance(x, 2.0 * x + [1.0, 0.0, 2.0])
    assert got == pytest.approx(5.0 + 3.0)


def test_frechet_distance_of_rank_deficient_features():
    """Fewer examples than features, and constant ones: no complex numbers."""
    x = np.hstack([RNG.normal(size=(20, 50)), np.ones((20, 10))])
    assert metrics.frechet_distance(x, x) == pytest.approx(0.0, abs=1e-9)
    assert metrics.frechet_distance(x, x + 1.0) == pytest.approx(60.0)


def brute(real, fake, k):
    """The definitions, one by one."""
    radius = np.sort(cdist(real, real), axis=1)[:, k]
    fake_radius = np.sort(cdist(fake, fake), axis=1)[:, k]
    inside = cdist(real, fake) <= radius[:, None]
    return {
        "precision": np.mean([inside[:, j].any() for j in range(len(fake))]),
        "recall": np.mean((cdist(real, fake) <= fake_radius).any(axis=1)),
        "density": inside.sum() / (k * len(fake)),
        "coverage": np.mean([inside[i].any() for i in range(len(real))]),
    }


@pytest.mark.parametrize("k", [1, 5])
def test_precision_recall_against_the_definitions(k):
    real, fake = RNG.normal(size=(80, 4)), RNG.normal(size=(60, 4)) + 0.7
    got = metrics.precision_recall(real, fake, k)
    assert got == pytest.approx(brute(real, fake, k))


def test_precision_recall_of_equal_and_of_disjoint_sets():
    x = RNG.normal(size=(50, 2))
    same = metrics.precision_recall(x, x, 3)
    assert same["precision"] == same["recall"] == same["coverage"] == 1.0
    apart = metrics.precision_recall(x, x + 100.0, 3)
    assert set(apart.values()) == {0.0}


def test_one_outlier_raises_precision_but_not_coverage():
    """Its ball holds all; a single ball of n says little."""
    real = np.vstack([RNG.normal(size=(99, 2)), [[1000.0, 0.0]]])
    fake = RNG.normal(size=(100, 2)) + [500.0, 0.0]
    got = metrics.precision_recall(real, fake, 3)
    assert got["precision"] == 1.0
    assert got["coverage"] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (
            metrics.frechet_distance,
            (np.ones((1, 3)), np.ones((5, 3))),
            "`real`",
        ),
        (
            metrics.frechet_distance,
            (np.ones((5, 3)), np.ones((5, 2))),
            "`fake`",
        ),
        (metrics.frechet_distance, (np.ones(5), np.ones((5, 2))), "(n, d)"),
        (
            metrics.frechet_distance,
            (np.full((5, 2), np.nan), np.ones((5, 2))),
            "finite",
        ),
        (metrics.frechet_distance, ([["a"]], [["b"]]), "`real`"),
        (metrics.frechet_distance, ([[1.0], [1, 2]], [[1.0]]), "`real`"),
        (
            metrics.frechet_distance,
            (np.ones((5, 0)), np.ones((5, 0))),
            "(n, d)",
        ),
        (metrics.precision_recall, (np.ones((5, 2)), np.ones((5, 2))), "6 or"),
        (
            metrics.precision_recall,
            (np.ones((5, 2)), np.ones((5, 2)), 0),
            "neighbors",
        ),
    ],
)
def test_bad_features(function, arguments, message):
    with pytest.raises(InvalidArgument) as error:
        function(*arguments)
    assert message in str(error.value)
