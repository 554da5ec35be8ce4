"""The `kgen` command. TensorFlow is imported by the commands that need it."""

import ast
import contextlib
import difflib
import functools
import json
import logging
import os
import shutil
import sys
import time
import warnings

import click

from kgen import files, interrupts, names
from kgen.errors import InvalidArgument
from kgen.parallel import strategies

_LISTS = "\n".join(
    f"\b\n{title}:\n"
    + "\n".join(f"  {name:10} {text}" for name, text in entries.items())
    + "\n"
    for title, entries in (
        ("Models", names.MODELS),
        ("Networks", names.NETWORKS),
        ("Sources for --data", names.SOURCES),
    )
)


def _hint(value, options):
    close = difflib.get_close_matches(value.lower(), options, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


class Group(click.Group):
    """Offers the nearest command, and turns a user's mistakes into one line."""

    def resolve_command(self, ctx, args):
        if args and args[0] not in self.commands and args[0][:1] != "-":
            hint = _hint(args[0], self.commands)
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def main(self, *args, **kwargs):
        kwargs["standalone_mode"] = False
        try:
            with interrupts.sigterm_as_interrupt():
                status = super().main(*args, **kwargs)
        except (click.Abort, KeyboardInterrupt) as error:
            cause = error.__cause__ or error  # click has its own error for it
            status = _complain("interrupted.", interrupts.status(cause))
        except click.ClickException as error:
            status = _complain(error.format_message(), error.exit_code)
        except (InvalidArgument, OSError) as error:
            status = _complain(_one_line(error), 2)
        except strategies.WorkerLost as error:
            status = _complain(_one_line(error), 1)
        except Exception as error:
            number = files.error_number(error)
            if number in files.ADVICE:
                status = _complain(_one_line(OSError(number, "")), 2)
                sys.exit(status)
            # TensorFlow's class can't be named here: it is imported late.
            if type(error).__name__ not in (
                "MemoryError",
                "ResourceExhaustedError",
            ):
                raise
            status = _complain(_TOO_LARGE, 2)
        sys.exit(status if isinstance(status, int) else 0)


_PATIENCE = 5  # seconds, until it is said who is waited for
_SECONDS = 30  # from one picture of a search to the next: some take seconds
_TOO_LARGE = (
    "there is not enough memory for this. Make the pictures, the network, the "
    "batch or the number of samples smaller."
)


class _Lines(logging.Handler):
    """Shows what the package logs like its other lines."""

    def emit(self, record):
        _complain(_one_line(record.getMessage()), None)


def _show_logs():
    logger = logging.getLogger("kgen")
    if not any(isinstance(handler, _Lines) for handler in logger.handlers):
        logger.addHandler(_Lines())


def _complain(message, status):
    _passing("")
    click.echo(f"kgen: {message}", err=True)
    return status


def _one_line(error):
    text = str(error)
    if isinstance(error, OSError) and error.errno:
        place = f"{error.filename}: " if error.filename else ""
        text = place + (error.strerror or os.strerror(error.errno))
        advice = files.ADVICE.get(error.errno)
        text += f". {advice}." if advice else ""
    return " ".join(text.split())


class Name(click.ParamType):
    """One of a few names; offers the nearest."""

    def __init__(self, kind, options):
        self.name, self.options = kind, options

    def convert(self, value, param, ctx):
        if value in self.options:
            return value
        hint = _hint(value, self.options)
        known = ", ".join(self.options)
        self.fail(f"there is no {self.name} {value!r}.{hint} Known: {known}.")


class Setting(click.ParamType):
    """NAME=VALUE; the value as Python reads it, or else as text."""

    name = "NAME=VALUE"

    def convert(self, value, param, ctx):
        name, equals, text = value.partition("=")
        if not equals or not name.strip():
            self.fail(
                f"expected NAME=VALUE, such as kl_weight=4, got {value!r}"
            )
        try:
            # As a run's config.json will give it back: (400,) as [400].
            read = json.loads(json.dumps(ast.literal_eval(text)))
        except (ValueError, SyntaxError, TypeError):
            read = text
        except (RecursionError, MemoryError):
            self.fail(f"the value of {name.strip()} is nested too deeply")
        return name.strip(), read


class Shape(click.ParamType):
    """HxWxC."""

    name = "HxWxC"

    def get_metavar(self, param, ctx=None):
        return self.name  # click would write it in capitals

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        parts = value.lower().split("x")
        if len(parts) != 3 or not all(part.isdigit() for part in parts):
            self.fail(f"expected HxWxC, such as 28x28x1, got {value!r}")
        return tuple(int(part) for part in parts)


def quiet_import(strategy=None, devices=None):
    """Starts TensorFlow with its chatter kept off the screen.

    Its C++ side writes to the file descriptor before any log level holds. Who
    sets TF_CPP_MIN_LOG_LEVEL to 0 or 1 sees it all.

    Args:
        strategy: As in `kgen.parallel.strategies.check`.
        devices: As in `kgen.parallel.strategies.check`.

    Returns:
        The strategy of that name, which must be the first to use TensorFlow.
    """
    with strategies.watched(strategy), _quiet():
        import tensorflow as tf

        made = strategies.create(strategy, devices)
        tf.config.list_physical_devices()
        tf.constant(0)  # the devices are made now
    return made


@contextlib.contextmanager
def _quiet():
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") in ("0", "1"):
        yield
        return
    with _silenced(2):
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
        yield


@contextlib.contextmanager
def _silenced(descriptor):
    kept = os.dup(descriptor)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(nothing)


@click.group(
    cls=Group,
    invoke_without_command=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 90,
    },
    epilog=_LISTS,
)
@click.version_option(package_name="kgen")
@click.pass_context
def main(ctx):
    """Trains, judges and exports generative models.

    Start with: kgen train vae --export
    """
    _show_logs()
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


_seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True
)
_data_option = click.option(
    "--data", metavar="SRC", help="Another source than the run's own."
)


def _num_option(default):
    return click.option(
        "--num",
        type=click.IntRange(1),
        default=default,
        show_default=True,
        help="How many pictures.",
    )


def _positive_option(name, default, text=None):
    return click.option(
        name,
        type=click.IntRange(1),
        default=default,
        show_default=True,
        help=text,
    )


def _training_option(name):
    """An integer that a model may have a default of its own for."""
    default = f"default: {names.TRAINING[name]}"
    for model, own in names.TRAINING_OF.items():
        if name in own:
            default += f", {model} {own[name]}"
    option = f"--{name.replace('_', '-')}"
    return click.option(option, type=int, help=f"[{default}]")


def writes(*endings):
    """A command that uses RUN and writes a file; its function takes both.

    Args:
        *endings: Of the file's name; the first one is the default.
    """

    def decorate(function):
        for option in (
            click.option(
                "--overwrite", is_flag=True, help="Replace what is there."
            ),
            click.option(
                "--out",
                type=click.Path(dir_okay=False),
                help=f"File to write ({' or '.join(endings)}); default: in the "
                "run, the next free name.",
            ),
            click.argument("run", type=click.Path()),
        ):
            function = option(function)

        @main.command(function.__name__)
        @functools.wraps(function)
        def command(run, out, overwrite, **options):
            run, model, out = _open(
                run, out, function.__name__, endings, overwrite
            )
            text = function(run, model, out, **options)
            click.echo(f"Wrote {out}" + (f": {text}" if text else ""))

        return command

    return decorate


def trains(function):
    """A command that trains on a source of its own."""
    for option in (
        click.option(
            "--network",
            type=Name("network", names.NETWORKS),
            default="conv",
            show_default=True,
        ),
        click.option(
            "--data-dir",
            type=click.Path(),
            help="Where TensorFlow Datasets keeps files.",
        ),
        click.option(
            "--image-shape",
            type=Shape(),
            help="Resize to; C is 1 (grey), 3 (colour) or 4 (with opacity).",
        ),
        click.option(
            "--background",
            default="white",
            show_default=True,
            help="The colour behind transparent pictures, such as black or "
            "#ff8000.",
        ),
        click.option(
            "--data",
            metavar="SRC",
            default="digits",
            show_default=True,
            help="What to train on.",
        ),
    ):
        function = option(function)
    return function


