import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from kgen.data import examples, load, open_source, pictures
from kgen.errors import InvalidArgument
from tests.data.common import (
    as_floats,
    png_of,
    random_uint8,
    read,
    save_picture,
    what_the_system_lacks,
)

GREY, COLOUR = random_uint8(6, 5), random_uint8(6, 5, 3)


def levels(path, image_shape=None):
    """The pixels of one picture, 0 to 255."""
    images = open_source(path.parent, image_shape).examples("all").images
    assert images.dtype == np.uint8 and len(images) == 1
    return images[0]


@pytest.mark.parametrize("ending", ["png", "PNG", "bmp", "gif"])
def test_grey_pictures(tmp_path, ending):
    path = save_picture(tmp_path / f"a.{ending}", GREY)
    np.testing.assert_array_equal(levels(path), GREY[..., None])


@pytest.mark.parametrize("ending", ["png", "bmp"])
def test_colour_pictures(tmp_path, ending):
    path = save_picture(tmp_path / f"a.{ending}", COLOUR)
    np.testing.assert_array_equal(levels(path), COLOUR)


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "JPG"])
@pytest.mark.parametrize("mode, channels", [("L", 1), ("RGB", 3), ("CMYK", 3)])
def test_jpeg(tmp_path, ending, mode, channels):
    plain = np.full((6, 5, 3), 100, "uint8")
    path = save_picture(tmp_path / f"a.{ending}", plain, mode, quality=95)
    pixels = levels(path)
    assert pixels.shape == (6, 5, channels)
    np.testing.assert_allclose(pixels.astype(int), 100, atol=2)


def test_one_bit(tmp_path):
    path = save_picture(tmp_path / "a.png", GREY > 99)
    np.testing.assert_array_equal(levels(path)[..., 0], (GREY > 99) * 255)


def test_sixteen_bits(tmp_path):
    wide = np.array([[0, 128, 129, 257, 300, 32768, 65534, 65535]], "uint16")
    path = save_picture(tmp_path / "a.png", wide)
    expected = np.round(wide / 257)
    np.testing.assert_array_equal(levels(path)[..., 0], expected)


def test_a_transparent_colour_of_sixteen_bits(tmp_path):
    hidden, shown = [1000, 40000, 65535], [65534, 128, 256]
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    content = png_of(
        [
            (b"IHDR", header),
            (b"tRNS", struct.pack(">3H", *hidden)),
            (b"IDAT", zlib.compress(struct.pack(">x6H", *hidden, *shown))),
            (b"IEND", b""),
        ]
    )
    (tmp_path / "a.png").write_bytes(content)
    expected = [[[255, 255, 255], [255, 0, 1]]]  # on white
    np.testing.assert_array_equal(levels(tmp_path / "a.png"), expected)


def test_palettes(tmp_path):
    image = Image.fromarray(COLOUR).convert("P")
    image.save(tmp_path / "a.png")
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(levels(tmp_path / "a.png"), expected)


