"""Examples out of tables: DataFrames, CSV and Parquet files."""

import functools
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kgen.data import examples as examples_module
from kgen.data import folders, rows
from kgen.data.examples import Examples
from kgen.errors import InvalidArgument, say_once
from kgen.tables import Table, forms, reading

_SPLITS = ("train", "validation", "test")


def is_folder(path: pathlib.Path) -> bool:
    """Whether a folder holds a table's splits, such as `train.csv`, alone.

    A folder of pictures may have a table of their labels beside them.
    """
    if not path.is_dir():
        return False
    inside = [part for part in path.iterdir() if part.is_dir()]
    if not all(folders.is_junk(part.name) for part in inside):
        return False
    return bool(_files_in(path))


def _files_in(folder):
    found = {}
    for split in _SPLITS:
        paths = [folder / f"{split}{ending}" for ending in reading.ENDINGS]
        there = [path for path in paths if path.is_file()]
        if len(there) > 1:
            raise InvalidArgument(
                f"{there[0]} and {there[1]} are both the split {split}. Move one of "
                "them away."
            )
        if there:
            (found[split],) = there
    return found


def find(
    source: Any,
    table: Table | None = None,
    options: Mapping[str, Any] | None = None,
    every_row: bool = False,
) -> tuple[Table, dict[str, Callable[[], Examples]]]:
    """Opens a table.

    Args:
        source: A DataFrame, a file, or a folder of `train.csv`, `test.csv`, ...
        table: The table that the rows are encoded by; None to infer it from the
            source: of a folder, from its `train`; of what has no splits, numbers
            and gaps from the rows that will be for training.
        options: Arguments of `Table.infer`.
        every_row: Whether rows without a class of the target are examples, too,
            with the label -1, and the target may be lacking; else rows without it
            are left out, since nothing can be trained on them.

    Returns:
        The table; and a dictionary from splits to functions that return their
        `Examples`: one entry `"all"` where there are no splits.
    """
    is_path = isinstance(source, (str, os.PathLike))
    splits = _files_in(pathlib.Path(source)) if is_path else {}
    splits = splits or {"all": source}
    if table is None:
        options = dict(options or {})
        first = splits.get("train", next(iter(splits.values())))
        if set(splits) <= {"all", "train"}:
            options["training"] = _training_rows(first, options.get("target"))
        table = Table.infer(first, **options)
    readers: dict[str, Callable[[], Examples]] = {
        split: functools.partial(_read, part, table, every_row)
        for split, part in splits.items()
    }
    return table, readers


def _training_rows(source, target):
    """Which rows `Source` takes for training: truth values, or None for all."""
    reading.check_rows(source)
    names = list(next(reading.frames(source)).columns)
    column = names[0] if target is None else target
    if column not in names:
        return None  # `Table.infer` raises for an unknown target
    # Of a long file, numbers take a small part of the room of its texts.
    numbers = {"": -1}
    parts = []
    for frame in reading.frames(source, [column], [column]):
        if target is None:
            found = [0] * len(frame)
        else:
            texts = forms.texts(frame[column])
            found = [numbers.setdefault(x, len(numbers)) for x in texts]
        parts.append(np.array(found, "int32"))
    classes = np.concatenate(parts)
    known = np.flatnonzero(classes >= 0)
    if len(known) < 2:
        return None
    labels = None if target is None else classes[known]
    chosen, _ = examples_module.set_aside(len(known), labels)
    training = np.zeros(len(classes), bool)
    training[known[chosen]] = True
    return training


def _read(source, table, every_row):
    """The rows of a source, encoded; in memory, or in a file if they are many."""
    labels = []
    # Linux keeps the bytes of a removed file until its map is closed.
    with tempfile.TemporaryDirectory(prefix="kgen-") as directory:
        path = pathlib.Path(directory, "rows")
        with open(path, "wb") as file:
            for part in _encoded_parts(source, table, labels, every_row):
                _check_room(directory, part.nbytes)
                file.write(part.tobytes())
        shape = (path.stat().st_size // (4 * table.shape[0]), *table.shape)
        if path.stat().st_size <= examples_module.IN_MEMORY_BYTES:
            found = rows.empty(shape, np.dtype("float32"))
            found[...] = np.fromfile(path, "float32").reshape(shape)
            rows.make_read_only(found)
        else:
            found = rows.as_lazy_rows(
                np.memmap(path, "float32", mode="r", shape=shape)
            )
    return Examples(found, np.concatenate(labels) if labels else None)


def _encoded_parts(source, table, labels, every_row):
    left_out = 0
    for frame in reading.frames(source, as_text=table.text_columns):
        if every_row:
            if table.target in frame.columns:
                labels.append(table.labels_of(frame, "load", any_class=True))
        elif table.target:
            table.check_columns(frame, [table.target], "load")
            known = frame[table.target].notna()
            left_out += int((~known).sum())
            frame = frame[known]
            if not len(frame):
                continue
            labels.append(table.labels_of(frame, "load"))
        yield table.encode(frame, "load")
    if left_out:
        say_once(
            f"{left_out} rows without a value of the target `{table.target}` are "
            "left out."
        )
    if table.target and not labels and not every_row:
        raise InvalidArgument(
            f"No row has a value of the target `{table.target}`."
        )


def _check_room(directory, size):
    free = shutil.disk_usage(directory).free
    if size > free:
        raise InvalidArgument(
            f"The table's rows, as numbers, need more room than the {free:,} bytes "
            f"that are free in {tempfile.gettempdir()} (TMPDIR)."
        )
