"""`kgen export`: a run's model where TF Serving finds it, and how to ask it."""

import csv
import dataclasses
import io
import json
import os
import pathlib
import re
import shlex
import warnings
from typing import Any

import numpy as np
import tensorflow as tf

from kgen import files, locks, names
from kgen.data.examples import subset
from kgen.errors import InvalidArgument, invalid, say
from kgen.export import card, savedmodel, versions
from kgen.extractors import cache
from kgen.models.base import GenerativeModel
from kgen.params import Constraint, Integer, Optional, Options, checked
from kgen.runs.archives import fingerprint
from kgen.runs.data import checked_batches, held_out_split
from kgen.runs.directory import Run

_EXAMPLES = 256
_HASHED = 10_000
_IMAGE = "tensorflow/serving"


class _ServedName(Constraint):
    """A name that a model can have in addresses and as a folder."""

    _FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
    # What lies in the folder of all exports beside the models.
    _TAKEN = (versions.CONFIG.lower(), "readme.md")

    def check(self, argument: str, owner: str, value: Any) -> str:
        if not isinstance(value, str) or not self._FORM.fullmatch(value):
            expected = (
                "letters, digits, '_', '.' and '-', the first a letter or digit"
            )
        elif value.lower() in self._TAKEN:  # the same, to some file systems
            expected = "another name: this one is a file's"
        else:
            return value
        raise invalid(argument, owner, expected, repr(value))


@checked(
    name=Optional(_ServedName()),
    version=Optional(Integer(1, versions.HIGHEST)),
    image_format=Options(names.IMAGE_FORMATS),
    quantize=Optional(Options(names.PRECISIONS)),
    max_examples=Integer(),
)
@dataclasses.dataclass(frozen=True)
class ExportSettings:
    """How a run's model is exported.

    Args:
        name: The model's name on the server; None for its kind.
        version: Integer, or None for the next free one.
        image_format: As in the `export` of a model.
        quantize: As in the `export` of a model.
        max_examples: As in the `export` of a model.
    """

    name: str | None = None
    version: int | None = None
    image_format: str = "float"
    quantize: str | None = None
    max_examples: int = 1000


def export(
    run: Run,
    model: GenerativeModel,
    root: str | os.PathLike,
    settings: ExportSettings,
) -> pathlib.Path:
    """Writes `root/NAME/VERSION` and `root/models.config`.

    Args:
        run: The run of the model.
        model: The trained model.
        root: Directory of all exports.
        settings: How to export it.

    Returns:
        The path of the version, which was not there before.

    Raises:
        FileExistsError: If there is that version already.
        InvalidArgument: If the data is needed and can't be used.
    """
    base = pathlib.Path(root, settings.name or run.settings.model)
    if settings.version in versions.versions(base):
        raise FileExistsError(
            f"{base} has a version {settings.version} already. Choose another, "
            "or leave it out for the next free one."
        )
    # Exports of one name take turns: each gets a version of its own.
    with locks.directory(base, wait=True):
        path = _write(run, model, base, settings)
        _write_config(root)
        _tell_of_other_inputs(path)
    return path


def _write(run, model, base, settings):
    """Writes the version, while no other export of the name goes on."""
    examples, data = _data_of(run, model, settings.quantize)
    facts = {"name": base.name, **_facts(run, model), "data": data}
    while True:
        path = (
            base / str(settings.version)
            if settings.version
            else versions.next_version(base.parent, base.name)
        )
        try:
            model.export(
                path,
                image_format=settings.image_format,
                max_examples=settings.max_examples,
                quantize=settings.quantize,
                facts=facts,
                **examples,
            )
            return path
        except FileExistsError:
            # Another export took the number meanwhile.
            if settings.version or not path.exists():
                raise


def _write_config(root):
    lock = pathlib.Path(root, f".{versions.CONFIG}.lock")
    try:
        with locks.alone(lock, str(root), wait=True):  # only for a moment
            files.sweep(root, versions.CONFIG.__eq__)
            versions.write_config(root)
    except OSError as error:  # the export is there all the same
        warnings.warn(
            f"{versions.CONFIG} in {root} can't be written ({error}): models "
            "that it does not list must be served by themselves.",
            stacklevel=3,
        )


def _tell_of_other_inputs(path):
    """Says so if requests to the version before are no requests to this one."""
    numbers = versions.versions(path.parent)
    if len(numbers) < 2 or numbers[-1] != int(path.name):
        return  # a server answers by the highest version
    before = path.parent / str(numbers[-2])
    inputs = []
    for version in (before, path):
        try:
            signatures = files.read_json(version / card.FILE)["signatures"]
            inputs.append(signatures["serving_default"]["inputs"])
        except (OSError, ValueError, LookupError, TypeError):
            return
    if inputs[0] != inputs[1]:
        say(
            f"{before} takes other inputs than version {path.name}, by which a server "
            "now answers. --name NAME keeps models of different data apart."
        )