@main.command(epilog=_LISTS)
@click.argument("model", type=Name("model", names.MODELS))
@trains
@_training_option("latent_dim")
@_training_option("epochs")
@_training_option("batch_size")
@_seed_option
@click.option("--conditional", is_flag=True, help="Networks take the labels.")
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
    "--on-nan",
    type=Name("choice", names.ON_NAN),
    default="stop",
    show_default=True,
    help="What to do when a loss or gradient is NaN or infinite (it never "
    "reaches the weights): "
    + "; ".join(f"{name} ({text})" for name, text in names.ON_NAN.items())
    + ".",
)
@click.option(
    "--set",
    "options",
    type=Setting(),
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
    metavar="N|Nm",
    help="Keep a checkpoint within epochs, too: every N steps, or N minutes with "
    "an m, such as 10m.",
)
@click.option(
    "--overwrite", is_flag=True, help="Delete the run in --out first."
)
@click.option("--export", is_flag=True, help="Export to saved_models/MODEL/N.")
@click.option(
    "--from-study",
    "study",
    type=click.Path(),
    metavar="STUDY",
    help="Train with the best settings that `kgen tune STUDY` found, and on its "
    "data; other options come before them.",
)
@click.option(
    "--strategy",
    type=Name("strategy", names.STRATEGIES),
    help="Train by several devices: "
    + "; ".join(f"{name} ({text})" for name, text in names.STRATEGIES.items())
    + ". --batch-size is that of all together.",
)
@click.option(
    "--devices",
    type=click.IntRange(1),
    help="How many GPUs; without any, in how many the processor is divided "
    "(to try it out).",
)
@click.pass_context
def train(
    ctx,
    model,
    out,
    resume,
    overwrite,
    export,
    strategy,
    devices,
    options,
    study,
    **settings,
):
    """Trains MODEL and leaves a run's directory.

    The directory holds the model, its settings, the history, TensorBoard's
    logs and pictures.
    """
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other.")
    if resume and not out:
        raise click.UsageError("--resume needs --out: the run to go on with.")
    if resume and study:
        raise click.UsageError(
            "--resume and --from-study exclude each other: a run that goes on "
            "has its settings."
        )
    strategies.check(strategy, devices)
    if strategy == "multi_worker":
        interrupts.sigterm_ends_process()
    if strategy == "multi_worker" and not _meet(
        out if resume else None, settings["epochs"]
    ):
        if not strategies.is_chief():
            click.echo(
                f"{out} has seen all its epochs: the chief does the rest."
            )
            return None
        strategy = None
    strategy = quiet_import(strategy, devices)
    from kgen import runs

    writes = strategies.writes(strategy)
    if export and writes:  # before the work: where it can't be is told early
        os.makedirs(os.path.join("saved_models", model), exist_ok=True)

    if out or not writes:  # other workers than the chief make no directory
        run = runs.Run(out or os.path.join("runs", model))
    else:
        run = ctx.with_resource(runs.new_run(model))
    options = dict(options)
    if study:
        options = {**_tuned(ctx, model, study, settings), **options}
    usual = {**names.TRAINING, **names.TRAINING_OF.get(model, {})}
    for name, value in usual.items():
        if settings[name] is None:
            settings[name] = value
    config = {"model": model, **settings, "options": options}
    config["data"] = runs.data_name(settings["data"])
    if settings["data_dir"]:
        config["data_dir"] = os.path.abspath(settings["data_dir"])
    config["image_shape"] = settings["image_shape"] and list(
        settings["image_shape"]
    )
    try:
        with strategies.guarded(strategy):
            # The chief's word counts: other workers may not see the run.
            config, resume = strategies.by_chief(
                strategy,
                lambda: [
                    _resumed(ctx, run, config) if resume else config,
                    resume,
                ],
            )
            trained = runs.train(run, config, overwrite, resume, strategy)
    except KeyboardInterrupt as error:
        if not run.model_file.exists():
            raise
        return _complain(
            f"interrupted. {run.model_file} holds the model as it "
            f"was; go on with: kgen train {model} --resume --out {run.path}",
            interrupts.status(error),
        )
    if not writes:
        click.echo("Trained; the chief has the run.")
        return None
    click.echo(f"The run is in {run.path}")
    if export:
        # Of several devices, the file's copy is that of one.
        several = strategy.num_replicas_in_sync > 1
        _export(run, run.model() if several else trained, "saved_models")
    return None


