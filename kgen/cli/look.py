"""`kgen runs` and `kgen show`: what there is. They don't need TensorFlow."""

import click

from kgen.runs import listing


@click.command()
@click.argument(
    "directory", type=click.Path(exists=True, file_okay=False), default="runs"
)
def runs(directory: str) -> None:
    """Lists the runs in DIRECTORY (default: runs), the newest last."""
    rows = listing.rows(directory)
    if not rows:
        click.echo(f"There are no runs in {directory}.")
        return
    columns = list(zip(listing.HEAD, *rows))
    widths = [max(map(len, column)) for column in columns]
    for row in (listing.HEAD, *rows):
        cells = (text.ljust(width) for text, width in zip(row, widths))
        click.echo("  ".join(cells).rstrip())


@click.command()
@click.argument("path", type=click.Path(exists=True, file_okay=False))
def show(path: str) -> None:
    """Tells about the run, the evaluation or the export in PATH."""
    click.echo(listing.describe(path))
