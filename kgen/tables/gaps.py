"""Which columns of a table's rows are missing together."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

# Names of columns that are missing in a row, and the share of such rows.
Pattern = tuple[tuple[str, ...], float]

# Rows whose gaps are kept, drawn from all.
_ROWS = 2000


class Gaps:
    """Keeps the gaps of some rows, drawn from all that `update` is given.

    Args:
        rng: Random generator.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._names: list[str] = []
        self._keys = np.empty(0)
        self._missing: np.ndarray | None = None

    def update(self, found: Mapping[str, np.ndarray]) -> None:
        """Takes the next rows: which values of each column are missing."""
        self._names = list(found)
        missing = np.array(list(found.values()), bool).T
        keys = np.concatenate([self._keys, self._rng.random(len(missing))])
        if self._missing is not None:
            missing = np.concatenate([self._missing, missing])
        chosen = np.argsort(keys)[:_ROWS]
        self._keys, self._missing = keys[chosen], missing[chosen]

    def patterns(self) -> list[Pattern]:
        """Returns which columns are missing together, the most frequent first."""
        rows = self._missing if self._missing is not None else []
        names = np.array(self._names, "O")
        counts = collections.Counter(tuple(names[row]) for row in rows)
        return [(k, n / len(rows)) for k, n in counts.most_common()]


def drawn(
    patterns: Sequence[Pattern], names: Sequence[str], count: Any, seed: Any
) -> Tensor:
    """Which columns are missing in rows, as frequent and together as in patterns.

    Which rows they are is drawn, independently of their values.

    Args:
        patterns: As `Gaps.patterns` returns them, at least one.
        names: The columns' names.
        count: How many rows.
        seed: Integer.

    Returns:
        Booleans of shape `(count, len(names))`.
    """
    missing = np.array([[n in some for n in names] for some, _ in patterns])
    edges = np.cumsum([share for _, share in patterns])
    # Another stream than those of codes and classes by the same seed.
    key = tf.random.fold_in(tf.stack([seed, 0]), 2)
    uniform = tf.random.stateless_uniform([count], key, dtype="float64")
    place = tf.searchsorted(edges[:-1] / edges[-1], uniform, side="right")
    return tf.gather(missing, place)