class _Trained(Exception):
    """Nothing is left to train."""


def _meet(out, epochs):
    """Waits for all workers; False as soon as none of them is needed.

    What is left to do for a run that has seen all its epochs the chief does
    alone: the others may have ended, or died, before it.

    Args:
        out: The run to go on with, or None.
        epochs: How many it is to see; None for its own number.
    """
    with _quiet():
        from kgen import runs
    run = runs.Run(out) if out else None
    tell = _waiting_teller()

    def waiting(missing, alone):
        # Who is waited for by the chief is needed, whatever it knows itself.
        if run and alone and _is_trained(run, epochs):
            raise _Trained
        tell(missing)

    try:
        waiting([], strategies.is_chief())
        strategies.meet(waiting)
    except _Trained:
        return False
    return True


def _is_trained(run, epochs):
    """Whether a run has seen all its epochs; not while that can't be read."""
    try:
        # The chief's number counts: the run has it, once it goes on with that.
        own = strategies.is_chief() or run.is_trained()
        return own and run.is_trained(epochs)
    except (OSError, InvalidArgument):
        return False


def _waiting_teller():
    """Tells, after some seconds, who is waited for, and then when it changes."""
    begin, told = time.monotonic(), []

    def tell(missing):
        nonlocal told
        if missing != told and time.monotonic() > begin + _PATIENCE:
            _progress(f"kgen: waiting for {', '.join(missing)} ...")
            told = missing

    return tell


def _tuned(ctx, model, study, settings):
    """Puts a study's best settings where none are given; returns the rest."""
    from kgen.studies import results

    found = results.read(study)
    if found["model"] != model:
        raise click.UsageError(
            f"{study} is of the model {found['model']}, not {model}."
        )
    if found["best"] is None:
        raise click.UsageError(
            f"No trial of {study} has succeeded: there are no best settings."
        )
    data = found["data"]
    best = {**found["best"]["settings"], "epochs": found["best"]["epochs"]}
    best.update(
        (name, value)
        for name, value in data.items()
        if name not in ("source", "train", "validation")
    )
    best["data"] = data.get("source", "digits")
    command_line = click.core.ParameterSource.COMMANDLINE
    for name in set(best) & set(settings):
        value = best.pop(name)
        if ctx.get_parameter_source(name) != command_line:
            settings[name] = value
    return best


def _shown(value):
    """A setting as it is typed."""
    if isinstance(value, dict):
        given = (f"{name}={setting}" for name, setting in value.items())
        return " ".join(given) or "(none)"
    return value


def _resumed(ctx, run, config):
    """The run's own settings, and those given that may change.

    These are `--epochs`, `--on-nan` and `--checkpoint-every`.
    """
    kept = run.config
    if kept["model"] != config["model"]:
        raise InvalidArgument(
            f"The run in {run.path} is of the model {kept['model']}, not "
            f"{config['model']}. Go on with: kgen train {kept['model']} --resume "
            f"--out {run.path}"
        )
    command_line = click.core.ParameterSource.COMMANDLINE
    if ctx.get_parameter_source("on_nan") == command_line:
        kept["on_nan"] = config["on_nan"]
    if ctx.params["strategy"] or kept["on_nan"] != "stop":
        kept["checkpoint_every"] = None  # unless given: runs.train refuses it
    for name, value in config.items():
        source = ctx.get_parameter_source(name)
        given = source == command_line
        if name in ("epochs", "checkpoint_every", "on_nan") and given:
            kept[name] = value
        elif given and value != kept[name]:
            option = "set" if name == "options" else name.replace("_", "-")
            raise InvalidArgument(
                f"The run in {run.path} has --{option} {_shown(kept[name])}; it "
                f"can't be resumed with {_shown(value)}. Leave the option out, "
                "or train again with a new --out."
            )
    return kept


