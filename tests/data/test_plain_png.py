"""Plain PNGs have the pixels that Pillow gives them, and errors are Pillow's."""

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from kgen.data import examples, load, open_source, pictures, plain_png
from kgen.errors import InvalidArgument
from tests.data.common import png_of, random_uint8

SHAPES = [(6, 5), (6, 5, 3), (1, 1), (1, 300, 3), (300, 1), (80, 90, 3)]


def png(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png", **options)
    return file.getvalue()


def chunks(content):
    """Pairs of a name and data."""
    start = 8
    while start < len(content):
        size, name = struct.unpack_from(">I4s", content, start)
        yield name, content[start + 8 : start + 8 + size]
        start += size + 12


def header(content):
    return plain_png.header(io.BytesIO(content))


@pytest.fixture
def read(tmp_path):
    """A function from a file's content to its pixels, or None."""

    def decoded(content, shape=None):
        path = tmp_path / "a.PNG"
        path.write_bytes(content)
        shape = shape or header(content) or (6, 5, 3)
        content = plain_png.read(path, shape)
        pixels = content and plain_png.decode([content], shape)
        return None if pixels is None else pixels[0]

    return decoded


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("level", [0, 1, 9])
def test_pixels(read, shape, level):
    pixels = random_uint8(*shape)
    content = png(pixels, compress_level=level)
    pixels = pixels.reshape(*shape[:2], -1)
    assert header(content) == pixels.shape
    np.testing.assert_array_equal(read(content), pixels)


def test_grey_as_coloured(read):
    pixels = random_uint8(6, 5)
    found = read(png(pixels), (6, 5, 3))
    np.testing.assert_array_equal(found, np.stack([pixels] * 3, -1))


@pytest.mark.parametrize("shape", [(6, 5, 1), (6, 5, 4), (5, 6, 3), (6, 6, 3)])
def test_another_shape_is_left_to_pillow(read, shape):
    assert read(png(random_uint8(6, 5, 3)), shape) is None


@pytest.mark.parametrize("size", [1, 100])
def test_pixels_in_several_chunks(read, size):
    pixels = random_uint8(30, 40, 3)
    first, (name, data), last = chunks(png(pixels))
    parts = [(name, data[n : n + size]) for n in range(0, len(data), size)]
    content = png_of([first, *parts, (name, b""), last])
    np.testing.assert_array_equal(read(content), pixels)


def test_what_follows_the_end_is_nothing(read):
    pixels = random_uint8(6, 5, 3)
    np.testing.assert_array_equal(read(png(pixels) + b"more"), pixels)


def exif():
    tags = Image.Exif()
    tags[0x0112] = 6
    return tags


@pytest.mark.parametrize(
    "pixels, options",
    [
        (random_uint8(6, 5, 4), {}),
        (random_uint8(6, 5) > 99, {}),
        (random_uint8(6, 5).astype("uint16"), {}),
        (random_uint8(6, 5, 3), {"exif": exif()}),
        (random_uint8(6, 5, 3), {"transparency": (1, 2, 3)}),
        (random_uint8(6, 5), {"transparency": 7}),
        (random_uint8(6, 5, 3), {"dpi": (72, 72)}),
    ],
)
def test_what_is_not_plain(read, pixels, options):
    content = png(pixels, **options)
    assert read(content) is None and header(content) is None


@pytest.mark.parametrize("place", [2, 3])
def test_other_chunks_are_left_to_pillow(read, place):
    pairs = list(chunks(png(random_uint8(6, 5, 3))))
    pairs.insert(place - 1, (b"tEXt", b"Comment\0a"))
    assert read(png_of(pairs)) is None


@pytest.mark.parametrize("number, value", [(8, 4), (10, 1), (11, 1), (12, 1)])
def test_other_headers_are_left_to_pillow(read, number, value):
    (name, data), *rest = chunks(png(random_uint8(6, 5, 3)))
    data = bytearray(data)
    data[number] = value
    content = png_of([(name, bytes(data)), *rest])
    assert read(content) is None and header(content) is None


@pytest.mark.parametrize("limit", ["MAX_IMAGE_PIXELS", "_MOST_PIXELS"])
def test_large_ones_are_left_to_pillow(read, monkeypatch, limit):
    content = png(random_uint8(6, 5, 3))
    owner = Image if limit == "MAX_IMAGE_PIXELS" else plain_png
    monkeypatch.setattr(owner, limit, 30)
    assert read(content) is not None
    monkeypatch.setattr(owner, limit, 29)
    assert read(content) is None and header(content) is None


def found(folder):
    """What a folder gives: pixels, or the message that refuses one of them."""
    try:
        return open_source(folder).examples("all").images.tobytes()
    except InvalidArgument as error:
        return str(error)


def damaged(whole, seed):
    rng = random.Random(seed)
    data = bytearray(whole)
    for _ in range(rng.randrange(4)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data[: rng.randrange(len(data))] if seed % 3 == 0 else data)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_files_are_what_pillow_takes_them_for(tmp_path, monkeypatch):
    """Bits changed, cut short: the same pixels, or the same words."""
    whole = png(random_uint8(6, 5, 3))
    (tmp_path / "a.png").write_bytes(whole)
    path = tmp_path / "b.png"
    contents = [damaged(whole, seed) for seed in range(200)]
    quickly, by_pillow = [], []
    for content in contents:
        path.write_bytes(content)
        quickly.append(found(tmp_path))
    monkeypatch.setattr(plain_png, "read", lambda *args: None)
    monkeypatch.setattr(plain_png, "header", lambda file: None)
    for content in contents:
        path.write_bytes(content)
        by_pillow.append(found(tmp_path))
    assert quickly == by_pillow
    assert 20 < sum(isinstance(one, str) for one in quickly) < 180


@pytest.mark.parametrize("budget", [1, 2**30])
def test_plain_files_need_no_parser(tmp_path, monkeypatch, budget):
    monkeypatch.setattr(examples, "IN_MEMORY_BYTES", budget)
    monkeypatch.setattr(PngImagePlugin, "PngStream", None)
    pixels = random_uint8(3, 6, 5, 3)
    for number, one in enumerate(pixels):
        (tmp_path / f"{number}.PNG").write_bytes(png(one))
    batch = next(iter(load(tmp_path, "all")))
    np.testing.assert_array_equal(np.round(batch * 255), pixels)


def test_batches_of_all_kinds_are_those_of_pillow(tmp_path, monkeypatch):
    for number, mode in enumerate(("RGB", "L", "RGBA", "P", "LA", "RGB", "1")):
        image = Image.fromarray(random_uint8(6, 5, 3, seed=number))
        image.convert(mode).save(tmp_path / f"{number}.png")
    Image.fromarray(random_uint8(9, 8, 3)).save(tmp_path / "other.png")
    for shape in ((6, 5, 3), (6, 5, 1), (6, 5, 4), (9, 8, 3)):
        images = open_source(tmp_path, shape).examples("all").images
        for path, pixels in zip(sorted(tmp_path.iterdir()), images):
            expected, _ = pictures.read_picture(path, shape)
            np.testing.assert_array_equal(pixels, expected)


PIXELS = zlib.compress(bytes(6 * (1 + 5 * 3)))


@pytest.mark.parametrize(
    "packed",
    [
        PIXELS[:-1] + b"\0",
        PIXELS[:-4],
        PIXELS[:-6],
        PIXELS + b"more",
        zlib.compress(zlib.decompress(PIXELS) + bytes(16)),
        zlib.compress(zlib.decompress(PIXELS)[:-16]),
        zlib.compress(b"\x09" + zlib.decompress(PIXELS)[1:]),
        b"",
    ],
    ids=["sum", "no sum", "short", "long", "more", "fewer", "filter", "empty"],
)
def test_pixels_that_are_packed_wrongly(tmp_path, monkeypatch, packed):
    """The checksums of the chunks are right."""
    first, _, last = chunks(png(random_uint8(6, 5, 3)))
    (tmp_path / "a.png").write_bytes(png_of([first, (b"IDAT", packed), last]))
    quickly = found(tmp_path)
    monkeypatch.setattr(plain_png, "read", lambda *args: None)
    assert found(tmp_path) == quickly
