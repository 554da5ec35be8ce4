import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen.errors import InvalidArgument
from tests.export.server import Model
from tests.models import contract
from tests.models.contract import EAGERLY, X, Y

build = functools.partial(contract.small_model, "denoising_autoencoder")


def test_contract(tmp_path, server):
    contract.check_model(
        functools.partial(
            build, corruption="masking:0.3", kernel_regularizer="l2"
        ),
        tmp_path,
        server,
    )


def of_a_keras_layer():
    """With a new layer for each model."""
    return build(network="conv", corruption=keras.layers.Dropout(0.3, seed=1))


@pytest.mark.parametrize(
    "built",
    [
        functools.partial(build, network="unet", likelihood="bernoulli"),
        functools.partial(build, network="resnet"),
        of_a_keras_layer,
    ],
    ids=["unet", "resnet", "keras layer"],
)
def test_contract_of_networks(built, tmp_path):
    contract.check_network(built, tmp_path)


@pytest.mark.parametrize("network", ["dense", "resnet", "unet"])
def test_contract_of_labels(network, tmp_path, server):
    contract.check_labels(
        functools.partial(build, network=network), tmp_path, server
    )


def drawn(model, x):
    """What the corruption will do to x next."""
    state = model.corruption.seed_generator.state
    kept = state.numpy()
    corrupted = model.corruption(x, training=True)
    state.assign(kept)
    return corrupted


@pytest.mark.parametrize("likelihood", ["gaussian", "gaussian:optimal"])
@pytest.mark.parametrize("network", ["dense", "unet"])
@pytest.mark.parametrize("conditional", [False, True])
def test_weights_after_one_step(network, likelihood, conditional):
    """The target is x, the networks see the corrupted copy alone."""
    model = build(
        conditional,
        network=network,
        optimizer=keras.optimizers.SGD(0.01),
        likelihood=likelihood,
    )
    corrupted = drawn(model, X)
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        labels = [tf.constant(Y)] if conditional else []
        code = model.encoder([corrupted, *labels] if labels else corrupted)
        code = list(code) if network == "unet" else [code]
        x = model.decoder(
            [*code, *labels] if len(code) + len(labels) > 1 else code[0]
        )
        square = tf.reduce_sum((x - X) ** 2, axis=(1, 2, 3))
        if likelihood == "gaussian":
            by_picture = 0.5 * square + 32 * np.log(2 * np.pi)
        else:
            by_picture = 32 * (tf.math.log(2 * np.pi * square / 64) + 1)
        loss = tf.reduce_mean(by_picture)
    gradients = tape.gradient(loss, [v.value for v in variables])
    before = [v.numpy() for v in variables]
    logs = model.train_on_batch(X, Y, return_dict=True)
    assert logs["loss"] == pytest.approx(float(loss), rel=1e-5)
    psnr = tf.reduce_mean(tf.image.psnr(x, X, max_val=1.0))  # x leaves [0, 1]
    assert logs["psnr"] == pytest.approx(float(psnr), rel=1e-5)
    for old, new, gradient in zip(before, variables, gradients):
        np.testing.assert_allclose(
            new.numpy(), old - 0.01 * gradient, atol=2e-6
        )


@pytest.mark.parametrize(
    "corruption", ["gaussian:0.1:0.9", keras.layers.Dropout(0.5)]
)
def test_validation_is_corrupted_alike_each_time(corruption):
    model = build(corruption=corruption, likelihood="gaussian")
    generator = model.corruption.seed_generator
    before = generator.state.numpy()
    logs = [model.evaluate(X, verbose=0, return_dict=True) for _ in range(2)]
    assert logs[0] == logs[1]
    # The stream of training is where it was.
    np.testing.assert_array_equal(generator.state.numpy(), before)
    clean = 0.5 * np.sum((model.predict(X, verbose=0) - X) ** 2) / len(X)
    clean += 32 * np.log(2 * np.pi)
    assert logs[0]["loss"] != pytest.approx(clean, rel=1e-5)
    model.fit(X, epochs=1, verbose=0)
    assert not np.array_equal(generator.state.numpy(), before)


