import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen.errors import InvalidArgument
from kgen.networks import convolutional, dense, halving, resnet, sequences

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
CASES += [(sequences, shape) for shape in [(128, 2), (25, 3), (4, 1), (1, 1)]]
CASES += [(resnet, shape) for shape in [*PICTURES, (37, 50, 3)]]
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


@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize(("family", "shape"), CASES)
def test_any_shape_from_z_to_a_logit(family, shape, num_classes):
    generator = family.generator(shape, 5, num_classes=num_classes)
    discriminator = family.discriminator(shape, num_classes=num_classes)
    labels = [] if num_classes is None else [tf.constant([0, 2])]

    def give(x):
        return [x, *labels] if labels else x

    x = generator(give(tf.zeros((2, 5))))
    assert x.shape == (2, *shape)
    assert discriminator(give(x)).shape == (2, 1)


@pytest.mark.parametrize(
    ("family", "shape"),
    [
        (convolutional, (8, 8, 3)),
        (resnet, (8, 8, 3)),
        (sequences, (9, 3)),
        (dense, (5,)),
    ],
)
def test_a_packing_discriminator_sees_several(family, shape):
    network = family.discriminator(shape, pack=3)
    assert network.input_shape == (None, *shape[:-1], 3 * shape[-1])
    with pytest.raises(InvalidArgument, match="pack=0"):
        family.discriminator(shape, pack=0)


@pytest.mark.parametrize(
    ("family", "shape"),
    [
        (convolutional, (8, 8, 1)),
        (resnet, (8, 8, 1)),
        (sequences, (9, 3)),
        (dense, (8, 8, 1)),
    ],
)
def test_every_layer_is_normalised(family, shape):
    network = family.discriminator(shape, spectral_normalization=True)
    wrapped = [
        layer
        for layer in network.layers
        if isinstance(layer, kgen.layers.SpectralNormalization)
    ]
    kernels = [weight for weight in network.weights if weight.name == "kernel"]
    assert len(wrapped) == len(kernels) > 1


@pytest.mark.parametrize("family", [convolutional, dense, resnet])
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("clip:0.3", kgen.layers.WeightClip),
        ("clip", kgen.layers.WeightClip),
        ("unit_norm", keras.constraints.UnitNorm),
        (None, type(None)),
    ],
)
def test_constraints_by_name(family, given, kind):
    network = family.discriminator((8, 8, 1), kernel_constraint=given)
    found = [
        layer.kernel_constraint
        for layer in network.layers
        if hasattr(layer, "kernel")
    ]
    assert len(found) > 1 and all(type(one) is kind for one in found)
    if given == "clip:0.3":
        assert found[0].limit == 0.3


@pytest.mark.parametrize("name", ["clop", "clip:-1", "clip:a"])
def test_bad_constraints(name):
    with pytest.raises(InvalidArgument):
        dense.discriminator((5,), kernel_constraint=name)


@pytest.mark.parametrize(
    ("family", "options"),
    [(convolutional, {}), (dense, {}), (resnet, {"minibatch_std": False})],
)
def test_examples_do_not_meet_in_a_discriminator(family, options):
    """Without which the penalties would be of something else."""
    network = family.discriminator((8, 8, 1), **options)
    x = np.random.default_rng(0).uniform(size=(4, 8, 8, 1)).astype("float32")
    alone = np.concatenate([network(x[i : i + 1]) for i in range(4)])
    np.testing.assert_allclose(network(x, training=True), alone, atol=1e-5)


@pytest.mark.parametrize("family", [convolutional, dense, resnet])
def test_a_point_encoder_has_one_output(family):
    assert family.encoder((8, 8, 1), 5, gaussian=False).output_shape == (
        None,
        5,
    )


def test_stages_halve_and_round_up():
    assert halving.stages((25, 25, 3)) == [
        (25, 25),
        (13, 13),
        (7, 7),
        (4, 4),
    ]


def test_sequences_halve_and_round_up_and_are_doubled_again():
    """The networks' layers, weight by weight."""
    assert halving.stages((25, 3)) == [(25,), (13,), (7,), (4,)]
    options = {"filters": 4, "hidden_units": ()}
    encoder = sequences.encoder((13, 2), 3, **options)
    decoder = sequences.decoder((13, 2), 3, **options)
    shapes = [
        [tuple(w.shape) for w in network.weights if w.name == "kernel"]
        for network in (encoder, decoder)
    ]
    assert shapes[0] == [(5, 2, 4), (5, 4, 8), (4 * 8, 6)]
    assert shapes[1] == [(3, 4 * 8), (5, 8, 4), (5, 4, 4), (5, 4, 2)]


def test_a_sequence_is_repeated_cropped_and_convolved():
    decoder = sequences.decoder(
        (7, 2), 3, filters=4, hidden_units=(), activation=None
    )
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=w.shape) for w in decoder.weights]
    decoder.set_weights(weights)
    z = rng.normal(size=(1, 3)).astype("float32")
    x = (z @ weights[0] + weights[1]).reshape(4, 4).repeat(2, axis=0)[:7]
    for kernel, bias in (weights[2:4], weights[4:]):
        padded = np.pad(x, [(2, 2), (0, 0)])
        windows = np.stack([padded[at : at + 5] for at in range(7)])
        x = np.einsum("tkc,kcd->td", windows, kernel) + bias
    np.testing.assert_allclose(decoder(z)[0], x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(9,), (4, 4, 4, 1)])
@pytest.mark.parametrize("family", [convolutional, sequences])
def test_other_shapes_are_refused_with_advice(family, shape):
    with pytest.raises(InvalidArgument, match='volumes.*network="dense"'):
        family.encoder(shape, 2)


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


@pytest.mark.parametrize("shape", [(28, 28, 1), (4, 4, 1)])
@pytest.mark.parametrize("build", ["encoder", "decoder"])
def test_batch_normalisation_takes_the_place_of_biases(build, shape):
    build = getattr(convolutional, build)
    plain, normalised = (
        build(shape, 5, batch_normalization=given) for given in (False, True)
    )

    def count(network, name):
        return [weight.name for weight in network.weights].count(name)

    assert count(plain, "gamma") == 0
    assert count(plain, "bias") == count(plain, "kernel")
    # The output alone keeps its bias.
    assert count(normalised, "bias") == 1
    assert count(normalised, "gamma") == count(normalised, "kernel") - 1 > 0
