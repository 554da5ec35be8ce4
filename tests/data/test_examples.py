import numpy as np
import pytest
import tensorflow as tf

from kgen.data import conversion, examples, rows
from kgen.data.rows import in_memory
from kgen.errors import InvalidArgument, say_once
from tests.data.common import as_rows, lazy, random_uint8, read


@pytest.mark.parametrize(
    "image_shape",
    [
        (0, 1, 1),
        (-8, 8, 1),
        (8, 0),
        (8, 8, 2),
        (8, 8, 5),
        (8, 8, 1, 1),
        8,
        "8x8",
        (None, 8, 1),
    ],
)
def test_bad_image_shape(image_shape):
    with pytest.raises(InvalidArgument, match="`image_shape` of `load`"):
        conversion.check_image_shape(image_shape)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("target", [(3, 4, 1), (9, 5, 3), (7, 6, 1)])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_convert_keeps_a_plain_colour(channels, target, dtype):
    value = 200 if dtype == "uint8" else 0.75
    images = np.full((2, 7, 6, channels), value, dtype)
    converted = conversion.convert(images, target)
    assert converted.shape == (2, *target)
    assert converted.dtype == images.dtype
    np.testing.assert_allclose(converted, value, rtol=2e-4)


def test_grey_is_the_luminance():
    red = np.zeros((1, 2, 2, 3), "float32")
    red[..., 0] = 1
    grey = conversion.convert(red, (2, 2, 1))
    np.testing.assert_allclose(grey, 0.2989, atol=1e-3)


def test_half_the_size_is_the_mean_of_neighbours():
    image = np.zeros((1, 8, 8, 1), "uint8")
    image[:, :, 4:] = 200
    small = conversion.convert(image, (2, 2, 1))[0, :, :, 0]
    assert (small[:, 0] < 40).all() and (small[:, 1] > 160).all()


def test_resized_floats_stay_in_the_unit_interval():
    images = np.ones((1, 7, 7, 3), "float32")
    assert conversion.convert(images, (5, 3, 3)).max() <= 1


def test_convert_all_is_convert_by_chunks(monkeypatch):
    images = random_uint8(7, 6, 6, 3)
    whole = conversion.convert(images, (4, 3, 1))
    monkeypatch.setattr(rows, "PART_BYTES", 3 * 6 * 6 * 3 * 4)
    chunks = conversion.convert_all(images, (4, 3, 1))
    np.testing.assert_array_equal(chunks, whole)
    lazily = conversion.convert_all(lazy(images), (4, 3, 1))
    assert lazily.shape == (7, 4, 3, 1)
    np.testing.assert_array_equal(lazily[np.array([5, 2])], whole[[5, 2]])


@pytest.mark.parametrize("shape", [(5, 16), (5, 4, 4, 2)])
def test_what_is_no_picture_has_no_image_shape(shape):
    with pytest.raises(InvalidArgument, match="no pictures with 1, 3 or 4"):
        conversion.convert_all(np.zeros(shape, "float32"), (2, 2, 1))


@pytest.mark.parametrize("dtype", ["uint8", "bool", "<f4", ">f8", "float16"])
@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_memory_map_is_read_as_an_array(tmp_path, dtype, mode):
    values = (random_uint8(9, 4) > 99).astype(dtype)
    path = tmp_path / "x.npy"
    np.save(path, values)
    mapped = rows.as_lazy_rows(np.lib.format.open_memmap(path, mode))
    assert mapped.dtype == ("uint8" if dtype == "uint8" else "float32")
    assert len(mapped) == 9 and mapped.shape == (9, 4)
    for positions in (np.array([3, 0, 3]), slice(2, 5), 8):
        part = mapped[positions]
        assert part.dtype == mapped.dtype
        assert in_memory(part) and part.flags.writeable
        np.testing.assert_array_equal(part, values[positions])


def test_what_was_written_to_a_map_stays(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((4, 2), "uint8"))
    memory = np.lib.format.open_memmap(path, "c")
    memory[1] = 7
    mapped = rows.as_lazy_rows(memory)
    assert (mapped[1] == 7).all() and (mapped[1] == 7).all()


@pytest.mark.parametrize("labelled", [True, False])
def test_selected_from_a_stream(labelled):
    images, labels = random_uint8(10, 3, 3, 1), np.arange(10)
    parts = (images, labels) if labelled else images
    stream = examples.StreamedExamples(
        tf.data.Dataset.from_tensor_slices(parts), 10
    )
    part = stream.select(np.array([1, 4, 9]))
    assert len(part) == 3 and part.shape == (3, 3, 1)
    found = read(part.batches(labels=labelled, batch_size=2))
    if labelled:
        found, found_labels = found
        np.testing.assert_array_equal(found_labels, [1, 4, 9])
    np.testing.assert_allclose(found * 255, images[[1, 4, 9]], rtol=1e-6)


