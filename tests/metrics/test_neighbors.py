import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import cdist

from kgen.errors import InvalidArgument
from kgen.metrics import memorization, nearest_neighbors

RNG = np.random.default_rng(0)


def pictures(count, dtype="float32"):
    return RNG.uniform(size=(count, 4, 5, 2)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_it_is_the_least_of_all_distances(dtype, batch_size):
    samples, references = pictures(30, dtype), pictures(41, dtype)
    index, distance = nearest_neighbors(samples, references, batch_size)
    every = cdist(samples.reshape(30, -1), references.reshape(41, -1))
    np.testing.assert_array_equal(index, every.argmin(axis=1))
    np.testing.assert_allclose(distance, every.min(axis=1), rtol=1e-5)


@pytest.mark.parametrize("labels", [False, True])
def test_references_by_the_batch(labels):
    samples, references = pictures(30), pictures(41)
    whole = nearest_neighbors(samples, references)
    data = (references, np.arange(41)) if labels else references
    batches = tf.data.Dataset.from_tensor_slices(data).batch(8)
    for source in (batches, list(batches), iter(batches)):
        got = nearest_neighbors(samples, source)
        np.testing.assert_array_equal(got[0], whole[0])
        np.testing.assert_array_equal(got[1], whole[1])


@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_copy_is_at_no_distance(offset, dtype):
    references = (RNG.uniform(size=(50, 784)) + offset).astype(dtype)
    order = RNG.permutation(50)
    index, distance = nearest_neighbors(references[order], references, 9)
    np.testing.assert_array_equal(index, order)
    assert not distance.any()


def test_integers_and_a_large_mean():
    references = np.array([[10**9], [10**9 + 5]])
    index, distance = nearest_neighbors([[10**9 + 3], [10**9]], references)
    np.testing.assert_array_equal(index, [1, 0])
    np.testing.assert_array_equal(distance, [2.0, 0.0])


def distances(samples, train):
    return nearest_neighbors(samples, train)[1]


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_memorization_is_its_formula(share):
    train, test, samples = (RNG.normal(size=(n, 3)) for n in (80, 40, 30))
    one, other = (cdist(x, train).min(axis=1) for x in (samples, test))
    near = np.sort(other)[int(np.ceil(share * 40)) - 1]
    got = memorization(distances(samples, train), distances(test, train), share)
    assert got == pytest.approx(
        {"memorization": np.mean(one <= near), "floor": share}
    )


@pytest.mark.parametrize("others", ["fresh", "far", "bland"])
def test_half_of_copies_are_told_whatever_the_others_are(others):
    train, test, fresh = (RNG.normal(size=(300, 5)) for _ in range(3))
    fresh = {"fresh": fresh, "far": fresh + 9.0, "bland": 0.3 * fresh}[others]
    half = np.concatenate([train[:150], fresh[:150]])
    got = memorization(distances(half, train), distances(test, train))
    assert got["memorization"] >= 0.5
    assert got["floor"] == 0.05


def test_copies_near_copies_and_what_is_far():
    train, test, fresh = (RNG.normal(size=(300, 2)) for _ in range(3))
    usual = distances(test, train)
    for samples, share in ((train[:100], 1.0), (fresh + 50.0, 0.0)):
        got = memorization(distances(samples, train), usual)
        assert got["memorization"] == share
    near = memorization(distances(train + 1e-4, train), usual)
    assert near["memorization"] > 0.9


def test_fresh_samples_have_the_floor():
    """In the mean over sets; of m distances k are near: k / (m + 1)."""

    def draw():
        return RNG.normal(size=(60, 2))

    found = []
    for _ in range(100):
        train = draw()
        found.append(
            memorization(distances(draw(), train), distances(draw(), train))
        )
    share = [one["memorization"] for one in found]
    error = np.std(share) / np.sqrt(len(share))
    assert np.mean(share) == pytest.approx(3 / 61, abs=4.5 * error)
    assert error < 0.006


def test_test_examples_that_are_copies_hide_none():
    """Data with repeated examples: copies are at the distance of some."""
    usual = np.array([0.0] * 10 + [1.0] * 90)
    got = memorization([0.0, 0.0, 2.0, 3.0], usual)
    assert got == {"memorization": 0.5, "floor": 0.1}
    assert memorization(usual, usual) == {"memorization": 0.1, "floor": 0.1}
    ones = np.ones(5)
    assert memorization(ones, ones) == {"memorization": 1.0, "floor": 1.0}


X = np.ones((4, 2, 3))


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (nearest_neighbors, (X[:0], X), "`samples`"),
        (nearest_neighbors, (X, X[:0]), "Expected some"),
        (nearest_neighbors, (X, []), "Expected some"),
        (nearest_neighbors, (X, X[:, :1]), "6 values an example"),
        (nearest_neighbors, (X, X + np.nan), "`references`"),
        (nearest_neighbors, (X + np.inf, X), "`samples`"),
        (nearest_neighbors, (X, X, 0), "`batch_size`"),
        (nearest_neighbors, (np.ones(3), X), "(n, ...)"),
        (memorization, (X, np.ones(3)), "`distances`"),
        (memorization, (np.ones(3), []), "`test_distances`"),
        (memorization, ([1.0, np.nan], np.ones(3)), "`distances`"),
        (memorization, (np.ones(3), [-1.0]), "none below 0"),
        (memorization, (np.ones(3), np.ones(3), 1.5), "`share`"),
    ],
)
def test_bad_input(function, arguments, message):
    with pytest.raises(InvalidArgument) as error:
        function(*arguments)
    assert message in str(error.value)
