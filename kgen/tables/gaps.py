"""Which columns of a table's rows are missing together."""

import collections
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # slow to import
    import pandas as pd

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

    def update(self, frame: "pd.DataFrame") -> None:
        """Takes the next rows."""
        self._names = list(frame.columns)
        keys = np.concatenate([self._keys, self._rng.random(len(frame))])
        missing = frame.isna().to_numpy()
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


def added(
    rows: "pd.DataFrame", patterns: Sequence[Pattern], seed: int
) -> "pd.DataFrame":
    """Rows with as many gaps, and in the same columns together, as the patterns.

    Which rows they are in is drawn, independently of their values.

    Args:
        rows: DataFrame.
        patterns: As `Gaps.patterns` returns them.
        seed: Integer.
    """
    if not any(names for names, _ in patterns):
        return rows
    shares = np.array([share for _, share in patterns])
    # Another stream than those of codes and classes by the same seed.
    rng = np.random.default_rng([seed, 1])
    drawn = rng.choice(len(shares), size=len(rows), p=shares / shares.sum())
    rows = rows.copy()
    for name in rows.columns:
        of_column = [name in names for names, _ in patterns]
        missing = np.array(of_column)[drawn]
        if missing.any():
            rows.loc[missing, name] = None
    return rows
