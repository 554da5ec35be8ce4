"""Parts of Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table.

    Args:
        head: The columns' headings.
        rows: The cells, which may be of any type.

    Returns:
        Markdown.
    """
    rules = ["---"] * len(head)
    return "\n".join(_row(cells) for cells in (head, rules, *rows))


def _row(cells):
    texts = (" ".join(str(cell).split()) for cell in cells)
    return f"| {' | '.join(text.replace('|', '&#124;') for text in texts)} |"
