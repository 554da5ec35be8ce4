"""Spectral normalisation is a reparameterisation; clipping a constraint."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen.errors import InvalidArgument
from kgen.layers import SpectralNormalization, WeightClip

RNG = np.random.default_rng(0)


def converged(layer, x, iterations=200):
    """The wrapped layer once its vector is the singular one."""
    wrapped = SpectralNormalization(layer, iterations=iterations)
    wrapped(x, training=True)
    return wrapped


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.Dense(5),
        lambda: kgen.layers.Dense(5),
        lambda: keras.layers.Conv2D(4, 3),
    ],
    ids=["dense", "kgen's dense", "convolution"],
)
def test_divides_by_the_largest_singular_value(layer):
    layer = layer()
    shape = (2, 7) if isinstance(layer, keras.layers.Dense) else (2, 6, 6, 3)
    x = tf.constant(RNG.normal(size=shape), "float32")
    wrapped = converged(layer, x)
    kernel = layer.kernel.numpy()
    sigma = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]))[1][0]
    got = wrapped(x).numpy()
    np.testing.assert_array_equal(layer.kernel.numpy(), kernel)
    layer.kernel.assign(kernel / sigma)
    np.testing.assert_allclose(got, layer(x), atol=1e-5)


def test_gradient_is_that_of_the_quotient():
    """By finite differences of sum((x W / sigma(W))^2), sigma by SVD."""
    x = RNG.normal(size=(4, 3)).astype("float32")
    layer = keras.layers.Dense(2, use_bias=False)
    wrapped = converged(layer, x)
    kernel = layer.kernel.numpy().astype("float64")

    def value(w):
        return np.sum((x @ w / np.linalg.svd(w)[1][0]) ** 2)

    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(wrapped(x) ** 2)
    got = tape.gradient(loss, layer.kernel.value).numpy()
    for index in np.ndindex(kernel.shape):
        step = np.zeros_like(kernel)
        step[index] = 1e-5
        slope = (value(kernel + step) - value(kernel - step)) / 2e-5
        assert got[index] == pytest.approx(slope, abs=1e-3)


def test_a_kernel_of_zeros_can_be_trained():
    x = tf.ones((2, 3))
    layer = keras.layers.Dense(2, kernel_initializer="zeros")
    wrapped = SpectralNormalization(layer)
    with tf.GradientTape() as tape:
        y = wrapped(x, training=True)
        loss = tf.reduce_sum(y)
    np.testing.assert_array_equal(y, np.zeros((2, 2)))
    gradient = tape.gradient(loss, layer.kernel.value)
    np.testing.assert_array_equal(gradient, np.full((3, 2), 2.0))
    layer.kernel.assign([[3.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    for _ in range(20):
        wrapped(x, training=True)
    np.testing.assert_allclose(wrapped(x), [[1.0, 1 / 3]] * 2, atol=1e-5)


def test_the_vector_moves_in_training_alone():
    x = tf.ones((2, 7))
    wrapped = SpectralNormalization(keras.layers.Dense(5))
    wrapped(x)
    start = wrapped.vector.numpy()
    wrapped(x, training=False)
    np.testing.assert_array_equal(wrapped.vector.numpy(), start)
    wrapped(x, training=True)
    assert not np.array_equal(wrapped.vector.numpy(), start)
    assert len(wrapped.trainable_variables) == 2


def test_a_saved_network_is_the_same(tmp_path):
    x = keras.Input((7,))
    y = SpectralNormalization(keras.layers.Dense(5), iterations=2)(x)
    network = keras.Model(x, y)
    data = RNG.normal(size=(3, 7)).astype("float32")
    network(data, training=True)
    network.save(tmp_path / "n.keras")
    loaded = keras.saving.load_model(tmp_path / "n.keras")
    np.testing.assert_array_equal(network(data), loaded(data))
    assert loaded.layers[-1].iterations == 2


def test_an_embedding_s_matrix_is_divided_too():
    layer = keras.layers.Embedding(6, 4)
    labels = tf.constant([0, 5, 2])
    wrapped = converged(layer, labels)
    matrix = layer.embeddings.numpy()
    sigma = np.linalg.svd(matrix)[1][0]
    np.testing.assert_allclose(
        wrapped(labels), (matrix / sigma)[[0, 5, 2]], atol=1e-5
    )


def test_a_conditional_discriminator_is_bounded_throughout():
    network = kgen.networks.dense.discriminator(
        (5,), num_classes=3, spectral_normalization=True
    )
    bare = (keras.layers.Dense, keras.layers.Embedding)
    assert not any(isinstance(layer, bare) for layer in network.layers)
    network = kgen.networks.dense.discriminator(
        (5,), num_classes=3, kernel_constraint="clip:0.1"
    )
    (embedding,) = [
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.Embedding)
    ]
    assert embedding.embeddings_constraint.limit == 0.1


def test_a_layer_without_a_kernel_is_refused():
    with pytest.raises(InvalidArgument, match="a layer with a kernel"):
        SpectralNormalization(5)
    with pytest.raises(InvalidArgument, match="a layer with a kernel"):
        SpectralNormalization(keras.layers.ReLU())(tf.ones((1, 2)))
    with pytest.raises(InvalidArgument, match="iterations"):
        SpectralNormalization(keras.layers.Dense(1), iterations=0)


def test_weight_clip():
    clip = WeightClip(0.5)
    np.testing.assert_allclose(
        clip(tf.constant([-2.0, 0.1, 3.0])), [-0.5, 0.1, 0.5]
    )
    assert WeightClip.from_config(clip.get_config()).limit == 0.5
    with pytest.raises(InvalidArgument, match="at least 0"):
        WeightClip(-1)
    with pytest.raises(InvalidArgument, match="positive"):
        WeightClip(0)


@pytest.mark.parametrize("network", ["dense", "conv"])
def test_clipped_weights_stay_clipped_while_training(network):
    gan = kgen.create_model(
        "gan",
        input_shape=(8, 8, 1),
        network=network,
        kernel_constraint=WeightClip(0.02),
        **({"filters": 4} if network == "conv" else {"hidden_units": (8,)}),
    )
    gan.compile(loss="wasserstein", penalty=None, run_eagerly=True)
    gan.fit(RNG.uniform(size=(64, 8, 8, 1)).astype("float32"), verbose=0)
    kernels = [w for w in gan.discriminator.weights if w.name == "kernel"]
    assert kernels
    assert max(np.abs(w.numpy()).max() for w in kernels) <= 0.02 + 1e-7
