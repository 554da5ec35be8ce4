"""Features by random weights, which need neither labels nor training."""

import math

import numpy as np
import tensorflow as tf

from kgen.errors import invalid
from kgen.extractors.base import Extractor
from kgen.networks.common import doubling
from kgen.params import SEED, Integer, checked

_LAYERS, _FILTERS, _MOST_FILTERS = 3, 32, 64
# Halving of pictures goes on until no side is longer than this.
_SMALLEST = 8
# The standard deviations of the frequencies, for numbers of variance 1.
_LOWEST, _HIGHEST = 0.5, 8.0


class RandomExtractor(Extractor):
    """Random features of standardised examples: cheap, and the same everywhere.

    They are random Fourier features, whose means tell distributions apart that have the
    same moments: of the numbers of an example, or, where these are pictures, of the
    output of a convolutional network with random weights. Each feature has mean 0 and
    variance 1 on the examples that are given.

    Args:
        x: Real examples, of shape `(n, *shape)`; some hundreds do.
        num_features: How many features.
        seed: Integer; the same gives the same weights.

    Raises:
        InvalidArgument: If these are no examples.

    References:
        Naeem et al. (2020), arXiv 2002.09797, section 3.3 (random networks);
        Rahimi and Recht (2007), Random features for large-scale kernel machines.
    """

    @checked(num_features=Integer(), seed=SEED)
    def __init__(
        self, x: np.ndarray, num_features: int = 64, seed: int = 0
    ) -> None:
        x = np.asarray(x, "float32")
        if x.ndim < 2 or not len(x):
            expected = "an array of examples, of shape (n, ...)"
            raise invalid("x", "RandomExtractor", expected, f"shape {x.shape}")
        name = f"{num_features} random features"
        super().__init__(name, x.shape[1:], num_features)
        self.check(x)
        self._scale = _mean_and_stddev(x, tuple(range(x.ndim - 1)))
        if x.ndim == 2:  # columns have scales of their own
            self._scale = _mean_and_stddev(x, 0)
        weights = np.random.default_rng(seed)
        self._layers = _kernels(x.shape[1:], weights) if x.ndim == 4 else []
        size = math.prod(self._hidden(x[:1]).shape[1:])
        scales = np.geomspace(_LOWEST, _HIGHEST, num_features) / math.sqrt(size)
        frequencies = scales * weights.normal(size=(size, num_features))
        phases = weights.uniform(0.0, 2.0 * np.pi, num_features)
        self._frequencies = frequencies.astype("float32")
        self._phases = phases.astype("float32")
        starts = range(0, len(x), self.batch_size)
        parts = [self._waves(x[n : n + self.batch_size]) for n in starts]
        self._wave_scale = _mean_and_stddev(np.concatenate(parts), 0)

    def features_of(self, images: tf.Tensor) -> tf.Tensor:
        mean, stddev = self._wave_scale
        return (self._waves(images) - mean) / stddev

    def _waves(self, images):
        x = tf.reshape(self._hidden(images), (-1, len(self._frequencies)))
        return tf.cos(x @ self._frequencies + self._phases)

    def _hidden(self, images):
        mean, stddev = self._scale
        x = (images - mean) / stddev
        for kernel in self._layers:
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 2, "SAME"))
        return x


def _kernels(shape, weights):
    """Kernels of 3x3, by which the variance stays (He et al. 2015)."""
    halvings = math.ceil(math.log2(max(1.0, max(shape[:2]) / _SMALLEST)))
    before, kernels = shape[-1], []
    for filters in doubling(max(_LAYERS, halvings), _FILTERS, _MOST_FILTERS):
        kernel = weights.normal(size=(3, 3, before, filters))
        kernels.append((kernel * math.sqrt(2 / (9 * before))).astype("float32"))
        before = filters
    return kernels


def _mean_and_stddev(x, axes):
    """Over the axes; 1 where nothing varies."""
    mean, stddev = x.mean(axes), x.std(axes)
    return mean, np.where(stddev > 1e-6, stddev, 1.0).astype("float32")
