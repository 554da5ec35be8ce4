"""Metrics for `compile(metrics=[...])`: of pictures and of features.

Their variables are sums, which Keras adds up over replicas.
"""

import math
from collections.abc import Callable

import keras
import tensorflow as tf
from keras import ops

from kgen.errors import invalid
from kgen.metrics.frechet import distance_of_moments
from kgen.metrics.pictures import laplacian
from kgen.metrics.similarity import WINDOW, ssim_of


@keras.saving.register_keras_serializable(package="kgen")
class PSNR(keras.metrics.MeanMetricWrapper):
    """The mean of `kgen.metrics.psnr` over the examples, in dB.

    For outputs that should equal their targets, which are in [0, 1], such as
    reconstructions or denoised pictures. It is infinite if one of them equals
    its target. Unlike the function, it doesn't check values, since it could not
    raise in the graph of a step.

    Args:
        name: Name in the logs.
        dtype: Type of the result.

    Example:

        model.compile("adam", "mse", metrics=[kgen.metrics.PSNR()])
    """

    def __init__(self, name: str = "psnr", dtype: str | None = None) -> None:
        super().__init__(_psnr, name, dtype)
        self._direction = "up"

    # The wrapper's would hold the function.
    get_config = keras.metrics.Metric.get_config


@keras.saving.register_keras_serializable(package="kgen")
class SSIM(keras.metrics.MeanMetricWrapper):
    """The mean of `kgen.metrics.ssim` over the examples.

    Unlike the function, it doesn't check whether values are in [0, 1].

    Args:
        name: Name in the logs.
        dtype: Type of the result.
    """

    def __init__(self, name: str = "ssim", dtype: str | None = None) -> None:
        super().__init__(_ssim, name, dtype)
        self._direction = "up"

    get_config = keras.metrics.Metric.get_config


