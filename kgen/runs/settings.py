"""Reads and checks the settings of a run, which config.json holds."""

import math
import reprlib

from kgen import files, names
from kgen.errors import InvalidArgument


def _is_int(minimum, maximum=math.inf):
    def check(value):
        is_int = isinstance(value, int) and not isinstance(value, bool)
        return is_int and minimum <= value <= maximum

    return check


def _is_shape(value):
    is_list = isinstance(value, list) and len(value) == 3
    return value is None or is_list and all(map(_is_int(1), value))


def _is_number(value):
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 <= value < math.inf


def _is_text(value):
    return isinstance(value, str) and value != ""


def _is_bool(value):
    return isinstance(value, bool)


# What each must be, in code and in words.
_KINDS = {
    "model": (
        lambda value: _is_text(value) and value in names.MODELS,
        f"one of {', '.join(names.MODELS)}",
    ),
    "data": (_is_text, "the name of a source"),
    "image_shape": (_is_shape, "null or three positive integers"),
    "data_dir": (
        lambda value: value is None or _is_text(value),
        "null or a directory",
    ),
    "network": (
        lambda value: _is_text(value) and value in names.NETWORKS,
        f"one of {', '.join(names.NETWORKS)}",
    ),
    "latent_dim": (_is_int(1), "a positive integer"),
    "epochs": (_is_int(1), "a positive integer"),
    "batch_size": (_is_int(1), "a positive integer"),
    "seed": (_is_int(0, 2**31 - 1), "an integer from 0 to 2147483647"),
    "conditional": (_is_bool, "true or false"),
    "binarize": (_is_bool, "true or false"),
    "kl_warmup": (_is_number, "a number of at least 0"),
    "options": (lambda value: isinstance(value, dict), "an object"),
}
# Settings that runs of earlier versions may lack; `DEFAULTS` has their values.
# Earlier versions had no `background`: they ignored transparency, and showed
# the colour stored in transparent pixels.
_LATER = {
    "background": (_is_text, "a colour"),
    "checkpoint_every": (
        lambda value: value is None or _is_text(value),
        'null or text such as "10m"',
    ),
    "on_nan": (
        lambda value: _is_text(value) and value in names.ON_NAN,
        f"one of {', '.join(names.ON_NAN)}",
    ),
}
DEFAULTS = {"background": "white", "checkpoint_every": None, "on_nan": "stop"}
_REQUIRED = set(_KINDS)
NAMES = _REQUIRED | set(_LATER)


def read(file):
    """Reads the settings of a run. It may have others, of a newer version.

    Args:
        file: Its `config.json`.

    Returns:
        Dictionary.

    Raises:
        InvalidArgument: If the file is damaged, or not a run's.
    """
    try:
        config = files.read_json(file)
    except ValueError as error:
        raise InvalidArgument(
            f"{file} can't be read: {error}. Correct it, or put it back from a copy."
        ) from error
    is_object = isinstance(config, dict)
    missing = _REQUIRED - set(config) if is_object else _REQUIRED
    if missing:
        raise InvalidArgument(
            f"{file} is not a run's: it lacks {', '.join(sorted(missing))}. "
            "Expected what `kgen train` made."
        )
    config = {**DEFAULTS, **config}
    for name, (is_fine, expected) in {**_KINDS, **_LATER}.items():
        if not is_fine(config[name]):
            raise InvalidArgument(
                f"{file} can't be used: `{name}` must be {expected}. Received: "
                f"{reprlib.repr(config[name])}. Correct it."
            )
    return config