def test_selections_of_selections():
    images = random_uint8(10, 2)
    indexable = lazy(images)
    for source in (images, indexable):
        whole = examples.Examples(source, np.arange(10))
        part = whole.select(np.array([8, 3, 5, 1])).slice(1, 3)
        assert len(part) == 2
        np.testing.assert_array_equal(part.labels, [3, 5])
        assert as_rows(part.images[np.arange(2)]) == as_rows(images[[3, 5]])


def labelled(streamed):
    """Six examples, class by class, at once or one after another."""
    x = np.arange(6, dtype="float32")[:, None]
    y = np.array([0, 0, 0, 1, 1, 1])
    if not streamed:
        return examples.Examples(x, y)
    pairs = tf.data.Dataset.from_tensor_slices((x, y))
    return examples.StreamedExamples(pairs, 6)


@pytest.mark.parametrize("streamed", [False, True])
def test_some_are_a_part_drawn_by_the_seed(streamed):
    found = labelled(streamed)
    parts = [
        read(examples.subset(found, 4, seed).batches(labels=True, batch_size=3))
        for seed in (0, 0, 1)
    ]
    for x, y in parts:
        assert len(set(x[:, 0])) == 4
        np.testing.assert_array_equal(y, x[:, 0] > 2)
    np.testing.assert_array_equal(parts[0][0], parts[1][0])
    assert not np.array_equal(parts[0][0], parts[2][0])
    assert len(examples.subset(found, 9)) == 6


def test_a_stream_is_read_once_and_given_in_the_drawn_order():
    """Class by class, it would be its first class that comes first."""
    passes = []

    def rows():
        passes.append(0)
        for i in range(300):
            yield np.array([i], "float32"), i // 100

    spec = (tf.TensorSpec((1,), "float32"), tf.TensorSpec((), "int64"))
    pairs = tf.data.Dataset.from_generator(rows, output_signature=spec)
    found = examples.subset(examples.StreamedExamples(pairs, 300), 90, seed=3)
    for _ in range(2):
        x, y = read(found.batches(labels=True, batch_size=32))
    assert len(passes) == 1
    order = np.random.default_rng(3).permutation(300)[:90]
    np.testing.assert_array_equal(x[:, 0], order)
    np.testing.assert_array_equal(y, order // 100)
    np.testing.assert_array_equal(found.labels, y)


def test_some_of_a_stream_are_all_that_is_kept(monkeypatch):
    monkeypatch.setattr(examples, "_CHUNK", 7)
    x = random_uint8(100, 5, 5, 1)
    stream = examples.StreamedExamples(
        tf.data.Dataset.from_tensor_slices(x), 100
    )
    found = examples.subset(stream, 30)
    assert found.images.shape == (30, 5, 5, 1)
    assert found.images.dtype == "uint8" and found.labels is None
    order = np.random.default_rng(0).permutation(100)[:30]
    np.testing.assert_array_equal(found.images, x[order])


@pytest.mark.parametrize("streamed", [False, True])
def test_labels_are_read(streamed):
    found = labelled(streamed)
    np.testing.assert_array_equal(found.read_labels(), [0, 0, 0, 1, 1, 1])
    assert found.without_labels().read_labels() is None


@pytest.mark.parametrize("streamed", [False, True])
def test_without_labels(streamed):
    for found in (labelled(streamed), labelled(streamed).without_labels()):
        without = found.without_labels()
        assert without.labels is None and len(without) == 6
        x = read(without.batches(batch_size=4))
        np.testing.assert_array_equal(x[:, 0], np.arange(6))


@pytest.mark.parametrize("dtype, white", [("uint8", 255), ("float32", 1.0)])
def test_opacity(dtype, white):
    """Red that is hidden, and a half of green."""
    x = np.zeros((1, 1, 2, 4), dtype)
    x[0, 0, 0] = [white, 0, 0, 0]
    x[0, 0, 1] = [0, white, 0, white]
    for background, expected in (
        ("white", [[1, 1, 1], [0, 1, 0]]),
        ("#0000ff", [[0, 0, 1], [0, 1, 0]]),
    ):
        found = conversion.convert(x, (1, 2, 3), background) / white
        np.testing.assert_allclose(found[0, 0], expected, atol=1e-6)
    # What is hidden does not colour what is beside it.
    small = conversion.convert(x, (1, 1, 4))[0, 0, 0] / white
    np.testing.assert_allclose(small, [0, 1, 0, 0.5], atol=0.01)
    plain = conversion.convert(x[..., :3], (1, 2, 4))[0, 0] / white
    np.testing.assert_array_equal(plain, [[1, 0, 0, 1], [0, 1, 0, 1]])


def test_an_opacity_that_is_lost_is_told_once(capsys):
    say_once.cache_clear()
    x = random_uint8(3, 2, 2, 4)
    for _ in range(2):
        conversion.convert(x, (2, 2, 3), "black")
    assert capsys.readouterr().err == (
        "kgen: Pictures with an opacity are shown on a black background.\n"
    )
    conversion.convert(x, (2, 2, 4), "black")
    assert not capsys.readouterr().err