def test_validation_batches_differ_in_their_corruption():
    model = build()
    one, two = (model.corrupt(X, position) for position in (0, len(X)))
    assert not np.any(np.equal(one, two))
    np.testing.assert_array_equal(one, model.corrupt(X))
    # Two batches are judged as these two corruptions say.
    model.evaluate(np.concatenate([X, X]), batch_size=len(X), verbose=0)
    errors = [
        np.mean(np.square(model.denoise(noisy) - X)) for noisy in (one, two)
    ]
    means = model.log_means.result()
    assert float(means["mse"]) == pytest.approx(np.mean(errors), rel=1e-5)


def test_another_seed_gives_another_validation():
    one, two = (build(seed=seed, training=EAGERLY) for seed in (1, 2))
    two.set_weights(one.get_weights())
    logs = [m.evaluate(X, verbose=0, return_dict=True) for m in (one, two)]
    assert logs[0]["loss"] != logs[1]["loss"]


def test_nothing_is_corrupted_once_trained():
    model = build()
    expected = model.decoder(model.encoder(X)).numpy()
    for result in (
        model.predict(X, verbose=0),
        model.reconstruct(X),
        model.denoise(X),
        model(X, training=True).numpy(),
    ):
        np.testing.assert_allclose(result, expected, atol=1e-6)
    np.testing.assert_allclose(
        model.encode(X), model.encoder(X).numpy(), atol=1e-6
    )


def test_denoise_takes_any_range_but_not_nan():
    model = build()
    noisy = 3 * X - 1
    assert model.denoise(noisy).shape == X.shape
    assert model.denoise(
        tf.data.Dataset.from_tensor_slices(noisy).batch(9)
    ).shape
    np.testing.assert_array_equal(
        model.reconstruct(noisy), model.denoise(noisy)
    )
    assert np.mean(model.outlier_score(noisy) > model.outlier_score(X)) > 0.9
    with pytest.raises(InvalidArgument, match="NaN"):
        model.denoise(np.full_like(X, np.nan))


def test_noisy_and_clean_pairs_are_refused():
    model = build()
    with pytest.raises(InvalidArgument, match="examples alone"):
        model.fit(X + 0.0, X, verbose=0)


def test_signatures(tmp_path, server):
    model = build(network="unet")
    names = {"serving_default", "encode", "denoise", "outlier_score"}
    assert set(model.endpoints()) == names
    model.export(tmp_path / "1")
    noisy = 2 * X
    served = Model(server, tmp_path / "1")("denoise", images=noisy)
    np.testing.assert_allclose(
        served["images"], model.denoise(noisy), atol=1e-5
    )
    assert "decode" in build().endpoints()


def test_skip_connections_can_not_decode_z_alone():
    with pytest.raises(InvalidArgument, match="skip connections"):
        build(network="unet").decode(np.zeros((1, 3)))


@pytest.mark.parametrize(
    "shape", [(28, 28, 1), (25, 25, 3), (7, 30, 1), (2, 3, 1)]
)
def test_unet_for_any_size(shape):
    model = kgen.create_model(
        "denoising_autoencoder", input_shape=shape, network="unet", filters=2
    )
    assert model.denoise(np.ones((2, *shape))).shape == (2, *shape)


def test_all_skips_lead_to_the_output():
    model = kgen.create_model(
        "denoising_autoencoder", input_shape=(28, 28, 1), network="unet"
    )
    code = [
        tf.identity(part) for part in model.encoder(tf.ones((1, 28, 28, 1)))
    ]
    assert len(code) == 5  # z, maps of 28, 14 and 7 pixels, x
    with tf.GradientTape() as tape:
        tape.watch(code)
        output = tf.reduce_sum(model.decoder(code))
    for part in tape.gradient(output, code):
        assert np.abs(part).max() > 0


