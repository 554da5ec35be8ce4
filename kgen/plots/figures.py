"""What all figures share: their size and their files."""

import os
from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kgen import files

Path = str | os.PathLike

DPI = 120
LARGEST = 100.0  # inches; Matplotlib draws no side of 2**16 dots or more
_LONGEST = 24  # characters of a class's name
# Inches that a letter of a tick is wide, and that a line is high.
_LETTER, _LINE = 0.08, 0.16


def inches(least: float, dots: int) -> float:
    """Returns the length of a side that shows all `dots`, within bounds."""
    return min(max(least, dots / DPI), LARGEST)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as a PNG file, which is replaced if it exists."""
    with files.new_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI)


def add_column_labels(
    axes: Axes,
    places: Iterable[float],
    column_labels: Sequence[str],
    width: float,
) -> None:
    """Writes labels above columns, turned by 90 degrees where columns are narrow.

    The figure is made taller for them.

    Args:
        axes: Where the columns are.
        places: The middle of each column.
        column_labels: The labels, perhaps of fewer columns. None are written where even
            turned ones have no room.
        width: That of a column, in inches.
    """
    if not column_labels or width < _LINE:
        return
    length = max(map(len, column_labels)) * _LETTER
    is_narrow = length > width
    figure = axes.get_figure()
    room = length if is_narrow else _LINE
    figure.set_figheight(figure.get_figheight() + room)
    named = dict(zip(places, column_labels))
    axes.set_xticks(list(named), list(named.values()), rotation=90 * is_narrow)
    axes.tick_params("x", length=0, top=True, labeltop=True, labelbottom=False)


def class_name(label: int, class_names: Sequence[str] = ()) -> str:
    """Returns what a figure calls a class: its name, or else its number."""
    if label < 0:
        return "(unknown)"
    name = class_names[label] if len(class_names) > label else str(label)
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 3]}..."
    return name.replace("$", r"\$")  # which would begin a formula
