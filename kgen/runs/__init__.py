"""Runs: all that reads or writes the directory of a training."""

from kgen.runs.archives import fingerprint
from kgen.runs.data import data_name, held_out_split, validation_split
from kgen.runs.directory import Run, new_run, save_model
from kgen.runs.drawings import (
    denoised,
    denoised_title,
    draw,
    draw_codes,
    draw_interpolations,
    pairs_by_class,
    pca_errors,
)
from kgen.runs.training import build, train

__all__ = [
    "Run",
    "build",
    "data_name",
    "denoised",
    "denoised_title",
    "draw",
    "draw_codes",
    "draw_interpolations",
    "fingerprint",
    "held_out_split",
    "new_run",
    "pairs_by_class",
    "pca_errors",
    "save_model",
    "train",
    "validation_split",
]