@writes(".png", ".npz")
@_num_option(64)
@_seed_option
@click.option(
    "--label",
    type=int,
    help="The class, for a conditional model; default: all in turn.",
)
def sample(run, model, out, num, seed, label):
    """Draws new pictures from the model of RUN."""
    labels = model.labels_in_turn(num) if label is None else label
    images = model.sample(num, labels=labels, seed=seed)
    _write(out, {"images": images})


@writes(".png", ".npz")
@_data_option
@_num_option(24)
def reconstruct(run, model, out, data, num):
    """Draws pictures of the test split above their reconstructions."""
    _, dataset = _held_out(run, model, data, num, batch_size=num)
    _, originals = model.unpack(next(iter(dataset)))
    images = {
        "original": originals.numpy(),
        "reconstruction": model.reconstruct(dataset),
    }
    _write(out, images, "Originals and their reconstructions")


@writes(".npz", ".png")
@click.option(
    "--data",
    metavar="SRC",
    help="Noisy pictures, of any range; default: the run's test split, "
    "corrupted as in training.",
)
@click.option(
    "--num",
    type=click.IntRange(1),
    help="How many, drawn from all; default: all.",
)
def denoise(run, model, out, data, num):
    """Writes pictures without their noise."""
    import numpy as np

    from kgen import plots, runs

    _, dataset = _held_out(
        run, model, data, num, any_range=True, batch_size=256
    )
    parts, done = [], 0
    for batch in dataset:
        inputs, x = model.unpack(batch)
        if data:
            rows = {"noisy": x.numpy(), "denoised": model(inputs).numpy()}
        else:
            rows = runs.denoised(model, inputs, x, done)
        parts.append(rows)
        done += len(x)
    rows = {
        name: np.concatenate([part[name] for part in parts])
        for name in parts[0]
    }
    judged = not data and plots.is_picture(model.input_shapes[0])
    title = runs.denoised_title(rows) if judged else ""
    _write(out, rows, title or "Noisy pictures, denoised")
    return title


@writes(".npz")
@_data_option
def encode(run, model, out, data):
    """Writes the codes of the test split, and its labels.

    Those of a VAE are mean and log_var, others are z.
    """
    found, dataset = _held_out(
        run, model, data, any_range=model.encodes_any_range, batch_size=256
    )
    if hasattr(model, "posterior"):
        arrays = dict(zip(("mean", "log_var"), model.posterior(dataset)))
    else:
        arrays = {"z": model.encode(dataset)}
    count, size = next(iter(arrays.values())).shape
    labels = found.read_labels()
    if labels is not None:
        arrays["labels"] = labels
    _write(out, arrays)
    return f"{count} codes of size {size}"


@writes(".npz")
@_data_option
def classify(run, model, out, data):
    """Writes the classes of the test split, with their probabilities.

    These are log P(y|x) and log p(x), in nats.
    """
    from scipy.special import log_softmax, logsumexp

    found, dataset = _held_out(run, model, data, labels=False, batch_size=256)
    joint = model.log_joint(dataset)
    arrays = {
        "log_probabilities": log_softmax(joint, axis=1),
        "log_prob": logsumexp(joint, axis=1),
        "predicted": joint.argmax(axis=1),
    }
    labels = found.read_labels()
    if labels is not None:
        arrays["labels"] = labels
    _write(out, arrays)
    return f"{len(joint)} examples"


