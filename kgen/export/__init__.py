"""SavedModels for TF Serving."""

from kgen.export import (
    card,
    formats,
    guards,
    lite,
    readme,
    savedmodel,
    versions,
)
from kgen.export.versions import next_version

__all__ = [
    "card",
    "formats",
    "guards",
    "lite",
    "next_version",
    "readme",
    "savedmodel",
    "versions",
]
