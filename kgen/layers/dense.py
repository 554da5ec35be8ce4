"""A dense layer whose products keep all cores busy."""

import keras
import tensorflow as tf
from tensorflow import Tensor


@keras.saving.register_keras_serializable(package="kgen")
class Dense(keras.layers.Dense):
    """`keras.layers.Dense` for wide layers, faster in training on CPUs.

    TensorFlow's MatMul runs on one thread while its operands fit into a core's
    cache, as those of a batch of 128 do. Here the forward product is cut into
    two halves of the batch, which run side by side, and the two products of
    the gradient are batched ones, which use all threads. Results differ from
    Keras's by rounding alone; `benchmarks/speed.py` measures the gain. Where there
    is another device than CPUs, the layer is Keras's.

    Arguments, call arguments and the output are those of `keras.layers.Dense`.
    """

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        if len(inputs.shape) != 2 or not _has_cpus_alone():
            return super().call(inputs, training=training)
        x = _product(inputs, tf.convert_to_tensor(self.kernel))
        if self.bias is not None:
            x = keras.ops.add(x, self.bias)
        return x if self.activation is None else self.activation(x)


def _has_cpus_alone():
    """Whether TensorFlow sees no GPU or other accelerator."""
    devices = tf.config.list_physical_devices()
    return all(device.device_type == "CPU" for device in devices)


@tf.custom_gradient
def _product(x, kernel):
    """`x @ kernel` for matrices."""

    def gradient(upstream):
        by_x = _batched(upstream, kernel, adj_y=True)
        by_kernel = _batched(x, upstream, adj_x=True)
        return by_x, by_kernel

    half = tf.shape(x)[0] // 2
    rows = [tf.matmul(x[:half], kernel), tf.matmul(x[half:], kernel)]
    return tf.concat(rows, axis=0), gradient


def _batched(a, b, **kwargs):
    # The raw op, since `tf.matmul` would pick MatMul again.
    product = tf.raw_ops.BatchMatMulV2(
        x=tf.expand_dims(a, 0), y=tf.expand_dims(b, 0), **kwargs
    )
    return tf.squeeze(product, axis=0)
