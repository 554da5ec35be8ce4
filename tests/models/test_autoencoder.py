import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen.errors import InvalidArgument
from tests.models import contract
from tests.models.contract import EAGERLY, X, Y

build = functools.partial(contract.small_model, "autoencoder")


def test_contract(tmp_path, server):
    contract.check_model(
        functools.partial(
            build, kernel_regularizer="l2", likelihood="gaussian:learned"
        ),
        tmp_path,
        server,
    )


@pytest.mark.parametrize(
    "options",
    [
        {"network": "conv", "likelihood": "bernoulli"},
        {"network": "resnet"},
        {"likelihood": "mae"},
    ],
    ids=["conv", "resnet", "keras loss"],
)
def test_contract_of_networks(options, tmp_path):
    contract.check_network(functools.partial(build, **options), tmp_path)


def test_contract_of_labels(tmp_path, server):
    contract.check_labels(build, tmp_path, server)


@pytest.mark.parametrize("conditional", [False, True])
def test_weights_after_one_step(conditional):
    """Half the squared error, summed over pixels, and the regularizers."""
    model = build(
        conditional,
        optimizer=keras.optimizers.SGD(0.01),
        kernel_regularizer=keras.regularizers.L2(0.1),
    )
    labels = [tf.constant(Y)] if conditional else []
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        z = model.encoder([tf.constant(X), *labels] if labels else X)
        x = model.decoder([z, *labels] if labels else z)
        square = tf.reduce_sum((x - X) ** 2, axis=(1, 2, 3))
        kernels = [v.value for v in variables if v.ndim == 2]
        # The ends of the networks have no regularizer.
        hidden = [kernels[0], kernels[2]]
        penalty = 0.1 * sum(tf.reduce_sum(kernel**2) for kernel in hidden)
        loss = 0.5 * tf.reduce_mean(square) + penalty
    gradients = tape.gradient(loss, [v.value for v in variables])
    before = [v.numpy() for v in variables]
    logs = model.train_on_batch(X, Y, return_dict=True)
    constant = 32 * np.log(2 * np.pi)
    assert logs["loss"] == pytest.approx(float(loss) + constant, rel=1e-5)
    assert logs["regularization_loss"] == pytest.approx(float(penalty))
    assert logs["mse"] == pytest.approx(np.mean(square) / 64)
    for old, new, gradient in zip(before, variables, gradients):
        np.testing.assert_allclose(
            new.numpy(), old - 0.01 * gradient, atol=2e-6
        )


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mae", lambda x, y: np.abs(x - y)),
        (keras.losses.MeanSquaredError(), lambda x, y: (x - y) ** 2),
        (keras.losses.mean_squared_error, lambda x, y: (x - y) ** 2),
        (
            keras.losses.Huber(0.1),
            lambda x, y: np.where(
                abs(x - y) < 0.1, (x - y) ** 2 / 2, 0.1 * abs(x - y) - 0.005
            ),
        ),
    ],
    ids=["name", "object", "function", "huber"],
)
def test_any_keras_loss_is_summed_over_the_pixels(loss, expected, tmp_path):
    built = build(likelihood=loss, training=EAGERLY)
    built.save(tmp_path / "model.keras")
    for model in (built, kgen.load_model(tmp_path / "model.keras")):
        logs = model.evaluate(X, verbose=0, return_dict=True)
        error = expected(X, model.predict(X, verbose=0))
        assert logs["reconstruction_loss"] == pytest.approx(
            error.sum() / len(X), rel=1e-4
        )


def test_logits_of_a_keras_loss():
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    one, other = (
        build(likelihood=likelihood, training=EAGERLY)
        for likelihood in (loss, "bernoulli")
    )
    other.set_weights(one.get_weights())
    np.testing.assert_allclose(one.reconstruct(X), other.reconstruct(X))
    logs = [m.evaluate(X, verbose=0, return_dict=True) for m in (one, other)]
    assert logs[0]["loss"] == pytest.approx(logs[1]["loss"], rel=1e-5)


