import io
import pathlib
import pickle
import random
import shutil
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
import pytest

from kgen.data import arrays, examples, load, numpy_files, open_source, rows
from kgen.data.rows import in_memory
from kgen.errors import InvalidArgument
from tests.data.common import as_floats, random_uint8, read

PICTURES = random_uint8(20, 6, 5)


def read_file(path, split="all"):
    return numpy_files.find(path)[split]()


def save(path, array):
    np.save(path, array)
    return path


def test_values_beyond_0_and_1_stay_when_resized():
    x = np.full((2, 8, 8, 1), -0.5, "float32")
    x[1] = 1.5
    source = open_source(x, image_shape=(4, 4, 1), any_range=True)
    batches = source.examples("all").batches(batch_size=2)
    resized = np.concatenate(list(batches.as_numpy_iterator()))
    np.testing.assert_array_equal(np.unique(resized), [-0.5, 1.5])


def test_a_label_of_minus_1_is_asked_for():
    x, y = np.zeros((3, 4), "float32"), np.array([-1, 0, 1])
    with pytest.raises(InvalidArgument, match="from 0"):
        arrays.from_arrays(x, y)
    found = arrays.from_arrays(x, y, lowest_label=-1)
    assert found.labels.tolist() == [-1, 0, 1]


def test_uint8_stays_and_gets_a_channel():
    found = arrays.from_arrays(PICTURES)
    assert found.images.dtype == np.uint8
    assert found.shape == (6, 5, 1) and len(found) == 20
    np.testing.assert_array_equal(found.images[..., 0], PICTURES)


@pytest.mark.parametrize("shape", [(5, 7), (5, 4, 3, 1), (5, 4, 3, 3)])
def test_shapes_that_stay(shape):
    images = random_uint8(*shape)
    assert arrays.from_arrays(images).images.shape == shape


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", ">f4", ">f8", "longdouble"]
)
def test_all_floats_become_float32(dtype):
    images = as_floats(PICTURES[..., None]).astype(dtype)
    found = arrays.from_arrays(images).images
    assert found.dtype == np.float32 and found.dtype.isnative
    np.testing.assert_array_equal(found, images.astype("float32"))


def test_bool_becomes_0_and_1():
    images = PICTURES[..., None] > 99
    found = arrays.from_arrays(images).images
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, images)


def test_lists_and_strides():
    assert arrays.from_arrays([[0.5, 1.0], [0.0, 2.0]]).shape == (2,)
    strided = PICTURES[::-2].transpose(0, 2, 1)
    found = read(load(strided, "all"))
    np.testing.assert_allclose(found[..., 0], as_floats(strided), atol=1e-7)


def test_vectors_may_have_any_finite_value():
    vectors = np.array([[-3.0, 1e6], [0.0, 2.0]])
    np.testing.assert_array_equal(read(load(vectors, "all")), vectors)


def test_rounding_is_no_reason_to_refuse():
    images = np.full((2, 2, 2), 1 + 1e-12)
    assert arrays.from_arrays(images).images.max() == 1


@pytest.mark.parametrize(
    "images, message",
    [
        (np.full((3, 2, 2), 1.5), "values in .0, 1.; .* from 1.5 to 1.5"),
        (np.full((3, 2, 2), -0.1), "values from -0.1"),
        (np.full((3, 2, 2), 255.0), "scale the data, or pass uint8"),
        (np.full((3, 2, 2), np.nan), "finite numbers.*NaN or infinity"),
        (np.array([[0.0, np.inf]]), "finite numbers"),
        (np.array([[1e300, 0.0]]), "finite numbers"),
        (PICTURES.astype("int64"), r"array of int64"),
        (PICTURES.astype("uint16"), r"convert with `x.astype\(.uint8.\)`"),
        (PICTURES.astype("complex64"), "array of complex64"),
        (PICTURES.astype(str), "array of <U"),
        (PICTURES.astype(object), "array of object"),
        (np.zeros((0, 4, 4), "uint8"), r"at least one .*\(0, 4, 4\)"),
        (np.zeros((3, 0, 4), "uint8"), r"at least one .*\(3, 0, 4\)"),
        (np.zeros(5, "float32"), r"shape \(n, \.\.\.\)"),
        (np.float32(1), r"shape \(\)"),
        (None, r"shape \(\)"),
        ([], "at least one"),
        ([[0.1], [0.1, 0.2], [0.3]], "examples of one shape"),
    ],
)
def test_bad_arrays(images, message):
    with pytest.raises(InvalidArgument, match=message):
        load(images)


