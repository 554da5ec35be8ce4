"""The one form of kgen's error messages."""

import difflib
import operator
import sys


class InvalidArgument(ValueError):
    """A user's mistake: the message says what is wrong and what to do."""


def invalid(argument, owner, expected, received):
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
        f"Expected {expected}. Received: {argument}={received}"
    )


def unknown_name(argument, owner, options, received):
    """Like `invalid`, for a name out of a list: offers the nearest one."""
    typed = str(received).partition(":")[0]  # a name's numbers may follow
    close = difflib.get_close_matches(typed, list(options), n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    names = ", ".join(repr(name) for name in options)
    return invalid(argument, owner, f"one of {names}{hint}", repr(received))


def check_name(argument, owner, options, value):
    """Returns `value` if it is one of the names in `options`, or raises."""
    if not isinstance(value, str) or value not in options:
        raise unknown_name(argument, owner, options, value)
    return value


def check_int(argument, owner, value, minimum=1, maximum=None):
    """Returns `value` as an int, or raises if not one within the bounds."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    # NumPy's own booleans, too, without importing NumPy for it.
    boolean = type(value).__name__ in ("bool", "bool_")
    if (
        number is None
        or boolean
        or number < minimum
        or (maximum is not None and number > maximum)
    ):
        kind = "a positive integer"
        if maximum is not None:
            kind = f"an integer from {minimum} to {maximum}"
        elif minimum != 1:
            kind = f"an integer of at least {minimum}"
        raise invalid(argument, owner, kind, value)
    return number


def check_seed(owner, seed, optional=True):
    """Returns `seed` as an int32 >= 0, or None where that may be; or raises."""
    if seed is None and optional:
        return None
    return check_int("seed", owner, seed, 0, 2**31 - 1)


def check_number(argument, owner, value, minimum=0.0, maximum=None):
    """Returns `value` as a float, or raises if not finite and within bounds."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not minimum <= number < float("inf"):
        raise invalid(
            argument, owner, f"a finite number of at least {minimum:g}", value
        )
    if maximum is not None and number > maximum:
        raise invalid(
            argument, owner, f"a number from {minimum:g} to {maximum:g}", value
        )
    return number


def say(text):
    """Tells a user, in a line on stderr, of what is no error."""
    sys.stderr.write(f"kgen: {text}\n")
    sys.stderr.flush()
