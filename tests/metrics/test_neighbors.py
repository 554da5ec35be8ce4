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


def direct(samples, train, test):
    one, other = (cdist(x, train).min(axis=1) for x in (samples, test))
    above = np.sum(one[:, None] > other) + 0.5 * np.sum(one[:, None] == other)
    n, m = len(one), len(other)
    spread = np.sqrt(n * m * (n + m + 1) / 12)
    return {"nearer": 1 - above / (n * m), "z": (above - n * m / 2) / spread}


def test_memorization_is_its_formula():
    samples, train, test = (RNG.normal(size=(n, 3)) for n in (30, 80, 40))
    samples[:10] = train[:10]  # ties at 0
    test[:3] = train[-3:]
    got = memorization(samples, train, test, batch_size=11)
    assert got == pytest.approx(direct(samples, train, test))


def test_copies_fresh_samples_and_what_is_far():
    train, test, fresh = (RNG.normal(size=(300, 2)) for _ in range(3))
    copies = memorization(train[:100], train, test)
    assert copies["nearer"] == 1.0
    assert copies["z"] < -10
    near = memorization(train + 1e-3, train, test)
    assert near["nearer"] > 0.9 and near["z"] < -10
    far = memorization(fresh + 50.0, train, test)
    assert far["nearer"] == 0.0 and far["z"] > 10
    assert memorization(test, train, test) == {"nearer": 0.5, "z": 0.0}


def test_z_of_fresh_samples_is_standard_normal():
    def draw():
        return RNG.normal(size=(60, 2))

    # One training set a time, since its own shape is common to both.
    z = [memorization(draw(), draw(), draw())["z"] for _ in range(50)]
    assert abs(np.mean(z)) < 4.5 / np.sqrt(50)
    assert np.std(z) == pytest.approx(1.0, abs=4.5 / np.sqrt(100))


def test_all_at_one_distance():
    ones = np.ones((5, 2))
    assert memorization(ones, ones, ones) == {"nearer": 0.5, "z": 0.0}


def test_train_passes_by_once():
    train = RNG.normal(size=(40, 2))
    samples, test = RNG.normal(size=(2, 20, 2))
    once = (train[start : start + 10] for start in range(0, 40, 10))
    expected = memorization(samples, train, test)
    assert memorization(samples, once, test) == expected


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
        (memorization, (X, X, X[:, :1]), "`test`"),
        (memorization, (X, X, X[:0]), "`test`"),
    ],
)
def test_bad_input(function, arguments, message):
    with pytest.raises(InvalidArgument) as error:
        function(*arguments)
    assert message in str(error.value)
