"""Files of pictures as arrays."""

import contextlib
import os
from collections.abc import Sequence

import numpy as np
from PIL import ExifTags, Image, ImageColor

from kgen import damage
from kgen.data import conversion, plain_png
from kgen.data.conversion import WHITE
from kgen.errors import InvalidArgument

# No others are tried, whatever a file is called: Pillow starts programs for
# some. Only `_open` opens pictures.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
ENDINGS = (
    ".png",
    ".jpg",
    ".jpeg",
    ".jfif",
    ".bmp",
    ".gif",
    ".webp",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".pbm",
)
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
# Pillow's modes of 8 bits a channel that it can convert to colour.
_PLAIN = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# Tags of TIFF files: how many bits a value has, and whether 0 is black or white.
_BITS, _PHOTOMETRIC = 258, 262
_WHITE_IS_ZERO = 0  # a value of the second tag
# What Pillow multiplies greys of 2 and 4 bits by, by its raw mode.
_FACTORS = {"L;2": 85, "L;4": 17}
_ADVICE = ". Repair it, or move it away."
# How to turn a picture upright, by its EXIF orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_picture(
    path: str | os.PathLike, image_shape: tuple, background: str = WHITE
) -> tuple[np.ndarray, bool]:
    """Reads one picture; of an animated one, the first frame.

    Args:
        path: The file.
        image_shape: `(height, width, channels)` to bring it to.
        background: The colour on which its transparent parts are shown, unless
            there are 4 channels, of which the last one is the opacity.

    Returns:
        The picture as uint8, and whether transparent parts were replaced.

    Raises:
        InvalidArgument: If the file can't be read as a picture.
    """
    channels, transparent = image_shape[2], False
    with _open(path) as image:
        turn = _TURNS.get(_orientation(image))
        image = _eight_bits(image)
        if image.has_transparency_data and channels < 4:
            image, transparent = _opaque(image, background)
        image = image.convert(_MODES[channels])
        if turn is not None:
            image = image.transpose(turn)
        pixels = np.asarray(image)
    pixels = pixels.reshape(*pixels.shape[:2], channels)
    return conversion.convert(pixels[None], image_shape)[0], transparent


def _eight_bits(image):
    """Turns a picture of 12 bits, 16 bits or floats into one of 8 bits.

    Others are returned as they are. Greys are rounded. Of colours with 16 bits, Pillow
    reads only the upper 8.
    """
    if image.mode in _PLAIN:
        _scale_transparent_colour(image)
        return image
    values, white = np.asarray(image), _white(image)
    if not (values.min() >= 0 and values.max() <= white):
        raise ValueError(
            f"its values go from {values.min():g} to {values.max():g}; expected "
            f"0 to {white}"
        )
    levels = np.round(values.astype("float64") * 255 / white).astype("uint8")
    if _is_negative(image):
        levels = 255 - levels
    grey = Image.fromarray(levels)
    transparent = image.info.get("transparency")  # the value of such pixels
    if transparent is not None:
        opacity = np.where(values == transparent, 0, 255).astype("uint8")
        grey.putalpha(Image.fromarray(opacity))
    return grey


def _white(image):
    """The largest value of a grey picture of more than 8 bits, or of floats."""
    # Older releases of Pillow say "I" of 16 bits.
    is_short = image.mode == "I" and image.format in ("PNG", "PPM")
    if is_short or image.mode.startswith("I;16"):
        # Pillow leaves values of 12 bits as they are.
        bits = image.tag_v2[_BITS][0] if image.format == "TIFF" else 16
        return 2**bits - 1
    if image.mode == "F":
        return 1
    raise ValueError(
        f"its pixels are of Pillow's mode {image.mode}, whose values have no "
        "known scale; save it as RGB, or as grey of 8 or 16 bits"
    )


def _is_negative(image):
    """Whether a TIFF file says that 0 is white. Pillow inverts only greys of 8 bits.

    As in Pillow, a file without the tag says so.
    """
    if image.format != "TIFF":
        return False
    return image.tag_v2.get(_PHOTOMETRIC, _WHITE_IS_ZERO) == _WHITE_IS_ZERO


