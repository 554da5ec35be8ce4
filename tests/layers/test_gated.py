import keras
import numpy as np
import tensorflow as tf

import kgen


def test_gated_dense_is_its_formula():
    layer = kgen.layers.GatedDense(3)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    y = layer(x)
    kernel, bias = (weight.numpy() for weight in layer.weights)
    both = x @ kernel + bias
    expected = both[:, :3] / (1 + np.exp(-both[:, 3:]))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_gated_dense_comes_back_from_its_config():
    layer = kgen.layers.GatedDense(3, kernel_regularizer="l2")
    copy = kgen.layers.GatedDense.from_config(layer.get_config())
    copy(tf.ones((1, 2)))
    assert len(copy.losses) == 1


def test_gated_networks():
    encoder = kgen.networks.dense.encoder((8, 8, 1), 3, activation="gated")
    assert encoder.output_shape == [(None, 3), (None, 3)]
    kinds = [type(layer) for layer in encoder.layers]
    assert kinds.count(kgen.layers.GatedDense) == 2
    copy = keras.Model.from_config(encoder.get_config())
    assert copy.count_params() == encoder.count_params()