def half_hidden(kind):
    """A picture of two pixels: 90 in all colours that is hidden, and seen."""
    grey = Image.fromarray(np.full((1, 2), 90, "uint8"))
    alpha = Image.fromarray(np.array([[0, 255]], "uint8"))
    if kind in ("LA", "RGBA"):
        image = grey.convert(kind)
        image.putalpha(alpha)
        return image, {}
    values = np.array([[90, 91]], "uint8")
    if kind == "I;16":
        return Image.fromarray(values * np.uint16(257)), {
            "transparency": 90 * 257
        }
    image = Image.fromarray(values)
    if kind == "P":
        image = image.convert("P", palette=Image.Palette.WEB)
        image.putpalette([90, 90, 90] * 2)
        image.putdata([0, 1])
        return image, {"transparency": 0}
    if kind == "P of opacities":
        image.putpalette([90, 90, 90] * 92)
        return image, {"transparency": bytes([255] * 90 + [0, 255])}
    hidden = 90 if kind == "L" else (90, 90, 90)
    return image.convert(kind), {"transparency": hidden}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "kind", ["LA", "RGBA", "L", "RGB", "I;16", "P", "P of opacities"]
)
def test_what_is_transparent_shows_the_background(
    tmp_path, monkeypatch, capsys, kind, streamed
):
    if streamed:
        monkeypatch.setattr(examples, "IN_MEMORY_BYTES", 1)
    image, options = half_hidden(kind)
    for name in "ab":
        image.save(tmp_path / f"{name}.png", **options)
    for background, seen in (
        ({}, [255, 255, 255]),
        ({"background": "#ff8000"}, [255, 128, 0]),
        ({"background": "black", "image_shape": (1, 2, 1)}, [0]),
        ({"background": "white", "image_shape": (1, 2, 1)}, [255]),
    ):
        x = np.round(read(load(tmp_path, "all", **background)) * 255)
        np.testing.assert_array_equal(x[0, 0, 0], seen[: x.shape[-1]])
        assert abs(x[0, 0, 1] - 90).max() <= 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 3, "once for each folder and background"
    assert f"kgen: {tmp_path} holds pictures with transparent parts" in told[0]
    assert "shown on white" in told[0] and "--background" in told[0]


def test_four_channels_keep_the_transparency(tmp_path, capsys):
    half_hidden("RGBA")[0].save(tmp_path / "a.png")
    save_picture(tmp_path / "b.png", np.full((1, 2), 90, "uint8"))
    images = open_source(tmp_path, (1, 2, 4)).examples("all").images
    assert images[:, 0].tolist() == [
        [[90, 90, 90, 0], [90, 90, 90, 255]],
        [[90, 90, 90, 255], [90, 90, 90, 255]],
    ]
    assert not capsys.readouterr().err


def test_opaque_pictures_need_no_background(tmp_path, capsys):
    save_picture(tmp_path / "a.png", COLOUR, "RGBA")
    np.testing.assert_array_equal(levels(tmp_path / "a.png"), COLOUR)
    assert not capsys.readouterr().err


@pytest.mark.parametrize("background", ["whight", "#12", None, 3, "#ff000080"])
def test_bad_background(background):
    with pytest.raises(InvalidArgument, match="`background` of `load`"):
        load("digits", background=background)


@pytest.mark.parametrize(
    "mode, shape", [("LA", (6, 5, 1)), ("RGBA", (6, 5, 3))]
)
def test_the_opacity_is_no_channel(tmp_path, mode, shape):
    pixels = GREY if mode == "LA" else COLOUR
    path = save_picture(tmp_path / "a.png", pixels, mode)
    np.testing.assert_array_equal(levels(path), pixels.reshape(shape))


@pytest.mark.parametrize("ending", ["webp", "tif", "tiff", "ppm", "JFIF"])
def test_other_endings(tmp_path, ending):
    plain = np.full((6, 5, 3), 100, "uint8")
    save_picture(tmp_path / f"a.{ending}", plain, quality=95)
    x = levels(tmp_path / f"a.{ending}")
    np.testing.assert_allclose(x.astype(int), 100, atol=2)


def test_floats_from_0_to_1(tmp_path):
    values = np.array([[0.0, 0.5, 1.0]], "float32")
    path = save_picture(tmp_path / "a.tif", values)
    assert levels(path)[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    "pixels, message",
    [
        (np.array([[0, 255]], "float32"), "from 0 to 255; expected 0 to 1"),
        (np.array([[0, np.nan]], "float32"), "expected 0 to 1"),
        (np.array([[0, 300]], "int32"), "mode I, whose values have no known"),
        ("LAB", "mode LAB, whose values have no known scale; save it as RGB"),
    ],
)
@pytest.mark.parametrize("budget", [1, 2**30])
def test_pixels_of_no_known_scale(
    tmp_path, monkeypatch, pixels, message, budget
):
    monkeypatch.setattr(examples, "IN_MEMORY_BYTES", budget)
    if isinstance(pixels, str):
        Image.new(pixels, (2, 1)).save(tmp_path / "a.tif")
    else:
        save_picture(tmp_path / "a.tif", pixels)
    with pytest.raises(InvalidArgument, match=f"a.tif can't be.*{message}"):
        load(tmp_path, "all", image_shape=(1, 2, 1))


