"""Pictures of all modes against what their pixels are by definition."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from kgen.data import load, open_source
from kgen.errors import InvalidArgument
from tests.data.common import png_of, random_uint8

ORANGE = {"background": "#ff8000"}
GROUNDS = {"white": (255, 255, 255), "black": (0, 0, 0), "#ff8000": None}
GROUNDS["#ff8000"] = (255, 128, 0)
OPACITY = random_uint8(5, 6, 1)


def levels(path, **options):
    """The pixels of the one picture of a folder, 0 to 255."""
    images = open_source(path.parent, **options).examples("all").images
    assert images.dtype == np.uint8 and len(images) == 1
    return images[0].astype(float)


def shown(pixels, opacity, background):
    """Pixels on a ground: its part of the light shines through."""
    share = opacity / 255
    ground = np.array(GROUNDS[background])[: pixels.shape[-1]]
    return share * pixels + (1 - share) * ground


def check_rounded(found, expected, most=0.5):
    assert found.shape == expected.shape
    assert abs(found - expected).max() <= most + 1e-6


@pytest.mark.parametrize("background", GROUNDS)
@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
def test_any_opacity(tmp_path, ending, background):
    pixels = np.concatenate([random_uint8(5, 6, 3), OPACITY], axis=-1)
    options = {"lossless": True, "exact": True} if ending == "webp" else {}
    Image.fromarray(pixels).save(tmp_path / f"a.{ending}", **options)
    found = levels(tmp_path / f"a.{ending}", background=background)
    check_rounded(found, shown(pixels[..., :3], OPACITY, background))


def test_any_opacity_of_greys(tmp_path):
    pixels = np.concatenate([random_uint8(5, 6, 1), OPACITY], axis=-1)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = levels(tmp_path / "a.png", background="black")
    check_rounded(found, shown(pixels[..., :1], OPACITY, "black"))


def test_any_opacity_in_an_array():
    pixels = np.concatenate([random_uint8(5, 6, 3), OPACITY], axis=-1)
    source = open_source(pixels[None], (5, 6, 3), **ORANGE)
    found = source.examples("all").images[0].astype(float)
    check_rounded(found, shown(pixels[..., :3], OPACITY, "#ff8000"))


def palette_picture():
    """A picture of 30 pixels of 30 colours, and these."""
    colours = random_uint8(30, 3)
    places = np.arange(30, dtype="uint8").reshape(5, 6)
    image = Image.fromarray(places).convert("P")
    image.putpalette(colours.ravel().tolist())
    image.putdata(places.ravel().tolist())
    return image, colours.reshape(5, 6, 3)


@pytest.mark.parametrize("ending", ["png", "gif"])
def test_a_palette_with_a_transparent_colour(tmp_path, ending):
    image, colours = palette_picture()
    image.save(tmp_path / f"a.{ending}", transparency=3)
    expected = colours.astype(float)
    expected[0, 3] = GROUNDS["#ff8000"]
    found = levels(tmp_path / f"a.{ending}", **ORANGE)
    np.testing.assert_array_equal(found, expected)


def test_a_palette_with_opacities(tmp_path):
    image, colours = palette_picture()
    image.save(tmp_path / "a.png", transparency=OPACITY.tobytes())
    found = levels(tmp_path / "a.png", **ORANGE)
    check_rounded(found, shown(colours, OPACITY, "#ff8000"))
    found = levels(tmp_path / "a.png", image_shape=(5, 6, 4))
    np.testing.assert_array_equal(
        found, np.concatenate([colours, OPACITY], axis=-1)
    )


def test_inks(tmp_path):
    """Cyan, magenta and yellow each take one colour, and black takes all."""
    inks = random_uint8(5, 6, 4)
    Image.fromarray(inks, "CMYK").save(tmp_path / "a.tif")
    share = 1 - inks / 255
    check_rounded(
        levels(tmp_path / "a.tif"), 255 * share[..., :3] * share[..., 3:]
    )


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_sixteen_bits_of_grey(tmp_path, ending):
    values = np.random.default_rng(0).integers(0, 2**16, (5, 6))
    Image.fromarray(values.astype("uint16")).save(tmp_path / f"a.{ending}")
    check_rounded(levels(tmp_path / f"a.{ending}"), values[..., None] / 257)


def test_sixteen_bits_of_which_0_is_white(tmp_path):
    values = np.random.default_rng(0).integers(0, 2**16, (5, 6))
    picture = Image.fromarray(values.astype("uint16"))
    picture.save(tmp_path / "a.tif", tiffinfo={262: 0})
    check_rounded(levels(tmp_path / "a.tif"), 255 - values[..., None] / 257)


def test_twelve_bits_of_grey(tmp_path):
    """The file is put together here, since Pillow reads such files but writes none."""
    values = np.random.default_rng(0).integers(0, 2**12, (5, 6))
    digits = "".join(f"{value:03x}" for value in values.ravel())
    pixels = bytes.fromhex(digits) + bytes(1)  # an even number of bytes
    # Size, bits, no compression, 0 is black, where the pixels are, how many bytes.
    tags = {256: 6, 257: 5, 258: 12, 259: 1, 262: 1, 273: 8, 278: 5, 279: 45}
    entries = [struct.pack("<HHII", tag, 4, 1, n) for tag, n in tags.items()]
    header = struct.pack("<4sI", b"II*\0", 8 + len(pixels))
    count, end = struct.pack("<H", len(tags)), bytes(4)
    file = b"".join([header, pixels, count, *entries, end])
    (tmp_path / "a.tif").write_bytes(file)
    check_rounded(levels(tmp_path / "a.tif"), values[..., None] / 4095 * 255)


@pytest.mark.parametrize("colour", ["rgb(300, 0, 0)", "hsv(0, 300%, 100%)"])
def test_a_background_that_is_no_colour(colour):
    with pytest.raises(InvalidArgument, match="an opaque colour"):
        open_source(np.zeros((1, 5, 6, 4), "uint8"), background=colour)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_transparent_grey_of_any_depth(tmp_path, depth):
    """The brightest one, beside the darkest."""
    highest = 2**depth - 1
    header = struct.pack(">IIBBBBB", 2, 1, depth, 0, 0, 0, 0)
    row = (highest << (16 - depth)).to_bytes(2, "big")
    chunks = [
        (b"IHDR", header),
        (b"tRNS", struct.pack(">H", highest)),
        (b"IDAT", zlib.compress(b"\0" + row[: 2 * depth // 8 or 1])),
        (b"IEND", b""),
    ]
    (tmp_path / "a.png").write_bytes(png_of(chunks))
    found = levels(tmp_path / "a.png", background="#808080")
    assert found[..., 0].tolist() == [[128, 0]]


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_sixteen_bits_of_other_colours(tmp_path, channels):
    """Pillow has no mode for them, and takes the upper eight bits."""
    values = np.random.default_rng(0).integers(0, 2**16, (5, 6, channels))
    write_png(tmp_path / "a.png", values)
    found = levels(tmp_path / "a.png", image_shape=(5, 6, 3), **ORANGE)
    high = np.broadcast_to(
        values[..., : 1 if channels == 2 else 3] // 256, (5, 6, 3)
    )
    if channels == 3:
        np.testing.assert_array_equal(found, high)
    else:
        check_rounded(found, shown(high, values[..., -1:] // 256, "#ff8000"))


def write_png(path, values):
    """Writes 16 bits a channel, as Pillow can't."""
    kinds = {2: 4, 3: 2, 4: 6}
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(
        ">IIBBBBB", width, height, 16, kinds[channels], 0, 0, 0
    )
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(png_of(chunks))


def test_batches_are_of_these_pixels(tmp_path):
    pixels = np.concatenate([random_uint8(5, 6, 3), OPACITY], axis=-1)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (x,) = load(tmp_path, "all", **ORANGE).as_numpy_iterator()
    check_rounded(255 * x[0], shown(pixels[..., :3], OPACITY, "#ff8000"))
