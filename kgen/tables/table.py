"""A table: its columns, and its rows as numbers that a model can learn."""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import keras
import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from kgen.errors import InvalidArgument, invalid
from kgen.params import SEED, Integer, Options, checked
from kgen.tables import gaps, reading
from kgen.tables.column import Column
from kgen.tables.inference import inferred
from kgen.tables.layout import Block, blocks_of
from kgen.tables.numbers import NUMBERS

if TYPE_CHECKING:  # slow to import
    import pandas as pd

# Rows that are encoded or decoded at a time.
_ROWS = 20_000


@keras.saving.register_keras_serializable(package="kgen")
class Table:
    """The columns of a table, and how its rows become numbers and come back.

    A row is encoded as float32 numbers: for each column its parts (one number, or
    one for each category), and behind them a flag that is 1 where the value is
    missing. Then its parts are zeros; with a flag of 0, zeros are a category that
    training never had. Models learn from such rows; their likelihood is `"columns"`.

    Make one by `Table.infer`.

    Args:
        columns: The columns, those of the kind `id` among them, which are left
            out.
        target: Name of the column whose categories are the labels of conditional
            models, and no part of a row; or None.
        patterns: Pairs of the names of columns that are missing together in a row,
            and the share of such rows.
        class_shares: The shares of the target's classes in training.

    Example:

        table = kgen.data.Table.infer("people.csv")
        train, test = kgen.data.load("people.csv", ("train", "test"), table=table)
        vae = kgen.create_model("vae", table=table)
        vae.compile()
        vae.fit(train, validation_data=test, epochs=100)
        rows = vae.sample(1000, seed=0)  # a DataFrame
    """

    def __init__(
        self,
        columns: Sequence[Column],
        target: str | None = None,
        patterns: Sequence[tuple[Sequence[str], float]] = (),
        class_shares: Sequence[float] = (),
    ) -> None:
        self.columns = tuple(columns)
        self.target = target
        self.patterns = [(tuple(names), share) for names, share in patterns]
        self.class_shares = tuple(class_shares)
        used = [column for column in columns if column.kind != "id"]
        self.encoded = tuple(c for c in used if c.name != target)
        named = {column.name: column for column in used}
        self.target_column = named[target] if target else None
        if not any(column.parts for column in self.encoded):
            raise InvalidArgument(
                "There is no column to learn from: all are left out, have no values, "
                "or are constant, as in a table of one row."
            )

    @classmethod
    @checked(numbers=Options(NUMBERS), max_categories=Integer(2), seed=SEED)
    def infer(
        cls,
        source: Any,
        kinds: Mapping[str, str] | None = None,
        target: str | None = None,
        numbers: str = "quantiles",
        max_categories: int = 100,
        seed: int = 0,
        training: np.ndarray | None = None,
    ) -> Self:
        """Finds out the kinds of columns, and fits an encoding to each.

        The source is read part by part: memory does not grow with its length. A CSV
        file is read twice, the first time to see whether all rows have as many
        values. The kinds are `"numeric"`, `"integer"`, `"category"`, `"boolean"`
        and `"datetime"`; `"count"`, whole numbers from 0 with a negative binomial
        distribution, is only used if asked for; `"id"` is left out, and found in
        text that differs in nearly all rows, and in numbers of rows.

        Args:
            source: A pandas DataFrame, or the path of a CSV or Parquet file:
                training rows.
            kinds: Dictionary from names of columns to kinds, for those whose kind
                is not to be inferred.
            target: Name of the column with the classes, for conditional models
                and classifiers; or None.
            numbers: How numbers are encoded: `"quantiles"`, as normal scores;
                `"standard"`, less their mean, in standard deviations; `"modes"`,
                as one of several modes and the distance from it.
            max_categories: The most categories of a column; others are merged to
                one.
            seed: Integer, for the part of a long column that encodings are fitted
                to.
            training: Truth values, one for each row: whether it is for training.
                Numbers, gaps and how frequent categories are is learned from these
                rows; kinds and the names of categories from all. None: all rows
                are.

        Returns:
            A `Table`.

        Raises:
            InvalidArgument: If the source can't be read, a name is unknown, or
                `training` is not of its rows.
        """
        arguments = inferred(
            source, kinds or {}, target, numbers, max_categories, seed, training
        )
        return cls(**arguments)

    # Rows

    @property
    def shape(self) -> tuple[int]:
        """The shape of one row, as it is encoded."""
        return (sum(column.size for column in self.encoded),)

    @functools.cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Where the columns are in a row, as it is encoded."""
        return blocks_of(self.encoded)

    @functools.cached_property
    def owners(self) -> np.ndarray:
        """For each number of a row the position of its column's flag: int32."""
        flags = [block.flag for block in self.blocks]
        return np.repeat(flags, [c.size for c in self.encoded]).astype("int32")

    @property
    def class_names(self) -> tuple[str, ...]:
        """The target's classes as text, in the order of their numbers."""
        if self.target_column is None:
            return ()
        return tuple(getattr(self.target_column.encoding, "values", ()))

    @property
    def text_columns(self) -> list[str]:
        """The columns of a CSV file that are text, though they may be digits."""
        return [
            column.name
            for column in self.columns
            if column.encoding.is_text and not column.originals
        ]

    @property
    def figured_kinds(self) -> dict[str, str]:
        """The kind of each column that varies, as figures of rows take them."""
        return {
            column.name: "integer" if column.kind == "count" else column.kind
            for column in self.columns
            if column.parts
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, without those that are left out."""
        return tuple(c.name for c in self.columns if c.kind != "id")

    def encode(self, rows: Any, owner: str = "Table.encode") -> np.ndarray:
        """Rows as numbers.

        Args:
            rows: DataFrame with the table's columns, in any order; others are
                ignored, and so is the target.
            owner: Whose argument it is, for messages.

        Returns:
            float32 of shape `(n, *shape)`.

        Raises:
            InvalidArgument: If a column is missing, or holds values of another
                kind.
        """
        self.check_columns(rows, [c.name for c in self.encoded], owner)
        parts = []
        for start in range(0, len(rows), _ROWS):
            part = rows.iloc[start : start + _ROWS]
            parts.append(self.encode_tensors(self._tensors_of(part, owner)))
        if not parts:
            raise invalid("x", owner, "at least one row", "none")
        return np.concatenate(parts)

    def _tensors_of(self, rows, owner):
        return {
            column.name: tf.constant(
                column.values_of(rows[column.name], owner),
                "string" if column.encoding.is_text else "float64",
            )
            for column in self.encoded
        }

    def labels_of(
        self,
        rows: Any,
        owner: str = "Table.labels_of",
        any_class: bool = False,
    ) -> np.ndarray:
        """The numbers of the rows' classes.

        Args:
            rows: DataFrame with the target among its columns.
            owner: Whose argument it is, for messages.
            any_class: Whether a class may be unknown or missing, which gives -1.

        Returns:
            int32 of shape `(n,)`.

        Raises:
            InvalidArgument: If there is no target, or a class is unknown or
                missing.
        """
        if self.target_column is None:
            raise invalid("table", owner, "one with a target", "none")
        self.check_columns(rows, [self.target_column.name], owner)
        column = self.target_column
        texts = column.values_of(rows[column.name], owner)
        positions = {text: n for n, text in enumerate(self.class_names)}
        labels = np.array([positions.get(text, -1) for text in texts], "int32")
        if not any_class and len(labels) and labels.min() < 0:
            first = texts[int((labels < 0).argmax())]
            raise InvalidArgument(
                f"`{owner}`: the target `{self.target}` is "
                + (f"{first!r}" if first else "missing")
                + " in a row, and can't be a class: known are "
                f"{', '.join(map(repr, self.class_names[:20]))}. Leave such rows "
                "out."
            )
        return labels

    def decode(
        self, x: np.ndarray, labels: np.ndarray | None = None
    ) -> "pd.DataFrame":
        """The rows that numbers stand for.

        Args:
            x: Array of shape `(n, *shape)`.
            labels: `n` integers, the classes of the target, -1 where there is none;
                None without them.

        Returns:
            DataFrame with the columns and types of the table.
        """
        values: dict[str, list] = {column.name: [] for column in self.encoded}
        for start in range(0, max(len(x), 1), _ROWS):
            part = tf.convert_to_tensor(x[start : start + _ROWS], "float32")
            for name, tensor in self.decode_tensors(part).items():
                values[name].append(tensor.numpy())
        joined = {name: np.concatenate(parts) for name, parts in values.items()}
        return self.frame_of(joined, labels)

    def frame_of(
        self,
        values: Mapping[str, np.ndarray],
        labels: np.ndarray | None = None,
    ) -> "pd.DataFrame":
        """The DataFrame of values in the form that `decode_tensors` gives them.

        Args:
            values: Arrays of shape `(n,)` by the columns' names.
            labels: As in `decode`.
        """
        import pandas as pd

        series = {
            column.name: column.series_of(values[column.name])
            for column in self.encoded
        }
        if self.target_column is not None and labels is not None:
            # The last one is that of -1: no class is known.
            texts = [*self.class_names, ""]
            names = np.array([text.encode() for text in texts], "O")
            target = self.target_column
            series[target.name] = target.series_of(names[np.asarray(labels)])
        return pd.DataFrame({n: series[n] for n in self.names if n in series})

    def read(self, source: Any) -> "pd.DataFrame":
        """All rows of a source, with the table's columns as they are in it.

        Args:
            source: DataFrame, or the path of a CSV or Parquet file.
        """
        import pandas as pd

        parts = list(reading.frames(source, as_text=self.text_columns))
        return pd.concat(parts, ignore_index=True)

    def typed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values that were typed as text, as the columns have them.

        Args:
            values: Values, or lists or pairs of them, by the columns' names. What is
                no text, or of no column, stays.
        """
        columns = {column.name: column for column in self.columns}
        typed = {}
        for name, value in values.items():
            if name not in columns:
                typed[name] = value
            elif isinstance(value, (list, tuple)):
                typed[name] = type(value)(map(columns[name].typed, value))
            else:
                typed[name] = columns[name].typed(value)
        return typed

    def check_columns(
        self, rows: Any, names: Sequence[str], owner: str
    ) -> None:
        """Raises unless rows are a DataFrame with one column of each of `names`."""
        if not hasattr(rows, "columns") or not hasattr(rows, "iloc"):
            raise invalid(
                "x", owner, "a pandas DataFrame", f"a {type(rows).__name__}"
            )
        missing = [name for name in names if name not in rows.columns]
        if missing:
            raise InvalidArgument(
                f"`{owner}`: the rows have no column `{missing[0]}`. Their columns "
                f"are {', '.join(map(str, rows.columns))}."
            )
        wanted = set(names)
        used = [name for name in rows.columns if name in wanted]
        reading.check_names(used, f"`{owner}`: the DataFrame")

    # Tensors

    def encode_tensors(self, columns: Mapping[str, Tensor]) -> Tensor:
        """Rows as numbers, in a graph.

        Args:
            columns: Tensors of shape `(n,)` by the columns' names: strings, "" for
                a gap, or float64, NaN for a gap.

        Returns:
            float32 of shape `(n, *shape)`.
        """
        blocks = []
        for column in self.encoded:
            values = columns[column.name]
            known = column.encoding.known(values)[:, None]
            parts = column.encoding.encode(values)
            blocks.append(tf.where(known, parts, tf.zeros_like(parts)))
            blocks.append(1.0 - tf.cast(known, "float32"))
        return tf.concat(blocks, axis=1)

    def with_gaps(self, x: Tensor, seed: Any) -> Tensor:
        """Rows with as many gaps, and in the same columns together, as training's.

        Which rows they are in is drawn, independently of their values.

        Args:
            x: float32 of shape `(n, *shape)`.
            seed: Integer.
        """
        if not any(names for names, _ in self.patterns):
            return x
        names = [column.name for column in self.encoded]
        count = tf.shape(x)[0]
        missing = gaps.drawn(self.patterns, names, count, seed)
        numbers = tf.unstack(x, axis=1)
        for block, gap in zip(self.blocks, tf.unstack(missing, axis=1)):
            numbers[block.flag] = tf.cast(gap, x.dtype)
        return tf.stack(numbers, axis=1)

    def decode_tensors(self, x: Tensor) -> dict[str, Tensor]:
        """The values that numbers stand for, in a graph; see `encode_tensors`.

        Args:
            x: float32 of shape `(n, *shape)`.
        """
        values = {}
        for column, start, flag in self.blocks:
            decoded = column.decode(x[:, start:flag])
            empty = "" if column.encoding.is_text else float("nan")
            missing = tf.constant(empty, decoded.dtype)
            values[column.name] = tf.where(x[:, flag] > 0.5, missing, decoded)
        return values

    # Files

    def __eq__(self, other: object) -> bool:
        """Whether the other one encodes the same columns alike."""
        return isinstance(other, Table) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    @functools.cached_property
    def _text(self):
        return json.dumps(self.get_config(), sort_keys=True, default=str)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of `__init__`, which JSON can hold."""
        return {
            "columns": [
                keras.saving.serialize_keras_object(column)
                for column in self.columns
            ],
            "target": self.target,
            "class_shares": list(self.class_shares),
            "patterns": [
                [list(names), share] for names, share in self.patterns
            ],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Builds the table that `get_config` described."""
        columns = [
            keras.saving.deserialize_keras_object(column)
            for column in config["columns"]
        ]
        return cls(
            columns,
            config["target"],
            config["patterns"],
            config["class_shares"],
        )


def with_table(config: dict[str, Any]) -> dict[str, Any]:
    """The arguments in the config of an object that has a table as `table`.

    Args:
        config: What its `get_config` returned, with the table serialised.
    """
    table = keras.saving.deserialize_keras_object(config["table"])
    return {**config, "table": table}
