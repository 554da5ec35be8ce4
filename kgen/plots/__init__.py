"""Figures of what a model has learnt, as PNG files.

Each function writes one figure to the PNG file at `path`, which is replaced if it
exists; `title` is the text above the figure.
"""

from kgen.plots.classes import confusion, latent
from kgen.plots.curves import classifiers, errors, losses
from kgen.plots.pictures import (
    has_panel,
    image_grid,
    is_drawable,
    is_picture,
    pairs,
    progress,
    samples,
)
from kgen.plots.tables import correlations, gaps, marginals

__all__ = [
    "classifiers",
    "confusion",
    "correlations",
    "errors",
    "gaps",
    "has_panel",
    "image_grid",
    "is_drawable",
    "is_picture",
    "latent",
    "losses",
    "marginals",
    "pairs",
    "progress",
    "samples",
]
