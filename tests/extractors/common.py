"""Small data, and a stand-in for Inception's frozen graph."""

import numpy as np
import tensorflow as tf

from kgen.data import open_source


def bright_or_dark(count=60, shape=(8, 8, 1), seed=0):
    """Pictures of two classes that anyone can tell apart, and the classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    noise = rng.uniform(0.0, 0.3, (count, *shape))
    images = noise + 0.6 * labels.reshape(-1, *[1] * len(shape))
    return images.astype("float32"), labels


def source(*args, **kwargs):
    return open_source(bright_or_dark(*args, **kwargs))


class Graph:
    """A GraphDef with the names, sizes and old operations of the real one.

    Resized to 299x299, scaled to [-1, 1), one mean over the picture, a 1x1
    convolution, the batch normalisation of 2015; then the head, which was
    frozen for one picture.
    """

    def __init__(self, scaled=True, features=2048, classes=1008):
        rng = np.random.default_rng(0)

        def normal(*shape):
            return rng.normal(size=shape).astype("float32")

        self.kernel = normal(1, 1, 3, features)
        self.mean, self.beta = normal(features), normal(features)
        self.gamma = normal(features)
        self.variance = rng.uniform(0.5, 2, features).astype("float32")
        self.weights = normal(features, classes) / 100
        self.bias = normal(classes)
        self.scaled, self.classes = scaled, classes
        self.graph_def = self._build()

    def _build(self):
        raw = tf.raw_ops
        with tf.Graph().as_default() as graph:
            picture = tf.image.encode_jpeg(np.zeros((2, 2, 3), "uint8"))
            decoded = tf.image.decode_jpeg(picture, 3, name="DecodeJpeg")
            x = tf.cast(decoded, "float32", name="Cast")
            x = raw.ExpandDims(input=x, axis=0, name="ExpandDims")
            x = raw.ResizeBilinear(images=x, size=[299, 299])
            x = tf.reduce_mean((x - 128) * (1 / 128), (1, 2), keepdims=True)
            x = raw.Conv2D(
                input=x,
                filter=self.kernel,
                strides=[1] * 4,
                padding="SAME",
                name="conv/Conv2D",
            )
            for name in ("mean", "variance", "beta", "gamma"):
                tf.constant(getattr(self, name), name=f"conv/{name}")
            x = tf.identity(x, name="conv/batchnorm")
            x = tf.nn.relu(raw.CheckNumerics(tensor=x, message=""))
            x = tf.identity(x, name="pool_3")
            x = tf.reshape(
                x, (1, self.weights.shape[0]), name="pool_3/_reshape"
            )
            weights = tf.constant(self.weights, name="softmax/weights")
            x = raw.MatMul(a=x, b=weights, name="softmax/logits/MatMul")
            tf.nn.softmax(x + self.bias, name="softmax")
        graph_def = graph.as_graph_def()
        self._age(graph_def)
        return graph_def

    def _age(self, graph_def):
        """Makes it one of 2015; TensorFlow won't write it itself any more."""
        graph_def.versions.producer = 8
        (node,) = (n for n in graph_def.node if n.name == "conv/batchnorm")
        node.op = "BatchNormWithGlobalNormalization"
        names = ("mean", "variance", "beta", "gamma")
        node.input.extend(f"conv/{name}" for name in names)
        node.attr["variance_epsilon"].f = 0.001
        node.attr["scale_after_normalization"].b = self.scaled

    def features(self, images):
        """What it gives for float64 pictures from 0 to 255, step by step."""
        height, width = images.shape[1:3]
        rows, columns = _resizing(height, 299), _resizing(width, 299)
        x = np.einsum("ih,nhwc,jw->nijc", rows, images, columns, optimize=True)
        x = ((x - 128) / 128).mean(axis=(1, 2)) @ self.kernel[0, 0]
        x = (x - self.mean) / np.sqrt(self.variance + 0.001)
        x = x * self.gamma if self.scaled else x
        return np.maximum(x + self.beta, 0)

    def probabilities(self, images):
        logits = self.features(images) @ self.weights.astype("float64")
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)


def _resizing(size, new):
    """TensorFlow 1's bilinear weights: row i looks at i * size / new."""
    matrix = np.zeros((new, size))
    for i in range(new):
        place = i * size / new
        low = int(place)
        high = min(low + 1, size - 1)
        matrix[i, low] += 1 - (place - low)
        matrix[i, high] += place - low
    return matrix
