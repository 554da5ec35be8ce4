"""Tables of pandas as numbers: kinds of columns, gaps, codes of categories."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kgen.errors import invalid, one_line, unknown_name
from kgen.params import Constraint
from kgen.tables import forms

# What a column's values may be, and whether they are numbers or categories.
KINDS = {
    "numeric": "numbers",
    "integer": "numbers",
    "datetime": "numbers",
    "category": "categories",
    "boolean": "categories",
}

# A row's values by the columns' names, arrays of shape `(n,)` and of type float64:
# numbers, seconds since 1970 (UTC), or codes of categories; NaN is a gap.
Table = dict[str, np.ndarray]


class Encoded(NamedTuple):
    """Tables with the same codes of categories.

    Args:
        tables: One for each frame, in their order.
        levels: The values that codes stand for, by column: those of the first
            frame, the most frequent first, then those that it does not have.
        known: How many of the levels the first frame has, by column.
    """

    tables: list[Table]
    levels: dict[str, list]
    known: dict[str, int]


@dataclasses.dataclass(frozen=True)
class Frame(Constraint):
    """A DataFrame with a row or more, whose columns' names differ."""

    def check(self, argument: str, owner: str, value: Any) -> pd.DataFrame:
        if not isinstance(value, pd.DataFrame):
            raise invalid(argument, owner, "a pandas DataFrame", type(value))
        if not len(value):
            raise invalid(argument, owner, "one row or more", "none")
        twice = value.columns[value.columns.duplicated()]
        if len(twice):
            expected = "columns of different names"
            raise invalid(argument, owner, expected, f"{twice[0]!r} twice")
        return value


@dataclasses.dataclass(frozen=True)
class Kinds(Constraint):
    """The kinds of one column or more, by their names."""

    def check(self, argument: str, owner: str, value: Any) -> dict[str, str]:
        is_named = isinstance(value, Mapping) and all(
            isinstance(name, str) for name in value
        )
        if not is_named or not value:
            expected = 'a dictionary such as `{"age": "integer"}`'
            raise invalid(argument, owner, expected, value)
        for name, kind in value.items():
            if not isinstance(kind, str) or kind not in KINDS:
                raise unknown_name(f"{argument}[{name!r}]", owner, KINDS, kind)
        return dict(value)


# What functions take that compare tables.
TWO_TABLES = {"real": Frame(), "synthetic": Frame(), "kinds": Kinds()}
THREE_TABLES = {
    "train": Frame(),
    "held_out": Frame(),
    "synthetic": Frame(),
    "kinds": Kinds(),
}


def are_numbers(kind: str) -> bool:
    """Whether values of this kind are numbers, and not categories."""
    return KINDS[kind] == "numbers"


def encode(
    kinds: Mapping[str, str], owner: str, **frames: pd.DataFrame
) -> Encoded:
    """Makes arrays of numbers of the columns that have a kind.

    Values of a category are the same if Python finds them equal: True, 1 and 1.0
    are, 1 and "1" are not.

    Args:
        kinds: By the columns' names; other columns are left out.
        owner: Name of the function that the frames were given to, for messages.
        **frames: By the names of its arguments.

    Raises:
        InvalidArgument: If a frame lacks a column, or has values in it that are
            not of its kind.
    """
    for argument, frame in frames.items():
        missing = [name for name in kinds if name not in frame.columns]
        if missing:
            expected = f"the columns of `kinds`, {_listed(kinds)}"
            received = f"a table without {_listed(missing)}"
            raise invalid(argument, owner, expected, received)
    tables: list[Table] = [{} for _ in frames]
    levels, known = {}, {}
    for name, kind in kinds.items():
        columns = {
            key: forms.without_arrow(frame[name])
            for key, frame in frames.items()
        }
        if are_numbers(kind):
            arrays = [
                _numbers(column, kind, argument, owner)
                for argument, column in columns.items()
            ]
        else:
            arrays, levels[name], known[name] = _codes(columns, owner)
        for table, array in zip(tables, arrays):
            table[name] = array
    return Encoded(tables, levels, known)


def _listed(names):
    return ", ".join(repr(name) for name in names)


def _numbers(column, kind, argument, owner):
    """A column of numbers or times as float64, NaN for gaps."""
    convert = _seconds if kind == "datetime" else _float64
    try:
        numbers = convert(column)
    except (TypeError, ValueError, OverflowError) as error:
        raise _not_of(kind, column.name, argument, owner, error) from error
    return numbers


def _not_of(kind, name, argument, owner, received):
    values = "times" if kind == "datetime" else "finite numbers"
    expected = f"{values} in the column {name!r}, which is {kind}"
    return invalid(argument, owner, expected, one_line(received))


def _float64(column):
    if column.isna().all():
        return np.full(len(column), np.nan)
    if column.dtype.kind in "Mm":  # times would become their nanoseconds
        raise TypeError(f"a column of {column.dtype}")
    return forms.numbers(column)


def _seconds(column):
    if column.isna().all():
        return np.full(len(column), np.nan)
    if pd.api.types.is_numeric_dtype(column):
        raise TypeError(f"a column of {column.dtype}")
    return forms.seconds(column)


def _codes(columns, owner):
    """Codes of categories in several columns, their levels, how many are known."""
    values = [column.astype(object) for column in columns.values()]
    try:
        codes, levels = pd.factorize(pd.concat(values, ignore_index=True))
    except TypeError as error:
        argument, column = next(iter(columns.items()))
        expected = f"values that can be hashed in the column {column.name!r}"
        raise invalid(argument, owner, expected, one_line(error)) from error
    first = codes[: len(values[0])]
    counts = np.bincount(first[first >= 0], minlength=len(levels))
    order = np.argsort(-counts, kind="stable")
    rank = np.append(np.argsort(order).astype("float64"), np.nan)  # -1: a gap
    arrays = np.split(rank[codes], np.cumsum([len(x) for x in values])[:-1])
    return arrays, [levels[place] for place in order], int(np.sum(counts > 0))
