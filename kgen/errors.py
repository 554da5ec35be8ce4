"""The one form of kgen's messages: errors, and lines for the user."""

import difflib
import functools
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Characters of a value in a message, and names in a list of what is known.
_LONGEST = 500
_LISTED = 100


class InvalidArgument(ValueError):
    """A user's mistake: the message says what is wrong and what to do."""


class WorkerLost(RuntimeError):
    """Another process of several has gone, so that this one can't go on."""


class UnknownArgument(InvalidArgument, TypeError):
    """An argument name that does not exist (also a `TypeError`, as in Python)."""


def invalid(
    argument: str, owner: str, expected: str, received: Any
) -> InvalidArgument:
    """Builds the error for a bad argument, in Keras's wording.

    Args:
        argument: Name of the argument.
        owner: Name of the class or function that it was given to.
        expected: What would have been right, and what to do, in words.
        received: The value that was given.

    Returns:
        An `InvalidArgument`, to be raised by the caller.
    """
    return InvalidArgument(
        f"Invalid value for argument `{argument}` of `{owner}`. "
        f"Expected {expected}. Received: {argument}={_shown(received)}"
    )


def _shown(value):
    """A value as text of bounded length, whatever it is."""
    try:
        text = str(value)
    except Exception:  # nested too deeply, or a user's own object
        return f"a {type(value).__name__} that can't be shown"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def unknown_name(
    argument: str,
    owner: str,
    options: Iterable[str],
    received: Any,
    elsewhere: Mapping[str, str] | None = None,
) -> InvalidArgument:
    """Like `invalid`, for a name out of a list: offers the nearest one.

    Args:
        argument: As in `invalid`.
        owner: As in `invalid`.
        options: The names.
        received: What was given.
        elsewhere: Names that are set in another place, and words for that place. The
            message offers these words if such a name is the nearest.
    """
    options = list(options)
    typed = _shown(received).partition(":")[0]  # values may follow a name
    names = ", ".join(repr(name) for name in options[:_LISTED])
    names += ", ..." if len(options) > _LISTED else ""
    hint = "" if received is None else _nearest(typed, options, elsewhere or {})
    expected = f"one of {names}{hint}"
    shown = repr(received) if isinstance(received, str) else received
    return invalid(argument, owner, expected, shown)


def _nearest(typed, options, elsewhere):
    """Returns a hint at the name that may be meant, or `""` if none is near."""
    words = {**{name: repr(name) for name in options}, **elsewhere}
    close = difflib.get_close_matches(typed, words, n=1)
    if not close:  # perhaps with other capitals
        by_lower_case = {name.lower(): name for name in words}
        close = difflib.get_close_matches(typed.lower(), by_lower_case, n=1)
        close = [by_lower_case[name] for name in close]
    return f" (did you mean {words[close[0]]}?)" if close else ""


def check_keywords(
    owner: str, known: Sequence[str], given: Iterable[str]
) -> None:
    """Raises if an argument is given that does not exist.

    Args:
        owner: Name of the class or function.
        known: Names of its arguments.
        given: Names of the arguments that were given.

    Raises:
        UnknownArgument: The nearest name is offered.
    """
    for name in given:
        if name not in known:
            names = ", ".join(f"`{argument}`" for argument in known)
            raise UnknownArgument(
                f"Unknown argument `{name}` of `{owner}`"
                f"{_nearest(name, known, {})}. Expected some of {names}."
            )


def one_line(value: Any) -> str:
    """Returns a value, such as an error, as text without line breaks."""
    return " ".join(str(value).split())


def command(*words: Any) -> str:
    """Returns a command of kgen to copy: words that need it are quoted for a shell.

    Args:
        *words: Those after `kgen`, such as a path with spaces.
    """
    return shlex.join(["kgen", *map(str, words)])


def say(text: str) -> None:
    """Tells the user something that is no error, in a line on stderr."""
    # On a terminal, the command's line of progress gives way to it.
    start = "\r\x1b[K" if sys.stderr.isatty() else ""
    sys.stderr.write(f"{start}kgen: {one_line(text)}\n")
    sys.stderr.flush()


@functools.cache
def say_once(text: str) -> None:
    """Like `say`, but says the same text only once in a process."""
    say(text)
