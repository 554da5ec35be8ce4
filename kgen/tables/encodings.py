"""How one column's values become numbers, and numbers its values again.

An encoding turns a column into a few numbers of a row, its *parts*. All are plain
functions of tensors without state, so that an exported model can hold them.
Numbers come in and go out as float64; text as strings. A gap has zeros, and `known`
tells which values are none. A category that training never saw has zeros, too, and
so has a number beyond the few that training had.
"""

import dataclasses
from typing import Any, ClassVar, NamedTuple, Self

import keras
import numpy as np
import tensorflow as tf
from tensorflow import Tensor

# The kinds of parts, which a likelihood of columns has a density for each of.
NUMBER, CATEGORY, BOOLEAN, COUNT = "number", "category", "boolean", "count"


class Part(NamedTuple):
    """Numbers of a row that one density is about: their kind, and how many."""

    kind: str
    size: int


@dataclasses.dataclass(frozen=True)
class Encoding:
    """Base of encodings; one of them is fitted to each column."""

    # Whether values are strings, and not numbers.
    is_text: ClassVar[bool] = False
    # Whether `possible_values` are all values, and not two bounds.
    is_discrete: ClassVar[bool] = False

    @property
    def possible_values(self) -> tuple:
        """What `decode` can give: all values if `is_discrete`, else the two bounds.

        It is empty if the column had no value.
        """
        raise NotImplementedError

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of a row that `encode` gives, in order."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """How many numbers of a row there are."""
        return sum(part.size for part in self.parts)

    def known(self, values: Tensor) -> Tensor:
        """Which values can be encoded: booleans of shape `(n,)`."""
        return tf.logical_not(tf.math.is_nan(values))

    def encode(self, values: Tensor) -> Tensor:
        """Numbers of a row.

        Args:
            values: Tensor of shape `(n,)`.

        Returns:
            float32 of shape `(n, size)`.
        """
        raise NotImplementedError

    def decode(self, numbers: Tensor) -> Tensor:
        """The values that numbers of a row stand for, of shape `(n,)`."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Returns the fields, which JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Builds the encoding that `get_config` described."""
        lists = {k: tuple(v) for k, v in config.items() if isinstance(v, list)}
        return cls(**{**config, **lists})


def registered(cls: type[Encoding]) -> type[Encoding]:
    """Decorates an encoding, so that saved models find it."""
    return keras.saving.register_keras_serializable(package="kgen")(cls)


def column_of(values: Tensor) -> Tensor:
    """Numbers of shape `(n,)` as float32 of shape `(n, 1)`."""
    return tf.cast(values, "float32")[:, None]


@registered
@dataclasses.dataclass(frozen=True)
class Constant(Encoding):
    """A column with one value, or none at all: nothing of it is learned.

    Args:
        value: The value; None where there are gaps alone.
        text: Whether it is text.
    """

    is_discrete: ClassVar[bool] = True

    value: Any = None
    text: bool = False

    @property
    def possible_values(self) -> tuple:
        return () if self.value is None else (self.value,)

    @property
    def is_text(self) -> bool:  # type: ignore[override]
        return self.text

    @property
    def parts(self) -> tuple[Part, ...]:
        return ()

    def known(self, values: Tensor) -> Tensor:
        if self.value is None:
            return tf.zeros_like(values, "bool")
        # Another value is no gap, though there is nothing by which it is told.
        return values != "" if self.text else super().known(values)

    def encode(self, values: Tensor) -> Tensor:
        return tf.zeros([tf.shape(values)[0], 0])

    def decode(self, numbers: Tensor) -> Tensor:
        empty = "" if self.text else float("nan")
        value = empty if self.value is None else self.value
        dtype = "string" if self.text else "float64"
        return tf.fill([tf.shape(numbers)[0]], tf.constant(value, dtype))