def commands(path: str | os.PathLike) -> tuple[str, str]:
    """Returns the command lines that serve an exported model and ask it.

    Of a folder, a server loads the highest version; a lower one is served alone.

    Args:
        path: What `export` returned.

    Returns:
        Two lines: `docker run`, and `curl` with a request that is in the export.
    """
    path = pathlib.Path(os.path.abspath(path))  # with its name, if it's a link
    name = path.parent.name
    request = path / savedmodel.EXTRA / savedmodel.REQUEST
    source, target = path.parent, f"/models/{name}"
    if int(path.name) != max(versions.versions(path.parent)):
        source, target = path, f"{target}/{path.name}"
    # Its fields are quoted as in CSV; `-v` would split paths at colons.
    mount = io.StringIO()
    fields = ["type=bind", f"source={source}", f"target={target}", "readonly"]
    csv.writer(mount, lineterminator="").writerow(fields)
    serve = [
        *("docker", "run", "--rm", "-p", "8500:8500", "-p", "8501:8501"),
        *("--mount", mount.getvalue(), "-e", f"MODEL_NAME={name}", _IMAGE),
    ]
    address = f"http://localhost:8501/v1/models/{name}:predict"
    return shlex.join(serve), shlex.join(["curl", "-d", f"@{request}", address])


def _facts(run, model):
    """What the run knows of its model."""
    config = run.config  # read once: it is a file
    trained_with = config.pop("versions", {})
    facts = {
        "kind": config["model"],
        "settings": config,
        "trained": run.training_progress(),
        "trained_with": trained_with,
    }
    metrics = _metrics(run, model)
    if metrics:
        facts["metrics"] = metrics
    return facts


def _metrics(run, model):
    """The metrics that `kgen evaluate` computed of this very model, or None."""
    file = run.path / "metrics.json"
    if not file.exists():
        return None
    try:
        (evaluation,) = files.read_json(file)
        values = {
            name: metric["value"]
            for name, metric in evaluation["metrics"].items()
        }
        metrics = {
            "date": str(evaluation["date"]),
            "data": dict(evaluation["data"]),
            "values": values,
        }
        weights = evaluation["weights"]
        json.dumps(metrics, allow_nan=False)  # which the card must hold
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        say(
            f"{file} is not what `kgen evaluate` wrote, and is left out of the "
            f"export ({type(error).__name__}: {error})."
        )
        return None
    # The run may have been trained further since it was evaluated.
    return metrics if weights == fingerprint(model) else None


def _data_of(run, model, quantize):
    """Examples for `model.export`, and what the card says of the data.

    The model can be exported where its data is gone or has changed, unless they
    are needed, to quantize.
    """
    settings = run.settings
    facts = {"source": settings.data, "split": "train"}
    try:
        source = settings.source(table=getattr(model, "table", None))
        train = source.examples("train")
        parts = {"examples": subset(train, _EXAMPLES)}
        if quantize:
            split = held_out_split(source)
            held_out = source.examples(split)
            if split == "train":  # the one there is: it is halved
                both = subset(train, 2 * _EXAMPLES)
                order = np.arange(len(both))
                half, held_out = (both.select(order[n::2]) for n in range(2))
                parts["examples"] = subset(half, _EXAMPLES)
            parts["held_out"] = subset(held_out, _EXAMPLES)
            size = len(parts["held_out"])
            facts["held_out"] = {"split": split, "examples": size}
        examples = {name: _batch(model, part) for name, part in parts.items()}
        hashed = train.slice(0, min(_HASHED, len(train)))
        of_data = cache.fingerprint([hashed], {})
    except (InvalidArgument, OSError, tf.errors.OpError) as error:
        if quantize:
            raise
        return {}, {**facts, "unusable": str(error)}
    return examples, {
        **facts,
        "examples": len(train),
        "shape": list(train.shape),
        "fingerprint": {"blake2b": of_data, "of": len(hashed)},
    }


def _batch(model, examples):
    """Examples as one batch that the model takes."""
    (batch,) = checked_batches(
        model,
        examples,
        any_range=model.encodes_any_range,
        batch_size=max(1, len(examples)),
        owner="kgen export",
    )
    return tf.nest.map_structure(np.asarray, batch)


def loss(facts: dict) -> str:
    """Returns what a LiteRT model loses, in words.

    Args:
        facts: Its entry under `lite` in model.json.
    """
    texts = []
    for name, output in facts["outputs"].items():
        text = (
            f"{name} differ by {output['max_difference']:.2g} at most, "
            f"{output['mean_difference']:.2g} in the mean"
        )
        if "psnr" in output:
            text += (
                f", PSNR {output['psnr_lite']:.2f} dB instead of "
                f"{output['psnr']:.2f}"
            )
        texts.append(text)
    return "; ".join(texts)
