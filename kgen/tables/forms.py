"""The forms that a column's values take: numbers, seconds, text."""

import functools
import numbers as numbers_module
import re
import shlex
from typing import TYPE_CHECKING, Any

import numpy as np

from kgen.errors import InvalidArgument

if TYPE_CHECKING:  # slow to import
    import pandas as pd

NUMBER, BOOLEAN, DATETIME, TEXT, MIXED, OTHER = (
    "number",
    "boolean",
    "datetime",
    "text",
    "mixed",
    "other",
)
# Types of values that have parts.
_NESTED = (list, tuple, dict, set, np.ndarray)
# A number with a point or comma, and perhaps with the other one between thousands
_NUMBER = re.compile(
    r"[+-]?(\d+([.,]\d+)?|\d{1,3}(,\d{3})+(\.\d+)?|\d{1,3}(\.\d{3})+(,\d+)?)"
)
# A day, a month and a year, perhaps with a time, as 9/5/1990 or 9 May 1990
_DATE = re.compile(
    r"\d{1,2}([/. -] ?)(\d{1,2}|(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"[a-z]*)\1\d{4}( \d{1,2}:\d\d(:\d\d)?)?",
    re.IGNORECASE,
)
# A time of day with an offset from UTC at its end, as 12:00Z, 12:00+01 or 12:00+01:00
_OFFSET = re.compile(r":\d\d.*?(?:Z|[+-]\d\d(?::?\d\d)?)$")
# What pandas calls the values of an object column, by their form.
_INFERRED = {
    "boolean": BOOLEAN,
    "integer": NUMBER,
    "floating": NUMBER,
    "mixed-integer-float": NUMBER,
    "decimal": NUMBER,
    "string": TEXT,
    "datetime": DATETIME,
    "datetime64": DATETIME,
    "date": DATETIME,
    "empty": None,
    **dict.fromkeys(
        ("timedelta", "timedelta64", "period", "interval", "time", "bytes"),
        OTHER,
    ),
}


def form_of(series: "pd.Series") -> str | None:
    """The form of a column's values, or None if all are missing.

    Args:
        series: The column.
    """
    import pandas as pd
    from pandas.api import types

    if not series.notna().any():
        return None
    if isinstance(series.dtype, pd.CategoricalDtype):
        return TEXT
    if types.is_bool_dtype(series.dtype):
        return BOOLEAN
    if types.is_numeric_dtype(series.dtype):
        return NUMBER
    if types.is_datetime64_any_dtype(series.dtype):
        return DATETIME
    if isinstance(series[series.notna()].iloc[0], _NESTED):
        return OTHER
    return _INFERRED.get(types.infer_dtype(series, skipna=True), MIXED)


def without_arrow(series: "pd.Series") -> "pd.Series":
    """A column that Arrow backs, with NumPy's dtypes; others as they are.

    Dates become datetime64, decimals float64, Arrow's dictionary type a categorical,
    and whole numbers with gaps float64.
    """
    import pandas as pd

    if not isinstance(series.dtype, pd.ArrowDtype):
        return series
    import pyarrow

    values = pyarrow.array(series.array)
    if pyarrow.types.is_decimal(values.type):
        values = values.cast(pyarrow.float64())
    made = values.to_pandas(date_as_object=False)
    return pd.Series(made.array, series.index, name=series.name)


def numbers(series: "pd.Series", force: bool = False) -> np.ndarray:
    """A column as float64; what is missing is NaN.

    Args:
        series: The column.
        force: Whether text that is no number is missing, and no error.

    Raises:
        ValueError: If there is text that is no number, or a time.
    """
    import pandas as pd

    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(object)
    if form_of(series) in (DATETIME, OTHER):
        # pandas would count their nanoseconds.
        raise ValueError(f"{series.dropna().iloc[0]!r} is no number")
    if force:
        found = pd.to_numeric(series, errors="coerce")
    else:
        found = _converted(series, pd.to_numeric, "number")
    values = found.astype("Float64").to_numpy("float64", na_value=np.nan)
    infinite = np.isinf(values)
    if infinite.any():
        raise ValueError(f"{values[infinite][0]} is no finite number")
    return values


def _converted(series, convert, what):
    """A column that pandas converts; an error names a value that it can't.

    pandas names a row instead, counted within the part of the file that is read.
    """
    try:
        return convert(series)
    except (ValueError, TypeError) as error:
        unread = convert(series, errors="coerce").isna() & series.notna()
        if not unread.any():
            raise
        value = series[unread].iloc[0]
        raise ValueError(f"{value!r} is no {what}") from error


def seconds(series: "pd.Series", dtype: str | None = None) -> np.ndarray:
    """A column of dates or times as seconds since 1970, in UTC; NaN if missing.

    Args:
        series: The column.
        dtype: The type of a column that these are values of, or None for any.

    Raises:
        ValueError: If there is text that is no date in the form of ISO 8601; or
            times have a time zone where `dtype` has none, or the reverse.
    """
    found = times(series)
    has_zone = found.dt.tz is not None
    if dtype and has_zone != ("," in dtype) and found.notna().any():
        raise ValueError(
            f"{found.dropna().iloc[0]} has {'a' if has_zone else 'no'} time zone"
        )
    if has_zone:
        found = found.dt.tz_convert("UTC").dt.tz_localize(None)
    # Microseconds are what all of pandas' units of time have in common.
    whole = found.to_numpy("datetime64[us]")
    return np.where(np.isnat(whole), np.nan, whole.astype("int64") / 1e6)