X = np.zeros((7, 2))


@pytest.mark.parametrize(
    "images, message",
    [
        ({"x": X}, r"pair \(images, labels\). Received: source=a dict"),
        ({1, 2}, "a set"),
        (iter([X]), "a list_iterator"),
        ([np.zeros((5, 4)), np.zeros((6, 4))], r"shapes \(5, 4\) and \(6, 4\)"),
        ([np.zeros((5, 4, 3)), np.zeros((5, 4)), X], r"examples of one shape"),
        (np.ma.masked_equal(X, 0), r"x.filled\(value\)"),
        (X.astype("datetime64[s]"), "array of datetime64"),
        (X.astype("complex64"), r"np.abs\(x\)"),
        (X.astype("V8"), r"array of .V8"),
        (X.astype("int16"), r"`x.astype\(.float32.\) / 32768`"),
        (X.astype("int8"), r"`x.astype\(.float32.\) / 128`"),
        (X.astype("uint16"), r"`x.astype\(.float32.\) / 65535`"),
        (X.astype("int64"), r"convert with `x.astype\(.float32.\)`"),
        (PICTURES.astype("int16") - 1, r"`\(x.* \+ 32768\) / 65535`"),
        (PICTURES.astype("uint16") * 9, r"`x.astype\(.float32.\) / 65535`"),
        (PICTURES.astype("int64") * 9, "by the largest possible"),
        (PICTURES.astype("int64"), r"`x.astype\(.uint8.\)` if 255 is white"),
    ],
)
def test_what_is_to_be_done_about_other_arrays(images, message):
    with pytest.raises(InvalidArgument, match=message):
        load(images)


@pytest.mark.parametrize(
    "shape",
    [
        (9, 128, 2),
        (9, 128, 1),
        (9, 2, 128),
        (9, 5, 4),
        (9, 1000, 12),
        (9, 40, 3),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_arrays_that_could_be_several_things(tmp_path, shape, dtype):
    x = np.zeros(shape, dtype)
    save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x)
    size = f"{shape[1]}x{shape[2]}"
    message = (
        rf"argument `source` of `load`.*--image-shape {size}\) for sequences "
        rf"of .*--image-shape {size}x1\) or `x.*` for grey pictures .*"
        rf"`x.reshape\(len\(x\), -1\)` for vectors"
    )
    for source in (x, tmp_path / "x.npy", tmp_path / "x.npz"):
        with pytest.raises(InvalidArgument, match=message):
            load(source)
    assert read(load(x[..., None], "all")).shape == (*shape, 1)
    for asked in (shape[1:], (*shape[1:], 1)):
        assert read(load(x, "all", image_shape=asked)).shape[1:] == asked
    assert read(load(x.reshape(len(x), -1), "all")).ndim == 2


@pytest.mark.parametrize("shape", [(9, 24, 6), (9, 64, 32), (9, 20, 28)])
def test_floats_of_two_sides_are_not_guessed_to_be_pictures(tmp_path, shape):
    path = save(tmp_path / "x.npy", np.zeros(shape, "float32"))
    with pytest.raises(InvalidArgument, match="could mean several") as error:
        load(path)
    assert str(error.value).startswith(f"{path}: Invalid value for argument `s")
    assert arrays.from_arrays(np.zeros(shape, "uint8")).shape == (*shape[1:], 1)


@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (5, 3, 32, 32), (5, 3, 16, 9)])
def test_channels_first(shape):
    x = np.zeros(shape, "uint8")
    with pytest.raises(
        InvalidArgument, match=r"pass `np.moveaxis\(x, 1, -1\)`"
    ):
        load(x)
    assert read(load(np.moveaxis(x, 1, -1), "all")).shape[-1] == shape[1]


