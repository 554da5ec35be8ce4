"""`kgen export`: a run's model where TF Serving finds it, and how to ask it."""

import contextlib
import json
import pathlib
import re
import shlex

import numpy as np
import tensorflow as tf

from kgen.data.examples import some
from kgen.errors import InvalidArgument, invalid
from kgen.export import savedmodel, versions
from kgen.extractors import cache

_EXAMPLES = 256
_HASHED = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
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
    base = pathlib.Path(root, name)
    if version in versions.versions(base):
        raise FileExistsError(
            f"{base} has a version {version} already. Choose another, or leave "
            "it out for the next free one."
        )
    examples, data = _data_of(run, model, bool(options.get("quantize")))
    facts = {"name": name, **_facts(run), "data": data}
    while True:
        path = (
            base / str(version)
            if version
            else versions.next_version(root, name)
        )
        try:
            model.export(path, examples=examples, facts=facts, **options)
        except FileExistsError:
            # Another export took the number meanwhile.
            if version or not path.exists():
                raise
        else:
            break
    versions.write_config(root)
    return path


def check_name(name):
    """Returns `name` if it can be a model's in addresses, or raises."""
    if not _NAME.fullmatch(name):
        raise invalid(
            "name",
            "export",
            "letters, digits, '_', '.' and '-', the first a letter or a digit",
            repr(name),
        )
    return name


def commands(path):
    """The command lines that serve an exported model and ask it.

    Args:
        path: What `export` returned.

    Returns:
        Two lines: `docker run`, and `curl` with a request that is in the export.
    """
    path = pathlib.Path(path).resolve()
    name = path.parent.name
    request = path / savedmodel.EXTRA / savedmodel.REQUEST
    serve = [
        *("docker", "run", "--rm", "-p", "8500:8500", "-p", "8501:8501"),
        *("-v", f"{path.parent}:/models/{name}:ro"),
        *("-e", f"MODEL_NAME={name}", _IMAGE),
    ]
    address = f"http://localhost:8501/v1/models/{name}:predict"
    return shlex.join(serve), shlex.join(["curl", "-d", f"@{request}", address])


def _facts(run):
    """What the run knows of its model."""
    config = run.config
    facts = {
        "kind": config["model"],
        "settings": {k: v for k, v in config.items() if k != "versions"},
        "trained_with": config.get("versions", {}),
    }
    # A file that is not there, or not as `kgen evaluate` wrote it, says nothing.
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        (judged,) = json.loads((run.path / "metrics.json").read_text())
        facts["metrics"] = {
            "date": judged["date"],
            "data": judged["data"],
            "values": {
                name: metric["value"]
                for name, metric in judged["metrics"].items()
            },
        }
    return facts


def _data_of(run, model, needed):
    """Examples that the model was trained on, and what the card says of them.

    The model can be exported where its data is gone, unless it is `needed`.
    """
    config = run.config
    facts = {"source": config["data"], "split": "train"}
    try:
        train = run.source().examples("train")
    except (InvalidArgument, OSError) as error:
        if needed:
            raise
        return None, {**facts, "unreadable": str(error)}
    first = train.slice(0, min(_HASHED, len(train)))
    facts["examples"] = len(train)
    facts["shape"] = list(train.shape)
    facts["fingerprint"] = {
        "blake2b": cache.fingerprint([first], {}),
        "of": len(first),
    }
    count = min(_EXAMPLES, len(train))
    (batch,) = some(train, count).batches(
        labels=model.conditional and train.labels is not None, batch_size=count
    )
    return tf.nest.map_structure(np.asarray, batch), facts


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
