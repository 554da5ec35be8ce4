"""Numbers with as many digits as their standard errors leave them."""

import math

_DIGITS = 4  # significant digits of a value without a standard error
_LEAST, _MOST = 1e-4, 1e7  # other numbers are written with a power of ten
_ROUNDING = 1e-9  # a relative error up to this is the rounding of float64 sums


def texts(value: float, error: float | None = None) -> tuple[str, str]:
    """Returns a value and its standard error, as texts.

    The error has two significant digits, and the value ends at the same decimal as
    its error. Without an error, the value has four significant digits, or no decimals
    if it is a whole number.

    Args:
        value: Number; NaN and infinities are written as such.
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
    """The power of ten to be written after a number; 0 for none."""
    if size == 0.0 or _LEAST <= size < _MOST:
        return 0
    return _exponent(size, _DIGITS)


def _shifted(value, power):
    """`value / 10**power`, computed in decimals, since 10**-320 would be 0."""
    mantissa, exponent = f"{value:.16e}".split("e")
    return float(f"{mantissa}e{int(exponent) - power}") if power else value


def _exponent(value, digits):
    """The power of ten of the first digit, after rounding to so many digits."""
    return int(f"{value:.{digits - 1}e}".split("e")[1])


def _fixed(value, decimals, power):
    """Text of a rounded value: `z` writes -0.00 as 0.00; -1 decimals rounds to tens."""
    text = f"{round(value, decimals):z,.{max(decimals, 0)}f}"
    return f"{text}e{power}" if power else text
