"""What a failure may look like, how long it may take, and mutated files."""

import contextlib
import linecache
import pathlib
import signal
import traceback

import keras
from hypothesis import settings
from hypothesis import strategies as st

import kgen
from kgen.errors import InvalidArgument

_SECONDS = 30  # no example takes as long unless it hangs
_HERE = [str(pathlib.Path(module.__file__).parent) for module in (kgen, keras)]


def examples(count):
    """How many examples a test takes by the profile `kgen`; others scale it."""
    return settings(max_examples=count * settings.default.max_examples // 100)


class Hang(BaseException):
    """Not an `Exception`, so that nothing takes it for a failure in words."""


@contextlib.contextmanager
def time_limit(seconds=_SECONDS):
    """Raises `Hang` within what takes longer."""

    def stop(*_):
        raise Hang(f"more than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def in_words(error):
    """Whether an error was written for a user to read.

    kgen's own are `InvalidArgument`. Those of Keras are a `ValueError` or a
    `TypeError` that a line of its code raises, not one that Python, NumPy or
    TensorFlow raised in the middle of it.
    """
    if isinstance(error, InvalidArgument):
        return True
    if not isinstance(error, (ValueError, TypeError)):
        return False
    last = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(last.filename, last.lineno)
    raised = line.strip().startswith("raise ")
    return raised and last.filename.startswith(tuple(_HERE))


def refused(function, *args, allowed=in_words, **kwargs):
    """Calls a function; whatever it raises must be in words.

    Args:
        function: What is tried.
        *args: Its arguments.
        allowed: Function from an error to whether it may be raised.
        **kwargs: Its arguments by name.

    Returns:
        The error, or None if there was none.
    """
    try:
        with time_limit():
            function(*args, **kwargs)
    except Exception as error:
        if not allowed(error):
            raise
        return error
    return None


def only_invalid(error):
    """Whether an error is kgen's own: that of all that reads files."""
    return isinstance(error, InvalidArgument)


# Bytes that sizes, signs and ends are made of.
_TELLING = [0x00, 0x01, 0x7F, 0x80, 0xFF, 0x0A, 0x2C, 0x22]
_BYTES = st.one_of(st.sampled_from(_TELLING), st.integers(0, 255))


@st.composite
def mutated(draw, data, header=64):
    """Bytes that are nearly those of a valid file.

    Args:
        data: Bytes of the file.
        header: How many of them are edited as often as all others together.
    """
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        end = max(1, len(data))
        place = draw(
            st.one_of(
                st.integers(0, min(header, end) - 1), st.integers(0, end - 1)
            )
        )
        kind = draw(st.sampled_from(["set", "flip", "cut", "insert", "copy"]))
        if kind == "cut":
            del data[place:]
        elif kind == "insert":
            data[place:place] = draw(st.binary(max_size=8))
        elif kind == "copy":
            start = draw(st.integers(0, end - 1))
            size = draw(st.integers(1, 32))
            data[place : place + size] = data[start : start + size]
        elif data:
            place = min(place, len(data) - 1)
            byte = draw(_BYTES)
            data[place] = byte if kind == "set" else data[place] ^ byte
    return bytes(data)
