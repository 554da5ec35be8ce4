"""One column of a table: its kind, and its values as pandas has them."""

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import keras
import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from kgen.errors import invalid
from kgen.tables import forms
from kgen.tables.encodings import Constant, Encoding, Part

if TYPE_CHECKING:  # slow to import
    import pandas as pd


@keras.saving.register_keras_serializable(package="kgen")
@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        name: Its name.
        kind: One of `kgen.names.COLUMN_KINDS`.
        dtype: Its type, as pandas names it.
        encoding: How its values become numbers.
        gaps: The share of values that are missing, from 0 to 1.
        decimals: To how many decimals numbers are rounded; None for no rounding.
        unit: Of a datetime: the seconds that all of its values are multiples of.
        originals: What categories are in the table where they are no strings, by
            their text.
        categories: All categories of pandas' type `category`, in order.
        ordered: Whether they are ordered.
        parses_text: Whether text in a column of numbers is read as numbers, and is
            missing where it is none.
        counts: How many rows had each value of a column of categories or truth
            values, in the order of its encoding.
    """

    name: str
    kind: str
    dtype: str
    encoding: Encoding
    gaps: float = 0.0
    decimals: int | None = None
    unit: float = 1.0
    originals: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    categories: tuple | None = None
    ordered: bool = False
    parses_text: bool = False
    counts: tuple[int, ...] = ()

    @property
    def log_unseen(self) -> float:
        """What a value that training never had adds to log p of a row.

        The value is a category, or a number outside the range of `Levels`. With n rows
        that have a value, its probability is 1 / (n + 1). 0 for other encodings.
        """
        rows = getattr(self.encoding, "rows", 0)
        if self.kind == "category":
            rows = sum(self.counts)
        return -math.log1p(rows)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of a row that are the column's, without its flag of gaps."""
        return self.encoding.parts

    @property
    def is_number(self) -> bool:
        """Whether the values between two of its values may be values, too."""
        return self.kind in ("numeric", "integer", "count", "datetime")

    @property
    def size(self) -> int:
        """How many numbers of a row are the column's: the last one tells a gap."""
        return self.encoding.size + 1

    def typed(self, value: Any) -> Any:
        """A value that was typed as text, as the column has it."""
        if forms.is_missing(value):
            return value
        if self.kind == "datetime":
            return forms.timestamp(value, self.dtype)
        if self.encoding.is_text:
            text = forms.text_of(value)
            return self.originals.get(text, text)
        if not isinstance(value, str):
            return value
        if self.kind == "boolean":
            return {"true": True, "false": False}.get(value.lower(), value)
        try:
            return float(value)
        except ValueError:
            return value

    def known(self, series: "pd.Series") -> "pd.Series":
        """A column of a DataFrame, ready to be encoded: its gaps are missing values.

        It has NumPy's dtypes. If `parses_text`, text that is no number is missing.
        """
        import pandas as pd

        series = forms.without_arrow(series)
        if not self.parses_text or pd.api.types.is_numeric_dtype(series.dtype):
            return series
        numbers = forms.numbers(series, force=True)
        return pd.Series(numbers, series.index, name=series.name)

    def values_of(self, series: "pd.Series", owner: str) -> np.ndarray:
        """The values as `Encoding.encode` takes them; gaps are NaN or "".

        Args:
            series: The column of a DataFrame.
            owner: Whose argument the DataFrame is, for the message.

        Raises:
            InvalidArgument: If a value is of another kind than the column's.
        """
        series = forms.without_arrow(series)
        if isinstance(self.encoding, Constant) and self.encoding.value is None:
            # In training it had gaps alone, so that any value counts as missing.
            empty = "" if self.encoding.is_text else np.nan
            return np.full(len(series), empty, object if empty == "" else float)
        if self.encoding.is_text:
            return forms.texts(series)
        try:
            if self.kind == "datetime":
                return forms.seconds(series, self.dtype) / self.unit
            values = forms.numbers(series, self.parses_text)
            known = values[~np.isnan(values)]
            if self.kind == "boolean" and not np.isin(known, [0.0, 1.0]).all():
                raise ValueError("a number that is neither 0 nor 1")
            return values
        except (ValueError, TypeError, OverflowError) as error:
            expected = f"values of the kind {self.kind} in column `{self.name}`"
            raise invalid("x", owner, expected, error) from error

    def number_of(self, value: Any) -> float:
        """A value as `Encoding.encode` takes it; infinity is a bound of others.

        Raises:
            InvalidArgument: If it is of another kind than the column's.
        """
        import pandas as pd

        if isinstance(value, (float, np.floating)) and np.isinf(value):
            return float(value)
        (number,) = self.values_of(pd.Series([self.typed(value)]), self.name)
        return float(number)

    def can_have(self, low: float, high: float) -> bool:
        """Whether rows that are drawn can have a number from `low` to `high`."""
        ends = self.encoding.possible_values
        if self.encoding.is_discrete:
            return any(low <= value <= high for value in ends)
        if low == high and self.decimals is not None:
            nearest = np.round(low, self.decimals)
            if not np.isclose(nearest, low, rtol=1e-12, atol=0.0):
                return False
        return low <= high and low <= ends[-1] and ends[0] <= high

    def decode(self, numbers: Tensor) -> Tensor:
        """`Encoding.decode`, with numbers of as many decimals as the column has."""
        values = self.encoding.decode(numbers)
        if self.encoding.is_text or self.decimals is None:
            return values
        scale = tf.constant(10.0**self.decimals, values.dtype)
        # A plain division by a constant becomes a product with its inverse in
        # graphs, by which 0.57 would be 0.5700000000000001.
        return tf.math.divide_no_nan(tf.round(values * scale), scale)

    def series_of(self, values: np.ndarray) -> "pd.Series":
        """A column of a DataFrame, of the type that it was of.

        Args:
            values: What `Encoding.decode` gave, with NaN or "" for gaps.
        """
        import pandas as pd

        if self.encoding.is_text:
            texts = [text.decode() for text in values]
            made = pd.Series(
                [self.originals.get(t, t) if t else None for t in texts],
                dtype=object,
            )
        else:
            if self.decimals is not None:
                values = np.round(values, self.decimals)
            values = self._in_range(values)
            if self.kind == "datetime":
                return forms.datetimes(
                    values * self.unit, self.dtype, self.name
                )
            made = pd.Series(values)
            if self.kind == "boolean":
                made = made.map({0.0: False, 1.0: True}).astype(object)
        dtype: Any = self.dtype
        if made.isna().any() and _holds_no_gaps(dtype):
            # As pandas does where a column without gaps gets some.
            dtype = "object" if dtype == "bool" else "float64"
        if self.categories is not None:
            dtype = pd.CategoricalDtype(list(self.categories), self.ordered)
        elif dtype == "object":
            made = made.astype(object).where(made.notna(), None)
        typed = made.astype(dtype)
        if dtype == "str":
            # Before version 3, pandas makes the text "None" of what is missing.
            typed = typed.mask(made.isna())
        return typed.rename(self.name)

    def _in_range(self, values):
        """Whole numbers within what their type can hold."""
        name = self.dtype.lower()
        if not name.startswith(("int", "uint")):
            return values
        low, high = np.iinfo(name).min, np.iinfo(name).max
        # As float64, the largest int64 would be rounded up, which is out of range.
        high = np.nextafter(float(high), 0.0) if high > 2**53 else float(high)
        return np.clip(values, float(low), high)

    def get_config(self) -> dict[str, Any]:
        """Returns the fields, which JSON can hold."""
        config = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
        }
        encoding = keras.saving.serialize_keras_object(self.encoding)
        return {**config, "encoding": encoding}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Builds the column that `get_config` described."""
        config = dict(config)
        encoding = keras.saving.deserialize_keras_object(config.pop("encoding"))
        for name in ("categories", "counts"):
            if config.get(name) is not None:
                config[name] = tuple(config[name])
        return cls(encoding=encoding, **config)


def _holds_no_gaps(dtype):
    """Whether a type of NumPy has no value that marks what is missing."""
    return str(dtype) == "bool" or str(dtype).startswith(("int", "uint"))
