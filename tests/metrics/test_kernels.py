import numpy as np
import pytest

from kgen.errors import InvalidArgument
from kgen.metrics import kernel_distance
from kgen.metrics.kernels import kernel_distance_and_error

RNG = np.random.default_rng(0)


def direct(x, y):
    """Gretton et al., lemma 6, term by term."""

    def kernel(a, b):
        return (sum(p * q for p, q in zip(a, b)) / len(a) + 1.0) ** 3

    m = len(x)
    within = sum(
        kernel(z[i], z[j])
        for z in (x, y)
        for i in range(m)
        for j in range(m)
        if i != j
    )
    between = sum(kernel(a, b) for a in x for b in y)
    return within / (m * (m - 1)) - 2.0 * between / m**2


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_it_is_the_double_sum(offset):
    x = RNG.normal(size=(15, 3)) + offset
    y = RNG.normal(size=(15, 3)) + offset + 0.5
    got = kernel_distance(x, y, subsets=2)
    rounding = 1e-14 * (1.0 + offset**2) ** 3  # of the kernel's values
    expected = pytest.approx(direct(x, y), abs=rounding)
    assert got["kernel_distance"] == expected
    assert got["standard_error"] == pytest.approx(0.0, abs=rounding)


def test_repeated_points():
    x, y = np.ones((7, 2)), np.zeros((7, 2))
    got = kernel_distance(x, y, subsets=2)["kernel_distance"]
    assert got == pytest.approx(8.0 + 1.0 - 2.0)
    assert kernel_distance(x, x, subsets=2)["kernel_distance"] == 0.0


def test_subsets_are_drawn_without_repeats_and_averaged():
    """The mean over subsets of 2 out of 4 and 3 is that over all of them."""
    x, y = RNG.normal(size=(4, 2)), RNG.normal(size=(3, 2)) + 1.0
    every = [
        direct(x[[i, j]], y[[k, m]])
        for i in range(4)
        for j in range(i)
        for k in range(3)
        for m in range(k)
    ]
    got = kernel_distance(x, y, subsets=4000, subset_size=2)
    error = np.std(every) / np.sqrt(4000)
    assert got["standard_error"] == pytest.approx(error, rel=0.1)
    assert abs(got["kernel_distance"] - np.mean(every)) < 4.5 * error


def test_it_has_no_bias():
    """Of one distribution: 0 on average, below it as often as above."""
    values = [
        kernel_distance(
            RNG.normal(size=(30, 5)), RNG.normal(size=(30, 5)), subsets=2
        )["kernel_distance"]
        for _ in range(400)
    ]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 4.5 * error
    assert np.min(values) < 0.0


def test_the_size_is_cut_to_the_smaller_set():
    x, y = RNG.normal(size=(50, 2)), RNG.normal(size=(9, 2))
    assert kernel_distance(x, y, 5) == kernel_distance(x, y, 5, subset_size=9)


def test_a_seed_draws_the_subsets():
    x, y = RNG.normal(size=(2, 50, 2))
    one, same, other = (
        kernel_distance(x, y, 5, subset_size=10, seed=seed)
        for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_leaving_out_groups():
    """The jackknife's definition, of sets that no groups divide evenly."""
    x, y = RNG.normal(size=(23, 2)), RNG.normal(size=(23, 2)) + 0.5
    value, error = kernel_distance_and_error(x, y, 4)
    assert value == pytest.approx(direct(x, y))
    groups = np.array_split(np.arange(23), 4)
    found = [
        [_unequal(np.delete(x, group, 0), y) for group in groups],
        [_unequal(x, np.delete(y, group, 0)) for group in groups],
    ]
    variance = 3.0 * np.var(found, axis=1).sum()
    assert error == pytest.approx(np.sqrt(variance))


def _unequal(x, y):
    """The same of sets of two sizes."""
    kernels = [(a @ b.T / 2 + 1.0) ** 3 for a, b in ((x, x), (y, y), (x, y))]
    within = [
        (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in kernels[:2]
    ]
    return sum(within) - 2.0 * kernels[2].mean()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((1, 3)), np.ones((5, 3))), "`real`"),
        ((np.ones((5, 3)), np.ones((5, 2))), "3 features"),
        ((np.ones((5, 3)), np.full((5, 3), np.nan)), "`fake`"),
        ((np.ones((5, 3)), np.ones((0, 3))), "`fake`"),
        ((np.ones((5, 3)), np.ones((5, 3)), 1), "`subsets`"),
        ((np.ones((5, 3)), np.ones((5, 3)), 2, 1), "`subset_size`"),
        ((np.ones((5, 3)), np.ones((5, 3)), 2, 2, -1), "`seed`"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(InvalidArgument) as error:
        kernel_distance(*arguments)
    assert message in str(error.value)
