"""What turns examples into features, by which sets of them are compared."""

from kgen.extractors.base import Extractor
from kgen.extractors.classifier import ClassifierExtractor
from kgen.extractors.factory import get
from kgen.extractors.inception import InceptionExtractor
from kgen.extractors.model import ModelExtractor
from kgen.extractors.pixels import PixelExtractor
from kgen.extractors.random import RandomExtractor

__all__ = [
    "ClassifierExtractor",
    "Extractor",
    "InceptionExtractor",
    "ModelExtractor",
    "PixelExtractor",
    "RandomExtractor",
    "get",
]
