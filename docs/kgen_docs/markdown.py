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
    texts = (_escaped(" ".join(str(cell).split())) for cell in cells)
    return f"| {' | '.join(texts)} |"


def _escaped(text):
    """The text with its bars escaped, which need none within code."""
    parts = text.split("`")
    parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
    return "`".join(parts)