KERAS_LOSSES = [
    ("mae", keras.losses.MeanAbsoluteError),
    ("mean_squared_error", keras.losses.MeanSquaredError),
    ("MSE", keras.losses.MeanSquaredError),
    ("msle", keras.losses.MeanSquaredLogarithmicError),
    ("huber", keras.losses.Huber),
    ("log_cosh", keras.losses.LogCosh),
    ("binary_crossentropy", keras.losses.BinaryCrossentropy),
    ("bce", keras.losses.BinaryCrossentropy),
    ("BinaryCrossentropy", keras.losses.BinaryCrossentropy),
    ("binary_focal_crossentropy", keras.losses.BinaryFocalCrossentropy),
]


@pytest.mark.parametrize("shape", [(8, 8, 1), (64,)])
@pytest.mark.parametrize(("name", "cls"), KERAS_LOSSES)
def test_a_name_of_keras_means_what_it_means_there(name, cls, shape):
    """The name, the object and Keras agree, with kgen's networks as well."""
    x = X.reshape(-1, *shape)
    one, other = (
        kgen.create_model(
            "autoencoder",
            input_shape=shape,
            network="dense",
            hidden_units=(8,),
            likelihood=likelihood,
        )
        for likelihood in (name, cls())
    )
    other.set_weights(one.get_weights())
    rebuilt = one(x)
    one.compile(**EAGERLY)
    other.compile(**EAGERLY)
    logs = [m.evaluate(x, verbose=0, return_dict=True) for m in (one, other)]
    assert logs[0] == pytest.approx(logs[1], rel=1e-6)
    flat = [keras.ops.reshape(each, (len(x), -1)) for each in (x, rebuilt)]
    expected = 64 * float(cls()(*flat))
    assert logs[0]["reconstruction_loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "loss",
    [
        *("categorical_crossentropy", "hinge", "cosine_similarity", "kld"),
        keras.losses.CategoricalCrossentropy(),
        keras.losses.SparseCategoricalCrossentropy(),
        keras.losses.Dice(),
        keras.losses.CTC(),
        keras.losses.squared_hinge,
        keras.losses.KLDivergence(),
    ],
    ids=lambda loss: getattr(loss, "name", getattr(loss, "__name__", loss)),
)
def test_losses_of_classes_are_refused(loss):
    with pytest.raises(InvalidArgument, match="`likelihood` of"):
        build(likelihood=loss)


@pytest.mark.parametrize(
    "loss",
    [
        lambda x, y: keras.ops.mean(keras.ops.abs(x - y), axis=-1),
        kgen.losses.Bernoulli,
        keras.layers.Dense(3),
        3.0,
    ],
    ids=["lambda", "class", "layer", "number"],
)
def test_what_could_not_be_loaded_or_called_is_refused(loss):
    with pytest.raises(InvalidArgument, match="likelihood"):
        build(likelihood=loss)


def test_an_example_is_its_own_target():
    one, other = (contract.seeded(build, training=EAGERLY) for _ in range(2))
    one.fit(X, verbose=0)
    other.fit(X, X, validation_data=(X, X), verbose=0)
    contract.assert_same_state(one, other)
    with pytest.raises(InvalidArgument, match="examples alone"):
        one.fit(X, X + 0.0, verbose=0)
    pairs = tf.data.Dataset.from_tensor_slices((X, X)).batch(32)
    with pytest.raises(InvalidArgument, match="examples alone"):
        one.fit(pairs, verbose=0)


