"""`kgen train`: trains a model and leaves a run."""

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from kgen import interrupts, names, registry, terminal
from kgen.cli import options, workers
from kgen.cli.export import export_model
from kgen.cli.messages import complain
from kgen.cli.startup import start_tensorflow
from kgen.errors import command
from kgen.parallel import strategies

if TYPE_CHECKING:
    import tensorflow as tf
    from keras import Model

    from kgen.runs import Run, TrainSettings

_NEXT = {
    "evaluate": "figures on held-out data, and report.html",
    "denoise": "pictures without their noise",
    "classify": "classes and their probabilities",
    "sample": "new examples",
    "encode": "codes of the test split",
    "export": "the model for TF Serving",
    "show": "its settings and last figures",
}


@click.command(epilog=options.LISTS)
@click.argument("model", type=options.Name("model", registry.MODELS))
@options.trains
@options.training("latent_dim")
@options.training("epochs")
@options.training("batch_size")
@options.seed
@click.option("--conditional", is_flag=True, help="Networks take the labels.")
@click.option(
    "--target",
    metavar="COLUMN",
    help="Of a table: the column with the classes, which networks then take.",
)
@click.option(
    "--kind",
    "kinds",
    type=options.Kind(),
    multiple=True,
    help="Of a table: what a column is, where that is not to be inferred: "
    + options.explained(names.COLUMN_KINDS)
    + ". May be repeated.",
)
@click.option(
    "--numbers",
    type=options.Name("encoding", names.NUMBERS),
    default="quantiles",
    show_default=True,
    help="Of a table: how numbers are encoded: "
    + options.explained(names.NUMBERS)
    + ".",
)
@click.option(
    "--binarize", is_flag=True, help="Draw each pixel as 0 or 1, every epoch."
)
@click.option(
    "--kl-warmup",
    type=float,
    default=0.0,
    show_default=True,
    help="Epochs over which the KL term's weight rises from 0.",
)
@click.option(
    "--fit-prior",
    metavar="PRIOR",
    callback=options.none_as_nothing,
    help="Afterwards, fit a density to the codes, from which the model then "
    "samples: gaussian, mixture:10, flow:4 or none. A vae that learns no prior has "
    "mixture:10 if there are 1,000 examples or more. See also `kgen fit-prior`.",
)
@click.option(
    "--patience",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="End the training after so many evaluations in a row that found no better "
    "model; 0 for never. A GAN or a VAE-GAN is evaluated every few epochs, by the "
    "Frechet distance of its samples; other models after each epoch, by the "
    "validation's figure. best.keras is the best model.",
)
@click.option(
    "--on-nan",
    type=options.Name("choice", names.ON_NAN),
    default="stop",
    show_default=True,
    help="What to do when a loss or gradient is NaN or infinite (it never "
    "reaches the weights): " + options.explained(names.ON_NAN) + ".",
)
@click.option(
    "--log-to",
    type=options.Name("tracker", names.TRACKERS),
    multiple=True,
    help="Log the training to a tracker of experiments, too: "
    + options.explained(names.TRACKERS)
    + ". May be repeated.",
)
@click.option(
    "--set",
    "set_options",
    type=options.Setting(),
    multiple=True,
    help="Any argument of the model, its networks or compile, such as "
    "likelihood=continuous_bernoulli, kl_weight=4, hidden_units=[400], "
    "corruption=gaussian:0.25, optimizer=adam:0.0005. May be repeated.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    help="The run's directory; default: runs/MODEL-N, the next free N.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
@click.option(
    "--checkpoint-every",
    metavar="N|Nm|Ne",
    help="Keep checkpoints within epochs, too, every N steps or N minutes (such "
    "as 10m); or after every N epochs (such as 1e). By default there is one "
    "after an epoch, 15 seconds or more after the one before.",
)
@options.overwrite("Delete the run in --out first.")
@click.option("--export", is_flag=True, help="Export to saved_models/MODEL/N.")
@click.option(
    "--from-study",
    "study",
    type=click.Path(),
    metavar="STUDY",
    help="Train with the best settings that `kgen tune STUDY` found, and on its "
    "data; options given on the command line override the study's.",
)
@click.option(
    "--strategy",
    "strategy_name",
    type=options.Name("strategy", names.STRATEGIES),
    help="Train by several devices: "
    + options.explained(names.STRATEGIES)
    + ". --batch-size is that of all together.",
)
@click.option(
    "--devices",
    type=click.IntRange(1),
    help="How many GPUs; without any, in how many the processor is divided "
    "(to try it out).",
)
@click.option(
    "--quiet",
    is_flag=True,
    help="Print the run's directory at the end, and warnings, but nothing else.",
)
@click.option(
    "--verbose",
    is_flag=True,
    help="Print Keras's own lines, with all figures of each epoch.",
)
@click.pass_context
def train(
    ctx: click.Context,
    model: str,
    set_options: tuple[tuple[str, Any], ...],
    out: str | None,
    resume: bool,
    overwrite: bool,
    export: bool,
    study: str | None,
    strategy_name: str | None,
    devices: int | None,
    quiet: bool,
    verbose: bool,
    **values: Any,
) -> int | None:
    """Trains MODEL and leaves a run's directory.

    The directory holds the model, its settings, the history, TensorBoard's
    logs and pictures.
    """
    _check_flags(out, resume, overwrite, study, quiet and verbose)
    strategies.check(strategy_name, devices)
    say = _silent if quiet else click.echo
    is_alone = strategy_name != "multi_worker"
    if is_alone or strategies.is_chief_by_tf_config():  # others are silent
        what = f"Going on with {out}" if resume else _what(model, study, values)
        say(terminal.wrapped(f"{what}. Starting TensorFlow ..."))
    strategy = _start(
        strategy_name, devices, out if resume else None, values["epochs"]
    )
    if strategy is None:
        click.echo(f"{out} has seen all its epochs: the chief does the rest.")
        return None
    from kgen import runs

    is_chief = strategies.is_chief(strategy)
    if export and is_chief:  # before the work: where it can't be is told early
        os.makedirs(os.path.join("saved_models", model), exist_ok=True)
    if out or not is_chief:  # other workers than the chief make no directory
        run = runs.Run(out or os.path.join("runs", model))
    else:
        run = ctx.with_resource(runs.new_run(model))
    typed_names = options.typed_names(ctx)
    typed_names |= {"options"} if set_options else set()
    settings = _settings(
        model, values, typed_names, dict(set_options), study, resume, strategy
    )
    try:
        with strategies.explain_lost_workers(strategy):
            trained_model = runs.train(
                run,
                settings,
                overwrite,
                resume,
                strategy,
                typed_names,
                report=None if quiet else click.echo,
                verbose=verbose,
            )
    except KeyboardInterrupt as error:
        if not run.model_file.exists():
            raise
        line = command("train", model, "--resume", "--out", run.path)
        return complain(
            f"interrupted. {run.model_file} holds the model as it was; go on with: "
            f"{line}",
            interrupts.status(error),
        )
    if not is_chief:
        click.echo("Trained; the chief has the run.")
        return None
    click.echo(run.path if quiet else f"The run is in {run.path}")
    if export:
        # Of several devices, the file's copy is that of one.
        if strategy.num_replicas_in_sync > 1:
            trained_model = run.model()
        export_model(run, trained_model, "saved_models", say)
    for line in _next_lines(run, trained_model, export):
        say(line)
    return None


def _silent(text: str) -> None:
    """Says nothing."""


def _what(model: str, study: str | None, values: dict[str, Any]) -> str:
    """What is going to be trained, as far as it is known without TensorFlow."""
    text = f"Training {model} ({registry.MODELS[model].sentence})"
    if study:
        return f"{text} with the best settings of {study}"
    return f"{text} on {values['data']}"


def _next_lines(run: "Run", model: "Model", exported: bool) -> list[str]:
    """What to do with a run next: three commands, in lines that fit."""
    uses = [
        *(["denoise"] if hasattr(model, "denoise") else []),
        *(["classify"] if model.needs_labels else []),
        *(["sample"] if hasattr(model, "sample") else []),
        *(["encode"] if hasattr(model, "encode") else []),
    ]
    rest = [*uses[1:], "show"] if exported else ["export"]
    chosen = ["evaluate", *uses[:1], *rest][:3]
    texts = [f"  {command(name, run.path)}" for name in chosen]
    room = terminal.width() or sys.maxsize
    longest = max(map(len, texts))
    lines = ["Next:"]
    for name, text in zip(chosen, texts):
        line = f"{text:{longest}}  # {_NEXT[name]}"
        lines.append(line if len(line) < room else text)
    return lines


def _settings(
    model: str,
    values: dict[str, Any],
    typed_names: set[str],
    set_options: dict[str, Any],
    study: str | None,
    resume: bool,
    strategy: "tf.distribute.Strategy",
) -> "TrainSettings":
    """The settings of a training, out of the options of the command.

    What was typed comes before the best settings of the study, and these before
    the model's defaults. Where a run is resumed, only what was typed counts.
    """
    from kgen import runs

    typed = {name: values[name] for name in typed_names & values.keys()}
    best = _best_settings(study, model) if study else {}
    entry = registry.MODELS[model]
    recipe = {} if study or resume else entry.recipe
    chosen = {**values, **entry.defaults, **recipe, **best, **typed}
    fields = {name: chosen.pop(name) for name in values}
    chosen |= set_options
    learns_prior = (
        chosen.get("prior", "normal") != "normal"
        or chosen.get("levels", 1) != 1
    )
    if learns_prior and "fit_prior" not in typed:
        fields["fit_prior"] = None
    fields["data"] = runs.data_name(fields["data"])
    fields["kinds"] = dict(fields["kinds"])
    if runs.is_table(fields["data"]) and "network" not in (*typed, *best):
        fields["network"] = "dense"  # a table's rows are no pictures
    if fields["data_dir"]:
        fields["data_dir"] = os.path.abspath(fields["data_dir"])
    return runs.TrainSettings(
        model=model,
        options=chosen,
        **fields,
        **strategies.describe(strategy),
    )


def _check_flags(
    out: str | None,
    resume: bool,
    overwrite: bool,
    study: str | None,
    quiet_and_verbose: bool,
) -> None:
    if quiet_and_verbose:
        raise click.UsageError("--quiet and --verbose exclude each other.")
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other.")
    if resume and not out:
        raise click.UsageError("--resume needs --out: the run to go on with.")
    if resume and study:
        raise click.UsageError(
            "--resume and --from-study exclude each other: a run that goes on "
            "has its settings."
        )


def _start(
    strategy_name: str | None,
    devices: int | None,
    run: str | None,
    epochs: int | None,
) -> "tf.distribute.Strategy | None":
    """Starts TensorFlow, with all workers if there are several.

    Args:
        strategy_name: As in `strategies.check`.
        devices: As in `strategies.check`.
        run: The directory of the run to go on with, or None.
        epochs: How many epochs it is to see; None for its own number.

    Returns:
        The strategy; None if there is nothing left to do for this worker.
    """
    if strategy_name == "multi_worker":
        interrupts.sigterm_ends_process()
        if not workers.meet(run, epochs):
            if not strategies.is_chief_by_tf_config():
                return None
            strategy_name = None
    return start_tensorflow(strategy_name, devices)


def _best_settings(study: str, model: str) -> dict[str, Any]:
    """A study's best settings and its data, and options among them."""
    from kgen.studies import results

    study_results = results.read(study)
    if study_results["model"] != model:
        raise click.UsageError(
            f"{study} is of the model {study_results['model']}, not {model}."
        )
    best = study_results["best"]
    if best is None:
        raise click.UsageError(
            f"No trial of {study} has succeeded: there are no best settings."
        )
    data = {"source": "digits", **study_results["data"]}
    data["data"] = data.pop("source")
    for name in ("train", "validation"):
        data.pop(name, None)
    return {**best["settings"], "epochs": best["epochs"], **data}
