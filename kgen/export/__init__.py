"""SavedModels for TF Serving."""

from kgen.export import savedmodel
from kgen.export.savedmodel import next_version

__all__ = ["next_version", "savedmodel"]