def times(series: "pd.Series") -> "pd.Series":
    """A column of dates, times or text as one of times, with its time zone.

    Text with different offsets is brought to UTC.

    Raises:
        ValueError: If there is text that is no date in the form of ISO 8601, or a
            number.
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return series
    is_text = form_of(series) == TEXT
    if not is_text:
        for value in series[series.notna()]:
            if isinstance(value, numbers_module.Number):
                raise ValueError(
                    f"{value} is a number, and no date. Convert it, such as by "
                    'pandas.to_datetime(years, format="%Y") or (seconds, unit="s")'
                )
        zones = [getattr(value, "tzinfo", None) for value in series.dropna()]
        if any(zones) and not all(zones):
            raise ValueError("times with a time zone, and others without one")
        found = pd.to_datetime(series, utc=any(zones))
        return found.dt.as_unit("us")
    known = series[series.notna()].astype(str)
    has_offset = known.str.contains(_OFFSET).any()
    convert = functools.partial(
        pd.to_datetime, format="ISO8601", utc=bool(has_offset)
    )
    what = "date in the form of ISO 8601, such as 2024-03-01"
    return _converted(series, convert, what)


def written_as(times: "pd.Series", known: "pd.Series") -> "pd.Series":
    """Times as a column represents them: as `datetime.date`, or as its text.

    Args:
        times: The times.
        known: Values of the column, whose first text tells how times are written.
    """
    import pandas as pd
    from pandas.tseries.api import guess_datetime_format

    values = known[known.notna()]
    if not len(values) or values.dtype.kind == "M":
        return times
    first = values.iloc[0]
    if not isinstance(first, str):
        is_date = pd.api.types.infer_dtype(values) == "date"
        return times.dt.date if is_date else times
    pattern = guess_datetime_format(first)
    # An offset that strftime writes has no colon, unlike one of ISO 8601.
    if pattern is None or "%z" in pattern:
        return times.map(pd.Timestamp.isoformat, na_action="ignore")
    return times.dt.strftime(pattern)


def datetimes(values: np.ndarray, dtype: str, name: str) -> "pd.Series":
    """The column that `seconds` came from, to the microsecond.

    Args:
        values: Seconds since 1970; NaN if missing.
        dtype: The type of the column.
        name: Its name.
    """
    import pandas as pd

    known = ~np.isnan(values)
    whole = np.full(len(values), np.iinfo("int64").min)  # pandas' missing time
    whole[known] = np.round(values[known] * 1e6).astype("int64")
    times = pd.Series(whole.view("datetime64[us]"), name=name)
    if "," in dtype:  # with a time zone
        times = times.dt.tz_localize("UTC")
    return times.astype(dtype)


def texts(series: "pd.Series") -> np.ndarray:
    """A column as an array of `str`; what is missing is "".

    Whole numbers have no point, so that a column that has gaps, and hence floats,
    has the categories of one without.

    Raises:
        InvalidArgument: If there is text that UTF-8 can't hold.
    """
    known = series.notna()
    made = np.full(len(series), "", object)
    made[known.to_numpy()] = [text_of(value) for value in series[known]]
    try:
        "".join(made).encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(
            f"Column `{series.name}` holds {error.object[error.start]!r}, which is no "
            "character. Read the file with its own encoding, or replace it: "
            f'df["{series.name}"].str.encode("utf-8", "replace").str.decode("utf-8")'
        ) from error
    return made


def text_of(value: Any) -> str:
    """A category as text."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def looks_like_number_or_date(text: str) -> bool:
    """Whether text is a number, or a date that begins with the day.

    That includes formats that are not parsed: `0,5`, `116,000`, `$5`, `11.6%`,
    `09/05/1990` and `9 May 1990`.
    """
    text = text.strip(" %$\u20ac\u00a3")
    return any(form.fullmatch(text) for form in (_NUMBER, _DATE))


def kind_option(name: str, kind: str) -> str:
    """How a user tells the kind of a column: in Python, and on the command line."""
    return f'kinds={{"{name}": "{kind}"}} (--kind {shlex.quote(name)}={kind})'


def is_missing(value: Any) -> bool:
    """Whether a value is one that marks a gap, such as None or NaN."""
    import pandas as pd

    return pd.api.types.is_scalar(value) and bool(pd.isna(value))


def plain(value: Any) -> Any:
    """A value as JSON can hold it: NumPy's numbers as Python's."""
    return value.item() if isinstance(value, np.generic) else value


def timestamp(value: Any, dtype: str) -> Any:
    """A time, or its text, as a column of a type has it; what is none, as it is.

    Args:
        value: A time, date or text; one without a time zone is in the column's.
        dtype: The column's type.
    """
    import pandas as pd

    if isinstance(value, numbers_module.Number):
        return value  # pandas would take it for nanoseconds
    try:
        time = pd.Timestamp(value)
    except (ValueError, TypeError):
        return value
    if "," not in dtype or time is pd.NaT:
        return time
    zone = pd.api.types.pandas_dtype(dtype).tz
    if time.tz is not None:
        return time.tz_convert(zone)
    # When clocks change, some times occur twice, and others never.
    local = time.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    return value if local is pd.NaT else local
