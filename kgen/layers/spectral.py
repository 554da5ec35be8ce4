"""Spectral normalisation, and the clipping of weights."""

import keras
import tensorflow as tf
from keras import ops

from kgen.errors import check_int, check_number, invalid


@keras.saving.register_keras_serializable(package="kgen")
class SpectralNormalization(keras.layers.Wrapper):
    """A layer whose kernel is divided by its largest singular value.

    A reparameterisation: the layer computes with `W / sigma(W)`, W stays what
    the optimizer made it, and the gradient is that of `W / sigma(W)`. For a
    convolution W is the matrix of shape (rows * columns * channels, filters).
    sigma comes from power iteration on a vector that is kept between calls, and
    moves on in calls with `training=True`.

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

    def __init__(self, layer, iterations=1, **kwargs):
        if not isinstance(layer, keras.layers.Layer):
            raise _no_kernel(layer)
        super().__init__(layer, **kwargs)
        self.iterations = check_int(
            "iterations", "SpectralNormalization", iterations
        )

    def build(self, input_shape):
        super().build(input_shape)
        self._name_of_matrix = next(
            (
                name
                for name in ("kernel", "embeddings")
                if hasattr(self.layer, name)
            ),
            None,
        )
        if self._name_of_matrix is None:
            raise _no_kernel(self.layer)
        self.vector = self.add_weight(
            shape=(1, self._matrix.shape[-1]),
            initializer=keras.initializers.RandomNormal(),
            trainable=False,
            name="vector",
            dtype="float32",
            autocast=False,  # the power iteration is in float32 throughout
        )

    def call(self, x, training=False):
        kernel = tf.convert_to_tensor(self._matrix)
        normalised = kernel / ops.cast(
            self._sigma(kernel, training), kernel.dtype
        )
        variable = getattr(self.layer, f"_{self._name_of_matrix}", self._matrix)
        with keras.StatelessScope(state_mapping=[(variable, normalised)]):
            return self.layer(x)

    @property
    def _matrix(self):
        return getattr(self.layer, self._name_of_matrix)

    def _sigma(self, kernel, training):
        matrix = ops.reshape(
            ops.cast(kernel, "float32"), (-1, kernel.shape[-1])
        )
        constant = ops.stop_gradient(matrix)
        right = tf.convert_to_tensor(self.vector.value)
        for _ in range(self.iterations if training else 0):
            left = _unit(right @ ops.transpose(constant))
            right = _unit(left @ constant)
        if training:
            self.vector.assign(right)
        left = ops.stop_gradient(_unit(right @ ops.transpose(constant)))
        right = ops.stop_gradient(_unit(right))
        return ops.sum((left @ matrix) * right)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {**super().get_config(), "iterations": self.iterations}


def _unit(vector):
    return vector / (ops.norm(vector) + 1e-12)


def _no_kernel(layer):
    return invalid(
        "layer",
        "SpectralNormalization",
        "a layer with a kernel, such as Dense or Conv2D, or an Embedding",
        layer,
    )


@keras.saving.register_keras_serializable(package="kgen")
class WeightClip(keras.constraints.Constraint):
    """Keeps each weight between `-limit` and `limit`.

    Args:
        limit: Positive number; 0.01 by default.

    References:
        Arjovsky et al. (2017), arXiv 1701.07875, algorithm 1.
    """

    def __init__(self, limit=0.01):
        self.limit = check_number("limit", "WeightClip", limit)
        if not self.limit:
            raise invalid("limit", "WeightClip", "a positive number", limit)

    def __call__(self, w):
        return ops.clip(w, -self.limit, self.limit)

    def get_config(self):
        return {"limit": self.limit}