def test_no_program_is_started_for_a_picture(tmp_path, monkeypatch):
    """Pillow would run `gs` for PostScript, whatever the file is called."""
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.png").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n"
        "showpage\n%%EOF\n"
    )
    with pytest.raises(InvalidArgument, match=r"a.png can't be read"):
        load(folder, "all", image_shape=(8, 8, 3))
    assert not (tmp_path / "started").exists()


def test_first_frame_of_a_gif(tmp_path):
    first, *rest = (
        Image.fromarray(np.full((6, 5, 3), value, "uint8"))
        for value in (10, 100, 200)
    )
    first.save(tmp_path / "a.gif", save_all=True, append_images=rest)
    assert (levels(tmp_path / "a.gif") == 10).all()


def test_grey_and_coloured_together_are_coloured(tmp_path):
    save_picture(tmp_path / "a.png", GREY)
    save_picture(tmp_path / "b.png", COLOUR)
    images = read(load(tmp_path, "all"))
    grey = np.repeat(GREY[..., None], 3, axis=-1)
    np.testing.assert_allclose(
        images, as_floats(np.stack([grey, COLOUR])), atol=1e-7
    )


@pytest.mark.parametrize(
    "image_shape", [(6, 5, 1), (6, 5, 3), (3, 8, 1), (9, 2, 3)]
)
def test_image_shape_of_any_pictures(tmp_path, image_shape):
    save_picture(tmp_path / "a.png", GREY)
    save_picture(tmp_path / "b.png", random_uint8(9, 9, 3))
    dataset = load(tmp_path, "all", image_shape=image_shape)
    assert dataset.element_spec.shape[1:] == image_shape
    assert read(dataset).shape == (2, *image_shape)


def test_a_plain_colour_stays_when_resized(tmp_path):
    path = save_picture(tmp_path / "a.png", np.full((9, 9, 3), 77, "uint8"))
    assert (levels(path, (4, 5, 1)) == 77).all()


@pytest.fixture
def class_folders(tmp_path):
    """Train and test folders with the classes cat (dark) and dog (light)."""
    for split, count in (("train", 3), ("test", 2)):
        for name, value in (("cat", 10), ("dog", 200)):
            for k in range(count):
                save_picture(
                    tmp_path / split / name / f"{k}.png",
                    np.full((4, 4), value + k, "uint8"),
                )
    return tmp_path


def test_folders_are_splits_and_classes(class_folders):
    source = open_source(class_folders)
    assert source.splits == ("train", "test")
    assert source.class_names == ("cat", "dog")
    for split, count in (("train", 6), ("test", 4)):
        x, y = read(load(class_folders, split, labels=True, batch_size=4))
        assert len(x) == count and y.dtype == np.int32
        np.testing.assert_array_equal(x[:, 0, 0, 0] > 0.5, y == 1)


def test_classes_without_splits_are_divided(class_folders):
    train, test = load(class_folders / "train", ("train", "test"), labels=True)
    assert (len(read(train)[1]), len(read(test)[1])) == (4, 2)


def test_a_class_may_be_missing_in_a_split(class_folders):
    for path in (class_folders / "test" / "cat").iterdir():
        path.unlink()
    _, y = read(load(class_folders, "test", labels=True))
    np.testing.assert_array_equal(y, [1, 1])


def test_pictures_deeper_in_a_class(tmp_path):
    save_picture(tmp_path / "cat" / "2020" / "may" / "a.png", GREY)
    save_picture(tmp_path / "dog" / "b.png", GREY)
    source = open_source(tmp_path)
    assert source.class_names == ("cat", "dog")
    assert source.examples("all").labels.tolist() == [0, 1]