@pytest.mark.parametrize(
    "shape",
    [(5, 8, 8), (5, 28, 28), (5, 112, 92), (5, 32, 128), (5, 2, 2), (5, 4, 4, 64),
     (5, 1, 1, 64), (5, 3, 32, 3), (5, 1, 28, 1), (5, 9, 1, 1), (2, 9, 9, 9),
     (5, 1, 100, 8), (5, 4, 50, 9), (5, 4, 16, 9), (5, 2, 8, 8)],
)  # fmt: skip
def test_arrays_that_are_plain_pictures(shape):
    found = arrays.from_arrays(np.zeros(shape, "uint8"))
    assert found.images.shape == (shape if len(shape) == 4 else (*shape, 1))


@pytest.mark.parametrize("shape", [(6, 6), (5, 6, 1), (8,)])
def test_a_list_of_two_examples_is_no_pair(shape):
    one, other = np.zeros(shape, "float32"), np.ones(shape, "float32")
    x = read(load([one, other], "all"))
    assert len(x) == 2 and x[0].max() == 0 and x[1].min() == 1


def test_a_list_of_images_and_labels_is_a_pair():
    for labels in (np.arange(20), [*range(20)], np.arange(20)[:, None]):
        assert len(read(load([PICTURES, labels], "all", labels=True))[1]) == 20


@pytest.mark.parametrize("part", [0, 777, 1499])
def test_no_value_escapes_the_check(monkeypatch, part):
    monkeypatch.setattr(rows, "PART_BYTES", 7 * 16)
    images = np.zeros((1500, 2, 2), "float32")
    images[part, 1, 1] = np.nan
    with pytest.raises(InvalidArgument, match="NaN"):
        arrays.from_arrays(images)


@pytest.mark.parametrize(
    "labels",
    [range(20), np.arange(20, dtype="uint8"), np.arange(20.0).astype(">i8"),
     np.arange(20)[:, None]],
)  # fmt: skip
def test_labels_become_int32(labels):
    found = arrays.from_arrays(PICTURES, labels).labels
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, np.arange(20))


@pytest.mark.parametrize(
    "labels, message",
    [
        (np.arange(19), r"20 labels, one for each .*\(19,\)"),
        (np.eye(20, dtype=int), r"20 labels, .*argmax.*\(20, 20\)"),
        (3, "20 labels"),
        (np.arange(20.0), r"integers, such as `y.astype\(.int32.\)`.*float64"),
        (np.arange(20) / 2, r"integers, such as `np.unique\(y, .*float64"),
        (np.arange(20) > 9, r"integers, such as `y.astype\(.int32.\)`.*bool"),
        (["a"] * 20, r"integers, such as `np.unique\(y, .*<U1"),
        ([None] * 20, r"integers, such as `np.unique\(y, .*object"),
        ({"y": 1}, "a dict"),
        (np.arange(20) - 1, "from 0 to 2147483647.* from -1 to 18"),
        (np.arange(20) + 2**40, "to 2147483647.* from 1099511627776"),
        (np.full(20, 2**64 - 1, "uint64"), "to 2147483647"),
        ([[1]] * 19 + [[1, 2]], "`labels`"),
    ],
)
def test_bad_labels(labels, message):
    with pytest.raises(InvalidArgument, match=message):
        load((PICTURES, labels))


