import numpy as np
import pytest

from kgen.errors import InvalidArgument
from kgen.metrics import probe

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 3, 300)


def test_codes_that_are_the_classes_are_told_apart():
    z = np.eye(3)[Y] + 0.01 * RNG.normal(size=(300, 3))
    assert probe(z, Y) == {"knn_accuracy": 1.0, "logistic_accuracy": 1.0}


def test_codes_without_the_classes_are_chance():
    got = probe(
        RNG.normal(size=(300, 3)), Y, RNG.normal(size=(900, 3)), Y.repeat(3)
    )
    error = np.sqrt(2 / 9 / 900)
    for accuracy in got.values():
        assert accuracy == pytest.approx(1 / 3, abs=4.5 * error)


def test_only_neighbours_find_what_is_not_linear():
    angle, y = RNG.uniform(0, 2 * np.pi, 400), np.repeat([0, 1], 200)
    z = (1 + y[:, None]) * np.column_stack([np.cos(angle), np.sin(angle)])
    got = probe(z, y)
    assert got["knn_accuracy"] > 0.95 > 0.8 > got["logistic_accuracy"]


def test_a_seed_draws_the_fifth():
    z = RNG.normal(size=(300, 2)) + Y[:, None]
    assert probe(z, Y, seed=3) == probe(z, Y, seed=3)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((np.zeros(3), [0, 1, 1]), "shape (n, d)"),
        ((np.zeros((3, 1)), [0, 1]), "3 labels"),
        ((np.zeros((3, 1)), [1, 1, 1]), "two classes or more"),
        ((np.zeros((3, 1)), [0, 1, 1]), "more examples"),
        ((np.zeros((3, 1)), [0, 1, 1], np.zeros((3, 1))), "both z_test"),
        ((np.full((3, 1), np.nan), [0, 1, 1]), "finite"),
        ((np.zeros((3, 1)), [0.0, 1.0, 1.0]), "integers"),
        ((np.zeros((3, 1)), ["a", "b", "b"]), "integers"),
        (
            (np.zeros((3, 1)), [0, 1, 1], np.zeros((3, 2)), [0, 1, 1]),
            "1 features",
        ),
        (
            (np.eye(3), [0, 1, 1], np.full((3, 3), np.inf), [0, 1, 1]),
            "`z_test`",
        ),
    ],
)
def test_bad_input(args, message):
    with pytest.raises(InvalidArgument) as error:
        probe(*args)
    assert message in str(error.value)


def test_neighbours_must_be_some():
    with pytest.raises(InvalidArgument, match="positive integer"):
        probe(np.eye(3)[Y], Y, neighbors=0)
    with pytest.raises(InvalidArgument, match="`seed`"):
        probe(np.eye(3)[Y], Y, seed=-1)
