"""What is a split, what is a class, and what is neither, in folders."""

import os
import socket

import pytest

from kgen.data import idx, load, open_source
from kgen.errors import InvalidArgument
from tests.data.common import random_uint8, read, save_picture

GREY = random_uint8(4, 4)


def make(folder, *names):
    for name in names:
        save_picture(folder / name, GREY)
    return folder


def told(capsys):
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    "train, validation, test",
    [
        ("training", "valid", "testing"),
        ("Train", "Val", "Test"),
        ("train_set", "dev_set", "test_set"),
        ("train-images", "validation", "test images"),
        ("TRAIN", "dev", "TestData"),
    ],
)
def test_names_of_splits(tmp_path, train, validation, test):
    for split in (train, validation, test):
        make(tmp_path, f"{split}/cat/a.png", f"{split}/dog/a.png")
    source = open_source(tmp_path)
    assert source.splits == ("train", "validation", "test")
    assert source.class_names == ("cat", "dog")


def test_names_that_are_no_splits(tmp_path):
    make(tmp_path, "trains/a.png", "testament/a.png", "valley/a.png")
    assert open_source(tmp_path).class_names == (
        "testament",
        "trains",
        "valley",
    )


@pytest.mark.parametrize(
    "names, message",
    [
        (("train/a.png", "Train/a.png"), "both the split 'train'"),
        (("val/a.png", "valid/a.png"), "both the split 'validation'"),
        (("bus/a.png", "train/a.png"), "rename what is a class"),
        (("training/a/a.png", "extra/a/a.png"), "beside the splits training"),
        (
            ("cat/train/a.png", "cat/test/a.png", "dog/a.png"),
            "splits test, train. Expected .* test/cat in the place of cat/test",
        ),
    ],
)
def test_splits_that_would_mix_with_others(tmp_path, names, message):
    with pytest.raises(InvalidArgument, match=message):
        load(make(tmp_path, *names), "all")


@pytest.mark.parametrize("wrapping", ["mnist_png", "data/animals"])
@pytest.mark.parametrize("split", ["", "train"])
def test_a_folder_around_all_is_no_class(tmp_path, capsys, wrapping, split):
    make(tmp_path / wrapping / split, "cat/a.png", "dog/a.png")
    (tmp_path / "README.md").write_text("no picture")
    source = open_source(tmp_path)
    assert source.class_names == ("cat", "dog")
    assert told(capsys)[-1].endswith(f"are all in {tmp_path / wrapping}.")


def test_one_class_alone_is_a_class(tmp_path):
    make(tmp_path, "cat/a.png", "cat/b.png")
    assert open_source(tmp_path).class_names == ("cat",)


@pytest.mark.parametrize(
    "name", [".ipynb_checkpoints", ".thumbnails", "@eaDir", "__MACOSX"]
)
def test_left_overs_are_no_data(tmp_path, name):
    make(tmp_path, "cat/a.png", f"cat/{name}/a.png", f"cat/2020/{name}/b.png")
    make(tmp_path, f"{name}/c.png", "dog/a.png")
    source = open_source(tmp_path)
    assert source.class_names == ("cat", "dog")
    assert len(source.examples("all")) == 2


def test_what_is_left_out_is_told(tmp_path, capsys):
    make(tmp_path, "cat/a.png", "dog/a.png")
    for name in ("cat/b.heic", "cat/c.HEIC", "dog/notes", "owl/a.heic"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("?")
    (tmp_path / "newt").mkdir()
    for _ in range(2):
        assert open_source(tmp_path).class_names == ("cat", "dog")
    left_out, empty = told(capsys)
    assert left_out.endswith(
        "ignored files that are not pictures: 3 .heic, 1 (without ending)."
    )
    assert empty.endswith(
        "hold no readable picture and are not used as classes: newt, owl."
    )


def test_a_folder_of_other_files_alone(tmp_path):
    (tmp_path / "a.heic").write_text("?")
    with pytest.raises(InvalidArgument, match="no data.* other files: 1 .heic"):
        load(tmp_path)


@pytest.mark.parametrize("place", ["", "cat"])
def test_a_link_to_what_holds_it(tmp_path, place):
    make(tmp_path, "cat/a.png", "dog/a.png")
    (tmp_path / place / "loop").symlink_to(tmp_path)
    with pytest.raises(InvalidArgument, match="loop is a link to a folder"):
        load(tmp_path)


def test_a_link_to_itself(tmp_path):
    make(tmp_path, "a.png")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert len(open_source(tmp_path).examples("all")) == 1
    (tmp_path / "b.png").symlink_to(tmp_path / "b.png")
    with pytest.raises(InvalidArgument, match=r"b.png can't be read.* levels"):
        load(tmp_path)


def fifo(path):
    os.mkfifo(path)


def of_a_socket(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(path))


def device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("kind", [fifo, of_a_socket, device])
@pytest.mark.parametrize(
    "name",
    [
        "folder/b.png",
        "folder/train-images-idx3-ubyte",
        "folder/train-images-idx3-ubyte.gz",
        "x.npy",
        "x.npz",
        "x",
    ],
)
def test_what_is_no_regular_file(tmp_path, monkeypatch, kind, name):
    """Reading it would wait, or go on, for ever."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "folder/a.png")
    kind(tmp_path / name)
    source = tmp_path / (name if name.startswith("x") else "folder")
    with pytest.raises(InvalidArgument, match="is not a regular file"):
        load(source, "all")


def test_labels_in_a_pipe(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(b"\0\0\x08\x03\0\0\0\1\0\0\0\1\0\0\0\1a")
    os.mkfifo(tmp_path / "train-labels-idx1-ubyte")
    with pytest.raises(InvalidArgument, match="labels-idx1-ubyte is not a reg"):
        idx.read_split(path)


def test_names_of_any_bytes(tmp_path):
    for name in (b"new\nline", b"\xff\xfe"):
        folder = os.path.join(os.fsencode(tmp_path), name)
        os.mkdir(folder)
        save_picture(tmp_path / os.fsdecode(name) / "a\nb.png", GREY)
    assert read(load(tmp_path, "all")).shape == (2, 4, 4, 1)
