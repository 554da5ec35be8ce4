"""The rows of signatures of a table: a tensor for each column, by its name."""

import re
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from kgen.tables import Table, reading

# Names of inputs that signatures have beside the columns.
_OTHERS = {"images", "labels", "num_samples", "seed", "z"}


def specs_of(table: Table) -> dict[str, tf.TensorSpec]:
    """The input of each column, by the column's name.

    Numbers are float64, NaN for a gap; text is strings, "" for a gap; truth values
    are 0 and 1; dates are numbers, whose unit `model.json` tells. An input has its
    column's name, with `_` for what is no letter, digit or `_`. A column whose name
    needs no change keeps it; `_` is appended to others until all names differ.

    Args:
        table: The table.
    """
    names = {c.name: _input_name(c.name) for c in table.encoded}
    own = {column for column, name in names.items() if column == name} - _OTHERS
    taken, specs = _OTHERS | own, {}
    for column in table.encoded:
        name = names[column.name]
        if column.name not in own:
            name = reading.free_name(name, taken)
        taken.add(name)
        dtype = "string" if column.encoding.is_text else "float64"
        specs[column.name] = tf.TensorSpec((None,), dtype, name)
    return specs


def _input_name(name):
    """A column's name, changed so that it can be that of an input."""
    name = re.sub(r"\W", "_", name, flags=re.ASCII)
    return name if name[:1].isalpha() else f"column_{name}"


def converted(signatures: Mapping, table: Table) -> dict:
    """Signatures that take and give the columns of rows in place of `images`.

    Args:
        signatures: Dictionary from names to `(function, input_signature)`.
        table: The table.

    Returns:
        Dictionary of the same form.
    """
    columns = specs_of(table)

    def convert(function, specs):
        inner = []
        for spec in specs:
            inner += columns.values() if spec.name == "images" else [spec]

        def converting(*tensors):
            given = dict(zip((spec.name for spec in inner), tensors))
            rows = {n: given.get(spec.name) for n, spec in columns.items()}
            outputs = function(
                *(
                    table.encode_tensors(rows)
                    if spec.name == "images"
                    else given[spec.name]
                    for spec in specs
                )
            )
            if "images" in outputs:
                decoded = table.decode_tensors(outputs.pop("images"))
                outputs.update(
                    {columns[name].name: x for name, x in decoded.items()}
                )
            return outputs

        return converting, inner

    return {name: convert(*pair) for name, pair in signatures.items()}


def request(table: Table, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays for the inputs of columns, by the inputs' names.

    Args:
        table: The table.
        rows: Array of shape `(n, *table.shape)`.
    """
    columns = specs_of(table)
    decoded = table.decode_tensors(tf.convert_to_tensor(rows))
    return {columns[name].name: x.numpy() for name, x in decoded.items()}


def described(table: Table) -> dict:
    """What the card says of a table.

    Of numbers that is their range in training, and of a column with gaps also the
    share of these.

    Args:
        table: The table.
    """
    columns = []
    for (name, spec), column in zip(specs_of(table).items(), table.encoded):
        facts = {"column": name, "input": spec.name, "kind": column.kind}
        ends = column.encoding.possible_values
        values = getattr(column.encoding, "values", ())
        if column.kind == "datetime":
            facts["unit"] = f"{column.unit:g} seconds since 1970, in UTC"
        elif column.is_number and ends:
            facts["range"] = [float(ends[0]), float(ends[-1])]
        elif values:
            facts["values"] = list(values)
        if column.gaps:
            facts["gaps"] = float(column.gaps)
        columns.append(facts)
    target = {"target": table.target, "classes": list(table.class_names)}
    return {"columns": columns, **(target if table.target else {})}
