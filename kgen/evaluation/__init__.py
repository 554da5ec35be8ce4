"""What a trained model is worth: metrics by name, from one body of evidence."""

from kgen.evaluation.evidence import Evidence
from kgen.evaluation.figures import Figure, Metric, NotFinite
from kgen.evaluation.measures import (
    METRICS,
    check_metrics,
    check_possible,
    compute,
    needs_extractor,
    suits,
)

__all__ = [
    "METRICS",
    "Evidence",
    "Figure",
    "Metric",
    "NotFinite",
    "check_metrics",
    "check_possible",
    "compute",
    "needs_extractor",
    "suits",
]
