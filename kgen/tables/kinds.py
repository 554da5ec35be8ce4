"""From what was seen of a column to its kind, and its encoding."""

import dataclasses

import numpy as np

from kgen.errors import InvalidArgument, invalid, say_once
from kgen.tables import forms
from kgen.tables.column import Column
from kgen.tables.encodings import (
    Boolean,
    Categories,
    Constant,
    Count,
    Levels,
)
from kgen.tables.numbers import NUMBERS
from kgen.tables.summaries import Summary

# Whole numbers with at most so many different values get a category for each value.
_LEVELS = 20
# Text is an identifier of rows if more than this share of the rows, and more than so
# many of them, have different texts.
_ID_SHARE, _ID_ROWS = 0.9, 100
# Units of time, in seconds: days, hours, minutes, seconds; or else microseconds.
_UNITS = (86400.0, 3600.0, 60.0, 1.0)
_MICROSECOND = 1e-6
# Above it, float64 does not hold all whole numbers.
_LARGEST_WHOLE = 2.0**53
# Variances below it and above its inverse are 0 or infinite in float64, or nearly so.
_LEAST_VARIANCE = 1e-300
# The largest count whose encoding as float32 is exact.
_LARGEST_COUNT = 1e6


def column_of(summary: Summary, numbers: str, max_categories: int) -> Column:
    """The column that a summary describes.

    Args:
        summary: What was seen of it.
        numbers: A name out of `NUMBERS`.
        max_categories: The most categories that are kept apart.

    Raises:
        InvalidArgument: If the column can't be of the kind that was asked for.
    """
    kind = summary.kind or _kind_of(summary)
    if kind == "id" and summary.kind is None:
        say_once(
            f"column `{summary.name}` is left out: it names the rows. If it is more "
            "than that, say what it is, such as by "
            f"{forms.kind_option(summary.name, 'category')}."
        )
    column = Column(
        name=summary.name,
        kind=kind,
        dtype=_dtype_of(summary),
        encoding=Constant(),
        gaps=summary.gaps / max(summary.rows, 1),
        decimals=_decimals_of(summary, kind),
        unit=_unit_of(summary) if kind == "datetime" else 1.0,
        originals=summary.originals,
        parses_text=summary.kind in ("numeric", "integer", "count"),
    )
    if summary.category_dtype is not None:
        column = dataclasses.replace(
            column,
            categories=tuple(
                map(forms.plain, summary.category_dtype.categories)
            ),
            ordered=bool(summary.category_dtype.ordered),
        )
    if kind == "id":
        return column
    encoding = _encoding_of(summary, column, numbers, max_categories)
    counts = _counts_of(summary, encoding)
    return dataclasses.replace(column, encoding=encoding, counts=counts)


def _counts_of(summary, encoding):
    """How many rows had each value of a column of categories or truth values."""
    if isinstance(encoding, Boolean):
        return tuple(summary.counts[value] for value in (0.0, 1.0))
    if not isinstance(encoding, Categories):
        return ()
    kept = [summary.counts[value] for value in encoding.values]
    others = [summary.known - sum(kept)] if encoding.rare is not None else []
    return (*kept, *others)


def _kind_of(summary):
    if summary.form == forms.BOOLEAN:
        return "boolean"
    if summary.form == forms.DATETIME:
        return "datetime"
    if summary.form == forms.TEXT:
        _check_no_numbers(summary)
        return "id" if _names_rows(summary) else "category"
    if max(-summary.low, summary.high) > _LARGEST_WHOLE:
        # No float of this size has decimals, which tells nothing of what it is.
        is_whole = not summary.dtype.lower().startswith("float")
        return "id" if is_whole and summary.decimals == 0 else "numeric"
    if summary.decimals == 0 and summary.form == forms.NUMBER:
        is_long = summary.known_of_all > _LEVELS
        is_count_of_rows = is_long and summary.is_sequence and not summary.gaps
        return "id" if is_count_of_rows else "integer"
    return "numeric"


def _check_no_numbers(summary):
    """Raises if most of a column's text is numbers or dates, but can't be parsed.

    It may be in another format, or stand beside other text. Few different numbers,
    such as 1 to 6 beside "other", are names of categories.
    """
    import pandas as pd

    if summary.category_dtype is not None:
        return
    texts = list(summary.counts or summary.first)[:1000]
    found = pd.to_numeric(
        pd.Series(texts, dtype=object), errors="coerce"
    ).notna()
    meant = found | np.array(
        [forms.looks_like_number_or_date(t) for t in texts], bool
    )
    if meant.sum() > max(_LEVELS, found.sum()) and meant.mean() > 0.5:
        shown = pd.Series(texts)[meant & ~found].iloc[0]
        raise InvalidArgument(
            f"Column `{summary.name}` holds numbers or dates as text, such as "
            f'{shown!r}. Convert them first: pandas.read_csv(path, decimal=",") or '
            'thousands=","; .str.rstrip("%").astype(float); pandas.to_datetime('
            f'column, format="%d/%m/%Y"). Or say that it is text: '
            f'{forms.kind_option(summary.name, "category")}, or "id" to leave it out.'
        )
    if found.sum() > _LEVELS and 0.5 < found.mean() < 1.0:
        raise summary.mixed(texts)