def _scale_transparent_colour(image):
    """Brings a transparent colour to 8 bits, as Pillow does with the pixels."""
    colour = image.info.get("transparency")
    # `tile` shows how many bits the file has only until the pixels are read.
    forms = {str(tile[3]) for tile in image.tile}
    if isinstance(colour, tuple) and any("16" in form for form in forms):
        image.info["transparency"] = tuple(value >> 8 for value in colour)
    elif isinstance(colour, int):
        for form in forms & set(_FACTORS):
            image.info["transparency"] = colour * _FACTORS[form]


def _opaque(image, background):
    """The picture on the background, and whether any of that can be seen."""
    image = image.convert("RGBA")
    if image.getextrema()[3][0] == 255:
        return image, False
    ground = Image.new("RGBA", image.size, background)
    return Image.alpha_composite(ground, image), True


def check_readable(path: str | os.PathLike) -> None:
    """Raises unless all of a picture can be read, a JPEG at an eighth of its size."""
    with _open(path) as image:
        image.draft(image.mode, tuple(max(1, n // 8) for n in image.size))
        image.load()
        _eight_bits(image)


@contextlib.contextmanager
def _open(path):
    """Opens a picture; errors name the file."""
    with damage.reading(path, "a picture", _ADVICE):
        try:
            with Image.open(path, formats=_FORMATS) as image:
                _check_pixels(image)
                yield image
        except (
            Image.DecompressionBombError,
            Image.DecompressionBombWarning,
        ) as error:
            raise InvalidArgument(
                f"{path} can't be read as a picture, for it is too large: "
                f"{error} Make it smaller, or move it away."
            ) from error


def _check_pixels(image):
    """Raises above Pillow's limit, for up to twice of which it only warns."""
    limit = Image.MAX_IMAGE_PIXELS
    pixels = image.width * image.height
    if limit is not None and pixels > limit:
        raise Image.DecompressionBombError(
            f"it has {pixels:,} pixels, and the limit "
            f"(PIL.Image.MAX_IMAGE_PIXELS) is {limit:,}."
        )


def _orientation(image):
    """The EXIF orientation, 1 to 8; 1 where that can't be read."""
    # Pillow turns TIFF files itself.
    if image.format == "TIFF" or not image.info:
        return 1
    try:
        # Metadata before the pixels are enough; the method of the class of PNG
        # images would read all pixels first.
        exif = Image.Image.getexif(image)
        return int(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged files make Pillow raise of all kinds
        return 1


def _is_grey(image, background):
    background_is_grey = len(set(ImageColor.getrgb(background))) == 1
    if image.has_transparency_data and not background_is_grey:
        return False
    if image.mode not in ("P", "PA"):
        return image.mode in _GREY
    palette = np.reshape(image.getpalette(), (-1, 3))
    return bool((palette == palette[:, :1]).all())


def _look(path, background):
    """The upright size of a picture, and whether it is grey, by its header."""
    if str(path).lower().endswith(".png"):
        with (
            damage.reading(path, "a picture", _ADVICE),
            open(path, "rb", buffering=0) as file,
        ):
            plain = plain_png.header(file)
        if plain is not None:
            height, width, channels = plain
            return (width, height), channels == 1
    with _open(path) as image:
        is_turned = _orientation(image) in (5, 6, 7, 8)
        size = image.size[::-1] if is_turned else image.size
        return size, _is_grey(image, background)


def common_shape(
    paths: Sequence, background: str = WHITE
) -> tuple[int, int, int]:
    """Returns the one shape of all pictures, by their headers, or raises."""
    first: tuple = ()
    all_grey = True
    for path in paths:
        size, is_grey = _look(path, background)
        first, all_grey = first or size, all_grey and is_grey
        if size != first:
            raise InvalidArgument(
                f"{paths[0]} is {first[1]} pixels high and {first[0]} wide, and "
                f"{path} is {size[1]} high and {size[0]} wide. Pass `image_shape` "
                "(--image-shape HEIGHTxWIDTHxCHANNELS on the command line) to "
                "bring all to one size."
            )
    return (first[1], first[0], 1 if all_grey else 3)