def test_npy(tmp_path):
    found = read_file(save(tmp_path / "a.npy", PICTURES))
    assert found.images.dtype == np.uint8 and in_memory(found.images)
    np.testing.assert_array_equal(found.images[..., 0], PICTURES)


@pytest.mark.parametrize(
    "names",
    [("arr_0", "arr_1"), ("x", "y"), ("images", "labels"), ("data", "target")],
)
def test_npz_without_splits(tmp_path, names):
    labels = np.arange(20)
    extra = {"other": np.zeros(3)}
    path = tmp_path / "a.npz"
    np.savez(path, **dict(zip(names, (PICTURES, labels))), **extra)
    found = read_file(path)
    np.testing.assert_array_equal(found.images[..., 0], PICTURES)
    np.testing.assert_array_equal(found.labels, labels)


def test_npz_with_one_array_of_any_name(tmp_path):
    np.savez(tmp_path / "a.npz", whatever=PICTURES)
    found = read_file(tmp_path / "a.npz")
    assert len(found) == 20 and found.labels is None


@pytest.mark.parametrize("save_npz", [np.savez, np.savez_compressed])
def test_npz_of_keras(tmp_path, save_npz):
    path = tmp_path / "mnist.npz"
    save_npz(
        path,
        x_train=PICTURES[:15],
        y_train=np.arange(15),
        x_test=PICTURES[15:],
        y_test=np.arange(15, 20),
    )
    assert list(numpy_files.find(path)) == ["train", "test"]
    images, labels = read(load(path, "test", labels=True))
    np.testing.assert_allclose(
        images[..., 0], as_floats(PICTURES[15:]), atol=1e-7
    )
    np.testing.assert_array_equal(labels, np.arange(15, 20))


def test_npz_with_nothing_but_a_train_part_is_divided(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=PICTURES)
    train, test = load(tmp_path / "a.npz", ("train", "test"))
    assert (len(read(train)), len(read(test))) == (16, 4)


def test_npz_without_images(tmp_path):
    np.savez(tmp_path / "a.npz", u=PICTURES, v=PICTURES)
    with pytest.raises(InvalidArgument, match="arrays u, v. Expected images"):
        load(tmp_path / "a.npz")


@pytest.mark.usefixtures("no_memory")
@pytest.mark.parametrize(
    "array",
    [
        PICTURES,
        np.asfortranarray(PICTURES),
        as_floats(PICTURES[..., None]),
        as_floats(PICTURES[..., None]).astype(">f4"),
        PICTURES[..., None] > 99,
    ],
    ids=["uint8", "fortran", "float64", "big-endian", "bool"],
)
def test_large_files_are_mapped(tmp_path, array):
    path = save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", x=array, y=np.arange(20))
    expected = arrays.from_arrays(array).images
    for file in (path, tmp_path / "a.npz"):
        images = read_file(file).images
        assert isinstance(images, examples.Lazy)
        assert images.dtype == expected.dtype
        np.testing.assert_array_equal(images[np.arange(20)], expected)


@pytest.mark.usefixtures("no_memory")
def test_large_files_are_checked(tmp_path):
    path = save(tmp_path / "a.npy", np.full((9, 4, 4), 1.5))
    with pytest.raises(InvalidArgument, match=r"values in .0, 1."):
        load(path)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


def test_nothing_is_ever_unpickled(tmp_path):
    sprung = tmp_path / "sprung"
    trap = np.array([[Trap(sprung)]], dtype=object)
    np.save(tmp_path / "a.npy", trap, allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=trap)
    (tmp_path / "raw.npy").write_bytes(pickle.dumps(Trap(sprung)))
    for name in ("a.npy", "a.npz", "raw.npy"):
        with pytest.raises(InvalidArgument, match=f"{name} can't be read"):
            load(tmp_path / name)
    assert not sprung.exists()
    np.savez(tmp_path / "b.npz", x=PICTURES, names=trap)
    assert len(read_file(tmp_path / "b.npz")) == 20
    assert not sprung.exists()


