"""Decoded pictures on disk: the same pixels, of this state of the files, or none."""

import errno
import os

import numpy as np
import pytest
from PIL import Image

from kgen import caches, errors
from kgen.data import examples, load, open_source, picture_cache, pictures, rows
from kgen.errors import InvalidArgument
from tests.data.common import random_uint8, read, save_picture

COUNT = 9


@pytest.fixture
def folder(tmp_path):
    """Pictures of all kinds, of one size."""
    place = tmp_path / "pictures"
    for number in range(COUNT):
        kind = ("png", "jpg", "gif")[number % 3]
        mode = "RGBA" if number % 6 == 0 else "RGB"
        pixels = random_uint8(6, 5, 3, seed=number)
        save_picture(place / f"{number}.{kind}", pixels, mode)
    half = Image.fromarray(random_uint8(6, 5, 4, seed=7))
    half.save(place / "half.png")
    return place


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """The folder of entries."""
    monkeypatch.setenv("KGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(picture_cache.LIMIT, "1")
    errors.say_once.cache_clear()
    return caches.folder("pictures")


@pytest.fixture(params=[1, 2**30], ids=["streamed", "in memory"])
def budget(request, monkeypatch):
    monkeypatch.setattr(examples, "IN_MEMORY_BYTES", request.param)


@pytest.fixture
def undecodable(monkeypatch):
    """From its call on, nothing can be decoded."""

    def fail(*args):
        raise AssertionError("a picture was decoded")

    return lambda: [
        monkeypatch.setattr(pictures, name, fail)
        for name in ("read_picture", "check_readable")
    ]


def entries(kept):
    return sorted(path.name for path in kept.iterdir()) if kept.exists() else []


def epochs(folder, **options):
    """Two epochs of train, and test, as bytes."""
    datasets = load(folder, ("train", "test"), seed=0, batch_size=4, **options)
    return b"".join(read(x).tobytes() for x in (*datasets, datasets[0]))


@pytest.mark.usefixtures("budget")
@pytest.mark.parametrize(
    "options", [{}, {"image_shape": (4, 4, 1)}, {"background": "red"}]
)
def test_a_hit_is_a_miss_bit_for_bit(
    folder, kept, monkeypatch, undecodable, options
):
    monkeypatch.delenv(picture_cache.LIMIT)
    expected = epochs(folder, **options)
    assert not entries(kept), "only on request"
    monkeypatch.setenv(picture_cache.LIMIT, "1")
    assert epochs(folder, **options) == expected
    assert len(entries(kept)) == 1
    undecodable()
    assert epochs(folder, **options) == expected


@pytest.mark.usefixtures("budget")
def test_transparent_parts_are_told_each_time(folder, capsys):
    for _ in range(2):
        errors.say_once.cache_clear()
        epochs(folder)
        assert capsys.readouterr().err.count("with transparent parts") == 1


def changed_in_secret(folder):
    """Another picture, of the same size and time."""
    path = folder / "3.png"
    state, size = path.stat(), len(path.read_bytes())
    save_picture(path, np.full((6, 5, 3), 7, "uint8"))
    path.write_bytes(path.read_bytes().ljust(size, b"\0"))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert path.stat().st_size == size


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: save_picture(folder / "3.png", random_uint8(6, 5, 3)),
        changed_in_secret,
        lambda folder: os.utime(folder / "3.png", ns=(1, 1)),
        lambda folder: (folder / "3.png").unlink(),
        lambda folder: (folder / "3.png").rename(folder / "33.png"),
        lambda folder: save_picture(folder / "z.png", random_uint8(6, 5, 3)),
    ],
    ids=["content", "in secret", "time", "fewer", "name", "more"],
)
def test_files_that_change_are_decoded_anew(folder, kept, monkeypatch, change):
    epochs(folder)
    change(folder)
    after = epochs(folder)
    assert len(entries(kept)) == 2
    monkeypatch.delenv(picture_cache.LIMIT)
    assert after == epochs(folder)


def test_another_look_is_another_entry(folder, kept, monkeypatch):
    load(folder)
    load(folder, background="red")
    load(folder, image_shape=(4, 4, 1))
    monkeypatch.setattr(picture_cache.PIL, "__version__", "another")
    load(folder)
    assert len(entries(kept)) == 4


def damage(content, at=-20):
    content = bytearray(content)
    content[at] ^= 1
    return bytes(content)


@pytest.mark.usefixtures("budget")
@pytest.mark.parametrize(
    "break_",
    [
        damage,
        lambda content: damage(content, -5),
        lambda content: damage(content, -1),
        lambda content: damage(content, 3),
        lambda content: damage(content, 30),
        lambda content: content[:-1],
        lambda content: content[:50],
        lambda content: b"",
    ],
    ids=["pixel", "flag", "sum", "magic", "header", "short", "cut", "empty"],
)
def test_a_damaged_entry_is_not_used(folder, kept, break_):
    expected = epochs(folder)
    (path,) = kept.iterdir()
    whole = path.read_bytes()
    path.write_bytes(break_(whole))
    assert epochs(folder) == expected
    assert epochs(folder) == expected
    assert path.read_bytes() == whole, "it was made anew"