@registered
@dataclasses.dataclass(frozen=True)
class Boolean(Encoding):
    """Truth values, as the numbers 0 and 1."""

    is_discrete: ClassVar[bool] = True

    @property
    def possible_values(self) -> tuple:
        return 0.0, 1.0

    @property
    def parts(self) -> tuple[Part, ...]:
        return (Part(BOOLEAN, 1),)

    def encode(self, values: Tensor) -> Tensor:
        return column_of(values)

    def decode(self, numbers: Tensor) -> Tensor:
        return tf.cast(numbers[:, 0] > 0.5, "float64")


@registered
@dataclasses.dataclass(frozen=True)
class Count(Encoding):
    """Counts 0, 1, 2, ..., as `log(1 + count)`.

    Args:
        high: The largest one.
    """

    high: float

    @property
    def possible_values(self) -> tuple:
        return 0.0, self.high

    @property
    def parts(self) -> tuple[Part, ...]:
        return (Part(COUNT, 1),)

    def encode(self, values: Tensor) -> Tensor:
        return column_of(tf.math.log1p(tf.maximum(values, 0.0)))

    def decode(self, numbers: Tensor) -> Tensor:
        count = tf.math.expm1(tf.cast(numbers[:, 0], "float64"))
        return tf.clip_by_value(tf.round(count), 0.0, self.high)


@registered
@dataclasses.dataclass(frozen=True)
class Categories(Encoding):
    """Text out of a list, one-hot.

    Args:
        values: The categories; the most frequent ones, if there were many.
        rare: The most frequent of all other categories, by which these are replaced
            in rows that are drawn; None if there were no others in training. Then
            any other category is unknown, and has zeros.
    """

    is_text: ClassVar[bool] = True

    is_discrete: ClassVar[bool] = True

    values: tuple[str, ...]
    rare: str | None = None

    @property
    def possible_values(self) -> tuple:
        return (*self.values, *([] if self.rare is None else [self.rare]))

    @property
    def parts(self) -> tuple[Part, ...]:
        return (Part(CATEGORY, len(self.possible_values)),)

    def known(self, values: Tensor) -> Tensor:
        return values != ""

    def encode(self, values: Tensor) -> Tensor:
        matches = self._matches(values)
        if self.rare is not None:
            others = ~tf.reduce_any(matches, axis=1, keepdims=True)
            matches = tf.concat([matches, others], axis=1)
        return tf.cast(matches, "float32")

    def decode(self, numbers: Tensor) -> Tensor:
        value = tf.gather(
            tf.constant(self.possible_values), tf.argmax(numbers, axis=1)
        )
        return tf.where(tf.reduce_any(numbers != 0.0, axis=1), value, "")

    def _matches(self, values):
        return tf.equal(values[:, None], tf.constant(self.values)[None])


@registered
@dataclasses.dataclass(frozen=True)
class Levels(Encoding):
    """Numbers that take few values, one-hot.

    Args:
        values: The values, ascending. Others between them count as the nearest.
        rows: How many rows had a known value. If it is above 0, a number below or above
            all values is unseen, and has zeros. With 0, as in tables of earlier
            versions, it counts as the nearest, too.
    """

    is_discrete: ClassVar[bool] = True

    values: tuple[float, ...]
    rows: int = 0

    @property
    def possible_values(self) -> tuple:
        return self.values

    @property
    def parts(self) -> tuple[Part, ...]:
        return (Part(CATEGORY, len(self.values)),)

    def encode(self, values: Tensor) -> Tensor:
        distances = tf.abs(values[:, None] - self._levels()[None])
        nearest = tf.argmin(distances, axis=1)
        encoded = tf.one_hot(nearest, len(self.values))
        if not self.rows:
            return encoded
        beyond = (values < self.values[0]) | (values > self.values[-1])
        return tf.where(beyond[:, None], tf.zeros_like(encoded), encoded)

    def decode(self, numbers: Tensor) -> Tensor:
        value = tf.gather(self._levels(), tf.argmax(numbers, axis=1))
        missing = tf.constant(np.nan, "float64")
        return tf.where(tf.reduce_any(numbers != 0.0, axis=1), value, missing)

    def _levels(self):
        return tf.constant(np.asarray(self.values, "float64"))