def _names_rows(summary):
    if summary.category_dtype is not None:
        return False
    if summary.counts is None:
        return True
    differing = len(summary.counts)
    return differing > max(_ID_ROWS, _ID_SHARE * summary.known_of_all)


def _dtype_of(summary):
    dtype = summary.dtype or "float64"
    if summary.kind == "datetime" and not dtype.startswith("datetime64"):
        return "datetime64[us]"  # all values are missing
    if summary.form not in (forms.TEXT, None) and dtype in ("object", "str"):
        return "float64" if summary.form == forms.NUMBER else "object"
    return dtype


def _decimals_of(summary, kind):
    if kind in ("integer", "count", "datetime"):
        return 0
    return summary.decimals if summary.decimals <= 6 else None


def _unit_of(summary):
    values = summary.values()
    for unit in _UNITS:
        if len(values) and not np.any(values % unit):
            return unit
    return _MICROSECOND


def _encoding_of(summary, column, numbers, max_categories):
    if summary.unread is not None and not summary.known_of_all:
        raise summary.unfit(
            f"all its values are text, such as {summary.unread!r}"
        )
    if not summary.known:
        say_once(
            f"column `{summary.name}` has no values: nothing can be learned of it."
        )
        return Constant(text=summary.form == forms.TEXT)
    if summary.form == forms.TEXT:
        return _categories_of(summary, max_categories)
    values = summary.values() / column.unit
    if not len(values):  # none of the training rows has one
        return Constant()
    low, high = values.min(), values.max()
    if column.kind in ("integer", "count"):
        _check_whole(summary, column.kind, low, high)
    if column.kind == "count":
        return Count(float(high))
    if low == high:
        return Constant(float(low))
    if column.kind == "boolean":
        if set(np.unique(values)) != {0.0, 1.0}:
            raise InvalidArgument(
                f"Column `{summary.name}` is to be boolean, but it has other "
                "values than True and False. Leave its kind out, or take "
                '"category".'
            )
        return Boolean()
    counts = summary.counts
    if column.kind == "integer" and counts and len(counts) <= _LEVELS:
        return Levels(tuple(sorted(counts)), summary.known)
    _check_variance(summary, values)
    return NUMBERS[numbers].fit(values)


def _check_variance(summary, values):
    """Raises if the variance is too small or too large for float64."""
    with np.errstate(all="ignore"):
        variance = np.var(values)
    if not _LEAST_VARIANCE < variance < 1.0 / _LEAST_VARIANCE:
        raise InvalidArgument(
            f"Column `{summary.name}` has numbers from {values.min():g} to "
            f"{values.max():g}, whose variance float64 can't hold. Give it in another "
            f"unit, or leave it out: {forms.kind_option(summary.name, 'id')}"
        )


def _check_whole(summary, kind, low, high):
    """Raises unless the numbers are whole, and those of counts from 0 to a bound."""
    expected = None
    if summary.decimals:
        expected = f'"numeric" for column `{summary.name}`, which has decimals'
    elif kind == "count" and low < 0:
        expected = f"whole numbers from 0 in column `{summary.name}` of counts"
    elif kind == "count" and high > _LARGEST_COUNT:
        expected = (
            f'"integer" for column `{summary.name}`: counts are at most '
            f"{_LARGEST_COUNT:g}"
        )
    if expected:
        found = f"values from {low:g} to {high:g}"
        raise invalid("kinds", "Table.infer", expected, found)


def _categories_of(summary, max_categories):
    if summary.counts is None:
        raise InvalidArgument(
            f"Column `{summary.name}` has too many different values for "
            f"categories. Leave it out: {forms.kind_option(summary.name, 'id')}"
        )
    if "" in summary.counts:
        raise InvalidArgument(
            f"Column `{summary.name}` has empty text as a value, which marks what "
            "is missing. Replace it by None, or by a word."
        )
    if len(summary.counts) == 1:
        return Constant(next(iter(summary.counts)), text=True)
    by_count = sorted(summary.counts, key=lambda x: (-summary.counts[x], x))
    kept, others = by_count[:max_categories], by_count[max_categories:]
    return Categories(tuple(sorted(kept)), others[0] if others else None)
