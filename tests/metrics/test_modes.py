import numpy as np
import pytest

from kgen.errors import InvalidArgument
from kgen.metrics import mode_coverage

RNG = np.random.default_rng(0)
ANGLES = 2 * np.pi * np.arange(8) / 8
RING = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def brute(samples, centers, stddev, within, weights):
    modes, good, counts = set(), 0, np.zeros(len(centers))
    for x in samples:
        distances = [np.linalg.norm(x - center) for center in centers]
        nearest = int(np.argmin(distances))
        counts[nearest] += 1
        if distances[nearest] <= within * stddev:
            good += 1
            modes.add(nearest)
    shares = counts / counts.sum()
    return {
        "modes": len(modes),
        "high_quality": good / len(samples),
        "reverse_kl": sum(
            s * np.log(s / w) for s, w in zip(shares, weights) if s
        ),
    }


@pytest.mark.parametrize("within", [1.0, 3.0])
def test_it_is_the_definition(within):
    centers = RNG.normal(size=(5, 3))
    weights = RNG.dirichlet(np.ones(5))
    samples = centers[RNG.integers(4, size=200)]
    samples = samples + 0.2 * RNG.normal(size=(200, 3))
    got = mode_coverage(samples, centers, 0.2, within, 7.0 * weights)
    expected = brute(samples, centers, 0.2, within, weights)
    assert got == pytest.approx(expected)
    equal = mode_coverage(samples, centers, 0.2, within)
    assert equal == pytest.approx(
        brute(samples, centers, 0.2, within, np.full(5, 0.2))
    )


def test_a_perfect_sampler_of_the_ring():
    """P(|x| <= 3 sigma) in the plane is 1 - exp(-4.5); the KL of n draws
    over 8 modes is 7 / (2 n) on average."""
    figures = []
    for _ in range(60):
        samples = RING[RNG.integers(8, size=2500)]
        samples = samples + 0.01 * RNG.normal(size=samples.shape)
        figures.append(mode_coverage(samples, RING, 0.01))
    assert {figure["modes"] for figure in figures} == {8}
    for name, expected in (
        ("high_quality", 1 - np.exp(-4.5)),
        ("reverse_kl", 7 / 5000),
    ):
        values = [figure[name] for figure in figures]
        error = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values) - expected) < 4.5 * error


def test_the_worst_samplers():
    one = mode_coverage(RING[[0, 0, 0]], RING, 0.01)
    assert one == {
        "modes": 1,
        "high_quality": 1.0,
        "reverse_kl": pytest.approx(np.log(8)),
    }
    far = mode_coverage(2.0 * RING, RING, 0.01)
    assert far == {"modes": 0, "high_quality": 0.0, "reverse_kl": 0.0}


def test_the_edge_belongs_to_the_mode():
    got = mode_coverage([[0.75], [-0.75], [0.76]], [[0.0]], 0.25)
    assert got["high_quality"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((5, 3)), RING, 0.1), "3 features"),
        ((np.ones((0, 2)), RING, 0.1), "`samples`"),
        ((np.full((5, 2), np.nan), RING, 0.1), "finite"),
        ((RING, RING, -1.0), "`stddev`"),
        ((RING, RING, 0.1, np.nan), "`within`"),
        ((RING, RING, 0.1, 3.0, np.ones(7)), "8 positive numbers"),
        ((RING, RING, 0.1, 3.0, np.arange(8)), "8 positive numbers"),
        ((RING, RING, 0.1, 3.0, np.full(8, np.inf)), "8 positive numbers"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(InvalidArgument) as error:
        mode_coverage(*arguments)
    assert message in str(error.value)


@pytest.mark.parametrize("weights", [["a"], "a", [[1], [1, 2]], [1.0, 2.0]])
def test_weights_that_are_none(weights):
    with pytest.raises(InvalidArgument, match="1 positive numbers"):
        mode_coverage(np.zeros((3, 2)), np.zeros((1, 2)), 0.1, weights=weights)