@main.command()
@click.argument("paths", metavar="RUN...", nargs=-1, required=True)
@_data_option
@click.option(
    "--num-samples",
    type=click.IntRange(2),
    default=10_000,
    show_default=True,
    help="Samples that are compared with real examples.",
)
@_positive_option(
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
    "data, once), pixels, a .keras file, a SavedModel's folder, or the file "
    "of Inception-v3 (classify_image_graph_def.pb).",
)
@_seed_option
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    help="Directory; default: RUN, and of several runs "
    "evaluations/evaluation-N, the next free N.",
)
@click.option(
    "--overwrite", is_flag=True, help="Replace the evaluation in --out."
)
def evaluate(paths, metrics, out, overwrite, **options):
    """Judges the models of RUNs on the test split.

    Prints a table and leaves it as metrics.json, and with pictures as
    report.html, one file that can be mailed. Several runs are compared.
    """
    quiet_import()
    from kgen import evaluations, report

    settings = evaluations.Settings(
        metrics=metrics and [name.strip() for name in metrics.split(",")],
        **options,
    )
    out, found = evaluations.evaluate(
        paths,
        settings,
        out,
        overwrite,
        say=_progress if sys.stderr.isatty() else lambda text: None,
    )
    click.echo(report.table(found))
    click.echo(f"Wrote {out / 'metrics.json'} and {out / 'report.html'}")


@main.command()
@trains
@_positive_option("--latent-dim", names.TRAINING["latent_dim"])
@_positive_option(
    "--epochs", names.TRAINING["epochs"], "Of each of the two VAEs."
)
@_positive_option("--batch-size", names.TRAINING["batch_size"])
@_seed_option
@_positive_option(
    "--limit", 10_000, "Training examples at most, of all classes."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    help="Directory; default: comparisons/comparison-N, the next free N.",
)
@click.option(
    "--overwrite", is_flag=True, help="Replace the comparison in --out."
)
def compare(out, overwrite, **settings):
    """Compares generative with discriminative classifiers.

    Naive Bayes, pPCA-Bayes and VAE-Bayes against nearest neighbours, a decision
    tree, an SVM and logistic regression; on the examples, and on the codes of a
    VAE that saw no labels. Prints a table, and leaves it and a picture in a
    directory: accuracies, also by the number of labels.
    """
    quiet_import()
    from kgen import comparison, runs

    if not out:
        new = runs.new_run("comparison", "comparisons")
        out = click.get_current_context().with_resource(new).path
    found = comparison.compare(
        settings, out, overwrite, report=lambda line: click.echo(line, err=True)
    )
    click.echo(comparison.table(found))
    click.echo(f"The comparison is in {out}")


