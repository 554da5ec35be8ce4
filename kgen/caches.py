"""The folders of kgen's caches."""

import os
import pathlib


def folder(kind: str) -> pathlib.Path:
    """Returns the folder of one of the caches.

    It is `$KGEN_CACHE/kind`; without that `$XDG_CACHE_HOME/kgen/kind`, or
    `~/.cache/kgen/kind`.

    Args:
        kind: The name of the cache, such as `"pictures"`.
    """
    given = os.environ.get("KGEN_CACHE")
    if given:
        return pathlib.Path(given).expanduser() / kind
    base = pathlib.Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # to be ignored, by the XDG standard
        base = pathlib.Path.home() / ".cache"
    return base / "kgen" / kind
