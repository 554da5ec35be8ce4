import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen.errors import InvalidArgument
from kgen.networks import halving, resnet

RNG = np.random.default_rng(0)


def mean_squares(network, inputs):
    """Of the maps at the end of each block."""
    ends = [
        layer.output
        for layer in network.layers
        if isinstance(layer, keras.layers.Rescaling)
    ]
    maps = keras.Model(network.inputs, ends)([inputs])
    return np.array([np.mean(np.square(one)) for one in maps])


@pytest.mark.parametrize("activation", ["leaky_relu", "relu"])
def test_the_variance_is_kept_from_z_to_the_picture(activation):
    z = RNG.normal(size=(64, 64)).astype("float32")
    found = []
    for seed in range(8):
        keras.utils.set_random_seed(seed)
        network = resnet.generator(
            (16, 16, 3),
            64,
            filters=64,
            max_filters=64,
            blocks=3,
            activation=activation,
        )
        found.append(mean_squares(network, z))
    assert len(found[0]) == 6
    np.testing.assert_allclose(np.mean(found, axis=0), 1.0, atol=0.25)


def test_the_variance_of_smooth_pictures_is_kept_to_the_logit():
    """But for what averages of 2x2 pixels take from it."""
    spots = RNG.normal(size=(16, 8, 8, 3)).repeat(8, axis=1).repeat(8, axis=2)
    found = []
    for seed in range(4):
        keras.utils.set_random_seed(seed)
        network = resnet.discriminator((64, 64, 3))
        found.append(mean_squares(network, spots.astype("float32")))
    found = np.mean(found, axis=0)
    assert len(found) == 4
    assert found.min() > 0.3 and found.max() < 1.1


def test_attention_by_numpy():
    keras.utils.set_random_seed(0)
    x = keras.Input((3, 2, 6))
    make = resnet._Layers("relu", 3)
    network = keras.Model(x, make.attended(x))
    images = RNG.normal(size=(2, 3, 2, 6)).astype("float32")
    np.testing.assert_array_equal(network(images), images)  # at the start
    weights = {}  # of the three convolutions, in the order of their names
    paths = sorted(network.weights, key=lambda one: (len(one.path), one.path))
    for weight in paths:
        value = RNG.normal(size=weight.shape).astype("float32")
        weight.assign(value)
        weights.setdefault(weight.path.split("/")[0], []).insert(0, value)
    flat = images.reshape(2, 6, 6)
    *inputs, (kernel, bias) = weights.values()
    query, key, value = (flat @ k[0, 0] + b for k, b in inputs)
    scores = query @ key.transpose(0, 2, 1) / np.sqrt(3)
    shares = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    expected = flat + (shares @ value) @ kernel[0, 0] + bias
    np.testing.assert_allclose(
        network(images), expected.reshape(images.shape), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("shape", [(28, 28, 1), (37, 50, 3)])
def test_attention_at_one_size(shape):
    sides = [max(size) for size in halving.stages(shape)]
    for build in (resnet.encoder, resnet.decoder, resnet.generator):
        network = build(shape, 3, filters=2, attention=sides[1])
        kinds = [type(layer) for layer in network.layers]
        assert kinds.count(keras.layers.Attention) == 1
        with pytest.raises(InvalidArgument, match=f"{sides[0]}, {sides[1]}"):
            build(shape, 3, attention=sides[1] + 1)
    network = resnet.discriminator(
        shape, filters=2, attention=sides[-1], spectral_normalization=True
    )
    assert network(tf.zeros((2, *shape))).shape == (2, 1)


def test_blocks_and_labels():
    counts = {}
    for blocks in (1, 2):
        network = resnet.generator(
            (16, 16, 1), 3, filters=2, blocks=blocks, num_classes=4
        )
        kinds = [type(layer) for layer in network.layers]
        counts[blocks] = kinds.count(keras.layers.Add)
        # One for the top, and for each block.
        of_labels = kinds.count(kgen.layers.GainAndShift)
        assert of_labels == counts[blocks] + 1
    assert counts == {1: 2, 2: 4}


@pytest.mark.parametrize("build", [resnet.encoder, resnet.decoder])
def test_the_way_past_a_block_has_no_bias(build):
    """It would have the same gradient as the other way's, and sums vary then."""
    network = build((16, 16, 1), 3, filters=2)
    past = [
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D)
        and layer.kernel_size == (1, 1)
    ]
    assert len(past) == 2
    assert not any(layer.use_bias for layer in past)


def test_a_discriminator_sees_the_batch_if_it_is_asked_to():
    images = RNG.uniform(size=(4, 8, 8, 1)).astype("float32")
    for minibatch_std in (True, False):
        network = resnet.discriminator(
            (8, 8, 1), filters=4, minibatch_std=minibatch_std
        )
        together = network(images, training=True)
        alone = network(images[:1], training=True)
        same = np.allclose(together[:1], alone, atol=1e-5)
        assert same != minibatch_std
