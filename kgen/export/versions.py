"""The layout that TF Serving watches: NAME/VERSION, and models.config."""

import contextlib
import os
import pathlib
import re

from kgen import files
from kgen.errors import InvalidArgument

CONFIG = "models.config"
MODEL = "saved_model.pb"
HIGHEST = 2**63 - 1  # a server reads versions as int64
# Where the servers' image keeps models.
_ROOT = pathlib.PurePosixPath("/models")
_HEAD = (
    "# Written by `kgen export`: all models in this folder, anew at each export.\n"
    "# Without these two lines it is yours, and stays as it is.\n"
)


def versions(base: str | os.PathLike) -> list[int]:
    """The numbers of a model's versions, in order.

    Args:
        base: The model's directory.
    """
    return sorted(int(entry.name) for entry in _numbered(base))


def _numbered(base):
    """The entries of a model's directory whose names a server reads."""
    base = pathlib.Path(base)
    return [
        entry
        for entry in (base.iterdir() if base.is_dir() else ())
        if re.fullmatch("[0-9]+", entry.name) and int(entry.name) <= HIGHEST
    ]


def next_version(root: str | os.PathLike, name: str) -> pathlib.Path:
    """The next free `root/name/VERSION`, as TF Serving numbers them.

    Args:
        root: Directory of all exports, such as `"saved_models"`.
        name: The model's name.

    Returns:
        A path that does not exist; one more than the highest number there.

    Raises:
        InvalidArgument: If the highest number is the highest that there can be.
    """
    base = pathlib.Path(root) / name
    number = max(versions(base), default=0) + 1
    if number > HIGHEST:
        raise InvalidArgument(
            f"{base} has the version {HIGHEST}, and there is no higher one. "
            "Choose a free number."
        )
    return base / str(number)


def write_config(root: str | os.PathLike) -> bool:
    """Writes `models.config`, by which a server serves all models of a folder.

    A file that the user has written stays as it is. Of two exports at the same
    time, each makes sure that it is listed. Links are left out: the server's
    container does not see where they lead.

    Args:
        root: Directory of all exports.

    Returns:
        Whether kgen wrote the file, so that it lists all models.
    """
    path = pathlib.Path(root, CONFIG)
    while True:
        text = (_HEAD + _config(root)).encode()
        if os.path.lexists(path):
            content = path.read_bytes() if path.is_file() else b""
            if not content.startswith(_HEAD.encode()):
                return False
            if content == text:
                return True
        with files.new_file(path) as temporary:
            temporary.write_bytes(text)


def _config(root):
    """A text protocol buffer `ModelServerConfig` of the models in a folder."""
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config = model_server_config_pb2.ModelServerConfig()
    for base in sorted(pathlib.Path(root).iterdir()):
        if _is_served(base):
            config.model_config_list.config.add(
                name=base.name,
                base_path=str(_ROOT / base.name),
                model_platform="tensorflow",
            )
    return text_format.MessageToString(config)


def _is_served(base):
    """Whether a server would find a model: in a version, and not by a link."""
    with contextlib.suppress(OSError):  # a directory that may not be read
        return not base.is_symlink() and any(
            (version / MODEL).is_file() for version in _numbered(base)
        )
    return False
