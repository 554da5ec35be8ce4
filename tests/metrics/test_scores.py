import numpy as np
import pytest

from kgen.errors import InvalidArgument
from kgen.metrics import inception_score

RNG = np.random.default_rng(0)


def direct(p):
    marginal = p.mean(axis=0)
    return np.exp(np.mean([np.sum(row * np.log(row / marginal)) for row in p]))


@pytest.mark.parametrize("splits", [2, 7])
def test_it_is_the_formula(splits):
    p = RNG.dirichlet(np.full(5, 0.3), 100) + 1e-9
    p /= p.sum(axis=1, keepdims=True)
    values = [direct(part) for part in np.array_split(p, splits)]
    got = inception_score(p, splits)
    assert got["inception_score"] == pytest.approx(np.mean(values))
    error = np.std(values, ddof=1) / np.sqrt(splits)
    assert got["standard_error"] == pytest.approx(error)


def test_its_ends():
    """Zeros are no trouble: 0 log 0 = 0."""
    sure = np.eye(4)[np.tile(np.arange(4), 20)]
    assert inception_score(sure) == {
        "inception_score": pytest.approx(4.0),
        "standard_error": pytest.approx(0.0, abs=1e-12),
    }
    alike = np.tile([[0.7, 0.3, 0.0]], (20, 1))
    assert inception_score(alike)["inception_score"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.eye(3), 4), "n of 4 or more"),
        ((np.eye(3), 1), "`splits`"),
        ((2.0 * np.eye(3), 2), "pass the softmax"),
        ((np.full((3, 2), np.nan), 2), "with the sum 1"),
        ((np.ones(3), 2), "(n, num_classes)"),
        (([["a"], ["b"]], 2), "(n, num_classes)"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(InvalidArgument) as error:
        inception_score(*arguments)
    assert message in str(error.value)