def test_without_classes_there_are_no_labels(tmp_path):
    for name in "abc":
        save_picture(tmp_path / f"{name}.png", GREY)
    with pytest.raises(InvalidArgument, match="class folders"):
        load(tmp_path, labels=True)


def test_names_in_any_language_and_links(tmp_path):
    folder = tmp_path / "Bilder für ☃"
    original = save_picture(tmp_path / "elsewhere" / "ö.png", GREY)
    folder.mkdir()
    (folder / "Käse").symlink_to(original.parent)
    (folder / "猫").mkdir()
    (folder / "猫" / "link.png").symlink_to(original)
    source = open_source(str(folder))
    assert source.class_names == ("Käse", "猫")
    assert len(read(source.dataset("all", batch_size=9))) == 2


def test_hidden_files_are_left_alone(tmp_path):
    save_picture(tmp_path / "a.png", GREY)
    save_picture(tmp_path / ".cache" / "b.png", GREY)
    (tmp_path / "._a.png").write_bytes(b"a Macintosh was here")
    (tmp_path / "notes.txt").write_text("no picture")
    source = open_source(tmp_path)
    assert len(source.examples("all")) == 1 and not source.class_names


@pytest.mark.parametrize("inside", ["", "train"])
def test_an_empty_folder(tmp_path, inside):
    (tmp_path / inside).mkdir(exist_ok=True)
    with pytest.raises(InvalidArgument, match="holds no data. Expected pict"):
        load(tmp_path)


def test_an_empty_split(class_folders):
    (class_folders / "validation").mkdir()
    with pytest.raises(InvalidArgument, match="one of 'train', 'test'"):
        load(class_folders, "validation")


def test_pictures_on_two_levels(class_folders):
    save_picture(class_folders / "train" / "a.png", GREY)
    with pytest.raises(InvalidArgument, match="both beside and inside"):
        load(class_folders)


@pytest.mark.parametrize("name", ["cat", "plane", ""])
def test_pictures_outside_the_splits(class_folders, name):
    path = save_picture(class_folders / name / "a.png", GREY)
    with pytest.raises(InvalidArgument, match=f"beside the splits.*{path}"):
        load(class_folders)


def test_sizes_that_differ(tmp_path):
    save_picture(tmp_path / "a.png", GREY)
    save_picture(tmp_path / "b.png", GREY.T)
    with pytest.raises(
        InvalidArgument,
        match=r"a.png is 6 pixels high.*b.png is 5 high.*`image_shape`",
    ):
        load(tmp_path)


def cut(data):
    return data[: len(data) // 2]


def header_only(data):
    return data[:20]


def text(data):
    return b"no picture at all"


def nothing(data):
    return b""


@pytest.mark.parametrize("image_shape", [None, (6, 5, 1)])
@pytest.mark.parametrize("damage", [cut, header_only, text, nothing])
@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "gif"])
def test_unreadable_pictures_are_named(tmp_path, ending, damage, image_shape):
    save_picture(tmp_path / "a.png", COLOUR)
    path = save_picture(tmp_path / f"b.{ending}", COLOUR)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InvalidArgument, match=f"b.{ending} can't be read"):
        load(tmp_path, "all", image_shape=image_shape)


def test_a_picture_too_large_to_be_one_is_named(tmp_path):
    path = save_picture(tmp_path / "a.bmp", GREY)
    data = bytearray(path.read_bytes())
    data[18:26] = b"\xff\xff\x00\x00" * 2  # the width and the height
    path.write_bytes(data)
    with pytest.raises(InvalidArgument, match=r"a.bmp can't be read"):
        load(tmp_path, "all")


