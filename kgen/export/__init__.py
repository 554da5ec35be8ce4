"""SavedModels for TF Serving."""

from kgen.export import card, formats, guards, lite, savedmodel, versions
from kgen.export.versions import next_version

__all__ = [
    "card",
    "formats",
    "guards",
    "lite",
    "next_version",
    "savedmodel",
    "versions",
]
