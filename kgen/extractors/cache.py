"""Trained extractors on disk, found by what they were trained on."""

import hashlib
import json
import os
import pathlib
import warnings
import zipfile

import keras
import numpy as np
import tensorflow as tf

from kgen import files

_BATCH = 1000
# Beside Keras's own files in the archive that a .keras file is.
_FACTS = "kgen.json"


def directory():
    """Where extractors are kept.

    Returns:
        `$KGEN_CACHE/extractors`; without it `$XDG_CACHE_HOME/kgen/extractors`,
        or `~/.cache/kgen/extractors`.
    """
    own = os.environ.get("KGEN_CACHE")
    if own:
        return pathlib.Path(own).expanduser() / "extractors"
    base = pathlib.Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # the XDG standard: then it's ignored
        base = pathlib.Path.home() / ".cache"
    return base / "kgen" / "extractors"


def fingerprint(splits, facts):
    """A hash of examples, their labels if any, and what else decides a training.

    Args:
        splits: What `Source.examples` returned.
        facts: What JSON can hold.

    Returns:
        String of 32 hexadecimal digits.
    """
    digest = hashlib.blake2b(json.dumps(facts).encode(), digest_size=16)
    for examples in splits:
        digest.update(f"{len(examples)} {examples.shape}".encode())
        for batch in examples.batches(labels=True, batch_size=_BATCH, seed=0):
            for part, dtype in zip(tf.nest.flatten(batch), ("<f4", "<i4")):
                digest.update(np.ascontiguousarray(part.numpy(), dtype))
    return digest.hexdigest()


def read(path):
    """Reads what `write` wrote.

    Args:
        path: The file.

    Returns:
        The model and its facts; or None, with a warning if the file is there
        and can't be read.
    """
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            facts = json.loads(archive.read(_FACTS))
        return keras.saving.load_model(path, compile=False), facts
    except Exception as error:  # whatever a damaged file raises
        warnings.warn(
            f"{path} can't be read ({error}); the extractor is trained anew.",
            stacklevel=3,
        )
        return None


def write(path, model, facts):
    """Writes a model and facts about it, in one file that appears whole.

    Warns where the file can't be written.

    Args:
        path: The file, which ends in `.keras`.
        model: A `keras.Model`.
        facts: Dictionary that JSON can hold.
    """
    try:
        with files.new_file(path) as temporary:
            model.save(temporary)
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.writestr(_FACTS, json.dumps(facts))
    except OSError as error:
        warnings.warn(
            f"The extractor can't be kept in {path.parent} ({error}). Set "
            "KGEN_CACHE to a folder that can be written.",
            stacklevel=3,
        )
