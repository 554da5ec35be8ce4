import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen.networks import convolutional, dense

PICTURES = [
    (8, 8, 1),
    (28, 28, 1),
    (25, 25, 3),
    (64, 64, 3),
    (28, 15, 1),
    (3, 9, 2),
    (4, 4, 1),
    (1, 1, 1),
]
CASES = [(convolutional, shape) for shape in PICTURES]
CASES += [(dense, shape) for shape in [(5,), (8, 8, 1), (25, 25, 3)]]


@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize(("family", "shape"), CASES)
def test_any_shape_there_and_back(family, shape, num_classes):
    encoder = family.encoder(shape, 5, num_classes=num_classes)
    decoder = family.decoder(shape, 5, num_classes=num_classes)
    labels = [] if num_classes is None else [tf.constant([0, 2])]

    def give(x):
        return [x, *labels] if labels else x

    mean, log_var = encoder(give(tf.zeros((2, *shape))))
    assert mean.shape == log_var.shape == (2, 5)
    assert decoder(give(mean)).shape == (2, *shape)


@pytest.mark.parametrize("family", [convolutional, dense])
def test_a_point_encoder_has_one_output(family):
    assert family.encoder((8, 8, 1), 5, gaussian=False).output_shape == (
        None,
        5,
    )


def test_stages_halve_and_round_up():
    assert convolutional.stages((25, 25, 3)) == [
        (25, 25),
        (13, 13),
        (7, 7),
        (4, 4),
    ]


def test_no_hidden_layer_is_a_linear_map():
    decoder = dense.decoder((6,), 2, hidden_units=())
    kernel, bias = decoder.get_weights()
    z = np.random.default_rng(0).normal(size=(3, 2)).astype("float32")
    np.testing.assert_allclose(decoder(z), z @ kernel + bias, rtol=1e-5)


def test_options_reach_the_networks():
    vae = kgen.create_model(
        "vae",
        input_shape=(8, 8, 1),
        network="dense",
        hidden_units=(7, 6),
        kernel_regularizer="l2",
        activation="tanh",
    )
    widths = [weight.shape[1] for weight in vae.encoder.weights[::2]]
    assert widths == [7, 6, 16]
    assert len(vae.encoder.losses) == 2
    assert vae.encoder.layers[2].activation.__name__ == "tanh"


def test_pictures_under_a_gaussian_are_decoded_into_the_unit_range():
    for likelihood, shape, name in (
        ("gaussian:learned", (8, 8, 1), "sigmoid"),
        ("bernoulli", (8, 8, 1), "linear"),
        ("gaussian", (64,), "linear"),
    ):
        vae = kgen.create_model(
            "vae", input_shape=shape, network="dense", likelihood=likelihood
        )
        (end,) = [
            layer for layer in vae.decoder.layers if layer.name == "parameters"
        ]
        assert end.activation.__name__ == name
