"""`kgen evaluate`: what runs are worth, as a table, as JSON, and as a report."""

import dataclasses
import datetime
import math
import pathlib
import tempfile
import time

import numpy as np

from kgen import evaluation, extractors, files, plots, report, runs
from kgen.errors import InvalidArgument
from kgen.models import checks

_RESULT, _REPORT = "metrics.json", "report.html"
_NETWORKS = ("encoder", "decoder", "generator", "discriminator")
_BY_INCEPTION = {"frechet_distance": "FID", "kernel_distance": "KID"}
_BY_LIKELIHOOD = {"log_likelihood", "elbo", "kl", "reconstruction"}
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
    out = _directory(paths, out, overwrite)
    opened = [runs.Run(path) for path in paths]
    of_data = {_data_of(run) for run in opened}
    if settings.data is None and len(of_data) > 1:
        raise InvalidArgument(
            "These runs were trained on different data, by which they can't be "
            "compared. Pass --data."
        )
    models = [run.model() for run in opened]
    _check_some(settings.metrics, models)
    if settings.data:
        _check_classes(opened, models, settings.data)
    extractor = None
    if any(hasattr(model, "sample") for model in models):
        say("Preparing the features (a classifier is trained once a data set)")
        extractor = _extractor(settings.extractor, opened[0].source())
    with tempfile.TemporaryDirectory() as scratch:
        found = []
        for number, (run, model) in enumerate(zip(opened, models)):
            pictures = pathlib.Path(scratch, str(number))
            pictures.mkdir()
            found.append(
                _evaluated(run, model, extractor, settings, pictures, say)
            )
        _unmark_bounds(found, models)
        say("Writing the report")
        out.mkdir(parents=True, exist_ok=True)
        report.write(out / _REPORT, found)
    for one in found:
        del one["pictures"]
    files.write_json(out / _RESULT, _plain(found), allow_nan=False)
    return out, found


def _directory(paths, out, overwrite):
    if out is None and len(paths) == 1:
        out = paths[0]
    if out is None:
        return runs.new_run("evaluation", "evaluations").path
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
    return config["data"], None if shape is None else tuple(shape)


def _check_some(names, models):
    """Raises for a metric that none of the models has."""
    for name in names or ():
        if not any(evaluation.suits(name, model) for model in models):
            kinds = ", ".join(
                sorted({type(model).__name__ for model in models})
            )
            raise InvalidArgument(
                f"The metric {name!r} is none of {kinds}. Leave it out."
            )


def _check_classes(opened, models, data):
    """Raises if labels would be other classes to a model than they are."""
    source = opened[0].source(data)
    takers = [
        run
        for run, model in zip(opened, models)
        if model.conditional or model.needs_labels
    ]
    # The classes of the features, too: they come from the first run's data.
    for run in opened[:1] + takers if takers else ():
        own = run.source()
        if not _same_classes(own, source):
            raise InvalidArgument(
                f"--data: the classes of {source.name} "
                f"({_listed(source.class_names)}) are not those, in their "
                f"order, that {run.path} was trained on "
                f"({_listed(own.class_names)}). Pass data of the same classes."
            )


def _same_classes(one, other):
    """Whether labels of two sources mean the same, as far as they tell."""
    names = [tuple(source.class_names) for source in (one, other)]
    return names[0] == names[1] or not all(names)


def _listed(names):
    more = ", ..." if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _unmark_bounds(found, models):
    """Takes from bounds under several likelihoods that one is better."""
    likelihoods = {
        (type(model.likelihood), repr(model.likelihood.get_config()))
        for model in models
        if hasattr(model, "log_likelihood")
    }
    binarized = {one["settings"]["binarize"] for one in found}
    if len(likelihoods) > 1 or len(binarized) > 1:
        for one in found:
            for name in _BY_LIKELIHOOD & set(one["metrics"]):
                one["metrics"][name]["better"] = None


def _evaluated(run, model, extractor, settings, pictures, say):
    """One run's dictionary, with the pictures drawn into `pictures`."""
    start = time.monotonic()
    say(f"{run.path}: reading")
    own = run.source()
    source = run.source(settings.data) if settings.data else own
    split = runs.held_out_split(source, bool(settings.data))
    # What the model was trained on, unless it is judged by just that.
    is_own = source is own and split == "train"
    train = None if is_own else own.examples("train")
    if not _same_classes(own, source):  # labels are nothing to learn from
        train = train.without_labels()
    evidence = _evidence(
        run, model, extractor, source.examples(split), train, settings
    )
    suitable = settings.metrics and [
        name for name in settings.metrics if evaluation.suits(name, model)
    ]
    figures, left_out = evaluation.compute(
        evidence, suitable, lambda text: say(f"Computing {text}")
    )
    say("Drawing")
    runs.draw(pictures, model, source, run.history(), split)
    if hasattr(model, "sample") and evidence.train is not None:
        _draw_nearest(evidence, pictures / "nearest.png")
    return {
        **_about(run, model),
        "data": {
            "source": source.name,
            "split": split,
            "examples": len(evidence.test),
        },
        "extractor": extractor and _described(extractor),
        "num_samples": settings.num_samples if extractor else None,
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


def _evidence(run, model, extractor, test, train, settings):
    checks.check_data(
        model,
        test.batches(labels=model.conditional, batch_size=256),
        argument="--data",
        owner="kgen",
        labels=model.conditional,
    )
    return evaluation.Evidence(
        model,
        test,
        train,
        extractor,
        settings.num_samples,
        settings.importance_samples,
        settings.seed,
        run.config["binarize"],
    )


def _extractor(identifier, source):
    """The one asked for; without labels there is no classifier, but pixels."""
    labels = source.examples(source.splits[0]).labels
    if identifier == "classifier" and labels is None:
        identifier = "pixels"
    return extractors.get(identifier, source)


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
    samples = evidence.samples.first
    index, distances = evidence.nearest
    chosen = np.argsort(distances[: len(samples)])[:_NEAREST]
    wanted, place = np.unique(index[chosen], return_inverse=True)
    nearest = evidence.train.select(wanted).batches(batch_size=_NEAREST)
    nearest = np.concatenate(list(nearest.as_numpy_iterator()))
    rows = {"sample": samples[chosen], "training example": nearest[place]}
    plots.pairs(rows, path, "Samples and the nearest training examples")


def _plain(value):
    """As JSON can hold it: what is not finite becomes null."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
