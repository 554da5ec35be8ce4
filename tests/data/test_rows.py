import io

import numpy as np
import pytest

from kgen.data import load, open_source, pipeline, rows
from kgen.data.rows import Lazy
from tests.data.common import lazy, random_uint8, read


@pytest.fixture
def never_copied(monkeypatch):
    monkeypatch.setattr(rows, "COPIED_BYTES", 0)


@pytest.mark.usefixtures("never_copied")
@pytest.mark.parametrize("kind", [np.asarray, lazy])
def test_chosen_rows_are_those_of_a_copy(kind):
    images = random_uint8(20, 3, 2, 1)
    first, second = np.random.default_rng(0).permutation(20)[:12], [5, 3, 9, 0]
    chosen = rows.choose(rows.choose(kind(images), first), np.array(second))
    assert isinstance(chosen, Lazy) and chosen.shape == (4, 3, 2, 1)
    expected = images[first][second]
    for index in (np.array([3, 0, 3]), slice(1, 3), 2):
        np.testing.assert_array_equal(chosen[index], expected[index])
    np.testing.assert_array_equal(rows.read_all(chosen), expected)


@pytest.mark.usefixtures("never_copied")
def test_rows_chosen_twice_share_the_first_array():
    images = random_uint8(20, 3)
    chosen = rows.choose(images, np.arange(10))
    again = rows.choose(chosen, np.arange(5))
    assert again.chosen[0] is chosen.chosen[0] is images


def test_few_rows_are_copied():
    chosen = rows.choose(random_uint8(20, 3), np.array([4, 2]))
    np.testing.assert_array_equal(chosen, random_uint8(20, 3)[[4, 2]])
    assert not chosen.flags.writeable


def by_splits(source):
    """All batches of some splits, and epochs, as bytes."""
    found = []
    for split in ("train", "test", "all", "train[3:7]", "test[:2]"):
        for binarize in (False, True):
            dataset = load(
                source,
                split,
                labels=True,
                seed=3,
                batch_size=7,
                binarize=binarize,
            )
            found += [
                np.concatenate(part, None) for _ in "12" for part in dataset
            ]
    return [part.tobytes() for part in found]


def test_what_is_chosen_gives_the_same_batches(monkeypatch):
    source = random_uint8(50, 6, 5, 3), np.arange(50)
    expected = by_splits(source)
    monkeypatch.setattr(rows, "COPIED_BYTES", 0)
    assert by_splits(source) == expected


@pytest.mark.usefixtures("never_copied")
def test_chosen_rows_are_converted_at_once():
    source = open_source(random_uint8(20, 6, 5, 3), image_shape=(3, 3, 1))
    images = source.examples("train").images
    assert rows.in_memory(images) and images.shape == (16, 3, 3, 1)


@pytest.mark.parametrize("shape", [(3, 5), (1000, 3, 1), (7,), (0, 2), ()])
@pytest.mark.parametrize("dtype", ["uint8", "float32", ">f8"])
def test_room_begins_where_tensorflow_can_use_it(shape, dtype):
    for _ in range(4):
        room = rows.empty(shape, np.dtype(dtype))
        assert (room.shape, room.dtype) == (shape, np.dtype(dtype))
        assert not room.size or room.ctypes.data % 64 == 0
        assert room.flags.c_contiguous


def address(tensor):
    return np.asarray(memoryview(tensor)).ctypes.data


def test_sealed_rows_are_not_copied_for_tensorflow():
    images = rows.read_all(random_uint8(9, 5, 3))
    tensor = pipeline._shared(images)
    assert address(tensor) == images.ctypes.data
    np.testing.assert_array_equal(tensor, random_uint8(9, 5, 3))
    assert not images.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_what_others_may_change_is_copied():
    given = random_uint8(9, 5, 4, 3)
    train, everything = load(given, ("train", "all"), seed=0)
    before = read(train)[0].copy(), read(everything)
    given[:] = 0
    np.testing.assert_array_equal(read(everything), before[1])
    assert read(train).max() > 0


def test_rows_outlive_who_made_them():
    dataset = load(random_uint8(9, 5, 4, 3), "all")
    np.testing.assert_array_equal(
        np.round(read(dataset) * 255), random_uint8(9, 5, 4, 3)
    )


@pytest.mark.parametrize("count", [0, 1, 5, 64])
def test_values_are_read_a_part_at_a_time(monkeypatch, count):
    monkeypatch.setattr(rows, "PART_BYTES", 40)
    values = np.linspace(-1, 1e300, 3 * count).reshape(count, 3)
    for dtype, kept in ((">f8", "float32"), ("<f8", "<f8"), (">f4", "<f4")):
        with np.errstate(over="ignore"):
            there = values.astype(dtype)
            expected = there.astype(kept)
        file = io.BytesIO(there.tobytes())
        types = map(np.dtype, (dtype, kept))
        found = rows.read_values(file, there.shape, *types)
        assert found.dtype == kept
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("size, message", [(11, "only 11"), (13, "more")])
def test_a_file_of_another_size(size, message):
    kinds = np.dtype("uint8"), np.dtype("uint8")
    with pytest.raises(ValueError, match=f"announces 12 bytes.*{message}"):
        rows.read_values(io.BytesIO(bytes(size)), (4, 3), *kinds)


def test_parts_cover_all_rows(monkeypatch):
    monkeypatch.setattr(rows, "PART_BYTES", 50)
    for shape in ((0, 3), (7, 3), (40, 2), (5, 999)):
        parts = list(rows.parts(shape, np.dtype("float32")))
        covered = [n for part in parts for n in range(part.start, part.stop)]
        assert covered == [*range(shape[0])]
        most = max(1, 50 // (4 * shape[1]))
        assert all(part.stop - part.start <= most for part in parts)