@keras.saving.register_keras_serializable(package="kgen")
class SharpnessRatio(keras.metrics.Metric):
    """The mean `kgen.metrics.sharpness` of outputs over that of their targets.

    Below 1 the outputs are blurred, above 1 noisy. Unlike the function, it
    doesn't check whether values are in [0, 1].

    Args:
        name: Name in the logs.
        dtype: Type of the result.
    """

    def __init__(
        self, name: str = "sharpness_ratio", dtype: str | None = None
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        # Of the targets and of the outputs.
        self.total = self.add_weight((2,), "zeros", name="total")

    def update_state(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: None = None
    ) -> None:
        """Adds a batch.

        Args:
            y_true: Pictures of shape `(n, height, width, channels)`, both sides
                3 or more.
            y_pred: As many of them.
            sample_weight: None.
        """
        _refuse_weights("SharpnessRatio", sample_weight)
        sums = [
            ops.sum(ops.var(laplacian(pictures), axis=(1, 2, 3)))
            for pictures in _pictures("SharpnessRatio", 3, y_true, y_pred)
        ]
        self.total.assign_add(ops.cast(ops.stack(sums), self.total.dtype))

    def result(self) -> tf.Tensor:
        return ops.divide_no_nan(self.total[1], self.total[0])


@keras.saving.register_keras_serializable(package="kgen")
class FrechetDistance(keras.metrics.Metric):
    """`kgen.metrics.frechet_distance` of the targets' and the outputs' features.

    The moments of both are summed in float64, `(d + 1)^2` numbers each for d
    features, and add up over replicas. The distance is computed in the
    graph, and Keras asks for it at each step: by eigenvalues in `d^3`
    operations, milliseconds for 128 features. It is NaN if a feature is.

    Args:
        extractor: Function, layer or model from a batch of pictures to
            features of shape `(n, d)`; None for the pixels. A function has to
            be registered as serialisable if the model is to be saved.
        name: Name in the logs.
        dtype: Type of the result.

    Raises:
        InvalidArgument: At the first batch, if the features are no matrix of a
            known width.

    Example:

        distance = kgen.metrics.FrechetDistance(extractor=features)
        model.compile("adam", "mse", metrics=[distance])

    References:
        Heusel et al. (2017), arXiv 1706.08500, equation 6.
    """

    def __init__(
        self,
        extractor: Callable | None = None,
        name: str = "frechet_distance",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.extractor = extractor
        self.built = False
        self._direction = "down"

    def build(self, num_features: int) -> None:
        """Creates the variables, once the number of features is known."""
        shape = (num_features + 1, num_features + 1)
        # Sums of the outer products of (x, 1) with itself: of x x', x and 1.
        self.real, self.fake = (
            self.add_weight(shape, "zeros", "float64", name)
            for name in ("real", "fake")
        )
        self.built = True

    def update_state(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: None = None
    ) -> None:
        """Adds a batch of both.

        Args:
            y_true: Real examples, of shape `(n, ...)`.
            y_pred: Generated ones, of shape `(m, ...)`.
            sample_weight: None.
        """
        _refuse_weights("FrechetDistance", sample_weight)
        for name, x in (("real", y_true), ("fake", y_pred)):
            features = self._features(x)
            if not self.built:
                self.build(features.shape[1])
            rows = tf.pad(features, [[0, 0], [0, 1]], constant_values=1.0)
            product = tf.matmul(rows, rows, transpose_a=True)
            getattr(self, name).assign_add(product)

    def _features(self, x):
        x = ops.convert_to_tensor(x)
        if self.extractor is None:
            features = ops.reshape(x, (-1, math.prod(x.shape[1:])))
        else:
            features = self.extractor(x)
        if len(features.shape) != 2 or features.shape[1] is None:
            raise invalid(
                "extractor",
                "FrechetDistance",
                "a function to features of shape (n, d), with d known",
                f"one to shape {tuple(features.shape)}",
            )
        return tf.cast(features, "float64")

    def result(self) -> tf.Tensor:
        if not self.built:
            return ops.zeros((), self.dtype)
        sums = [tf.convert_to_tensor(x.value) for x in (self.real, self.fake)]
        # What is not finite has no eigenvalues: TensorFlow would stop.
        distance = tf.cond(
            tf.reduce_all(tf.math.is_finite(sums)),
            lambda: distance_of_moments(*_moments(sums[0]), *_moments(sums[1])),
            lambda: tf.constant(math.nan, "float64"),
        )
        return tf.cast(distance, self.dtype)

    def get_config(self) -> dict:
        extractor = keras.saving.serialize_keras_object(self.extractor)
        return {"extractor": extractor, **super().get_config()}

    @classmethod
    def from_config(cls, config: dict) -> "FrechetDistance":
        """Builds the metric that `get_config` described."""
        extractor = keras.saving.deserialize_keras_object(config["extractor"])
        return cls(**{**config, "extractor": extractor})


def _moments(sums):
    """Mean and unbiased covariance out of sums of outer products of (x, 1)."""
    count = sums[-1, -1]
    mean = tf.math.divide_no_nan(sums[-1, :-1], count)
    scatter = sums[:-1, :-1] - count * tf.einsum("i,j->ij", mean, mean)
    return mean, scatter / tf.maximum(count - 1.0, 1.0)


def _psnr(y_true, y_pred):
    # `tf.image.psnr`, for examples of any shape.
    y_true, y_pred = (
        ops.convert_to_tensor(x, "float32") for x in (y_true, y_pred)
    )
    axes = list(range(1, len(y_pred.shape)))
    errors = ops.mean(ops.square(y_pred - y_true), axis=axes)
    return -10.0 / math.log(10.0) * ops.log(errors)


def _ssim(y_true, y_pred):
    return ssim_of(*_pictures("SSIM", WINDOW, y_true, y_pred))


def _refuse_weights(owner, sample_weight):
    if sample_weight is not None:
        raise invalid("sample_weight", owner, "None", "some")


def _pictures(owner, side, *batches):
    """Tensors of pictures; raises where it is known that they are too small."""
    batches = [ops.convert_to_tensor(x, "float32") for x in batches]
    for x in batches:
        sides = x.shape[1:3]
        if len(x.shape) != 4 or any(n is not None and n < side for n in sides):
            raise invalid(
                "y_pred",
                owner,
                f"shape (n, height, width, channels), both sides {side} or more",
                f"shape {tuple(x.shape)}",
            )
    return batches
