"""Sequences as lines, in rows and columns like those of pictures."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from kgen.plots.figures import LARGEST, Path, add_column_labels, save

# The share of a panel's width and height that a sequence takes.
_SHARE = 0.86
_WIDTH, _HEIGHT = 0.85, 0.6  # of a panel, in inches


def lines(
    rows: Sequence[tuple[str, np.ndarray]],
    path: Path,
    title: str = "",
    column_labels: Sequence[str] = (),
) -> None:
    """Draws sequences, a panel each, with one scale for all.

    Args:
        rows: Pairs of a name, `""` for none, and sequences of shape
            `(n, length, channels)`, which are drawn beside each other; each channel
            has a colour.
        path: The PNG file, which is replaced if it exists.
        title: The text above the figure.
        column_labels: What stands above the columns.
    """
    columns = max(len(sequences) for _, sequences in rows)
    size = (max(4.5, columns * _WIDTH + 1.0), len(rows) * _HEIGHT + 0.6)
    figure = Figure(
        figsize=[min(side, LARGEST) for side in size], layout="constrained"
    )
    axes = figure.subplots()
    every = np.concatenate([x.reshape(-1) for _, x in rows])
    low, high = every.min(), every.max()
    scale = _SHARE / (high - low or 1.0)
    for row, (_, sequences) in enumerate(rows):
        _, length, channels = sequences.shape
        x = np.linspace(0.0, _SHARE, length)
        for channel in range(channels):
            y = row + _SHARE - scale * (sequences[..., channel] - low)
            points = [
                np.column_stack([x + column, heights])
                for column, heights in enumerate(y)
            ]
            colour = colormaps["tab10"](channel % 10)
            axes.add_collection(
                LineCollection(points, linewidths=0.9, colors=[colour])
            )
    axes.set(
        xlim=(-0.1, columns),
        ylim=(len(rows), -0.1),
        xticks=[],
        title=title,
    )
    axes.set_yticks(
        [row + _SHARE / 2 for row in range(len(rows))], [n for n, _ in rows]
    )
    axes.tick_params(length=0)
    add_column_labels(
        axes, np.arange(columns) + _SHARE / 2, column_labels, _WIDTH
    )
    for spine in axes.spines.values():
        spine.set_visible(False)
    save(figure, path)


def in_rows(
    sequences: np.ndarray, columns: int, name: str = ""
) -> list[tuple[str, np.ndarray]]:
    """Rows for `lines`, of at most `columns` sequences, each with the name.

    Args:
        sequences: Array of shape `(n, length, channels)`.
        columns: The most sequences of a row.
        name: What they are.
    """
    starts = range(0, len(sequences), columns)
    return [(name, sequences[start : start + columns]) for start in starts]
