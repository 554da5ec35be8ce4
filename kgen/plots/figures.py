"""What all figures share: their size and their files."""

import os
from collections.abc import Sequence

from matplotlib.figure import Figure

from kgen import files

Path = str | os.PathLike

DPI = 120
LARGEST = 100.0  # inches; Matplotlib draws no side of 2**16 dots or more
_LONGEST = 24  # characters of a class's name


def inches(least: float, dots: int) -> float:
    """Returns the length of a side that shows all `dots`, within bounds."""
    return min(max(least, dots / DPI), LARGEST)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as a PNG file, which is replaced if it exists."""
    with files.new_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI)


def class_name(label: int, class_names: Sequence[str] = ()) -> str:
    """Returns what a figure calls a class: its name, or else its number."""
    if label < 0:
        return "(unknown)"
    name = class_names[label] if len(class_names) > label else str(label)
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 3]}..."
    return name.replace("$", r"\$")  # which would begin a formula
