"""SavedModels with named signatures, written whole or not at all."""

import pathlib
import re

import keras

from kgen import files


def write(model, endpoints, filepath, overwrite=False):
    """Writes `model` as a SavedModel for TF Serving.

    Args:
        model: A `keras.Model`, whose variables the functions use.
        endpoints: Dictionary from names to `(function, input_signature)`.
        filepath: Directory to make.
        overwrite: Whether an existing directory may be replaced.

    Raises:
        FileExistsError: If it exists and `overwrite` is False.
    """
    with files.new_directory(filepath, overwrite) as temporary:
        archive = keras.export.ExportArchive()
        # Not `track(model)`: that would write each weight a second time.
        for name, (function, signature) in endpoints.items():
            archive.add_endpoint(name, function, input_signature=signature)
        archive.write_out(temporary, verbose=False)


def next_version(root, name):
    """The next free `root/name/VERSION`, as TF Serving numbers them.

    Args:
        root: Directory of all exports, such as `"saved_models"`.
        name: The model's name.

    Returns:
        A path that does not exist; one more than the highest number there.
    """
    base = pathlib.Path(root) / name
    taken = (
        int(entry.name)
        for entry in (base.iterdir() if base.is_dir() else ())
        if re.fullmatch("[0-9]+", entry.name)
    )
    return base / str(max(taken, default=0) + 1)
