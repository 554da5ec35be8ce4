import numpy as np
import pytest
from PIL import Image

from kgen.data import load, open_source, pictures
from kgen.errors import InvalidArgument
from tests.data.common import as_floats, random_uint8, read, save_picture

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


@pytest.mark.parametrize("transparency", [None, 3, bytes([0, 99] * 100)])
def test_palettes(tmp_path, transparency):
    image = Image.fromarray(COLOUR).convert("P")
    options = {} if transparency is None else {"transparency": transparency}
    image.save(tmp_path / "a.png", **options)
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(levels(tmp_path / "a.png"), expected)


@pytest.mark.parametrize(
    "mode, shape", [("LA", (6, 5, 1)), ("RGBA", (6, 5, 3))]
)
def test_alpha_is_dropped(tmp_path, mode, shape):
    pixels = GREY if mode == "LA" else COLOUR
    path = save_picture(tmp_path / "a.png", pixels, mode)
    np.testing.assert_array_equal(levels(path), pixels.reshape(shape))


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


@pytest.mark.parametrize("name", ["val/cat", "plane", ""])
def test_pictures_outside_the_splits(class_folders, name):
    path = save_picture(class_folders / name / "a.png", GREY)
    with pytest.raises(InvalidArgument, match=f"beside the splits.*{path}"):
        load(class_folders)


def test_sizes_that_differ(tmp_path):
    save_picture(tmp_path / "a.png", GREY)
    save_picture(tmp_path / "b.png", GREY.T)
    with pytest.raises(
        InvalidArgument, match=r"a.png has 5x6 .*b.png has 6x5.*`image_shape`"
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


def test_a_broken_link_is_named(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(InvalidArgument, match=r"a.png can't be read"):
        load(tmp_path)


@pytest.mark.usefixtures("no_memory")
def test_large_folders_are_read_by_the_batch(class_folders):
    images = open_source(class_folders).examples("train").images
    assert isinstance(images, pictures.PictureFiles)
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
