import keras
import numpy as np
import pytest
import tensorflow as tf

from kgen.errors import InvalidArgument
from kgen.layers import MinibatchStdDev

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(5,), (3, 2, 4)])
def test_the_batch_counts_in_training_and_its_average_elsewhere(shape):
    x = RNG.normal(size=(6, *shape)).astype("float32")
    layer = MinibatchStdDev(momentum=0.75)
    expected = np.sqrt(x.var(axis=0) + 1e-8).mean()
    average = 0.0
    for _ in range(2):
        y = layer(x, training=True).numpy()
        assert y.shape == layer.compute_output_shape(x.shape)
        np.testing.assert_array_equal(y[..., :-1], x)
        np.testing.assert_allclose(y[..., -1], expected, rtol=1e-5)
        average = 0.75 * average + 0.25 * expected
    for rows in (x, x[:1]):  # whatever the company
        y = layer(rows, training=False).numpy()
        np.testing.assert_allclose(y[..., -1], average, rtol=1e-5)
    assert not layer.trainable_variables


def test_its_gradient_is_that_of_the_standard_deviation():
    x = RNG.normal(size=(4, 3))
    variable = tf.Variable(x, dtype="float32")
    layer = MinibatchStdDev()
    with tf.GradientTape() as tape:
        value = layer(variable, training=True)[0, -1]
    by_hand = (x - x.mean(axis=0)) / (4 * x.std(axis=0)) / 3
    np.testing.assert_allclose(
        tape.gradient(value, variable), by_hand, rtol=1e-4, atol=1e-6
    )


def test_equal_examples_have_a_finite_gradient():
    x = tf.Variable(np.ones((4, 3), "float32"))
    with tf.GradientTape() as tape:
        value = MinibatchStdDev()(x, training=True)[0, -1]
    np.testing.assert_array_equal(tape.gradient(value, x), np.zeros((4, 3)))


def test_its_config():
    layer = MinibatchStdDev(0.5)
    assert MinibatchStdDev.from_config(layer.get_config()).momentum == 0.5
    with pytest.raises(InvalidArgument, match="momentum=1"):
        MinibatchStdDev(1)
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert type(copy) is MinibatchStdDev
