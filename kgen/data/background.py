"""The colour on which transparent pictures are shown."""

import numpy as np
from PIL import ImageColor

from kgen.errors import invalid

WHITE = "white"


def check_background(background):
    """Returns the name of a colour, or raises."""
    try:
        channels = len(ImageColor.getrgb(background))
    except (ValueError, AttributeError, TypeError):
        channels = 0
    if channels != 3:
        raise invalid(
            "background",
            "load",
            'an opaque colour by its name or its digits, such as "white" or '
            '"#ff8000"',
            repr(background),
        )
    return background


def is_grey(background):
    """Whether a colour is a shade of grey."""
    return len(set(ImageColor.getrgb(background))) == 1


def as_fractions(background):
    """A colour as an array of red, green and blue in [0, 1]."""
    return np.array(ImageColor.getrgb(background), "float32") / 255
