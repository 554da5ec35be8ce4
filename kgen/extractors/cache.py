"""Trained extractors on disk, found by a hash of what they were trained on."""

import hashlib
import json
import pathlib
import warnings

import keras
import numpy as np
import tensorflow as tf

from kgen import caches
from kgen.models import saving

_BATCH = 1000


def directory() -> pathlib.Path:
    """Returns the folder in which extractors are kept.

    It is `$KGEN_CACHE/extractors`; without that `$XDG_CACHE_HOME/kgen/extractors`,
    or `~/.cache/kgen/extractors`.
    """
    return caches.folder("extractors")


def fingerprint(splits: list, facts: dict) -> str:
    """Returns a hash of examples, their labels, and all else a training uses.

    Args:
        splits: List of what `Source.examples` returns.
        facts: All else: a dictionary that JSON can hold.

    Returns:
        String of 32 hexadecimal digits.
    """
    digest = hashlib.blake2b(json.dumps(facts).encode(), digest_size=16)
    for examples in splits:
        digest.update(f"{len(examples)} {examples.shape}".encode())
        for batch in examples.batches(labels=True, batch_size=_BATCH, seed=0):
            for part, dtype in zip(tf.nest.flatten(batch), ("<f4", "<i4")):
                digest.update(np.ascontiguousarray(part.numpy(), dtype).data)
    return digest.hexdigest()


def read(path: pathlib.Path) -> tuple[keras.Model, dict] | None:
    """Returns what `write` wrote.

    Args:
        path: The file.

    Returns:
        The model and its facts; or None, with a warning if there is a file
        that can't be read.
    """
    if not path.exists():
        return None
    try:
        model = keras.saving.load_model(path, compile=False)
        facts = saving.facts_of(path)
        if not facts:
            raise ValueError("it has no facts about the model")
        return model, facts
    except Exception as error:  # whatever a damaged file raises
        warnings.warn(
            f"{path} can't be read ({error}); the extractor is trained anew.",
            stacklevel=4,
        )
        return None


def write(path: pathlib.Path, model: keras.Model, facts: dict) -> None:
    """Writes a model and facts about it to one file, atomically.

    It warns if the file can't be written.

    Args:
        path: The file, which ends in `.keras`.
        model: A `keras.Model`.
        facts: Dictionary that JSON can hold.
    """
    try:
        saving.save_with_facts(path, model, facts)
    except OSError as error:
        warnings.warn(
            f"The extractor can't be kept in {path.parent} ({error}). Set "
            "KGEN_CACHE to a folder that can be written.",
            stacklevel=4,
        )
