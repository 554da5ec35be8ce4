"""`kgen sample`, `reconstruct`, `denoise`, `encode`, `classify`, `detect`.

Each writes a file of what a run's model does. A function here declares the
command; the function of the same name in `kgen.runs.inference` does it.
"""

import functools
import pathlib
from collections.abc import Callable

import click

from kgen.cli import options
from kgen.cli.messages import starting
from kgen.cli.startup import start_tensorflow


def _num(default: int | None, text: str = "How many pictures.") -> Callable:
    return click.option(
        "--num",
        type=click.IntRange(1),
        default=default,
        show_default=True,
        help=text,
    )


def _writes(*endings: str) -> Callable[[Callable], click.Command]:
    """A command that uses RUN and writes a file.

    Args:
        *endings: Of the file's name; the first one is the default.
    """

    def decorate(function):
        @click.command(function.__name__)
        @click.argument("run", type=click.Path())
        @click.option(
            "--out",
            type=click.Path(dir_okay=False, path_type=pathlib.Path),
            help=f"File to write ({' or '.join(endings)}); default: in the run, "
            "the next free name.",
        )
        @options.overwrite("Replace what is there.")
        @options.best
        @functools.wraps(function)
        def command(run, out, overwrite, **given):
            options.check_out(out, endings, overwrite)
            starting(f"Reading {run}")
            start_tensorflow()
            from kgen.runs import inference

            out, summary = inference.write(
                run, function.__name__, out, endings, **given
            )
            click.echo(f"Wrote {out}" + (f": {summary}" if summary else ""))

        return command

    return decorate


@_writes(".png", ".npz", ".csv", ".parquet")
@_num(64, "How many.")
@options.seed
@click.option(
    "--label",
    metavar="NAME",
    help="The class, by its name or number, for a conditional model; default: all "
    "in turn.",
)
@click.option(
    "--where",
    "conditions",
    type=options.Condition(),
    multiple=True,
    help="Of a table: only rows with this value, or with numbers from LOW to HIGH "
    "(COLUMN=LOW..HIGH). May be repeated: of one column, rows have any of the values; "
    "of several columns, they meet all conditions.",
)
def sample() -> None:
    """Draws new pictures, or rows of a table, from the model of RUN."""


@_writes(".png", ".npz", ".csv", ".parquet")
@options.other_data
@_num(24, "How many.")
def reconstruct() -> None:
    """Draws pictures of the test split above their reconstructions."""


@_writes(".csv", ".parquet")
@click.option(
    "--data",
    metavar="SRC",
    required=True,
    help="A CSV or Parquet file with gaps.",
)
@options.positive("--num-samples", 500, "Codes that are drawn for each row.")
@click.option(
    "--draw",
    is_flag=True,
    help="Fill gaps by draws given the known values, not by the expectation.",
)
@options.seed
def impute() -> None:
    """Fills the gaps of a table's rows, by the model of RUN.

    In a .csv file, cells that are known stay as they are written in SRC.
    """


@_writes(".npz", ".png")
@click.option(
    "--data",
    metavar="SRC",
    help="Noisy pictures, of any range; default: the run's test split, "
    "corrupted as in training.",
)
@_num(None, "How many, drawn from all; default: all.")
def denoise() -> None:
    """Writes pictures without their noise."""


@_writes(".npz")
@options.other_data
def encode() -> None:
    """Writes the codes of the test split, with its labels and files.

    Those of a VAE are mean and log_var, others are z; with a flow behind a VAE's
    Gaussian there is z, too. Where they are known, class_names are the names of the
    classes, and files the paths of the pictures.
    """


@_writes(".npz", ".csv", ".parquet")
@options.other_data
def classify() -> None:
    """Writes the classes of the test split, with their probabilities.

    These are log P(y|x) and log p(x), in nats. In a .csv or .parquet file, there is a
    row for each example, with its file if it has one, and P(y|x) by the classes'
    names.
    """


@_writes(".csv")
@click.option(
    "--data",
    metavar="SRC",
    required=True,
    help="Where outliers are looked for, as in `kgen train`.",
)
@click.option(
    "--quantile",
    type=click.FloatRange(0, 1),
    help="An example is an outlier if its score is above this quantile of the scores "
    "of RUN's test split; default: the threshold that was saved, or 0.99.",
)
@click.option(
    "--num-samples",
    type=click.IntRange(1),
    help="Of VAEs: draws of z by which log p(x) is estimated; default: scores are "
    "-ELBO.",
)
@click.option(
    "--save-threshold",
    is_flag=True,
    help="Keep the threshold in RUN's model.keras; its export tells outliers, then.",
)
def detect() -> None:
    """Finds examples that are unlike those RUN was trained on.

    Writes a table with a row for each example, in their order: file, the path, of
    what is a file; outlier_score, in nats, higher for what is more of an outlier; and
    is_outlier. With a conditional model of a table, a row whose target is missing or
    unknown has no score, and is no outlier.
    """
