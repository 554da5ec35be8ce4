import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen

RNG = np.random.default_rng(0)


def pair(**kwargs):
    """Keras's layer and ours, with the same weights."""
    keras.utils.set_random_seed(0)
    theirs = keras.layers.Dense(7, "tanh", **kwargs)
    mine = kgen.layers.Dense(7, "tanh", **kwargs)
    for layer in (theirs, mine):
        layer.build((None, 5))
    mine.set_weights(theirs.get_weights())
    return theirs, mine


@pytest.mark.parametrize("rows", [0, 1, 2, 9])
@pytest.mark.parametrize("use_bias", [True, False])
def test_output_and_gradients_are_those_of_keras(rows, use_bias):
    x = tf.constant(RNG.normal(size=(rows, 5)), "float32")
    results = []
    for layer in pair(use_bias=use_bias):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y**3)
        weights = [v.value for v in layer.trainable_variables]
        results.append([y, *tape.gradient(loss, [x, *weights])])
    for theirs, mine in zip(*results):
        np.testing.assert_allclose(theirs, mine, rtol=1e-5, atol=1e-6)


def test_second_derivatives():
    """A gradient penalty differentiates through the gradient."""
    x = tf.constant(RNG.normal(size=(4, 5)), "float32")
    results = []
    for layer in pair():
        kernel = layer.kernel.value
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(layer(x))
            penalty = tf.reduce_sum(inner.gradient(y, x) ** 2)
        results.append(outer.gradient(penalty, kernel))
    np.testing.assert_allclose(*results, rtol=1e-4, atol=1e-5)


def test_more_axes_and_half_precision():
    theirs, mine = pair()
    x = RNG.normal(size=(2, 3, 5)).astype("float32")
    np.testing.assert_allclose(theirs(x), mine(x), rtol=1e-6)
    layer = kgen.layers.Dense(3, dtype="mixed_float16")
    assert layer(tf.ones((4, 2))).dtype == tf.float16


def test_comes_back_from_its_config():
    layer = kgen.layers.Dense(3, "relu", kernel_regularizer="l2")
    copy = kgen.layers.Dense.from_config(layer.get_config())
    copy(tf.ones((1, 2)))
    assert len(copy.losses) == 1


def test_keras_s_own_products_on_other_devices(monkeypatch):
    gpu = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda: [gpu])
    monkeypatch.setattr("kgen.layers.dense._product", None)
    theirs, mine = pair()
    x = tf.ones((4, 5))
    np.testing.assert_array_equal(theirs(x), mine(x))
