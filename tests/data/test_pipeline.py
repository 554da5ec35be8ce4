import gc

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgen.data import load, pipeline, set_epoch
from kgen.errors import InvalidArgument
from tests.data.common import lazy, read, sizes

SIZE = 23


def numbered(size=SIZE):
    """Pictures of one pixel, each its own value."""
    return np.arange(size, dtype="float32").reshape(size, 1, 1, 1)


def from_array(images, labels=None, **options):
    return pipeline.batches(images, labels, **options)


def from_indexable(images, labels=None, **options):
    return pipeline.batches(lazy(images), labels, **options)


def from_stream(images, labels=None, **options):
    parts = images if labels is None else (images, labels)
    dataset = tf.data.Dataset.from_tensor_slices(parts)
    return pipeline.stream(dataset, len(images), **options)


KINDS = [from_array, from_indexable, from_stream]
each_kind = pytest.mark.parametrize("make", KINDS)


def order(dataset):
    return [int(number) for number in np.ravel(read(dataset))]


def shuffled(make, seed=0, **options):
    options = {"batch_size": 5, "shuffle": True, **options}
    return make(numbered(), seed=seed, **options)


@each_kind
def test_every_example_once_an_epoch(make):
    dataset = shuffled(make)
    for _ in range(3):
        assert sorted(order(dataset)) == list(range(SIZE))


@each_kind
def test_passes_count_up_and_differ(make):
    dataset, again = shuffled(make), shuffled(make)
    passes = [order(dataset) for _ in range(4)]
    assert len(set(map(tuple, passes))) == 4
    assert passes == [order(again) for _ in range(4)]


@each_kind
def test_set_epoch_gives_that_epochs_order(make):
    dataset = shuffled(make)
    passes = [order(dataset) for _ in range(4)]
    set_epoch(dataset, 2)
    assert order(dataset) == passes[2]
    assert order(dataset) == passes[3]
    fresh = shuffled(make)
    set_epoch(fresh, 3)
    assert order(fresh) == passes[3]


@each_kind
def test_another_seed_is_another_order(make):
    assert order(shuffled(make, seed=0)) != order(shuffled(make, seed=1))


@each_kind
def test_order_does_not_hang_on_the_global_seed(make):
    keras.utils.set_random_seed(1)
    first = order(shuffled(make))
    for seed in (0, 2):
        keras.utils.set_random_seed(seed)
        assert order(shuffled(make)) == first


@each_kind
def test_without_a_seed_the_global_one_decides(make):
    def drawn(seed):
        keras.utils.set_random_seed(seed)
        return order(shuffled(make, seed=None))

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


@each_kind
def test_an_unfinished_pass_does_not_disturb_the_next(make):
    dataset, whole = shuffled(make), shuffled(make)
    next(iter(dataset))
    order(whole)
    assert order(dataset) == order(whole)


def test_order_is_the_same_from_memory_and_from_files():
    expected = order(shuffled(from_array))
    assert order(shuffled(from_indexable)) == expected
    assert order(shuffled(from_array, batch_size=7)) == expected


@each_kind
def test_unshuffled_keeps_the_order(make):
    dataset = make(numbered(), batch_size=5)
    assert order(dataset) == order(dataset) == list(range(SIZE))
    set_epoch(dataset, 4)
    assert order(dataset) == list(range(SIZE))


@each_kind
@pytest.mark.parametrize(
    "batch_size, expected",
    [(5, [5, 5, 5, 5, 3]), (23, [23]), (100, [23]), (1, [1] * 23)],
)
def test_batches_and_their_known_count(make, batch_size, expected):
    dataset = shuffled(make, batch_size=batch_size)
    assert int(dataset.cardinality()) == len(expected)
    assert sizes(dataset) == expected


@each_kind
def test_labels_stay_with_their_images(make):
    labels = np.arange(SIZE) * 10
    dataset = make(numbered(), labels, batch_size=4, shuffle=True, seed=0)
    images, found = read(dataset)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, images.ravel() * 10)


