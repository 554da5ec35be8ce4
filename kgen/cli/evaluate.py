"""`kgen evaluate` and `kgen compare`."""

import sys
from typing import Any

import click

from kgen import registry
from kgen.cli import options
from kgen.cli.messages import progress, starting
from kgen.cli.startup import start_tensorflow


@click.command()
@click.argument("paths", metavar="RUN...", nargs=-1, required=True)
@options.other_data
@click.option(
    "--num-samples",
    type=click.IntRange(2),
    default=10_000,
    show_default=True,
    help="Samples that are compared with real examples.",
)
@options.positive(
    "--importance-samples", 100, "Draws of z for each example, for log p(x)."
)
@click.option(
    "--metrics",
    metavar="NAME,...",
    help="Those to compute; default: all that the model allows.",
)
@click.option(
    "--extractor",
    default="classifier",
    show_default=True,
    help="What gives features: classifier (kgen trains one on the labelled "
    "data, once; without classes it is pixels), random, pixels (the examples' own "
    "numbers), a .keras file, a SavedModel's folder, or the file of Inception-v3 "
    "(classify_image_graph_def.pb).",
)
@click.option(
    "--target",
    metavar="COLUMN",
    help="Of a table: the column that is predicted by what is learned of synthetic "
    "rows; default: the target of the training.",
)
@options.seed
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    help="Directory; default: RUN, and of several runs "
    "evaluations/evaluation-N, the next free N.",
)
@options.overwrite("Replace the evaluation in --out.")
@options.best
def evaluate(
    paths: tuple[str, ...],
    metrics: str | None,
    out: str | None,
    overwrite: bool,
    **settings: Any,
) -> None:
    """Judges the models of RUNs on the test split.

    Prints a table and leaves it as metrics.json, and with pictures as
    report.html, one file that can be mailed. Several runs are compared.
    """
    starting(f"Judging {', '.join(paths)} on held-out data")
    start_tensorflow()
    from kgen.runs import evaluation, report

    names = None
    if metrics is not None:  # an empty text is refused with the other names
        parts = metrics.split(",") if metrics else []
        names = tuple(name.strip() for name in parts)
    out, evaluations = evaluation.evaluate(
        paths,
        evaluation.EvaluateSettings(metrics=names, **settings),
        out,
        overwrite,
        report=progress if sys.stderr.isatty() else lambda text: None,
    )
    click.echo(report.table(evaluations))
    click.echo(f"Wrote {out / 'metrics.json'} and {out / 'report.html'}")


@click.command()
@options.trains
@options.positive("--latent-dim", registry.TRAINING["latent_dim"])
@options.positive(
    "--epochs", registry.TRAINING["epochs"], "Of each of the two VAEs."
)
@options.positive("--batch-size", registry.TRAINING["batch_size"])
@options.seed
@options.positive(
    "--limit", 10_000, "Training examples at most, of all classes."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    help="Directory; default: comparisons/comparison-N, the next free N.",
)
@options.overwrite("Replace the comparison in --out.")
@click.pass_context
def compare(
    ctx: click.Context, out: str | None, overwrite: bool, **settings: Any
) -> None:
    """Compares generative with discriminative classifiers.

    Naive Bayes, pPCA-Bayes and VAE-Bayes against nearest neighbours, a decision
    tree, an SVM and logistic regression; on the examples, and on the codes of a
    VAE that saw no labels. Prints a table, and leaves it and a picture in a
    directory: accuracies, also by the number of labels.
    """
    starting(f"Comparing classifiers on {settings['data']}")
    start_tensorflow()
    from kgen import comparison, runs

    if not out:
        out = ctx.with_resource(runs.new_run("comparison", "comparisons")).path
    settings = comparison.CompareSettings(**settings)
    results = comparison.compare(settings, out, overwrite, report=progress)
    click.echo(comparison.table(results))
    click.echo(f"The comparison is in {out}")