def garbage(path):
    path.write_bytes(b"neither one nor the other")


def empty(path):
    path.write_bytes(b"")


def other_kind(path):
    np.savez(path.with_suffix(".npz"), PICTURES)
    if path.suffix == ".npy":
        path.with_suffix(".npz").rename(path)
    else:
        save(path.with_suffix(".npy"), PICTURES).rename(path)


@pytest.mark.parametrize("damage", [garbage, empty, other_kind])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_files_of_another_kind(tmp_path, suffix, damage):
    path = tmp_path / f"a{suffix}"
    damage(path)
    with pytest.raises(InvalidArgument, match=f"a{suffix} can't be read"):
        load(path)


def with_header(shape, data):
    """A .npy whose header announces `shape`, and which holds `data`."""
    file = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + data


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("budget", [1, 2**30])
@pytest.mark.parametrize(
    "shape, size, message",
    [
        ((9, 5, 5), 224, "announces 225 bytes of values, .* only 224"),
        ((9, 5, 5), 226, "announces 225 bytes of values, .* holds more$"),
        ((2**40, 5, 5), 225, "announces 27,487,790,694,400 bytes"),
        ((-1, 5, 5), 225, r"announces the shape \(-1, 5, 5\)"),
    ],
)
def test_headers_that_lie(
    tmp_path, monkeypatch, suffix, budget, shape, size, message
):
    monkeypatch.setattr(examples, "IN_MEMORY_BYTES", budget)
    path, data = tmp_path / f"a{suffix}", with_header(shape, bytes(size))
    if suffix == ".npy":
        path.write_bytes(data)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", data)
    with pytest.raises(InvalidArgument, match=f"a{suffix} can't be.*{message}"):
        load(path)


@pytest.mark.usefixtures("no_memory")
def test_what_the_disk_can_t_hold_is_not_unpacked(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", x=PICTURES)
    usage = shutil.disk_usage(tmp_path)._replace(free=99)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        InvalidArgument, match="728 bytes unpacked, and 99 are f"
    ):
        load(tmp_path / "a.npz")


def test_a_zip_of_other_things(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("folder/picture.png", b"?")
    with pytest.raises(InvalidArgument, match=r"arrays \(none\)"):
        load(tmp_path / "a.npz")


@pytest.mark.filterwarnings("ignore:.*version number:UserWarning")
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_damage_never_gives_another_error(tmp_path, suffix):
    """Cut short, or a few bits changed: read all the same, or refused."""
    path = tmp_path / f"a{suffix}"
    if suffix == ".npy":
        np.save(path, PICTURES)
    else:
        np.savez_compressed(path, x=PICTURES, y=np.arange(20))
    whole, refused = path.read_bytes(), 0
    for seed in range(200):
        rng = random.Random(seed)
        data = bytearray(whole)
        for _ in range(2):
            data[rng.randrange(min(len(data), 400))] ^= 1 << rng.randrange(8)
        if seed % 4 == 0:
            data = data[: rng.randrange(len(data))]
        path.write_bytes(data)
        try:
            read_file(path)
        except InvalidArgument as error:
            refused += 1
            assert "a.np" in str(error)
    assert refused > 50


def test_memory_does_not_grow_with_the_file(tmp_path):
    """A pass over 220 MB takes hardly more than one over 25 MB."""
    script = textwrap.dedent("""
        import resource
        import numpy as np
        from kgen.data import examples, load

        examples.IN_MEMORY_BYTES = 2**20

        def peak(count):
            shape = (count, 64, 64, 3)
            np.lib.format.open_memmap("x.npy", "w+", "float32", shape)
            for _ in load("x.npy", batch_size=32):
                pass
            usage = resource.getrusage(resource.RUSAGE_SELF)
            return usage.ru_maxrss / 1024

        small = peak(500)
        print(peak(4500) - small)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) < 150
