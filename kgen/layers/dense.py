"""A dense layer whose products keep all cores busy."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="kgen")
class Dense(keras.layers.Dense):
    """`keras.layers.Dense` for wide layers, faster in training on CPUs.

    TensorFlow's MatMul runs on one thread while its operands fit into a core's
    cache, as those of a batch of 128 do. Here all products are batched ones,
    of a single matrix, which have no such rule; so are those of their gradient.
    Results differ from Keras's by rounding alone; `benchmarks/speed.py` measures
    the gain.

    Args, call arguments and what it returns are those of `keras.layers.Dense`.
    """

    def call(self, inputs, training=None):
        if len(inputs.shape) != 2:
            return super().call(inputs, training=training)
        x = _product(inputs, tf.convert_to_tensor(self.kernel))
        if self.bias is not None:
            x = keras.ops.add(x, self.bias)
        return x if self.activation is None else self.activation(x)


def _product(x, kernel):
    """`x @ kernel` for matrices."""
    # The raw op, since `tf.matmul` would pick MatMul for matrices. `tf.squeeze`
    # and not `product[0]`, whose gradient would copy.
    product = tf.raw_ops.BatchMatMulV2(
        x=tf.expand_dims(x, 0), y=tf.expand_dims(kernel, 0)
    )
    return tf.squeeze(product, axis=0)
