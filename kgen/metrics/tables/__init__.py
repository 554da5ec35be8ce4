"""Figures that judge synthetic rows of a table, beside those of real rows."""

from kgen.metrics.tables.figures import table_figures
from kgen.metrics.tables.learning import telling_apart, train_on_synthetic
from kgen.metrics.tables.pairs import correlations, pair_trends
from kgen.metrics.tables.records import closest_distances, copies
from kgen.metrics.tables.shapes import column_shapes
from kgen.metrics.tables.validity import validity

__all__ = [
    "closest_distances",
    "column_shapes",
    "copies",
    "correlations",
    "pair_trends",
    "table_figures",
    "telling_apart",
    "train_on_synthetic",
    "validity",
]
