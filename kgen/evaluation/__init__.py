"""What a trained model is worth: metrics by name, from one body of evidence."""

from kgen.evaluation.estimates import Estimate, NotFinite
from kgen.evaluation.evidence import Evidence
from kgen.evaluation.groups import Metric
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
    "Estimate",
    "Evidence",
    "Metric",
    "NotFinite",
    "check_metrics",
    "check_possible",
    "compute",
    "needs_extractor",
    "suits",
]
