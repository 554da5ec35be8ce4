"""How wide the terminal is, and text that fits it."""

import shutil
import sys
import textwrap


def width() -> int | None:
    """Columns of the terminal that stdout is; None where it is no terminal."""
    if not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def wrapped(text: str, indent: int = 0) -> str:
    """Text in lines that fit the terminal; as it is, where there is none.

    Args:
        text: One line.
        indent: Spaces before all lines but the first.
    """
    columns = width()
    if not columns:
        return text
    # The last column is left free: some terminals wrap a line that fills it.
    return textwrap.fill(
        text,
        max(columns - 1, 20),
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
