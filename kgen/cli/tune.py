"""`kgen tune`: a search for a model's best settings."""

import functools
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from kgen import files, interrupts, names
from kgen.cli import options
from kgen.cli.messages import complain, passing, starting, text_of
from kgen.cli.startup import start_tensorflow
from kgen.errors import WorkerLost, command

if TYPE_CHECKING:
    from kgen.studies import Study

# Seconds between two pictures of a search, some of which take seconds to draw.
_SECONDS = 30


@click.command()
@click.argument("path", metavar="STUDY", type=click.Path())
@click.option(
    "--data",
    "source",
    metavar="SRC",
    help="Another source than the study's own; name it again to go on.",
)
@options.positive(
    "--workers", 1, "Processes on this machine that share the trials."
)
@click.option("--resume", is_flag=True, help="Go on with the trials there are.")
@options.overwrite("Delete them first.")
@click.option(
    "--trials",
    type=click.IntRange(1),
    help="How many in all, in the place of the study's own number.",
)
@click.option("--member", is_flag=True, hidden=True)
def tune(
    path: str,
    source: str | None,
    workers: int,
    resume: bool,
    overwrite: bool,
    trials: int | None,
    member: bool,
) -> int | None:
    """Searches for a model's best settings by STUDY, a TOML file.

    Leaves every trial's figure and the best settings beside it, as
    STUDY.results.json, for: kgen train MODEL --from-study STUDY. Draws them as
    STUDY.png; the same for TensorBoard is in STUDY.trials/logs. Trials that
    fail are noted with the reason. After Ctrl-C, or a kill, go on with
    --resume.
    """
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other.")
    interrupts.sigterm_ends_process()
    if not member:
        starting(f"Searching settings as {path} says")
    start_tensorflow()
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
        passing(f"Reading {path}")
    if source and os.path.exists(source):
        source = os.path.abspath(source)  # a run from the best, too, needs it
    study = studies.read(path, source)
    is_worker = shared and studies.workers.is_worker()
    try:
        if is_worker:
            passing("Waiting for the chief")
        results = _search(study, workers, resume, overwrite, trials, source)
    except KeyboardInterrupt:
        if member:
            return 130
        if is_worker:
            return complain(
                "interrupted. The same command takes its trial up again.", 130
            )
        studies.draw(study)
        return complain(f"interrupted. {_how_to_go_on(path, source)}", 130)
    except OSError as error:
        if error.errno not in files.ADVICE or not study.folder.exists():
            raise
        return complain(f"{text_of(error)} {_how_to_go_on(path, source)}", 2)
    except WorkerLost as error:
        studies.draw(study)
        return complain(str(error), 1)
    if member or results is None:
        return None
    studies.draw(study)
    return _conclude(path, results)


def _search(
    study: "Study",
    workers: int,
    resume: bool,
    overwrite: bool,
    trials: int | None,
    source: str | None,
) -> dict[str, Any] | None:
    """Runs the trials here or by workers; returns the results."""
    from kgen import studies

    if workers > 1:
        studies.prepare(study, resume, overwrite, trials)
        passing("Waiting for the first trial")
        report = functools.partial(complain, status=None)
        studies.workers.run(study, workers, trials, source, report)
        return studies.results.read(study.path)
    on_trial = _on_trial_end(study, trials or study.settings.trials)
    on_epoch = _on_epoch_end(study) if sys.stderr.isatty() else None
    return studies.tune(study, trials, resume, overwrite, on_trial, on_epoch)


def _how_to_go_on(path: str, source: str | None) -> str:
    data = ["--data", source] if source else []
    line = command("tune", path, "--resume", *data)
    return f"Finished trials are kept; go on with: {line}"


def _on_epoch_end(study: "Study") -> Callable[[int, int, int, float], None]:
    """Tells on a terminal how far a trial is."""

    def on_epoch_end(trial: int, done: int, epochs: int, value: float) -> None:
        passing(
            f"Trial {trial}: epoch {done} of {epochs}, "
            f"{study.objective.name} {value:.6g}"
        )

    return on_epoch_end


def _on_trial_end(study: "Study", total: int | None) -> Callable[..., None]:
    """Tells of each trial that has ended, and draws them all now and then."""
    from kgen import studies

    drawn = time.monotonic()

    def on_trial_end(results: dict[str, Any], trial: dict[str, Any]) -> None:
        nonlocal drawn
        passing("")
        click.echo(_line(total, results, trial))
        if time.monotonic() > drawn + _SECONDS:
            studies.draw(study)
            drawn = time.monotonic()

    return on_trial_end


def _line(
    total: int | None, results: dict[str, Any], trial: dict[str, Any]
) -> str:
    """A line for a trial that has ended."""
    number = trial["trial"]
    if total:
        done = sum(t["status"] != "running" for t in results["trials"])
        number = f"{number} ({done} of {total})"
    if trial["value"] is None:
        figure = f"failed: {trial.get('reason', 'no reason is known')}"
    else:
        figure = f"{results['objective']} {trial['value']:.6g}"
    if results["best"]:
        best = results["best"]
        figure += f" (best {best['value']:.6g}, trial {best['trial']})"
    chosen = " ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in trial.get("parameters", {}).items()
    )
    seconds = trial.get("seconds", 0.0)
    return f"Trial {number}, {seconds:.0f} s: {figure}; {chosen}"


def _conclude(path: str, results: dict[str, Any]) -> int | None:
    """Says what was best, or that nothing was; returns the exit status."""
    best = results["best"]
    if best is None:
        reasons = [trial.get("reason") for trial in results["trials"]]
        last = f" The last reason: {reasons[-1]}" if any(reasons) else ""
        count = len(reasons)
        what = f"all {count} trials failed" if count else "no trial was run"
        return complain(f"{what}.{last}", 1)
    passing("")
    click.echo(
        f"Best {results['objective']} {best['value']:.6g}, trial "
        f"{best['trial']}, after {best['epochs']} epochs: "
        f"{names.as_typed(best['settings'])}"
    )
    line = command("train", results["model"], "--from-study", path)
    click.echo(f"Train with it: {line}")
    return None