@main.command()
@click.argument("path", metavar="STUDY", type=click.Path())
@click.option(
    "--data",
    "source",
    metavar="SRC",
    help="Another source than the study's own; name it again to go on.",
)
@_positive_option(
    "--workers", 1, "Processes on this machine that share the trials."
)
@click.option("--resume", is_flag=True, help="Go on with the trials there are.")
@click.option("--overwrite", is_flag=True, help="Delete them first.")
@click.option(
    "--trials",
    type=click.IntRange(1),
    help="How many in all, in the place of the study's own number.",
)
@click.option("--member", is_flag=True, hidden=True)
def tune(path, source, workers, resume, overwrite, trials, member):
    """Searches a model's settings as STUDY, a TOML file, says.

    Leaves every trial's figure and the best settings beside it, as
    STUDY.results.json, for: kgen train MODEL --from-study STUDY. Draws them as
    STUDY.png; the same for TensorBoard is in STUDY.trials/logs. Trials that
    fail are noted with the reason. After Ctrl-C, or a kill, go on with
    --resume.
    """
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other.")
    interrupts.sigterm_ends_process()
    quiet_import()
    from kgen import studies

    if member:
        studies.workers.end_with_parent()
    shared = studies.workers.is_member()
    if shared and workers > 1:
        raise click.UsageError(
            "--workers is for one machine; Keras Tuner's variables say that this "
            "process is one of several. Unset them, or leave --workers out."
        )
    if not member:
        _passing(f"Reading {path}")
    if source and os.path.exists(source):
        source = os.path.abspath(source)  # a run from the best, too, needs it
    study = studies.read(path, source)
    try:
        if shared and studies.workers.is_worker():
            _passing("Waiting for the chief")
        if workers > 1:
            studies.prepare(study, resume, overwrite, trials)
            _passing("Waiting for the first trial")
            tell = functools.partial(_complain, status=None)
            studies.workers.run(study, workers, trials, source, tell)
            found = studies.results.read(study.path)
        else:
            tell = _teller(study, trials or study.budget["trials"])
            watch = _watch_trial(study) if sys.stderr.isatty() else None
            found = studies.tune(study, trials, resume, overwrite, tell, watch)
    except KeyboardInterrupt:
        if member:
            return 130
        if shared and studies.workers.is_worker():
            return _complain(
                "interrupted. The same command takes its trial up again.", 130
            )
        studies.draw(study)
        return _complain(f"interrupted. {_how_to_go_on(path, source)}", 130)
    except OSError as error:
        if error.errno not in files.ADVICE or not study.folder.exists():
            raise
        return _complain(f"{_one_line(error)} {_how_to_go_on(path, source)}", 2)
    except strategies.WorkerLost as error:
        studies.draw(study)
        return _complain(str(error), 1)
    if member or found is None:
        return None
    studies.draw(study)
    return _conclude(path, found)


def _how_to_go_on(path, source):
    data = f" --data {source}" if source else ""
    return (
        f"Finished trials are kept; go on with: kgen tune {path} --resume{data}"
    )


def _watch_trial(study):
    """Tells on a terminal how far a trial is."""

    def watch(trial, done, epochs, value):
        _passing(
            f"Trial {trial}: epoch {done} of {epochs}, "
            f"{study.objective.name} {value:.6g}"
        )

    return watch


def _passing(text):
    """A line that the next one replaces, on a terminal."""
    if sys.stderr.isatty():
        room = shutil.get_terminal_size().columns - 1
        click.echo(f"\r\x1b[K{text[:room]}", err=True, nl=False)


def _teller(study, total):
    """Tells of each trial that has ended, and draws them all now and then."""
    from kgen import studies

    drawn = time.monotonic()

    def tell(found, trial):
        nonlocal drawn
        _tell(total, found, trial)
        if time.monotonic() > drawn + _SECONDS:
            studies.draw(study)
            drawn = time.monotonic()

    return tell


def _tell(total, found, trial):
    """A line for a trial that has ended."""
    _passing("")
    number = trial["trial"]
    if total:
        done = sum(one["status"] != "running" for one in found["trials"])
        number = f"{number} ({done} of {total})"
    if trial["value"] is None:
        figure = f"failed: {trial.get('reason', 'no reason is known')}"
    else:
        figure = f"{found['objective']} {trial['value']:.6g}"
    if found["best"]:
        best = found["best"]
        figure += f" (best {best['value']:.6g}, trial {best['trial']})"
    chosen = " ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in trial.get("parameters", {}).items()
    )
    seconds = trial.get("seconds", 0.0)
    click.echo(f"Trial {number}, {seconds:.0f} s: {figure}; {chosen}")


def _conclude(path, found):
    """The end of `tune`: what was best, or that nothing was."""
    if found["best"] is None:
        reasons = [one.get("reason") for one in found["trials"]]
        last = f" The last reason: {reasons[-1]}" if any(reasons) else ""
        count = len(reasons)
        what = f"all {count} trials failed" if count else "no trial was run"
        return _complain(f"{what}.{last}", 1)
    _passing("")
    best, model = found["best"], found["model"]
    click.echo(
        f"Best {found['objective']} {best['value']:.6g}, trial "
        f"{best['trial']}, after {best['epochs']} epochs: "
        f"{_shown(best['settings'])}"
    )
    click.echo(f"Train with it: kgen train {model} --from-study {path}")
    return None


