"""`kgen evaluate`: what runs are worth, as a table, as JSON, and as a report."""

import contextlib
import dataclasses
import datetime
import math
import os
import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgen import evaluation, extractors, files, locks, plots
from kgen.errors import InvalidArgument
from kgen.params import SEED, Constraint, Integer, Optional, checked
from kgen.runs.archives import fingerprint
from kgen.runs.candidates import check_classes, open_candidates
from kgen.runs.data import checked_batches
from kgen.runs.directory import Run, new_run
from kgen.runs.drawings import draw
from kgen.runs.held_out import columns_of
from kgen.runs.introduction import parameters_of
from kgen.runs.report import pictures, words, write

_RESULT, _REPORT = "metrics.json", "report.html"
# Only distances by Inception's features may have these names.
_BY_INCEPTION = {
    "frechet_distance": {"title": "FID"},
    "kernel_distance": {"title": "KID"},
}
_LIKELIHOODS = ("log_likelihood", "elbo", "log_prob")
_NEAREST = 12


class _MetricNames(Constraint):
    """Names of metrics that there are."""

    def check(self, argument: str, owner: str, value: Any) -> tuple[str, ...]:
        if not value:
            raise InvalidArgument(
                "--metrics: expected names, such as elbo,psnr."
            )
        return evaluation.check_metrics("kgen evaluate", value)


@checked(
    metrics=Optional(_MetricNames()),
    num_samples=Integer(2),
    importance_samples=Integer(),
    seed=SEED,
)
@dataclasses.dataclass(frozen=True)
class EvaluateSettings:
    """How runs are judged, all alike.

    Args:
        data: A source to judge by, or None for the run's own.
        metrics: Names of metrics, or None for all that the models allow.
        extractor: What `kgen.extractors.get` takes.
        num_samples: As in `kgen.evaluation.Evidence`.
        importance_samples: As in `kgen.evaluation.Evidence`.
        seed: Integer for all draws.
        is_best: Whether the best models of the trainings are judged, not the last.
        target: As in `kgen.evaluation.Evidence`.
    """

    data: str | None = None
    metrics: tuple[str, ...] | None = None
    extractor: str = "classifier"
    num_samples: int = 10_000
    importance_samples: int = 100
    seed: int = 0
    is_best: bool = False
    target: str | None = None


def evaluate(
    paths: Sequence[str | os.PathLike],
    settings: EvaluateSettings,
    out: str | os.PathLike | None = None,
    overwrite: bool = False,
    report: Callable[[str], None] = lambda text: None,
) -> tuple[pathlib.Path, list[dict]]:
    """Judges runs, and writes metrics.json and report.html.

    Args:
        paths: Directories of one or more runs.
        settings: How to judge them.
        out: Where to write; None for the run's own directory, or for the next
            free `evaluations/evaluation-N` where there are several.
        overwrite: Whether files there may be replaced.
        report: What is called with a line of progress.

    Returns:
        The directory, and a list of dictionaries, one a run, as `metrics.json`
        holds them.

    Raises:
        FileExistsError: If there is an evaluation already.
        FileNotFoundError: If a run is not there, or not finished.
        InvalidArgument: If a value can't be used.
    """
    with contextlib.ExitStack() as stack:
        out = _directory(stack, paths, out, overwrite)
        stack.enter_context(locks.directory(out))
        files.sweep(out, {_RESULT, _REPORT}.__contains__)
        if Run(out).config_file.is_file():
            Run(out).sweep()
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        evaluations = _evaluations(paths, settings, scratch, report)
        report("Writing the report")
        write(out / _REPORT, evaluations)
        for entry in evaluations:
            del entry["pictures"]  # their files are temporary
        files.write_json(out / _RESULT, _plain(evaluations), allow_nan=False)
    return out, evaluations


def _directory(stack, paths, out, overwrite):
    if out is None and len(paths) > 1:
        new = new_run("evaluation", "evaluations")
        return stack.enter_context(new).path
    out = pathlib.Path(out or paths[0])
    for name in (_RESULT, _REPORT):
        if (out / name).exists() and not overwrite:
            raise FileExistsError(
                f"{out / name} exists already. Pass --overwrite, or another "
                "--out."
            )
    return out


