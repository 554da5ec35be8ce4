"""What turns examples into features, by which sets of them are compared."""

from kgen.extractors.base import Extractor
from kgen.extractors.classifier import ClassifierExtractor
from kgen.extractors.factory import get
from kgen.extractors.inception import InceptionExtractor
from kgen.extractors.model import ModelExtractor
from kgen.extractors.pixels import PixelExtractor

__all__ = [
    "ClassifierExtractor",
    "Extractor",
    "InceptionExtractor",
    "ModelExtractor",
    "PixelExtractor",
    "get",
]
