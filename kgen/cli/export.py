"""`kgen export`: a run's model for TF Serving."""

import contextlib
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from kgen import names
from kgen.cli import options
from kgen.cli.messages import starting
from kgen.cli.startup import silenced, start_tensorflow

if TYPE_CHECKING:
    from keras import Model

    from kgen.runs import Run


@click.command()
@click.argument("run", type=click.Path())
@click.option(
    "--to",
    "root",
    type=click.Path(file_okay=False),
    default="saved_models",
    show_default=True,
    help="Where NAME/VERSION is made.",
)
@click.option(
    "--name", help="The model's name on the server; default: its kind."
)
@click.option(
    "--version",
    type=click.IntRange(1, 2**63 - 1),
    help="A number that is not there yet; default: the next free one.",
)
@click.option(
    "--image-format",
    type=options.Name("format", names.IMAGE_FORMATS),
    default="float",
    show_default=True,
    help="What is taken and given as pictures: float, in [0, 1]; uint8; or png, "
    "files, in base64 over REST.",
)
@click.option(
    "--quantize",
    type=options.Name("precision", names.PRECISIONS),
    help="float16 or int8: writes the model's parts for LiteRT, too, and what "
    "they lose.",
)
@options.positive("--max-examples", 1000, "The most of one request.")
@options.best
def export(run: str, is_best: bool, **given: Any) -> None:
    """Exports the model of RUN for TF Serving.

    Prints the commands that serve it and ask it. NAME/VERSION appears whole or
    not at all; models.config beside it lists all models, for one server.
    """
    starting(f"Exporting {run}")
    start_tensorflow()
    from kgen import runs

    run = runs.Run(run, is_best)
    model = run.model()
    run.sweep_if_free()
    export_model(run, model, **given)


def export_model(
    run: "Run",
    model: "Model",
    root: str,
    report: Callable[[str], None] = click.echo,
    **given: Any,
) -> None:
    """Exports a model, and tells how to serve it.

    Args:
        run: Its run.
        model: The model.
        root: Directory of all exports.
        report: Function of a line.
        **given: Fields of `kgen.runs.export.ExportSettings`.
    """
    from kgen.export import card
    from kgen.runs import export as exports  # `export` is the command

    # LiteRT's converter writes remarks to the file descriptor.
    quiet = silenced(2) if given.get("quantize") else contextlib.nullcontext()
    with warnings.catch_warnings(record=True) as caught, quiet:
        settings = exports.ExportSettings(**given)
        path = exports.export(run, model, root, settings)
    for warning in caught:
        warnings.warn_explicit(
            warning.message,
            warning.category,
            warning.filename,
            warning.lineno,
        )
    report(f"Exported {path}")
    for file, facts in card.read(path).get("lite", {}).items():
        report(f"{file}, {facts['bytes']} bytes: {exports.loss(facts)}")
    report("Serve it and ask it:")
    for command in exports.commands(path):
        report(f"  {command}")
