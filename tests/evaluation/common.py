"""Examples, an extractor and "models" whose samples are known."""

import numpy as np
import tensorflow as tf

from kgen.data.examples import Examples
from kgen.evaluation import Evidence
from kgen.extractors import Extractor

SHAPE = (8, 8, 1)


class Halves(Extractor):
    """The means of a picture's halves, and which one is brighter."""

    def __init__(self):
        super().__init__("halves", SHAPE, 2, 2)

    def features_of(self, images):
        halves = tf.reshape(images, (-1, 2, 32))
        return tf.reduce_mean(halves, axis=2)

    def probabilities_of(self, images):
        return tf.nn.softmax(100.0 * self.features_of(images))


HALVES = Halves()  # traced once


def pictures(count, seed=0):
    x = np.random.default_rng(seed).random((count, *SHAPE)).astype("float32")
    y = (x[:, :4].mean((1, 2, 3)) < x[:, 4:].mean((1, 2, 3))).astype("int64")
    return Examples(x, y)


class Copies:
    """A "model" that gives given pictures in turn, whatever the seed."""

    input_shapes = [SHAPE]
    conditional = needs_labels = False
    num_classes = 2

    def __init__(self, x):
        self.x, self.calls = x, []

    def sample(self, num_samples, labels=None, seed=None):
        self.calls.append((num_samples, labels, seed))
        start = sum(count for count, _, _ in self.calls[:-1])
        return self.x[start : start + num_samples]


class Conditional(Copies):
    """One that gives a picture of the class that it is asked for."""

    conditional = True

    def sample(self, num_samples, labels=None, seed=None):
        x = np.zeros((num_samples, *SHAPE), "float32")
        x[labels == 0, :4] = 1.0
        x[labels == 1, 4:] = 1.0
        return x


def evidence(model, test=None, train=None, **options):
    test = test or pictures(300, 1)
    options = {"extractor": HALVES, "num_samples": 200, **options}
    return Evidence(model, test, train, **options)