@pytest.mark.filterwarnings("ignore")
def test_a_picture_of_too_many_pixels_is_named(tmp_path):
    """Pillow only warns of it."""
    header = struct.pack(">II5B", 12_000, 12_000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", b""), (b"IEND", b""))
    (tmp_path / "a.png").write_bytes(png_of(chunks))
    with pytest.raises(InvalidArgument, match="a.png .* 144,000,000 pixels"):
        load(tmp_path, "all")


@what_the_system_lacks
def test_what_the_system_lacks_is_no_damage(tmp_path, monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    save_picture(tmp_path / "a.gif", GREY)
    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(type(error), match=str(error.args[-1])):
        load(tmp_path, "all")


def test_a_broken_link_is_named(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(InvalidArgument, match=r"a.png can't be read"):
        load(tmp_path)


@pytest.mark.usefixtures("no_memory")
def test_large_folders_are_read_by_the_batch(class_folders):
    images = open_source(class_folders).examples("train").images
    assert isinstance(images, examples.Lazy)
    assert images.shape == (6, 4, 4, 1)
    assert (images[np.array([3, 0])][:, 0, 0, 0] == [200, 10]).all()


@pytest.mark.usefixtures("no_memory")
def test_an_unreadable_picture_is_named_before_streaming(tmp_path):
    save_picture(tmp_path / "a.png", GREY)
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(InvalidArgument, match=r"b.png can't be read"):
        load(tmp_path, "all", image_shape=(6, 5, 1))
    # A JPEG that ends too soon has a whole header.
    (tmp_path / "b.png").unlink()
    path = tmp_path / "c.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), "uint8")
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InvalidArgument, match=r"c.jpg can't be read"):
        load(tmp_path, "all", image_shape=(6, 5, 1))


def test_pictures_are_turned_as_the_camera_was_held(tmp_path):
    wide = np.zeros((4, 6, 3), "uint8")
    wide[:, :3] = 255  # the left half, at the top once it is upright
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a.png", "b.png"):
        Image.fromarray(wide).save(tmp_path / name, exif=exif)
    images = read(load(tmp_path, "all"))
    assert images.shape == (2, 6, 4, 3)
    assert images[0, :3].min() == 1 and images[0, 3:].max() == 0


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations(tmp_path, ending, orientation):
    pixels = np.zeros((16, 24, 3), "uint8")
    pixels[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(pixels)
    image.save(tmp_path / f"a.{ending}", exif=exif, quality=95)
    expected = np.asarray(
        ImageOps.exif_transpose(Image.open(tmp_path / f"a.{ending}")).convert(
            "L"
        )
    )
    found = levels(tmp_path / f"a.{ending}")[..., 0]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.astype(int), expected, atol=2)


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x09\0\0\0\x1a\0\0\0\0abcdefghi",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0\0\0\0\0",
    ],
    ids=["garbage", "cut", "text", "99"],
)
@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_exif_that_can_t_be_read_turns_nothing(tmp_path, ending, exif):
    Image.fromarray(COLOUR).save(tmp_path / f"a.{ending}", exif=exif)
    assert levels(tmp_path / f"a.{ending}").shape == (6, 5, 3)
    assert levels(tmp_path / f"a.{ending}", (6, 5, 1)).shape == (6, 5, 1)


def test_a_header_is_read_without_the_pixels(tmp_path, monkeypatch):
    for name in "ab":
        save_picture(tmp_path / f"{name}.png", GREY)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", None)
    paths = sorted(tmp_path.iterdir())
    assert pictures.common_shape(paths) == (6, 5, 1)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "tif", "webp"])
def test_damage_is_always_told_with_the_file(tmp_path, ending):
    """Some bits changed, or cut short: read all the same, or refused by name."""
    path = save_picture(tmp_path / f"a.{ending}", COLOUR)
    whole = path.read_bytes()
    for seed in range(60):
        rng = random.Random(seed)
        data = bytearray(whole)
        for _ in range(3):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data[: rng.randrange(len(data))] if seed % 4 else data)
        try:
            pictures.common_shape([path])
            pictures.read_picture(path, (6, 5, 3))
        except InvalidArgument as error:
            assert f"a.{ending}" in str(error)