def _evaluations(paths, settings, scratch, report):
    """A dictionary for each run, whose pictures are in `scratch`.

    Whatever can be refused is refused before any work is done.
    """
    opened = [Run(path, settings.is_best) for path in paths]
    data = {
        (trained.data, trained.image_shape, trained.background)
        for trained in (run.settings for run in opened)
    }
    if settings.data is None and len(data) > 1:
        raise InvalidArgument(
            "These runs were trained on different data, by which they can't be "
            "compared. Pass --data."
        )
    models = [run.model() for run in opened]
    for run in opened:
        run.sweep_if_free()
    _check_metrics(settings.metrics, models)
    report("Reading")
    candidates = open_candidates(opened, models, settings.data)
    check_classes(candidates)
    for candidate in candidates:
        checked_batches(candidate.model, candidate.test)
    evidence = _evidence(candidates, settings)
    if any(evaluation.needs_extractor(settings.metrics, m) for m in models):
        report(
            "Preparing the features (a classifier is trained once a data set)"
        )
        extractor = _extractor(settings.extractor, candidates)
        evidence = _evidence(candidates, settings, extractor)
    evaluations = []
    for number, candidate in enumerate(candidates):
        folder = pathlib.Path(scratch, str(number))
        folder.mkdir()
        report(f"Judging {candidate.run.path}")
        try:
            # Its samples are dropped with it.
            entry = _evaluation(
                candidate, evidence.pop(0), settings, folder, report
            )
        except evaluation.NotFinite as error:
            raise InvalidArgument(f"{candidate.run.path}: {error}") from error
        evaluations.append(entry)
    _unmark_likelihoods(evaluations, models)
    return evaluations


def _check_metrics(names, models):
    """Raises for a metric that none of the models has."""
    for name in names or ():
        if not any(evaluation.suits(name, model) for model in models):
            kinds = sorted({type(model).__name__ for model in models})
            raise InvalidArgument(
                f"{', '.join(kinds)}: no {name} can be computed. Leave it out."
            )


def _evidence(candidates, settings, extractor=None):
    """An `Evidence` for each run; what is known of the same data is shared.

    Raises for a metric that was asked for and can't be computed. Without an
    extractor, only metrics that need none are looked at.
    """
    evidence, by_data = [], {}
    for candidate in candidates:
        train = candidate.informative_train
        has_labels = train is not None and train.labels is not None
        sources = id(candidate.trained_on), id(candidate.source)
        key = (*sources, candidate.split, has_labels)
        if key not in by_data:
            by_data[key] = evaluation.Evidence(
                candidate.model,
                candidate.test,
                train,
                extractor,
                settings.num_samples,
                settings.importance_samples,
                settings.seed,
                target=settings.target,
            )
        binarize = candidate.run.settings.binarize
        of_run = by_data[key].for_model(candidate.model, binarize)
        names = [
            name
            for name in _suitable(settings, candidate.model) or ()
            if extractor
            or not evaluation.needs_extractor([name], candidate.model)
        ]
        evaluation.check_possible(of_run, names)
        evidence.append(of_run)
    return evidence


def _suitable(settings, model):
    """The metrics that were asked for and that the model may have, or None."""
    return settings.metrics and [
        name for name in settings.metrics if evaluation.suits(name, model)
    ]


def _extractor(identifier, candidates):
    """The extractor; without classes there is no classifier, but pixels.

    The classifier is of the classes that a model takes, where one does.
    """
    order = sorted(candidates, key=lambda c: not c.takes_labels)
    source = next((c.trained_on for c in order if c.trained_on), None)
    if identifier == "classifier" and source is None:
        raise InvalidArgument(
            "The features are those of a classifier that is trained on a run's "
            "own data, which can't be opened. Pass --extractor, such as pixels."
        )
    if identifier == "classifier" and len(source.classes) < 2:
        identifier = "pixels"
    return extractors.get(identifier, source or candidates[0].source)


