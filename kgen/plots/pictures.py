"""Grids and rows of pictures."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from kgen.plots import sequences
from kgen.plots.figures import (
    LARGEST,
    Path,
    add_column_labels,
    class_name,
    inches,
    save,
)

_NAMED = 20  # classes at most that have lines of their own


def is_picture(shape: tuple) -> bool:
    """Whether examples of `shape` can be shown as pictures, grey or RGB."""
    return len(shape) == 3 and shape[-1] in (1, 3)


def has_panel(shape: tuple) -> bool:
    """Whether an example of `shape` is drawn by itself: a picture or a sequence."""
    return is_picture(shape) or len(shape) == 2


def is_drawable(shape: tuple) -> bool:
    """Whether samples of `shape` can be drawn: also points in the plane."""
    return has_panel(shape) or tuple(shape) == (2,)


def image_grid(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Lays pictures out in rows on a white ground.

    Args:
        images: Array of shape `(n, height, width, channels)` in [0, 1].
        columns: Pictures in a row.
        gap: White pixels between them.

    Returns:
        Array of shape `(rows * ..., columns * ..., channels)`.
    """
    count, height, width, channels = images.shape
    rows = math.ceil(count / columns)
    grid = np.ones(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, channels)
    )
    for number, image in enumerate(images):
        top = number // columns * (height + gap) + gap
        left = number % columns * (width + gap) + gap
        grid[top : top + height, left : left + width] = image
    return np.clip(grid, 0.0, 1.0)


def samples(
    images: np.ndarray,
    path: Path,
    title: str = "Samples",
    labels: np.ndarray | None = None,
    class_names: Sequence[str] = (),
) -> None:
    """Draws a grid of pictures, in rows of one class each if classes are given.

    Args:
        images: Array of shape `(n, height, width, 1 or 3)` in [0, 1],
            sequences of shape `(n, length, channels)`, or points of shape
            `(n, 2)`.
        path: The PNG file, which is replaced if it exists.
        title: The text above the figure.
        labels: Integers of shape `(n,)`, the pictures' classes; or None, or of more
            than 20 classes, for a square grid.
        class_names: The names of the classes, in the order of their numbers; `()`
            for the numbers.
    """
    if images.ndim == 3:
        rows = _rows_of_sequences(images, labels, class_names)
        sequences.lines(rows, path, title)
        return
    figure = Figure(figsize=(6, 6.3), layout="constrained")
    axes = figure.subplots()
    if images.ndim == 2:
        axes.scatter(images[:, 0], images[:, 1], s=4, alpha=0.6)
        axes.set(xlabel="first coordinate", ylabel="second coordinate")
        axes.set_aspect("equal")
    else:
        columns = math.ceil(math.sqrt(len(images)))
        middles: dict[int, float] = {}
        if labels is not None and len(np.unique(labels)) <= _NAMED:
            images, columns, middles = _by_class(images, labels, columns)
        grid = image_grid(images, columns)
        pixel = inches(6.0, max(grid.shape)) / max(grid.shape)
        height, width = (pixel * side for side in grid.shape[:2])
        names = [class_name(label, class_names) for label in middles]
        width += 0.09 * max(map(len, names), default=0)
        height = max(height, 0.2 * len(names))
        least = 3.5 if names else 2.0
        figure.set_size_inches(max(width, least), height + 0.3)
        _show(axes, grid)
        line = grid.shape[0] / math.ceil(len(images) / columns)
        axes.set_yticks([line * row for row in middles.values()], names)
        axes.tick_params(length=0)
    axes.set_title(title)
    save(figure, path)


def _rows_of_sequences(x, labels, class_names):
    """Samples in rows, in those of their classes if there are few."""
    columns = math.ceil(math.sqrt(len(x)))
    classes = np.unique(labels) if labels is not None else ()
    if not 0 < len(classes) <= _NAMED:
        return sequences.in_rows(x, columns)
    return [
        row
        for label in classes.tolist()
        for row in sequences.in_rows(
            x[labels == label], 8, class_name(label, class_names)
        )
    ]


