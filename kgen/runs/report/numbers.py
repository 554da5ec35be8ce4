"""Numbers with as many digits as their standard errors leave them."""

import math

_DIGITS = 4  # significant ones, where no standard error says how many
_LEAST, _MOST = 1e-4, 1e7  # outside, powers of ten are shorter
_ROUNDING = 1e-9  # of float64 sums, relative: no standard error


def texts(value: float, error: float | None = None) -> tuple[str, str]:
    """Returns a value and its standard error, as texts.

    The error is given with two significant digits, and the value ends where
    its error does. Without one the value has four significant digits, or none
    behind the point where it is a whole number.

    Args:
        value: Number; NaN and infinities are said as they are.
        error: Its standard error, or None.

    Returns:
        Two strings; the second is empty where `error` is None.

    Example:
        >>> texts(228.7049, 0.1234)
        ('228.70', '0.12')
    """
    value = float(value)
    if error is None:
        return _one(value), ""
    error = float(error)
    known = math.isfinite(value) and math.isfinite(error)
    if not known or error <= _ROUNDING * abs(value):
        return _one(value), _one(error if not known else 0.0)
    power = _power(max(abs(value), error))
    value, error = _shifted(value, power), _shifted(error, power)
    decimals = 1 - _exponent(error, 2)
    return tuple(_fixed(x, decimals, power) for x in (value, error))


def _one(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return f"{value:g}"
    power = _power(abs(value))
    value = _shifted(value, power)
    decimals = 0
    if not value.is_integer():
        decimals = max(0, _DIGITS - 1 - _exponent(value, _DIGITS))
    return _fixed(value, decimals, power)


def _power(size):
    """The power of ten to be written behind: 0 where none is needed."""
    if size == 0.0 or _LEAST <= size < _MOST:
        return 0
    return _exponent(size, _DIGITS)


def _shifted(value, power):
    """`value / 10**power`; by the decimal point, since 10**-320 is 0."""
    mantissa, exponent = f"{value:.16e}".split("e")
    return float(f"{mantissa}e{int(exponent) - power}") if power else value


def _exponent(value, digits):
    """Of the leading digit, once rounded to so many significant ones."""
    return int(f"{value:.{digits - 1}e}".split("e")[1])


def _fixed(value, decimals, power):
    """`z` makes -0.00 a zero; a negative number of decimals rounds tens."""
    text = f"{round(value, decimals):z,.{max(decimals, 0)}f}"
    return f"{text}e{power}" if power else text
