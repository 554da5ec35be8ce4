import warnings

import numpy as np
import pytest
from scipy.linalg import sqrtm

from kgen.errors import InvalidArgument
from kgen.metrics import FeatureStatistics, frechet_distance

RNG = np.random.default_rng(0)


def exact(mean, cov, other_mean, other_cov):
    root = sqrtm(cov @ other_cov).real
    return np.square(mean - other_mean).sum() + np.trace(
        cov + other_cov - 2 * root
    )


def with_moments(mean, factor, count=400):
    """Examples whose moments are `mean` and `factor' factor` exactly."""
    x = RNG.normal(size=(count, len(factor)))
    x -= x.mean(axis=0)
    white = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    return white @ factor + mean


def test_it_is_that_of_the_sample_moments():
    x = RNG.normal(size=(500, 6)) @ RNG.normal(size=(6, 6))
    y = RNG.normal(size=(300, 6)) @ RNG.normal(size=(6, 6)) + 1.0
    expected = exact(x.mean(0), np.cov(x.T), y.mean(0), np.cov(y.T))
    assert frechet_distance(x, y) == pytest.approx(expected)
    assert frechet_distance(y, x) == pytest.approx(expected)
    assert type(frechet_distance(x, y)) is float


def test_diagonal_gaussians():
    """|m1 - m2|^2 + sum (s1 - s2)^2."""
    x = with_moments(np.zeros(3), np.eye(3))
    y = with_moments(np.array([1.0, 0.0, 2.0]), np.diag([2.0, 0.5, 3.0]))
    assert frechet_distance(x, y) == pytest.approx(5.0 + 1.0 + 0.25 + 4.0)


def test_one_feature():
    x, y = RNG.normal(size=(30, 1)), 3.0 * RNG.normal(size=(40, 1)) + 1.0
    expected = (x.mean() - y.mean()) ** 2 + (x.std(ddof=1) - y.std(ddof=1)) ** 2
    assert frechet_distance(x, y) == pytest.approx(expected)


def test_covariances_of_different_ranks():
    """Of rank 2 in 40 dimensions against rank 5, that share one direction.

    tr (S1 S2)^(1/2) = s1 s2 along it; the others meet at right angles.
    """
    basis = np.linalg.qr(RNG.normal(size=(40, 40)))[0].T
    x = with_moments(np.zeros(2), np.diag([2.0, 3.0])) @ basis[:2]
    y = with_moments(np.zeros(5), np.diag([5.0, 1.0, 1.0, 1.0, 1.0]))
    y = y @ basis[1:6]
    expected = (4.0 + 9.0) + (25.0 + 4.0) - 2.0 * 3.0 * 5.0
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)


def test_constant_and_repeated_features():
    x = RNG.normal(size=(200, 5))
    x = np.hstack([x, x, np.ones((200, 10))])
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(x, x + 1.0) == pytest.approx(20.0)
    assert frechet_distance(np.ones((30, 4)), np.ones((9, 4))) == 0.0


@pytest.mark.parametrize("offset", [1e4, 1e8])
def test_a_large_mean_costs_no_digits(offset):
    x, y = RNG.normal(size=(300, 4)), 2.0 * RNG.normal(size=(200, 4))
    expected = frechet_distance(x, y)
    moved = frechet_distance(x + offset, y + offset)
    assert moved == pytest.approx(expected, rel=1e-15 * offset)


@pytest.mark.parametrize("sizes", [(30, 20), (9, 20), (30, 9)])
def test_few_examples_are_said_to_be_few(sizes):
    real, fake = (RNG.normal(size=(size, 9)) for size in sizes)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        distance = frechet_distance(real, fake)
    few = [name for name, n in zip(("real", "fake"), sizes) if n < 10]
    assert len(found) == len(few)
    for name, warning in zip(few, found):
        assert warning.category is UserWarning
        assert f"9 examples of 9 features in `{name}`" in str(warning.message)
        assert warning.filename == __file__
    expected = exact(real.mean(0), np.cov(real.T), fake.mean(0), np.cov(fake.T))
    assert distance == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_statistics_of_batches_are_those_of_the_whole(offset):
    x = RNG.normal(size=(257, 5)) @ RNG.normal(size=(5, 5)) + offset
    statistics = FeatureStatistics()
    for part in np.split(x, [1, 3, 100, 256]):
        statistics.update(part)
    assert statistics.count == 257
    np.testing.assert_allclose(statistics.mean, x.mean(axis=0), rtol=1e-14)
    centred = x - offset  # what np.cov would lose, too
    np.testing.assert_allclose(
        statistics.covariance, np.cov(centred.T), rtol=1e-9, atol=1e-9
    )
    assert statistics.covariance.dtype == np.float64


def test_statistics_stand_for_features():
    x, y = RNG.normal(size=(50, 3)), RNG.normal(size=(40, 3))
    real, fake = FeatureStatistics(), FeatureStatistics()
    real.update(x.astype("float32"))
    x = x.astype("float32").astype("float64")
    fake.update(y)
    expected = frechet_distance(x, y)
    for pair in ((real, fake), (real, y), (x, fake)):
        assert frechet_distance(*pair) == pytest.approx(expected, rel=1e-12)


def test_statistics_hold_no_features():
    statistics = FeatureStatistics()
    for _ in range(3):
        statistics.update(RNG.normal(size=(1000, 2)))
    held = [np.size(value) for value in vars(statistics).values()]
    assert sum(held) == 1 + 2 + 4


def test_a_mean_that_was_read_stays():
    statistics = FeatureStatistics()
    statistics.update(np.zeros((2, 2)))
    mean = statistics.mean
    statistics.update(np.ones((2, 2)))
    assert not mean.any()
    np.testing.assert_array_equal(statistics.mean, [0.5, 0.5])


def test_statistics_of_too_few():
    statistics = FeatureStatistics()
    with pytest.raises(InvalidArgument, match="0 examples so far, and 1"):
        _ = statistics.mean
    statistics.update(np.ones((1, 2)))
    with pytest.raises(InvalidArgument, match="1 examples so far, and 2"):
        _ = statistics.covariance
    with pytest.raises(InvalidArgument, match="2 features, as the others"):
        statistics.update(np.ones((1, 3)))
    with pytest.raises(InvalidArgument, match="`real`.*two examples"):
        frechet_distance(statistics, np.ones((5, 2)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((1, 3)), np.ones((5, 3))), "`real`"),
        ((np.ones((5, 3)), np.ones((5, 2))), "`fake`"),
        ((np.ones(5), np.ones((5, 2))), "(n, d)"),
        ((np.full((5, 2), np.nan), np.ones((5, 2))), "finite"),
        ((np.ones((5, 2)), np.full((5, 2), np.inf)), "`fake`"),
        (([["a"]], [["b"]]), "`real`"),
        (([[1.0], [1, 2]], [[1.0]]), "`real`"),
        ((np.ones((5, 0)), np.ones((5, 0))), "(n, d)"),
        ((np.ones((0, 2)), np.ones((5, 2))), "(n, d)"),
    ],
)
def test_bad_features(arguments, message):
    with pytest.raises(InvalidArgument) as error:
        frechet_distance(*arguments)
    assert message in str(error.value)
