"""Whether rows could be rows of a table at all."""

from typing import Any

import numpy as np
import pandas as pd

from kgen import frames
from kgen.params import checked


@checked(train=frames.Frame(), rows=frames.Frame(), kinds=frames.Kinds())
def validity(
    train: pd.DataFrame, rows: pd.DataFrame, kinds: dict[str, str]
) -> dict[str, Any]:
    """Returns the share of rows whose values could be of a table.

    A value is at fault if it is a category that no training row has, a number or
    time below the least or above the largest one of the training rows, or no
    integer in a column of integers. A gap is not at fault: its share is told by
    `column_shapes`.

    Args:
        train: Table of the rows that are known.
        rows: Table of the rows to be judged.
        kinds: Kind of each column that is looked at, by its name, as
            `column_shapes` takes them.

    Returns:
        Dictionary with `valid`, the share of rows without any fault, from 0 to 1;
        and `columns`, the shares of rows at fault by column, from 0 to 1: for
        categories and booleans `unknown`, for others `out_of_range`, for integers
        `not_integer`, too.

    Raises:
        InvalidArgument: If a table is empty, lacks a column, or has values in it
            that are not of its kind.
    """
    encoded = frames.encode(kinds, "validity", train=train, rows=rows)
    known, table = encoded.tables
    valid = np.ones(len(rows), bool)
    columns = {}
    for name, kind in kinds.items():
        x = table[name]
        if frames.are_numbers(kind):
            faults = {"out_of_range": _out_of_range(x, known[name])}
        else:
            # Codes are those of the training rows first; NaN compares as false.
            faults = {"unknown": x >= encoded.known[name]}
        if kind == "integer":
            faults["not_integer"] = (x != np.round(x)) & ~np.isnan(x)
        columns[name] = {key: float(at.mean()) for key, at in faults.items()}
        valid &= ~np.any(list(faults.values()), axis=0)
    return {"valid": float(valid.mean()), "columns": columns}


def _out_of_range(x, known):
    known = known[~np.isnan(known)]
    if not len(known):  # no number has been seen
        return ~np.isnan(x)
    return (x < known.min()) | (x > known.max())