def test_sparse_codes_by_an_activity_regularizer():
    rows = np.random.default_rng(0).normal(size=(90, 5)).astype("float32")
    x = keras.Input((5,))
    z = keras.layers.Dense(
        7, "relu", activity_regularizer=keras.regularizers.L1(0.5)
    )(x)
    decoder = keras.Sequential([keras.Input((7,)), keras.layers.Dense(5)])
    model = kgen.Autoencoder(keras.Model(x, z), decoder)
    model.compile()
    logs = model.evaluate(rows, verbose=0, return_dict=True)
    codes = model.encode(rows)
    penalty = 0.5 * np.abs(codes).sum() / len(codes)
    assert logs["regularization_loss"] == pytest.approx(penalty, rel=1e-5)
    model.fit(rows, epochs=30, verbose=0)
    assert np.abs(model.encode(rows)).mean() < np.abs(codes).mean()


def test_activity_regularizers_count_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        encoder = keras.Sequential(
            [
                keras.Input((5,)),
                keras.layers.Dense(2, activity_regularizer="l1"),
            ]
        )
        decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(5)])
        model = kgen.Autoencoder(encoder, decoder)
    finally:
        keras.config.set_dtype_policy("float32")
    model.compile()
    rows = np.random.default_rng(0).normal(size=(9, 5)).astype("float32")
    logs = model.evaluate(rows, verbose=0, return_dict=True)
    expected = 0.01 * np.abs(model.encode(rows)).sum() / 9
    assert logs["regularization_loss"] == pytest.approx(expected, rel=0.02)


def test_a_loss_that_is_no_density_draws_no_noise():
    model = build(likelihood="mae")
    with pytest.warns(UserWarning, match="not been trained"):
        model.fit_prior(X, "gaussian")
    with pytest.raises(InvalidArgument, match="no density of x"):
        model.sample(3, noise=True)


def test_methods_on_rows_of_a_table():
    rows = np.random.default_rng(0).normal(size=(90, 5)).astype("float32")
    model = kgen.create_model(
        "autoencoder", input_shape=(5,), network="dense", latent_dim=2
    )
    model.compile()
    model.fit(rows, epochs=2, verbose=0)
    z = model.encode(rows)
    assert z.shape == (90, 2)
    np.testing.assert_allclose(
        model.decode(z), model.reconstruct(rows), atol=1e-5
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"likelihood": "gausian"}, "did you mean 'gaussian'"),
        ({"likelihood": "maee"}, "did you mean 'mae'"),
        ({"network": "unet"}, "skip connections would lead x past z"),
        ({"latent_dim": 0}, "Expected a positive integer"),
        ({"kl_weight": 2.0}, "kl_weight"),
    ],
)
def test_bad_arguments(options, message):
    options = {"input_shape": (8, 8, 1), "network": "dense", **options}
    with pytest.raises(InvalidArgument) as error:
        kgen.create_model("autoencoder", **options)
    assert message in str(error.value)


def test_bad_data():
    contract.check_bad_data(build)
    model = build()
    for z, message in (
        (np.zeros((2, 4)), "shape (batch, 3)"),
        (np.full((2, 3), np.nan), "finite numbers"),
        ("z", "shape (batch, 3)"),
    ):
        with pytest.raises(InvalidArgument) as error:
            model.decode(z)
        assert message in str(error.value)
    with pytest.raises(InvalidArgument, match="finite"):
        model.reconstruct(np.full(X.shape, 1e39))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    contract.check_mixed_precision(build, policy)


def test_networks_must_fit():
    ours = build()
    other = kgen.networks.dense.decoder((8, 8, 1), 4)
    with pytest.raises(InvalidArgument, match="inputs of the shapes"):
        kgen.Autoencoder(ours.encoder, other)
    other = kgen.networks.dense.decoder((8, 8, 2), 3)
    with pytest.raises(InvalidArgument, match="an output of the encoder's"):
        kgen.Autoencoder(ours.encoder, other)
    x = keras.Input((8, 8, 1))
    one, other = (keras.Model(x, keras.layers.Conv2D(1, 1)(x)) for _ in "12")
    with pytest.raises(InvalidArgument, match="latent_dim"):
        kgen.Autoencoder(one, other)