def make_entry(kept, name, size, age):
    path = kept / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (10**9 - age, 10**9 - age))


def test_the_bound_is_kept_by_the_entries_longest_unused(
    folder, kept, monkeypatch
):
    for name, age in (("old", 9), ("older", 99), ("new", 1)):
        make_entry(kept, name, 4000, age)
    monkeypatch.setenv(picture_cache.LIMIT, "0.000009")  # 9,000 bytes
    load(folder)
    assert len(entries(kept)) == 2 and "new.npy" in entries(kept)
    assert sum(path.stat().st_size for path in kept.iterdir()) <= 9_000


def test_what_is_used_again_stays(folder, kept, monkeypatch):
    load(folder)
    (used,) = entries(kept)
    os.utime(kept / used, (10**9, 10**9))
    make_entry(kept, "other", 4000, -5)
    load(folder)
    monkeypatch.setenv(picture_cache.LIMIT, "0.000006")
    load(folder, background="red")
    assert used in entries(kept) and "other.npy" not in entries(kept)


def test_what_exceeds_the_bound_is_not_kept(folder, kept, monkeypatch, capsys):
    make_entry(kept, "other", 400, 0)
    monkeypatch.setenv(picture_cache.LIMIT, "0.000001")
    expected = epochs(folder)
    assert "_GB is 1e-06: they are not kept" in capsys.readouterr().err
    assert entries(kept) == ["other.npy"]
    monkeypatch.delenv(picture_cache.LIMIT)
    assert epochs(folder) == expected


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_what_is_interrupted_leaves_nothing(folder, kept, monkeypatch, error):
    read_picture, calls = pictures.read_picture, []

    def interrupted(path, *look):
        calls.append(path)
        if len(calls) > 5:
            raise error
        return read_picture(path, *look)

    monkeypatch.setattr(rows, "PART_BYTES", 300)
    monkeypatch.setattr(pictures, "read_picture", interrupted)
    with pytest.raises(error):
        load(folder)
    assert not entries(kept)


def test_what_a_kill_has_left_is_deleted(folder, kept):
    kept.mkdir(parents=True)
    dead = kept / f".{2**22 + 1}-00.npy"  # more than Linux gives
    dead.write_bytes(b"half")
    load(folder)
    assert not dead.exists() and len(entries(kept)) == 1


def test_an_unreadable_picture_is_named(folder, kept):
    (folder / "4.jpg").write_bytes(b"no picture")
    with pytest.raises(InvalidArgument, match=r"4.jpg can't be read"):
        load(folder, image_shape=(6, 5, 3))
    (folder / "4.jpg").unlink()
    (folder / "4.jpg").symlink_to(folder / "nowhere")
    with pytest.raises(InvalidArgument, match=r"4.jpg can't be read"):
        load(folder, image_shape=(6, 5, 3))
    assert not entries(kept)


def test_what_the_system_lacks_for_a_picture_is_raised(
    folder, kept, monkeypatch
):
    def fail(*args):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(pictures, "read_picture", fail)
    with pytest.raises(OSError, match="Too many open files"):
        load(folder)
    assert not entries(kept)


def test_a_cache_that_can_t_be_written(tmp_path, folder, monkeypatch, capsys):
    expected = epochs(folder)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("KGEN_CACHE", str(tmp_path / "file"))
    assert epochs(folder) == expected
    assert "can't be kept in" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["much", "-1", "nan", "inf"])
def test_a_bad_bound(folder, monkeypatch, limit):
    monkeypatch.setenv(picture_cache.LIMIT, limit)
    with pytest.raises(InvalidArgument, match="KGEN_PICTURE_CACHE_GB. Expect"):
        load(folder)


@pytest.mark.parametrize("limit", ["", "0", " "])
def test_no_cache(folder, kept, monkeypatch, limit):
    monkeypatch.setenv(picture_cache.LIMIT, limit)
    load(folder)
    assert not entries(kept)


def test_an_entry_that_is_deleted_can_still_be_read(folder, kept, monkeypatch):
    monkeypatch.setattr(examples, "IN_MEMORY_BYTES", 1)
    dataset = load(folder, "all")
    before = read(dataset)
    (path,) = kept.iterdir()
    path.unlink()
    np.testing.assert_array_equal(read(dataset), before)


def test_splits_are_entries_of_their_own(folder, kept):
    for split in ("train", "test"):
        save_picture(folder / split / "a.png", random_uint8(6, 5, 3))
        for path in folder.glob("*.*"):
            if split == "test":
                path.rename(folder / split / path.name)
    source = open_source(folder)
    assert not entries(kept), "nothing is read before it is asked for"
    assert len(source.examples("train")) == 1
    assert len(source.examples("test")) == COUNT + 2
    assert len(entries(kept)) == 2