@each_kind
def test_shapes_and_types_are_known(make):
    images = np.zeros((3, 4, 5, 1), "uint8")
    x, y = make(images, np.arange(3), batch_size=2).element_spec
    assert x == tf.TensorSpec((None, 4, 5, 1), tf.float32)
    assert y == tf.TensorSpec((None,), tf.int32)


def test_uint8_becomes_unit_interval():
    values = np.arange(256)
    scaled = pipeline.scale(tf.constant(values.astype("uint8"))).numpy()
    assert scaled.dtype == np.float32
    assert (scaled[0], scaled[-1]) == (0, 1)
    np.testing.assert_allclose(scaled, values / 255, atol=1e-7)


PROBABILITIES = np.array([0, 26, 64, 128, 230, 255], "uint8")


def coins(make=from_array, shuffle=True, count=4000, **options):
    images = np.tile(PROBABILITIES.reshape(1, 1, -1, 1), (count, 1, 1, 1))
    return make(
        images, batch_size=300, shuffle=shuffle, binarize=True, **options
    )


@each_kind
def test_binary_pixels_have_their_value_as_frequency(make):
    x = read(coins(make, seed=0))[:, 0, :, 0]
    assert set(np.unique(x)) == {0, 1}
    p = PROBABILITIES / 255
    error = np.sqrt(p * (1 - p) / len(x))
    assert (np.abs(x.mean(axis=0) - p) <= 4 * error + 1e-7).all()


@each_kind
def test_binary_pixels_are_independent(make):
    x = read(coins(make, seed=0))[:, 0, 3, 0]
    one_apart = np.corrcoef(x[:-1], x[1:])[0, 1]
    a_batch_apart = np.corrcoef(x[:-300], x[300:])[0, 1]
    assert max(abs(one_apart), abs(a_batch_apart)) < 4 / np.sqrt(len(x))


@each_kind
def test_binary_pixels_are_drawn_anew_each_epoch(make):
    dataset = coins(make, seed=0, count=50)
    first, second = read(dataset), read(dataset)
    assert (first != second).any()
    set_epoch(dataset, 0)
    np.testing.assert_array_equal(read(dataset), first)


@each_kind
def test_unshuffled_binary_pixels_stay(make):
    dataset = coins(make, shuffle=False, seed=0, count=50)
    np.testing.assert_array_equal(read(dataset), read(dataset))
    other = coins(make, shuffle=False, seed=1, count=50)
    assert (read(dataset) != read(other)).any()


def test_images_are_copied():
    images = np.full((3, 2, 2, 1), 255, "uint8")
    dataset = from_array(images, batch_size=3)
    images[:] = 0
    assert (read(dataset) == 1).all()


def test_what_is_made_of_a_dataset_outlives_it():
    taken = shuffled(from_array).take(2)
    iterator = iter(shuffled(from_array))
    gc.collect()
    assert sizes(taken) == sizes(taken) == [5, 5]
    assert len(next(iterator)) == 5


@pytest.mark.parametrize("seed", [-1, 1.5, "a", True])
def test_bad_seed(seed):
    with pytest.raises(InvalidArgument, match="`seed` of `load`"):
        load(numbered() / SIZE, seed=seed)


def test_any_large_seed_will_do():
    assert sorted(order(shuffled(from_array, seed=2**70))) == [*range(SIZE)]


@pytest.mark.parametrize("epoch", [-1, 0.5, None])
def test_bad_epoch(epoch):
    with pytest.raises(InvalidArgument, match="`epoch` of `set_epoch`"):
        set_epoch(shuffled(from_array), epoch)


def test_set_epoch_wants_the_loaded_dataset():
    with pytest.raises(
        InvalidArgument, match=r"what `kgen.data.load` returned"
    ):
        set_epoch(shuffled(from_array).take(1), 0)