@main.command()
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
    type=Name("format", names.IMAGE_FORMATS),
    default="float",
    show_default=True,
    help="What is taken and given as pictures: float, in [0, 1]; uint8; or png, "
    "files, in base64 over REST.",
)
@click.option(
    "--quantize",
    type=Name("precision", names.PRECISIONS),
    help="float16 or int8: writes the model's parts for LiteRT, too, and what "
    "they lose.",
)
@_positive_option("--max-examples", 1000, "The most of one request.")
def export(run, **options):
    """Exports the model of RUN for TF Serving.

    Prints the commands that serve it and ask it. NAME/VERSION appears whole or
    not at all; models.config beside it lists all models, for one server.
    """
    run, model, _ = _open(run)
    _export(run, model, **options)


def _export(run, model, root, **options):
    from kgen import exports
    from kgen.export import card

    # LiteRT's converter writes remarks to the file descriptor.
    quiet = (
        _silenced(2) if options.get("quantize") else contextlib.nullcontext()
    )
    with warnings.catch_warnings(record=True) as caught, quiet:
        path = exports.export(run, model, root, **options)
    for one in caught:
        warnings.warn_explicit(
            one.message, one.category, one.filename, one.lineno
        )
    click.echo(f"Exported {path}")
    for file, one in card.read(path).get("lite", {}).items():
        click.echo(f"{file}, {one['bytes']} bytes: {exports.loss(one)}")
    click.echo("Serve it and ask it:")
    for command in exports.commands(path):
        click.echo(f"  {command}")


def _progress(text):
    click.echo(text, err=True)


def _open(path, out=None, method=None, endings=(), overwrite=False):
    """The run, its model, and the file to write, checked before the work."""
    import pathlib

    if out:
        out = pathlib.Path(out)
        if out.suffix not in endings:
            raise click.UsageError(
                f"--out {out}: expected a name that ends in "
                f"{' or '.join(endings)}."
            )
        if out.exists() and not overwrite:
            raise click.UsageError(
                f"{out} exists already. Pass --overwrite, or another --out."
            )
    quiet_import()
    from kgen import plots, runs

    run = runs.Run(path)
    model = run.model()
    if method and not hasattr(model, method):
        raise click.UsageError(
            f"The run in {path} is of the model {run.config['model']}, which "
            f"can't {method}."
        )
    run.sweep_if_free()
    shape = model.input_shapes[0]
    drawable = plots.is_picture(shape) or (
        method == "sample" and plots.is_drawable(shape)
    )
    if method and not out:
        ending = endings[0] if drawable else ".npz"
        out = run.free_file(method, ending)
    if out and out.suffix == ".png" and not drawable:
        raise click.UsageError(
            f"Examples of shape {tuple(shape)} can't be drawn. Pass --out with a "
            "name that ends in .npz."
        )
    return run, model, out


def _held_out(
    run, model, data, num=None, any_range=False, labels=None, **options
):
    """The examples that RUN is judged by, `num` of them drawn, as batches, too."""
    from kgen import runs
    from kgen.data.examples import some
    from kgen.models import checks

    source = run.source(data, any_range)
    found = source.examples(runs.held_out_split(source, bool(data)))
    labels = model.conditional if labels is None else labels
    if num and num < len(found):
        found = some(found, num)
    dataset = found.batches(labels=labels, **options)
    checks.check_data(
        model,
        dataset,
        argument="--data",
        owner="kgen",
        any_range=any_range,
        labels=labels,
    )
    return found, dataset


def _write(out, arrays, title=None):
    """Writes arrays, or draws them: rows of pictures, or one grid or cloud."""
    import numpy as np

    from kgen import files, plots

    if out.suffix == ".npz":
        with files.new_file(out) as temporary:
            np.savez(temporary, **arrays)
    elif title:
        plots.pairs(arrays, out, title)
    else:
        plots.samples(*arrays.values(), out)
