"""Studies: searches for a model's best settings, from a TOML file."""

from kgen.studies import results, workers
from kgen.studies.study import Data, Study, read
from kgen.studies.tuning import prepare, tune

__all__ = ["Data", "Study", "prepare", "read", "results", "tune", "workers"]
