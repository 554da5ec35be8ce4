"""A classifier of the data set itself as an extractor."""

import itertools
import math
from typing import Any

import keras
import numpy as np

from kgen.data import Source, open_source
from kgen.errors import InvalidArgument
from kgen.extractors import cache
from kgen.extractors.model import ModelExtractor
from kgen.networks.common import doubling
from kgen.params import SEED, checked

# To be raised when the network or its training changes: it is part of the
# fingerprint, so that no file of an earlier version is read.
_RECIPE = 1

_BATCH_SIZE = 128
_STEPS = 2800
_MOST_EPOCHS = 50
_RATE = 3e-3
_WIDTH = 128
_DROPOUT = 0.25
# Halving of pictures stops when no side is longer than this.
_SMALLEST = 7


class ClassifierExtractor(ModelExtractor):
    """A small classifier that is trained on a labelled data set, once.

    It is a convolutional network for pictures, else a dense one. The features
    are its last hidden layer, 128 numbers. It is kept on disk under a hash of
    the examples, the labels and the seed, in the folder `$KGEN_CACHE`, or else
    `~/.cache/kgen`. The caller's random state is neither used nor changed.

    Args:
        source: A `kgen.data.Source`, or what `kgen.data.load` takes as one.
        seed: Integer; the same gives the same classifier.
        verbose: As in `fit`, in case it has to be trained.

    Raises:
        InvalidArgument: If the data have no labels, or only one class.

    Example:

        extractor = ClassifierExtractor("digits")
        extractor.name  # "a classifier of digits (test accuracy 0.986)"
    """

    @checked(seed=SEED)
    def __init__(
        self, source: Any, seed: int = 0, verbose: int | str = 0
    ) -> None:
        if not isinstance(source, Source):
            source = open_source(source)
        split, examples = _labelled(source)
        facts = {
            "recipe": _RECIPE,
            "seed": seed,
            "split": split,
            "classes": source.num_classes,
        }
        key = cache.fingerprint(examples, facts)
        path = cache.directory() / f"{key}.keras"
        found = cache.read(path)
        if found is None:
            model = _trained(source, examples[0], seed, verbose)
            found = model, {"accuracy": _accuracy(model, examples[1])}
            cache.write(path, *found)
        model, results = found
        super().__init__(model, layer="features", classes="logits")
        self.source, self.seed, self.verbose = source, seed, verbose
        self.accuracy = results["accuracy"]
        self.name = (
            f"a classifier of {source.name} ({split} accuracy "
            f"{self.accuracy:.3f})"
        )


def _labelled(source):
    """The name of the split that judges; the examples of "train" and of it."""
    split = source.first_of("test", "validation", "train")
    examples = [source.examples(name) for name in ("train", split)]
    if any(part.labels is None for part in examples):
        raise InvalidArgument(
            f"The source {source.name} has no labels to train a classifier on. "
            "Expected labels (class folders, a second array, or a table's target), or "
            'another extractor: "pixels", the path of a model, or of Inception\'s '
            "weights."
        )
    if _number_of_classes(source, examples[0].labels) < 2:
        raise InvalidArgument(
            f"The source {source.name} has one class, and a classifier would "
            "learn nothing. Expected two or more, or another extractor."
        )
    return split, examples


def _number_of_classes(source, labels):
    """That of the classes which occur, where the labels are in memory."""
    if isinstance(labels, np.ndarray):
        return len(np.unique(labels[labels >= 0]))
    return source.num_classes or 0


def _trained(source, examples, seed, verbose):
    batches = examples.batches(
        labels=True, batch_size=_BATCH_SIZE, shuffle=True, seed=seed
    )
    model = _network(examples.shape, source.num_classes, seed)
    steps = math.ceil(len(examples) / _BATCH_SIZE)
    epochs = min(_MOST_EPOCHS, math.ceil(_STEPS / steps))
    rate = keras.optimizers.schedules.CosineDecay(_RATE, epochs * steps)
    model.compile(
        keras.optimizers.Adam(rate, name="adam"),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=min(16, steps),
    )
    # The dataset shuffles, which Keras does not see.
    model.fit(batches, epochs=epochs, verbose=verbose, shuffle=False)
    # The same layers without the optimizer, whose state would be saved.
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def _accuracy(model, examples):
    """The share of examples whose label has the highest logit."""
    right = 0
    for x, y in examples.batches(labels=True, batch_size=1000, seed=0):
        guess = model(x, training=False).numpy().argmax(axis=1)
        right += int((guess == y.numpy()).sum())
    return right / len(examples)


def _network(shape, num_classes, seed):
    """From examples to logits, in float32 whatever Keras's policy is."""
    layers, seeds = keras.layers, itertools.count(seed)
    float32, maps = {"dtype": "float32"}, {"data_format": "channels_last"}

    def weights(activation="relu"):
        # Without a seed, Keras would draw one from the caller's generator.
        initializer = keras.initializers.GlorotUniform(next(seeds))
        return {
            "kernel_initializer": initializer,
            "activation": activation,
            **float32,
        }

    def dropout(x):
        return layers.Dropout(_DROPOUT, seed=next(seeds), **float32)(x)

    x = images = keras.Input(shape, name="images", **float32)
    if len(shape) == 3:
        same = {"padding": "same", **maps}
        halvings = math.ceil(math.log2(max(2, *shape[:2]) / _SMALLEST))
        for filters in doubling(max(1, halvings), 32, _WIDTH):
            x = layers.Conv2D(filters, 3, **same, **weights())(x)
            x = layers.MaxPooling2D(**same, **float32)(x)
    x = layers.Flatten(**maps, **float32)(x)
    if len(shape) != 3:
        # Vectors come in any scale.
        scaled = layers.BatchNormalization(
            center=False, scale=False, momentum=0.9, **float32
        )
        x = layers.Dense(2 * _WIDTH, **weights())(scaled(x))
    x = layers.Dense(_WIDTH, name="features", **weights())(dropout(x))
    logits = layers.Dense(num_classes, name="logits", **weights(None))
    return keras.Model(images, logits(dropout(x)), name="classifier")