def _evaluation(candidate, evidence, settings, folder, report):
    """The dictionary of one run, whose pictures are drawn into `folder`."""
    start = time.monotonic()
    run, model, source = candidate.run, candidate.model, candidate.source
    figures, left_out = evaluation.compute(
        evidence,
        _suitable(settings, model),
        lambda text: report(f"Computing {text}"),
    )
    report("Drawing")
    draw(folder, model, source, run.history(), candidate.train, candidate.split)
    nearest = []
    if hasattr(model, "sample") and evidence.train is not None:
        nearest = _draw_nearest(candidate, evidence, folder / "nearest.png")
    extractor = evidence.extractor if evidence.has_drawn else None
    titles = _BY_INCEPTION if extractor and extractor.is_inception else {}
    return {
        **_about(candidate),
        "extractor": extractor
        and {
            "name": extractor.name,
            "features": extractor.num_features,
            "inception": extractor.is_inception,
        },
        "num_samples": evidence.num_samples if evidence.has_drawn else None,
        "num_compared": evidence.num_compared if extractor else None,
        "importance_samples": settings.importance_samples,
        "seed": settings.seed,
        "target": evidence.target,
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.monotonic() - start, 1),
        "metrics": {
            name: {
                **dataclasses.asdict(evaluation.METRICS[name]),
                **titles.get(name, {}),
                **dataclasses.asdict(figure),
            }
            for name, figure in figures.items()
        },
        "skipped": {
            evaluation.METRICS[name].title: reason
            for name, reason in left_out.items()
        },
        "nearest": nearest,
        "pictures": pictures(folder, nearest=words.nearest(nearest)),
    }


def _about(candidate):
    """What `metrics.json` tells of a run, its model and what judges it."""
    run, model = candidate.run, candidate.model
    config = run.config  # read once: it is a file
    versions = config.pop("versions", {})
    return {
        "run": str(run.model_file if run.is_best else run.path),
        "model": config["model"],
        "settings": config,
        "versions": versions,
        # By this, the metrics are known to be those of these weights.
        "weights": fingerprint(model),
        "parameters": parameters_of(model),
        "data": {
            "source": candidate.source.name,
            "split": candidate.split,
            "examples": len(candidate.test),
        },
    }


def _unmark_likelihoods(evaluations, models):
    """Removes `better` from likelihoods that can't be compared.

    These are probabilities of bits beside densities, or likelihoods of binarized
    pixels beside those of grey ones.
    """
    for name in _LIKELIHOODS:
        likelihood_metrics, kinds = [], set()
        for entry, model in zip(evaluations, models):
            if name in entry["metrics"]:
                likelihood_metrics.append(entry["metrics"][name])
                density = (
                    model.density if model.needs_labels else model.likelihood
                )
                kinds.add((density.bits, entry["settings"]["binarize"]))
        if len(kinds) > 1:
            for metric in likelihood_metrics:
                metric["better"] = None


def _draw_nearest(candidate, evidence, path):
    """Draws the samples that are nearest to training examples, above these.

    Returns:
        A dictionary for each of these examples, from the left: its place among the
        training examples, its `distance` from the sample, and its `class` and its
        `file` where they are known.
    """
    if not plots.has_panel(evidence.model.input_shapes[0]):
        return []
    samples = evidence.first_samples
    index, distances = evidence.nearest
    chosen = np.argsort(distances[: len(samples)])[:_NEAREST]
    wanted, place = np.unique(index[chosen], return_inverse=True)
    # A stream is read once.
    train = evidence.train
    examples = getattr(train, "read", train.select)(wanted)
    nearest = examples.batches(batch_size=_NEAREST)
    nearest = np.concatenate(list(nearest.as_numpy_iterator()))
    rows = {"sample": samples[chosen], "training example": nearest[place]}
    plots.pairs(rows, path, "Samples and the nearest training examples")
    columns = columns_of(examples, candidate.trained_on.class_names)
    names = {"label": "class", "file": "file"}
    return [
        {
            "example": int(wanted[at]),
            "distance": float(distances[number]),
            **{names[k]: str(values[at]) for k, values in columns.items()},
        }
        for number, at in zip(chosen, place)
    ]


def _plain(value):
    """A value as JSON can hold it: null for numbers that are not finite, and
    without the values of each example."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k != "each"}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
