"""The layout that TF Serving watches: NAME/VERSION, and models.config."""

import pathlib
import re

from kgen import files

CONFIG = "models.config"
# Where the servers' image keeps models.
_ROOT = pathlib.PurePosixPath("/models")
_HEAD = (
    "# Written by `kgen export`: all models in this folder, anew at each export.\n"
    "# Without these two lines it is yours, and stays as it is.\n"
)


def versions(base):
    """The numbers of a model's versions, in order.

    Args:
        base: The model's directory.
    """
    base = pathlib.Path(base)
    return sorted(
        int(entry.name)
        for entry in (base.iterdir() if base.is_dir() else ())
        if re.fullmatch("[0-9]+", entry.name)
    )


def next_version(root, name):
    """The next free `root/name/VERSION`, as TF Serving numbers them.

    Args:
        root: Directory of all exports, such as `"saved_models"`.
        name: The model's name.

    Returns:
        A path that does not exist; one more than the highest number there.
    """
    base = pathlib.Path(root) / name
    return base / str(max(versions(base), default=0) + 1)


def write_config(root):
    """Writes `models.config`, by which a server serves all models of a folder.

    One of the user's own is left alone. Two exports at once both see to it that
    theirs is in it.

    Args:
        root: Directory of all exports.

    Returns:
        Whether the file is ours, and so has them all.
    """
    path = pathlib.Path(root, CONFIG)
    while True:
        text = _HEAD + _config(root)
        if path.exists():
            found = path.read_text()
            if not found.startswith(_HEAD):
                return False
            if found == text:
                return True
        with files.new_file(path) as temporary:
            temporary.write_text(text)


def _config(root):
    """A text protocol buffer `ModelServerConfig` of the models in a folder."""
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config = model_server_config_pb2.ModelServerConfig()
    for base in sorted(pathlib.Path(root).iterdir()):
        if versions(base):
            config.model_config_list.config.add(
                name=base.name,
                base_path=str(_ROOT / base.name),
                model_platform="tensorflow",
            )
    return text_format.MessageToString(config)
