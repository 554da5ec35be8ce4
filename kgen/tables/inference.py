"""One pass over a table: what its columns are, and where gaps are."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kgen import names
from kgen.arrays import as_array
from kgen.errors import invalid, unknown_name
from kgen.params import Instance, Optional, Options, Text
from kgen.tables import gaps, reading
from kgen.tables.encodings import Categories
from kgen.tables.kinds import column_of
from kgen.tables.summaries import Summary

_KINDS = Instance(Mapping, "a dictionary from names of columns to kinds")
_TARGET = Optional(Text("None, or the name of a column"))


def inferred(
    source: Any,
    kinds: Mapping[str, str],
    target: str | None,
    numbers: str,
    max_categories: int,
    seed: int,
    training: np.ndarray | None,
) -> dict[str, Any]:
    """The arguments of the `Table` of a source.

    Args:
        source: As in `Table.infer`, as all that follow.
        kinds: By the columns' names.
        target: Name of a column, or None.
        numbers: Name out of `kgen.tables.numbers.NUMBERS`.
        max_categories: The most of a column.
        seed: Integer.
        training: Truth values, or None for all rows.

    Raises:
        InvalidArgument: If the source can't be read, or a name is unknown.
    """
    _KINDS.check("kinds", "Table.infer", kinds)
    _TARGET.check("target", "Table.infer", target)
    rest = None if training is None else _truth_values(training)
    as_text = reading.text_columns(kinds)
    kinds = {**({target: "category"} if target else {}), **kinds}
    rng = np.random.default_rng(seed)
    summaries: dict[str, Summary] = {}
    gaps_of_rows = gaps.Gaps(rng)
    reading.check_rows(source)
    for frame in reading.frames(source, as_text=as_text):
        if not summaries:
            _check_names(kinds, target, list(frame.columns))
            summaries = {
                name: Summary(name, kinds.get(name), rng)
                for name in frame.columns
            }
        part = np.ones(len(frame), bool)
        if rest is not None:
            part, rest = rest[: len(frame)], rest[len(frame) :]
            if len(part) < len(frame):
                raise _not_by_row(training)
        missing = {
            name: summary.update(frame[name], part)[part]
            for name, summary in summaries.items()
        }
        # Gaps of the target do not count: such rows are left out of training.
        gaps_of_rows.update({n: x for n, x in missing.items() if n != target})
    if rest is not None and len(rest):
        raise _not_by_row(training)
    columns = {
        name: column_of(summary, numbers, max_categories)
        for name, summary in summaries.items()
    }
    shares = ()
    if target:
        shares = _class_shares(columns[target], max_categories)
    return {
        "columns": list(columns.values()),
        "target": target,
        "patterns": gaps_of_rows.patterns(),
        "class_shares": shares,
    }


def _truth_values(training):
    values = as_array(training)
    if values.dtype != bool or values.ndim != 1 or not values.any():
        raise _not_by_row(training)
    return values


def _not_by_row(training):
    values = as_array(training)
    expected = "truth values, one for each row, of which some are true"
    found = f"{values.dtype}, shape {values.shape}"
    return invalid("training", "Table.infer", expected, found)


def _check_names(kinds, target, found):
    for name, kind in kinds.items():
        if name != target and name not in found:
            raise unknown_name("kinds", "Table.infer", found, name)
        Options(names.COLUMN_KINDS).check("kinds", "Table.infer", kind)
    if target is not None and target not in found:
        raise unknown_name("target", "Table.infer", found, target)
    if target is not None and kinds[target] != "category":
        expected = f'"category", or nothing, for the target `{target}`'
        raise invalid("kinds", "Table.infer", expected, kinds[target])


def _class_shares(column, max_categories):
    """The shares of the target's classes, or an error where it has none."""
    encoding = column.encoding
    if not isinstance(encoding, Categories) or encoding.rare is not None:
        raise invalid(
            "target",
            "Table.infer",
            "a column of classes: two or more different values, and at most "
            f"{max_categories} (`max_categories`)",
            column.name,
        )
    total = sum(column.counts)
    return tuple(count / total for count in column.counts)