def test_defaults():
    model = build()
    assert model.corruption.level == [0.05, 0.6]
    assert isinstance(model.corruption, kgen.layers.GaussianCorruption)
    assert isinstance(model.likelihood, kgen.losses.OptimalGaussian)


def test_small_numbers_are_learnt_too():
    """Errors far below the floor of the default likelihood have a gradient."""
    rows = 1e-4 * np.random.default_rng(0).normal(size=(64, 5))
    model = kgen.create_model(
        "denoising_autoencoder",
        input_shape=(5,),
        network="dense",
        corruption="gaussian:0.0001",
    )
    model.compile(**EAGERLY)
    before = [v.numpy() for v in model.trainable_variables]
    model.fit(rows.astype("float32"), verbose=0)
    for old, variable in zip(before, model.trainable_variables):
        assert not np.array_equal(old, variable)


@pytest.mark.parametrize(
    "layer, message",
    [
        (keras.layers.MaxPooling2D(), "keeps the shape"),
        (keras.layers.RandomCrop(4, 4), "keeps the shape"),
        (keras.layers.Conv1D(1, 1), "for examples of shape"),
    ],
    ids=["pooling", "crop", "wrong rank"],
)
def test_layers_that_are_no_corruption(layer, message):
    with pytest.raises(InvalidArgument, match=message):
        build(corruption=layer)


def test_a_corruption_with_weights_is_not_trained():
    layer = keras.layers.Conv2D(1, 3, padding="same")
    model = build(corruption=layer, training=EAGERLY)
    before = layer.kernel.numpy()
    model.fit(X, verbose=0)
    np.testing.assert_array_equal(layer.kernel, before)


def test_corrupt_looks_at_what_it_gets():
    model = build()
    for x, message in (
        ((X * 255).astype("uint8"), "floats"),
        (X[:, :7], "shape (batch, 8, 8, 1)"),
    ):
        with pytest.raises(InvalidArgument) as error:
            model.corrupt(x)
        assert message in str(error.value)
    with pytest.raises(InvalidArgument, match="position"):
        model.corrupt(X, -1)


def test_bad_data():
    contract.check_bad_data(build)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    contract.check_mixed_precision(
        lambda **kwargs: build(network="unet", **kwargs), policy
    )


def test_noisy_pictures_have_codes():
    assert build().encode(X + 1).shape == (len(X), 3)


def test_vectors_have_no_psnr():
    rows = np.random.default_rng(0).normal(size=(40, 6)).astype("float32")
    model = kgen.create_model(
        "denoising_autoencoder", input_shape=(6,), network="dense"
    )
    model.compile(**EAGERLY)
    history = model.fit(rows, verbose=0).history
    assert "psnr" not in history and "mse" in history


def test_one_call_with_labels():
    model = build(conditional=True)
    model.fit(X, Y, verbose=0)
    assert model.denoise([X, Y]).shape == X.shape


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"corruption": "gausian:0.1"}, "did you mean 'gaussian'"),
        ({"corruption": "masking:2"}, "at most 1"),
        ({"seed": -1}, "from 0 to 2147483647"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(InvalidArgument) as error:
        build(**options)
    assert message in str(error.value)


def test_an_error_in_a_corruption_leaves_the_stream_of_training():
    class Fails(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.seed_generator = keras.random.SeedGenerator(5)
            self.fails = False

        def call(self, x):
            noise = keras.random.normal(x.shape[1:], seed=self.seed_generator)
            if self.fails:
                raise RuntimeError("stop here")
            return x + noise

        def compute_output_shape(self, shape):
            return shape

    corruption = Fails()
    model = build(corruption=corruption)
    before = corruption.seed_generator.state.numpy()
    corruption.fails = True
    with pytest.raises(RuntimeError, match="stop here"):
        model.corrupt(X)
    after = corruption.seed_generator.state.numpy()
    np.testing.assert_array_equal(after, before)
