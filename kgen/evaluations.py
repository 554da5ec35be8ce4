"""`kgen evaluate`: what runs are worth, as a table, as JSON, and as a report."""

import contextlib
import dataclasses
import datetime
import functools
import itertools
import math
import pathlib
import tempfile
import time
from typing import Any

import numpy as np

from kgen import evaluation, extractors, files, locks, plots, report, runs
from kgen.data import Source, open_source
from kgen.errors import InvalidArgument
from kgen.models import checks

_RESULT, _REPORT = "metrics.json", "report.html"
_NETWORKS = ("encoder", "decoder", "generator", "discriminator")
_BY_INCEPTION = {"frechet_distance": "FID", "kernel_distance": "KID"}
_LIKELIHOODS = ("log_likelihood", "elbo", "log_prob")
_NEAREST = 12
_LISTED = 10  # names of classes in a message
# The pictures that the report may show, in its order: two narrow ones stand side
# by side. runs.draw makes them.
_PICTURES = {
    "losses": ("Training", "The logs by epoch.", True),
    "samples": ("Samples", "New ones, from draws of the prior.", False),
    "latent": (
        "Latent map",
        "Codes of test examples, by class where classes are known.",
        False,
    ),
    "nearest": (
        "Nearest training examples",
        "The samples that are nearest to a training example, above it: equal "
        "pictures would mean that the model repeats what it has seen.",
        True,
    ),
    "reconstructions": (
        "Reconstructions",
        "Test examples above what comes back from their codes.",
        True,
    ),
    "denoised": (
        "Denoised",
        "Test examples, corrupted as in training, and without the noise.",
        True,
    ),
    "interpolations": (
        "Interpolations",
        "What lies between two codes: those of test examples or, of a model "
        "without an encoder, draws of the prior.",
        True,
    ),
    "attributes": (
        "Attributes",
        "Codes moved by the mean difference of two classes.",
        True,
    ),
    "errors": (
        "Size of the code",
        "The error of reconstructions beside PCA's.",
        False,
    ),
    "confusion": ("Confusion", "Which classes are taken for which.", False),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """How runs are judged, all alike.

    Args:
        data: A source to judge by, or None for the run's own.
        metrics: Names of metrics, or None for all that the models allow.
        extractor: What `kgen.extractors.get` takes.
        num_samples: As in `kgen.evaluation.Evidence`.
        importance_samples: As in `kgen.evaluation.Evidence`.
        seed: Integer for all draws.
    """

    data: str | None = None
    metrics: list | None = None
    extractor: str = "classifier"
    num_samples: int = 10_000
    importance_samples: int = 100
    seed: int = 0


def evaluate(paths, settings, out=None, overwrite=False, say=lambda text: None):
    """Judges runs, and writes metrics.json and report.html.

    Args:
        paths: Directories of one or more runs.
        settings: `Settings`.
        out: Where to write; None for the run's own directory, or for the next
            free `evaluations/evaluation-N` where there are several.
        overwrite: Whether files there may be replaced.
        say: What is called with a line of progress.

    Returns:
        The directory, and a list of dictionaries, one a run, as `metrics.json`
        holds them.

    Raises:
        FileExistsError: If there is an evaluation already.
        FileNotFoundError: If a run is not there, or not finished.
        InvalidArgument: If a value can't be used.
    """
    if settings.metrics == "":
        raise InvalidArgument("--metrics: expected names, such as elbo,psnr.")
    evaluation.check_metrics("kgen evaluate", settings.metrics)
    with contextlib.ExitStack() as stack:
        out = _directory(stack, paths, out, overwrite)
        stack.enter_context(locks.directory(out))
        files.sweep(out, {_RESULT, _REPORT}.__contains__)
        if runs.Run(out).config_file.is_file():
            runs.Run(out).sweep()
        return out, _evaluate(paths, settings, out, say)


def _evaluate(paths, settings, out, say):
    """`evaluate`, into a directory that nobody else writes to."""
    opened = [runs.Run(path) for path in paths]
    of_data = {_data_of(run) for run in opened}
    if settings.data is None and len(of_data) > 1:
        raise InvalidArgument(
            "These runs were trained on different data, by which they can't be "
            "compared. Pass --data."
        )
    models = [run.model() for run in opened]
    for run in opened:
        run.sweep_if_free()
    _check_some(settings.metrics, models)
    say("Reading")
    judged = _judged(opened, models, settings.data)
    _check_classes(judged)
    _check_examples(judged)
    _check_possible(judged, None, settings)
    extractor = None
    if any(evaluation.needs_extractor(settings.metrics, m) for m in models):
        say("Preparing the features (a classifier is trained once a data set)")
        extractor = _extractor(settings.extractor, judged)
        _check_possible(judged, extractor, settings)
    with tempfile.TemporaryDirectory() as scratch:
        found, evidences = [], _evidences(judged, extractor, settings)
        for number, one in enumerate(judged):
            pictures = pathlib.Path(scratch, str(number))
            pictures.mkdir()
            evidence = evidences.pop(0)  # its samples are dropped with it
            try:
                found.append(_evaluated(one, evidence, settings, pictures, say))
            except evaluation.NotFinite as error:
                raise InvalidArgument(f"{one.run.path}: {error}") from error
        _unmark_likelihoods(found, models)
        say("Writing the report")
        report.write(out / _REPORT, found)
    for one in found:
        del one["pictures"]
    files.write_json(out / _RESULT, _plain(found), allow_nan=False)
    return found


def _directory(stack, paths, out, overwrite):
    if out is None and len(paths) == 1:
        out = paths[0]
    if out is None:
        new = runs.new_run("evaluation", "evaluations")
        return stack.enter_context(new).path
    out = pathlib.Path(out)
    for name in (_RESULT, _REPORT):
        if (out / name).exists() and not overwrite:
            raise FileExistsError(
                f"{out / name} exists already. Pass --overwrite, or another "
                "--out."
            )
    return out


def _data_of(run):
    config = run.config
    shape = config["image_shape"]
    shape = None if shape is None else tuple(shape)
    return config["data"], shape, config["background"]


def _check_some(names, models):
    """Raises for a metric that none of the models has."""
    for name in names or ():
        if not any(evaluation.suits(name, model) for model in models):
            kinds = ", ".join(
                sorted({type(model).__name__ for model in models})
            )
            raise InvalidArgument(
                f"{kinds}: no {name} can be computed. Leave it out."
            )


@dataclasses.dataclass(frozen=True)
class _Judged:
    """A run, and the examples that it is judged by.

    Args:
        run: The `Run`.
        model: Its model.
        own: The source that it was trained on; None where another one judges it
            and its own can't be opened any more.
        source: The source that judges it.
        split: Whose examples do.
        train: The examples that it was trained on, or None.
    """

    run: runs.Run
    model: Any
    own: Source | None
    source: Source
    split: str
    train: Any

    @functools.cached_property
    def test(self):
        """The examples that judge it."""
        return self.source.examples(self.split)

    @property
    def takes_labels(self):
        """Whether labels of the data go into the model, or judge it."""
        return self.model.conditional or self.model.needs_labels

    @functools.cached_property
    def has_its_classes(self):
        """Whether the labels that judge it mean what they meant in training, as
        far as they tell: some examples may lack a class."""
        own, other = self.own, self.source
        if own is other:
            return True
        if own.class_names and other.class_names:
            return tuple(own.class_names) == tuple(other.class_names)
        if other.class_names:
            return set(own.classes) == set(other.classes)
        return set(own.classes) >= set(other.classes)


def _judged(opened, models, data):
    """Opens what runs were trained on, and what judges them: `data`, if any."""
    once = functools.cache(open_source)  # for runs of the same data

    def source(run, data):
        shape = run.config["image_shape"]
        return once(
            data,
            shape and tuple(shape),
            run.config["data_dir"],
            background=run.config["background"],
        )

    found = []
    for run, model in zip(opened, models):
        is_own = data is None or runs.data_name(data) == run.config["data"]
        try:
            own = source(run, run.config["data"])
            train = own.examples("train")
        except (InvalidArgument, OSError):
            if is_own or model.conditional or model.needs_labels:
                raise
            own = train = None
        judge = own if is_own else source(run, data)
        split = runs.held_out_split(judge, not is_own)
        found.append(_Judged(run, model, own, judge, split, train))
    return found


def _check_classes(judged):
    """Raises if labels would be other classes to a model than they are."""
    for one in judged:
        if one.takes_labels and not one.has_its_classes:
            raise InvalidArgument(
                f"--data: the classes of {one.source.name} "
                f"({_listed(one.source)}) are not those, in their order, that "
                f"{one.run.path} was trained on ({_listed(one.own)}). Pass data "
                "of the same classes."
            )


def _check_examples(judged):
    """Raises if they are not what a model takes."""
    for one in judged:
        conditional = one.model.conditional
        checks.check_data(
            one.model,
            one.test.batches(labels=conditional, batch_size=256),
            argument="--data",
            owner="kgen",
            labels=conditional,
        )


def _listed(source):
    names = [str(name) for name in source.class_names or source.classes]
    more = ", ..." if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _unmark_likelihoods(found, models):
    """Takes from what is likely in several senses that one is better."""
    for name in _LIKELIHOODS:
        having = [name in one["metrics"] for one in found]
        senses = {
            (
                (
                    model.density if model.needs_labels else model.likelihood
                ).bits,
                one["settings"]["binarize"],
            )
            for one, model in itertools.compress(zip(found, models), having)
        }
        if len(senses) > 1:
            for one in itertools.compress(found, having):
                one["metrics"][name]["better"] = None


def _check_possible(judged, extractor, settings):
    """Raises for a metric that was asked for and can't be had, before work.

    Without the extractor, for those alone that need none.
    """
    for one, evidence in zip(judged, _evidences(judged, extractor, settings)):
        names = [
            name
            for name in _suitable(settings, one.model) or ()
            if extractor or not evaluation.needs_extractor([name], one.model)
        ]
        evaluation.check_possible(evidence, names)


def _suitable(settings, model):
    """The metrics that were asked for and that the model may have, or None."""
    return settings.metrics and [
        name for name in settings.metrics if evaluation.suits(name, model)
    ]


def _evaluated(judged, evidence, settings, pictures, say):
    """One run's dictionary, with the pictures drawn into `pictures`."""
    start = time.monotonic()
    run, model = judged.run, judged.model
    source, split = judged.source, judged.split
    say(f"Judging {run.path}")
    figures, left_out = evaluation.compute(
        evidence,
        _suitable(settings, model),
        lambda text: say(f"Computing {text}"),
    )
    say("Drawing")
    runs.draw(pictures, model, source, run.history(), judged.train, split)
    if hasattr(model, "sample") and evidence.train is not None:
        _draw_nearest(evidence, pictures / "nearest.png")
    extractor = evidence.extractor if evidence.has_drawn else None
    return {
        **_about(run, model),
        "data": {
            "source": source.name,
            "split": split,
            "examples": len(evidence.test),
        },
        "extractor": extractor and _described(extractor),
        "num_samples": evidence.num_samples if evidence.has_drawn else None,
        "num_compared": evidence.num_compared if extractor else None,
        "importance_samples": settings.importance_samples,
        "seed": settings.seed,
        "date": datetime.date.today().isoformat(),
        "seconds": round(time.monotonic() - start, 1),
        "metrics": {
            name: {
                **dataclasses.asdict(_named(name, extractor)),
                **dataclasses.asdict(figure),
            }
            for name, figure in figures.items()
        },
        "skipped": {
            evaluation.METRICS[name].title: reason
            for name, reason in left_out.items()
        },
        "pictures": [
            {"title": title, "caption": caption, "file": file, "wide": wide}
            for stem, (title, caption, wide) in _PICTURES.items()
            if (file := pictures / f"{stem}.png").exists()
        ],
    }


def _evidences(judged, extractor, settings):
    """One a run; those by the same data share what is known of it."""
    found, of_data = [], {}
    for one in judged:
        train = _train(one)
        has_labels = train is not None and train.labels is not None
        key = (id(one.own), id(one.source), one.split, has_labels)
        binarize = one.run.config["binarize"]
        if key not in of_data:
            of_data[key] = evaluation.Evidence(
                one.model,
                one.test,
                train,
                extractor,
                settings.num_samples,
                settings.importance_samples,
                settings.seed,
            )
        found.append(of_data[key].for_model(one.model, binarize))
    return found


def _train(one):
    """What a model was trained on, so far as it tells something of it."""
    if one.source is one.own and one.split == "train":
        return None  # it is judged by just these
    if one.train is not None and not one.has_its_classes:
        return one.train.without_labels()  # they are nothing to learn from
    return one.train


def _extractor(identifier, judged):
    """The one asked for; without classes there is no classifier, but pixels.

    The classifier is of the classes that a model takes, where one does.
    """
    order = sorted(judged, key=lambda one: not one.takes_labels)
    own = next((one.own for one in order if one.own), None)
    if identifier == "classifier" and own is None:
        raise InvalidArgument(
            "The features are those of a classifier that is trained on a run's "
            "own data, which can't be opened. Pass --extractor, such as pixels."
        )
    if identifier == "classifier" and (own.num_classes or 1) < 2:
        identifier = "pixels"
    return extractors.get(identifier, own or judged[0].source)


def _about(run, model):
    """What a run is: its model and how that was trained."""
    config = run.config
    return {
        "run": str(run.path),
        "model": config["model"],
        "settings": {k: v for k, v in config.items() if k != "versions"},
        "versions": config.get("versions", {}),
        "weights": runs.fingerprint(model),  # the figures are theirs alone
        "parameters": {
            name: getattr(model, name).count_params()
            for name in _NETWORKS
            if hasattr(model, name)
        },
    }


def _described(extractor):
    return {
        "name": extractor.name,
        "features": extractor.num_features,
        "inception": extractor.is_inception,
    }


def _named(name, extractor):
    """The metric; by Inception's features distances have names of their own."""
    metric = evaluation.METRICS[name]
    if extractor and extractor.is_inception and name in _BY_INCEPTION:
        return dataclasses.replace(metric, title=_BY_INCEPTION[name])
    return metric


def _draw_nearest(evidence, path):
    """Draws the samples that are nearest to training examples, above these."""
    if not plots.is_picture(evidence.model.input_shapes[0]):
        return
    samples = evidence.first_samples
    index, distances = evidence.nearest
    chosen = np.argsort(distances[: len(samples)])[:_NEAREST]
    wanted, place = np.unique(index[chosen], return_inverse=True)
    nearest = evidence.train.select(wanted).batches(batch_size=_NEAREST)
    nearest = np.concatenate(list(nearest.as_numpy_iterator()))
    rows = {"sample": samples[chosen], "training example": nearest[place]}
    plots.pairs(rows, path, "Samples and the nearest training examples")


def _plain(value):
    """As JSON can hold it: what is not finite becomes null; nothing of each
    example."""
    if isinstance(value, dict):
        return {k: _plain(one) for k, one in value.items() if k != "each"}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
