"""Builds the extractor that a user's text or object stands for."""

import os
import pathlib
from typing import Any

import keras

from kgen.data import Source, open_source
from kgen.data.examples import subset
from kgen.errors import invalid
from kgen.extractors.base import Extractor
from kgen.extractors.classifier import ClassifierExtractor
from kgen.extractors.inception import InceptionExtractor
from kgen.extractors.model import ModelExtractor
from kgen.extractors.pixels import PixelExtractor
from kgen.extractors.random import RandomExtractor

_OF_SOURCE = ("classifier", "pixels", "random")
_STANDARDISED = 2000  # examples, by which random features are standardised
_INCEPTION_ENDINGS = (".pb", ".tgz", ".tar", ".gz")


def get(
    identifier: Any = "classifier", source: Any = None, **options: Any
) -> Extractor:
    """Returns the extractor that a name, a path or an object stands for.

    Args:
        identifier: One of
            `"classifier"`, trained on `source`;
            `"pixels"`, the numbers as they are;
            `"random"`, a `RandomExtractor`;
            the path of a `.keras` file or of a SavedModel's directory;
            the path of Inception's `.pb` or `.tgz`;
            a `keras.Model`; an `Extractor`, which is returned as it is.
        source: The data, for the first three: a `kgen.data.Source`, or what
            `kgen.data.load` takes as one.
        **options: Further arguments of the extractor's class, such as `seed`
            or `layer`.

    Returns:
        An `Extractor`.

    Raises:
        InvalidArgument: If it stands for none, or there is no source.
        FileNotFoundError: If there is nothing at the path.

    Example:

        extractor = kgen.extractors.get("model.keras", layer="features")
        features = extractor.features(images)
    """
    if isinstance(identifier, Extractor):
        return identifier
    is_path = isinstance(identifier, (str, os.PathLike)) and str(identifier)
    if is_path and identifier in _OF_SOURCE:
        if source is None:
            raise invalid(
                "source", "get", f'the data set, for "{identifier}"', source
            )
        if identifier == "classifier":
            return ClassifierExtractor(source, **options)
        if not isinstance(source, Source):
            source = open_source(source)
        examples = source.examples(source.splits[0])
        if identifier == "pixels":
            return PixelExtractor(examples.shape, **options)
        few = subset(examples, _STANDARDISED).batches(batch_size=_STANDARDISED)
        return RandomExtractor(next(few.as_numpy_iterator()), **options)
    if is_path and pathlib.Path(identifier).suffix in _INCEPTION_ENDINGS:
        return InceptionExtractor(identifier, **options)
    is_model = isinstance(identifier, keras.Model)
    if is_model or (is_path and _looks_like_path(identifier)):
        return ModelExtractor(identifier, **options)
    raise invalid(
        "identifier",
        "get",
        '"classifier", "pixels", "random", the path of a .keras file, of a '
        "SavedModel's directory or of Inception's .pb or .tgz; a keras.Model or an "
        "Extractor",
        repr(identifier),
    )


def _looks_like_path(identifier):
    path = pathlib.Path(identifier)
    named = path.suffix == ".keras" or len(path.parts) > 1
    return not isinstance(identifier, str) or named or path.exists()
