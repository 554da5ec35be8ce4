"""`kgen runs`, `kgen show` and `kgen data`: what there is.

The first two don't need TensorFlow.
"""

import os
import pathlib
from typing import Any

import click

from kgen import terminal
from kgen.cli import options, tables
from kgen.cli.messages import progress
from kgen.errors import command
from kgen.runs import listing


@click.command()
@click.argument("directory", type=click.Path(file_okay=False), default="runs")
@click.pass_context
def runs(ctx: click.Context, directory: str) -> None:
    """Lists the runs in DIRECTORY (default: runs), the newest last.

    BEST is the best epoch by the figure that compares such models, and EVALUATED
    a figure that `kgen evaluate` has found.
    """
    is_typed = "directory" in options.typed_names(ctx)
    if is_typed and not os.path.exists(directory):
        raise click.UsageError(f"There is no directory {directory}.")
    rows = listing.rows(directory)
    if not rows:
        click.echo(
            f"There are no runs in {directory}. Make one with: kgen train vae"
        )
        return
    tables.show(listing.HEAD, rows)


@click.command()
@click.argument("path", type=click.Path(exists=True, file_okay=False))
@click.option(
    "--open", "is_opened", is_flag=True, help="Open the report in a browser."
)
def show(path: str, is_opened: bool) -> None:
    """Describes the run, the evaluation or the export in PATH.

    Shows its settings, its figures, and where its pictures are.
    """
    show_sections(listing.describe(path))
    if not is_opened:
        return
    page = pathlib.Path(path, listing.REPORT)
    if not page.is_file():
        raise click.UsageError(
            f"{path} has no report yet. Make it with: {command('evaluate', path)}"
        )
    if click.launch(str(page)):
        progress(f"No program here opens {page}.")


@click.command()
@click.argument("source", metavar="SRC")
@options.looks
@click.option(
    "--target",
    metavar="COLUMN",
    help="Of a table: the column with the classes.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    help="Picture to draw examples in (.png); default: NAME-1.png, the next free "
    "number.",
)
@options.overwrite("Replace the picture.")
def data(
    source: str, out: pathlib.Path | None, overwrite: bool, **values: Any
) -> None:
    """Tells what SRC looks like, and what seems wrong with it.

    That is how many examples there are, of which shape, values and classes; of a
    table, its columns. Some of the pictures are drawn.
    """
    options.check_out(out, (".png",), overwrite)
    from kgen.cli.startup import start_tensorflow

    start_tensorflow()
    from kgen.runs import overview

    found = overview.overview(source, **values)
    show_sections(found.sections)
    file = overview.draw(found, out)
    if file:
        click.echo(f"\nExamples are drawn in {file}")


def show_sections(sections: list[listing.Section]) -> None:
    """Prints tables and texts, each below its title."""
    for number, section in enumerate(sections):
        if number:
            click.echo()
        if section.title:
            click.echo(terminal.wrapped(section.title))
        if section.rows:
            tables.show(section.head, section.rows)
        if section.text:
            click.echo(section.text)
