"""Spectral normalisation, and the clipping of weights."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops
from tensorflow import Tensor

from kgen.errors import invalid
from kgen.params import Instance, Integer, Number, checked

_EXPECTED = "a layer with a kernel, such as Dense or Conv2D, or an Embedding"


@keras.saving.register_keras_serializable(package="kgen")
class SpectralNormalization(keras.layers.Wrapper):
    """A layer whose kernel is divided by its largest singular value.

    A reparameterisation: the layer computes with `W / sigma(W)`, W stays what
    the optimizer made it, and the gradient is that of `W / sigma(W)`. For a
    convolution W is the matrix of shape (rows * columns * channels, filters).
    sigma comes from power iteration on a vector that is kept between calls, and
    moves on in calls with `training=True`. A kernel of zeros is not divided.

    Args:
        layer: Keras layer with a `kernel`, such as Dense or Conv2D, or an
            Embedding.
        iterations: Power iterations for each training call.

    Call arguments:
        x: What the layer takes.
        training: Whether the vector moves on.

    Returns:
        What the layer returns.

    Raises:
        InvalidArgument: If the layer has no kernel.

    References:
        Miyato et al. (2018), arXiv 1802.05957, section 2 and algorithm 1.
    """

    @checked(
        layer=Instance(keras.layers.Layer, _EXPECTED), iterations=Integer(1)
    )
    def __init__(
        self, layer: keras.layers.Layer, iterations: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(layer, **kwargs)
        self.iterations = iterations

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        names = ("kernel", "embeddings")
        names = [name for name in names if hasattr(self.layer, name)]
        if not names:
            raise invalid(
                "layer", "SpectralNormalization", _EXPECTED, self.layer
            )
        self._name_of_matrix = names[0]
        self.vector = self.add_weight(
            shape=(1, self._matrix.shape[-1]),
            initializer=keras.initializers.RandomNormal(),
            trainable=False,
            name="vector",
            dtype="float32",
            autocast=False,  # the power iteration is in float32 throughout
        )

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        kernel = tf.convert_to_tensor(self._matrix)
        sigma = ops.cast(self._sigma(kernel, training), kernel.dtype)
        normalised = kernel / ops.where(sigma > 0.0, sigma, 1.0)
        variable = getattr(self.layer, f"_{self._name_of_matrix}", self._matrix)
        with keras.StatelessScope(state_mapping=[(variable, normalised)]):
            return self.layer(x)

    @property
    def _matrix(self):
        return getattr(self.layer, self._name_of_matrix)

    def _sigma(self, kernel, training):
        """The largest singular value; it has a gradient."""
        matrix = ops.cast(kernel, "float32")
        matrix = ops.reshape(matrix, (-1, kernel.shape[-1]))
        constant = ops.stop_gradient(matrix)
        right = tf.convert_to_tensor(self.vector.value)
        for _ in range(self.iterations if training else 0):
            left = _unit(right @ ops.transpose(constant))
            right = _unit(left @ constant)
        if training:
            # A kernel of zeros would make it zeros, which it would stay for good.
            moved = ops.any(ops.not_equal(right, 0.0))
            self.vector.assign(ops.where(moved, right, self.vector))
        left = ops.stop_gradient(_unit(right @ ops.transpose(constant)))
        right = ops.stop_gradient(_unit(right))
        return ops.sum((left @ matrix) * right)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict:
        return {**super().get_config(), "iterations": self.iterations}


def _unit(vector):
    return vector / (ops.norm(vector) + 1e-12)


@keras.saving.register_keras_serializable(package="kgen")
class WeightClip(keras.constraints.Constraint):
    """Keeps each weight between `-limit` and `limit`.

    Args:
        limit: Positive number; 0.01 by default.

    References:
        Arjovsky et al. (2017), arXiv 1701.07875, algorithm 1.
    """

    @checked(limit=Number())
    def __init__(self, limit: float = 0.01) -> None:
        if not limit:
            raise invalid("limit", "WeightClip", "a positive number", limit)
        self.limit = limit

    def __call__(self, w: Tensor) -> Tensor:
        return ops.clip(w, -self.limit, self.limit)

    def get_config(self) -> dict:
        return {"limit": self.limit}
