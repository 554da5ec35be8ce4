"""Runs: all that reads or writes the directory of a training.

`evaluation`, `export`, `inference` and `report` are imported by the commands that
need them: a training does not wait for them.
"""

from kgen.runs.archives import fingerprint
from kgen.runs.data import data_name, held_out_split, validation_split
from kgen.runs.directory import Run, new_run, save_model
from kgen.runs.drawings import draw
from kgen.runs.settings import TrainSettings
from kgen.runs.training import build, train

__all__ = [
    "Run",
    "TrainSettings",
    "build",
    "data_name",
    "draw",
    "fingerprint",
    "held_out_split",
    "new_run",
    "save_model",
    "train",
    "validation_split",
]
