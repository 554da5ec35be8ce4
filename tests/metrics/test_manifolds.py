import numpy as np
import pytest
from scipy.spatial.distance import cdist

from kgen.errors import InvalidArgument
from kgen.metrics import manifolds, precision_recall

RNG = np.random.default_rng(0)


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


def test_the_density_s_error_has_a_part_of_each_set():
    real, fake = RNG.normal(size=(80, 4)), RNG.normal(size=(60, 4)) + 0.7
    radius = np.sort(cdist(real, real), axis=1)[:, 5]
    inside = (cdist(real, fake) <= radius[:, None]) / 5
    by_fake, by_real = inside.sum(axis=0), inside.sum(axis=1) * 80 / 60
    variance = by_fake.var(ddof=1) / 60 + by_real.var(ddof=1) / 80
    found, error = manifolds.precision_recall_and_error(real, fake, 5)
    assert found == precision_recall(real, fake)
    assert error == pytest.approx(np.sqrt(variance))


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_it_is_the_definitions(k, offset):
    real = RNG.normal(size=(80, 4)) + offset
    fake = RNG.normal(size=(60, 4)) + 0.7 + offset
    got = precision_recall(real, fake, k)
    assert got == pytest.approx(brute(real, fake, k))


def test_a_few_rows_at_a_time(monkeypatch):
    real, fake = RNG.normal(size=(80, 4)), RNG.normal(size=(60, 4)) + 0.7
    monkeypatch.setattr(manifolds, "_MEGABYTES", 0.002)  # 4 rows
    assert precision_recall(real, fake) == pytest.approx(brute(real, fake, 5))


def test_equal_and_disjoint_sets():
    x = RNG.normal(size=(50, 2))
    same = precision_recall(x, x, 3)
    assert same["precision"] == same["recall"] == same["coverage"] == 1.0
    # Each ball holds its centre and k others.
    assert same["density"] == pytest.approx(4 / 3)
    apart = precision_recall(x, x + 100.0, 3)
    assert set(apart.values()) == {0.0}


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_repeated_points_are_at_no_distance(offset):
    """Radii of 0: a rounded distance would leave every ball empty."""
    x = np.repeat(RNG.normal(size=(5, 128)), 20, axis=0) + offset
    got = precision_recall(x, x[:50])
    assert got["precision"] == 1.0
    assert got["recall"] == got["coverage"] == 0.6
    np.testing.assert_allclose(got["density"], 20 / 5)
    apart = precision_recall(x, x + 1e-3)
    assert set(apart.values()) == {0.0}


@pytest.mark.parametrize("k", [1, 3])
def test_ties_are_within(k):
    """On a lattice many lie exactly on a ball's edge, which belongs to it."""
    lattice = np.stack(np.meshgrid(*[np.arange(7.0)] * 3), -1).reshape(-1, 3)
    real, fake = (lattice[RNG.permutation(343)[:n]] for n in (211, 130))
    got = precision_recall(real, fake, k)
    assert got == pytest.approx(brute(real, fake, k))


def test_an_outlier_among_the_real_ones():
    """It raises precision; density and coverage hardly (Naeem et al. 2020).

    Its ball holds all; a single ball of n says little.
    """
    real = np.vstack([RNG.normal(size=(99, 2)), [[1000.0, 0.0]]])
    fake = RNG.normal(size=(100, 2)) + [500.0, 0.0]
    got = precision_recall(real, fake, 3)
    assert got["precision"] == 1.0
    assert got["density"] == pytest.approx(1 / 3)
    assert got["coverage"] == pytest.approx(0.01)
    inside = precision_recall(real[:-1], fake, 3)
    assert inside["precision"] == inside["density"] == 0.0


def test_an_outlier_among_the_generated_ones():
    """It raises recall, and nothing else."""
    real = RNG.normal(size=(100, 2)) + [500.0, 0.0]
    fake = np.vstack([RNG.normal(size=(99, 2)), [[1000.0, 0.0]]])
    got = precision_recall(real, fake, 3)
    assert got["recall"] == 1.0
    assert got["precision"] == got["density"] == got["coverage"] == 0.0


@pytest.mark.parametrize("dropped", [0, 3, 7])
def test_dropped_modes_are_missed(dropped):
    """8 far modes: recall and coverage are the share of those that are left."""
    centers = 100.0 * np.arange(8)[:, None] * np.ones(2)
    real, fake = (
        (centers[:, None] + RNG.normal(size=(8, 100, 2))) for _ in range(2)
    )
    fake = fake[dropped:].reshape(-1, 2)
    got = precision_recall(real.reshape(-1, 2), fake)
    assert got["recall"] == pytest.approx(1 - dropped / 8, abs=0.05)
    assert got["coverage"] == pytest.approx(1 - dropped / 8, abs=0.05)
    assert got["precision"] > 0.95


def test_of_one_distribution_they_are_what_is_expected():
    """Naeem et al. 2020, lemma 2: E[coverage] of n and m examples, and 1."""
    n, m, k = 400, 300, 4
    figures = [
        precision_recall(RNG.normal(size=(n, 3)), RNG.normal(size=(m, 3)), k)
        for _ in range(20)
    ]
    miss = np.prod([(n - 1 - i) / (n + m - 1 - i) for i in range(k)])
    for name, expected in (("density", 1.0), ("coverage", 1.0 - miss)):
        values = [figure[name] for figure in figures]
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        assert abs(np.mean(values) - expected) < 4.5 * error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((5, 2)), np.ones((5, 2))), "6 or"),
        ((np.ones((9, 2)), np.ones((5, 2))), "`fake`"),
        ((np.ones((9, 2)), np.ones((9, 3))), "2 features"),
        ((np.ones((9, 2)), np.full((9, 2), np.nan)), "finite"),
        ((np.ones((5, 2)), np.ones((5, 2)), 0), "neighbors"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(InvalidArgument) as error:
        precision_recall(*arguments)
    assert message in str(error.value)
