"""`kgen export`: a run's model where TF Serving finds it, and how to ask it."""

import csv
import io
import json
import os
import pathlib
import re
import shlex
import warnings

import numpy as np
import tensorflow as tf

from kgen import files, locks, runs
from kgen.data.examples import subset
from kgen.errors import InvalidArgument, check_int, invalid, say
from kgen.export import savedmodel, versions
from kgen.extractors import cache
from kgen.models import checks

_EXAMPLES = 256
_HASHED = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# What lies in the folder of all exports beside the models.
_TAKEN = (versions.CONFIG, "README.md")
_IMAGE = "tensorflow/serving"


def export(run, model, root, name=None, version=None, **options):
    """Writes `root/NAME/VERSION` and `root/models.config`.

    Args:
        run: The `Run` of the model.
        model: The trained model.
        root: Directory of all exports.
        name: The model's name on the server; None for its kind.
        version: Integer, or None for the next free one.
        **options: Passed to `model.export`.

    Returns:
        The path of the version, which was not there before.

    Raises:
        FileExistsError: If there is that version already.
        InvalidArgument: If a value can't be used.
    """
    name = check_name(run.config["model"] if name is None else name)
    if version is not None:
        check_int("version", "export", version, 1, versions.HIGHEST)
    base = pathlib.Path(root, name)
    if version in versions.versions(base):
        raise FileExistsError(
            f"{base} has a version {version} already. Choose another, or leave "
            "it out for the next free one."
        )
    # Exports of one name take turns: each gets a version of its own.
    with locks.directory(base, wait=True):
        return _exported(run, model, root, name, version, options)


def _exported(run, model, root, name, version, options):
    """`export`, once its values are checked and no other one goes on."""
    base = pathlib.Path(root, name)
    quantize = bool(options.get("quantize"))
    examples, data = _data_of(run, model, quantize)
    facts = {"name": name, **_facts(run, model), "data": data}
    options = {**examples, **options, "facts": facts}
    while True:
        path = (
            base / str(version)
            if version
            else versions.next_version(root, name)
        )
        try:
            model.export(path, **options)
        except FileExistsError:
            # Another export took the number meanwhile.
            if version or not path.exists():
                raise
        else:
            break
    _list(root)
    return path


def _list(root):
    lock = pathlib.Path(root, f".{versions.CONFIG}.lock")
    try:
        with locks.alone(lock, str(root), wait=True):  # only for a moment
            versions.write_config(root)
    except OSError as error:  # the export is there all the same
        warnings.warn(
            f"{versions.CONFIG} in {root} can't be written ({error}): models "
            "that it does not list must be served by themselves.",
            stacklevel=3,
        )


def check_name(name):
    """Returns `name` if it can be a model's in addresses, or raises."""
    if not _NAME.fullmatch(name):
        expected = (
            "letters, digits, '_', '.' and '-', the first a letter or a digit"
        )
    elif name.lower() in map(str.lower, _TAKEN):  # one, to some file systems
        expected = "another name: this one is a file's"
    else:
        return name
    raise invalid("name", "export", expected, repr(name))


def commands(path):
    """The command lines that serve an exported model and ask it.

    Of a folder, a server loads the highest version; a lower one is served alone.

    Args:
        path: What `export` returned.

    Returns:
        Two lines: `docker run`, and `curl` with a request that is in the export.
    """
    path = pathlib.Path(os.path.abspath(path))  # with its name, if it's a link
    name = path.parent.name
    request = path / savedmodel.EXTRA / savedmodel.REQUEST
    is_newest = int(path.name) == max(versions.versions(path.parent))
    target = f"/models/{name}"
    mount = (
        _bound(path.parent, target)
        if is_newest
        else _bound(path, f"{target}/{path.name}")
    )
    serve = [
        *("docker", "run", "--rm", "-p", "8500:8500", "-p", "8501:8501"),
        *("--mount", mount, "-e", f"MODEL_NAME={name}", _IMAGE),
    ]
    address = f"http://localhost:8501/v1/models/{name}:predict"
    return shlex.join(serve), shlex.join(["curl", "-d", f"@{request}", address])


def _bound(source, target):
    """What `docker run --mount` takes: `-v` splits paths at colons."""
    text = io.StringIO()
    fields = ["type=bind", f"source={source}", f"target={target}", "readonly"]
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()


def _facts(run, model):
    """What the run knows of its model."""
    config = run.config
    facts = {
        "kind": config["model"],
        "settings": {k: v for k, v in config.items() if k != "versions"},
        "trained": run.trained(),
        "trained_with": config.get("versions", {}),
    }
    metrics = _metrics(run, model)
    if metrics:
        facts["metrics"] = metrics
    return facts


def _metrics(run, model):
    """What `kgen evaluate` has found for just this model, or None."""
    file = run.path / "metrics.json"
    if not file.exists():
        return None
    try:
        (judged,) = files.read_json(file)
        values = {
            name: metric["value"] for name, metric in judged["metrics"].items()
        }
        metrics = {
            "date": str(judged["date"]),
            "data": dict(judged["data"]),
            "values": values,
        }
        weights = judged["weights"]
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
    # The run may have gone on since it was judged.
    return metrics if weights == runs.fingerprint(model) else None


def _data_of(run, model, quantize):
    """Examples for `model.export`, and what the card says of the data.

    The model can be exported where its data is gone or has changed, unless they
    are needed, to quantize.
    """
    facts = {"source": run.config["data"], "split": "train"}
    try:
        source = run.source()
        train = source.examples("train")
        parts = {"examples": subset(train, _EXAMPLES)}
        if quantize:
            split = runs.held_out_split(source)
            parts = _parts(train, source.examples(split), split == "train")
            size = len(parts["held_out"])
            facts["held_out"] = {"split": split, "examples": size}
        examples = {name: _batch(model, part) for name, part in parts.items()}
        return examples, {**facts, **_described(train)}
    except (InvalidArgument, OSError, tf.errors.OpError) as error:
        if quantize:
            raise
        return {}, {**facts, "unusable": str(error)}


def _parts(train, others, same):
    """Examples to find ranges of numbers by, and others to measure the loss by."""
    if same:
        both = subset(train, 2 * _EXAMPLES)
        order = np.arange(len(both))
        train, others = both.select(order[::2]), both.select(order[1::2])
    return {
        "examples": subset(train, _EXAMPLES),
        "held_out": subset(others, _EXAMPLES),
    }


def _batch(model, found):
    """Examples as one batch that the model takes."""
    dataset = found.batches(
        labels=model.conditional, batch_size=max(1, len(found))
    )
    checks.check_data(
        model,
        dataset,
        argument="--data",
        owner="kgen export",
        any_range=model.encodes_any_range,
    )
    (batch,) = dataset
    return tf.nest.map_structure(np.asarray, batch)


def _described(train):
    first = train.slice(0, min(_HASHED, len(train)))
    return {
        "examples": len(train),
        "shape": list(train.shape),
        "fingerprint": {
            "blake2b": cache.fingerprint([first], {}),
            "of": len(first),
        },
    }


def loss(found):
    """What a LiteRT model loses, in words.

    Args:
        found: Its entry under `lite` in model.json.
    """
    words = []
    for name, one in found["outputs"].items():
        text = (
            f"{name} differ by {one['max_difference']:.2g} at most, "
            f"{one['mean_difference']:.2g} in the mean"
        )
        if "psnr" in one:
            text += (
                f", PSNR {one['psnr_lite']:.2f} dB instead of {one['psnr']:.2f}"
            )
        words.append(text)
    return "; ".join(words)
