"""Studies: searches for a model's best settings, from a TOML file."""

from kgen.studies import results, workers
from kgen.studies.study import Data, Study, read
from kgen.studies.tuning import draw, prepare, tune

__all__ = [
    "Data",
    "Study",
    "draw",
    "prepare",
    "read",
    "results",
    "tune",
    "workers",
]