def _by_class(images, labels, columns):
    """Pictures sorted by class, each class on lines of its own.

    Returns:
        The pictures, with white ones that end the lines; how many are in a line; and
        the middle of each class's lines, counted in lines.
    """
    classes, counts = np.unique(labels, return_counts=True)
    columns = min(max(columns, 8), counts.max())
    parts, middles, start = [], {}, 0
    for label, count in zip(classes.tolist(), counts):
        lines = math.ceil(count / columns)
        parts.append(_padded(images[labels == label], lines * columns))
        middles[label] = start + lines / 2
        start += lines
    return np.concatenate(parts), columns, middles


def pairs(
    rows: dict[str, np.ndarray],
    path: Path,
    title: str = "",
    columns: int = 12,
    column_labels: Sequence[str] = (),
) -> None:
    """Draws rows of pictures that belong together, with the rows' names.

    Args:
        rows: Dictionary from names to arrays of pictures of one shape, or of
            sequences, such as
            `{"original": x, "reconstruction": vae.reconstruct(x)}`.
        path: The PNG file, which is replaced if it exists.
        title: The text above the figure.
        columns: The least number of pictures in a line, if there are as many; a
            grid of very many pictures is square.
        column_labels: What stands above the columns of the first line, such as classes.
    """
    count = min(len(images) for images in rows.values())
    columns = min(max(columns, math.ceil(math.sqrt(count))), count)
    lines = math.ceil(count / columns)
    if next(iter(rows.values())).ndim == 3:
        blocks = [
            sequences.in_rows(x[:count], columns, name)
            for name, x in rows.items()
        ]
        in_turn = [row for line in zip(*blocks) for row in line]
        sequences.lines(in_turn, path, title, column_labels[:columns])
        return
    _, height, width, _ = next(iter(rows.values())).shape
    wide = inches(9.0 * min(columns / 6, 1.0), columns * (width + 1))
    high = len(rows) * lines * wide / columns * height / width
    figure = Figure(
        figsize=(max(wide + 1.0, 4.5), min(high, LARGEST) + 0.2 * lines + 0.4),
        layout="constrained",
    )
    axes = figure.subplots(lines, 1, squeeze=False)[:, 0]
    for line, axis in enumerate(axes):
        part = slice(line * columns, (line + 1) * columns)
        images = [_padded(images[part], columns) for images in rows.values()]
        grid = image_grid(np.concatenate(images), columns)
        _show(axis, grid)
        size = grid.shape[0] / len(rows)
        axis.set_yticks(
            [(row + 0.5) * size for row in range(len(rows))], list(rows)
        )
        axis.tick_params(length=0)
    places = (np.arange(columns) + 0.5) * grid.shape[1] / columns
    add_column_labels(axes[0], places, column_labels, wide / columns)
    axes[0].set_title(title)
    save(figure, path)


def _padded(images, count):
    """`count` pictures: `images`, and white ones after them."""
    missing = count - len(images)
    return np.pad(
        images, [(0, missing), (0, 0), (0, 0), (0, 0)], constant_values=1.0
    )


def progress(
    frames: dict[str, np.ndarray],
    path: Path,
    title: str = "The same latent points, epoch by epoch",
    column_labels: Sequence[str] = (),
) -> None:
    """Draws the samples of the same latent points at several times.

    Args:
        frames: Dictionary from names, such as `"epoch 5"`, to arrays of one
            shape: pictures `(n, height, width, 1 or 3)` or sequences
            `(n, length, channels)`, a row for each name; or points `(n, 2)`, a
            panel for each.
        path: The PNG file, which is replaced if it exists.
        title: The text above the figure.
        column_labels: What stands above the pictures or sequences of the first row.
    """
    first = next(iter(frames.values()))
    if first.ndim > 2:
        pairs(
            frames, path, title, columns=len(first), column_labels=column_labels
        )
        return
    columns = min(len(frames), 5)
    rows = math.ceil(len(frames) / columns)
    figure = Figure(
        figsize=(2.6 * columns, 2.8 * rows + 0.4), layout="constrained"
    )
    panels = figure.subplots(
        rows, columns, squeeze=False, sharex=True, sharey=True
    ).ravel()
    for axes, (name, points) in zip(panels, frames.items()):
        axes.scatter(*points.T, s=3, alpha=0.5)
        axes.set_title(name, fontsize="medium")
        axes.set_aspect("equal")
    for axes in panels[len(frames) :]:
        axes.set_visible(False)
    figure.suptitle(title)
    save(figure, path)


def _show(axes, grid):
    axes.imshow(grid, cmap="gray", vmin=0.0, vmax=1.0)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
