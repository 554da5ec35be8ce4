"""model.json: what an exported model is, and how to ask it."""

import datetime
import json
import os
import pathlib
import sys

import numpy as np

from kgen import files
from kgen.errors import InvalidArgument, invalid
from kgen.export import readme

FILE = "model.json"
_PACKAGES = ("kgen", "keras", "tensorflow")


def check_facts(facts: dict | None, owner: str) -> dict:
    """Facts as JSON can hold them: NumPy's numbers are plain ones.

    Args:
        facts: Dictionary, or None for an empty one.
        owner: Whose argument it is, for messages.

    Raises:
        InvalidArgument: If it is none, or JSON can't hold it.
    """
    expected = "a dictionary that JSON can hold, all its numbers finite"
    if not isinstance(facts, dict | None):
        raise invalid("facts", owner, expected, facts)
    try:
        text = json.dumps(facts or {}, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise invalid("facts", owner, f"{expected} ({error})", facts) from error
    return json.loads(text)


def _plain(value):
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__}")


def write(directory: str | os.PathLike, signatures: dict, facts: dict) -> None:
    """Writes the card of an exported model, and its README.md.

    Args:
        directory: That of the SavedModel; a server passes over the card.
        signatures: Dictionary from names to pairs of dictionaries, of inputs and
            of outputs, from names to `tf.TensorSpec`s.
        facts: Dictionary of what else the card says, which JSON can hold.
    """
    now = datetime.datetime.now(datetime.UTC)
    card = {
        **facts,
        "signatures": {
            name: {"inputs": _specs(inputs), "outputs": _specs(outputs)}
            for name, (inputs, outputs) in signatures.items()
        },
        "versions": {name: sys.modules[name].__version__ for name in _PACKAGES},
        "date": now.isoformat(timespec="seconds"),
    }
    path = pathlib.Path(directory, FILE)
    path.write_text(json.dumps(card, indent=2, allow_nan=False) + "\n")
    readme.write(directory, card)


def read(directory: str | os.PathLike) -> dict:
    """The card of an exported model, as a dictionary.

    Raises:
        InvalidArgument: If it is damaged.
    """
    path = pathlib.Path(directory, FILE)
    try:
        return files.read_json(path)
    except ValueError as error:
        raise InvalidArgument(
            f"{path} is damaged: {error}. Export the model again."
        ) from error


def _specs(specs):
    return {
        name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
        for name, spec in specs.items()
    }
