"""What all figures share: their size and their files."""

import os

from matplotlib.figure import Figure

from kgen import files

Path = str | os.PathLike

DPI = 120
LARGEST = 100.0  # inches; Matplotlib draws no side of 2**16 dots or more


def inches(least: float, dots: int) -> float:
    """Returns the length of a side that shows all `dots`, within bounds."""
    return min(max(least, dots / DPI), LARGEST)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as a PNG file, which is replaced if it exists."""
    with files.new_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI)
