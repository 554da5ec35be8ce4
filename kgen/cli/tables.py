"""Tables on the screen: in a wide terminal, a narrow one, or a pipe."""

from collections.abc import Sequence

import click

from kgen import terminal

_GAP = 2
# The least widths to which the first column and the others are wrapped; no column
# but the first is narrower than its name.
_FIRST, _OTHER = 32, 8


def show(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table; where it does not fit, each row as lines of its own.

    In a pipe, a row is always one line. In a terminal, texts are wrapped where that
    is enough, and columns without any text are left out.

    Args:
        head: The names of the columns, or `()`.
        rows: Texts, as many in each row.
    """
    from rich.cells import cell_len  # slow to import

    room = terminal.width()
    columns = list(zip(*rows))
    names = list(head) or [""] * len(columns)
    if room:
        kept = [n for n, column in enumerate(columns) if any(column)]
        columns, names = ([part[n] for n in kept] for part in (columns, names))
    widths = [
        max(map(cell_len, (name, *column)))
        for name, column in zip(names, columns)
    ]
    gaps = _GAP * (len(widths) - 1)
    least = [
        max(cell_len(str(name)), min(width, _OTHER))
        for name, width in zip(names, widths)
    ]
    least[:1] = [min(widths[0], _FIRST)]
    if room and sum(least) + gaps > room:
        _show_rows(names, zip(*columns))
    else:
        width = sum(widths) + gaps
        _show_table(names, columns, least, min(room or width, width))


def _show_table(names, columns, least, width):
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=None,
        show_header=any(names),
        padding=(0, _GAP, 0, 0),
        pad_edge=False,
    )
    for name, narrowest in zip(names, least):
        table.add_column(Text(name), overflow="fold", min_width=narrowest)
    for row in zip(*columns):
        table.add_row(*map(Text, row))
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def _show_rows(names, rows):
    """Each row below its first cell, which is the row's name."""
    for first, *others in rows:
        click.echo(first)
        for name, text in zip(names[1:], others):
            if text:
                line = f"  {name.lower()}: {text}" if name else f"  {text}"
                click.echo(terminal.wrapped(line, 4))
