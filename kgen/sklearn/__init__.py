"""kgen's models with scikit-learn's interface, for rows of a table."""

from kgen.sklearn.classifier import GenerativeClassifier
from kgen.sklearn.outliers import OutlierDetector
from kgen.sklearn.synthesizer import TableSynthesizer
from kgen.sklearn.transformers import AutoencoderTransformer, VAETransformer

__all__ = [
    "AutoencoderTransformer",
    "GenerativeClassifier",
    "OutlierDetector",
    "TableSynthesizer",
    "VAETransformer",
]
