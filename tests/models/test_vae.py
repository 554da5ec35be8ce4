import functools
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

import kgen
from kgen.errors import InvalidArgument
from kgen.losses.divergences import bound_log_var
from tests.models import contract
from tests.models.contract import CLASSES, X, Y

build = functools.partial(contract.small_model, "vae")


def test_contract(tmp_path, server):
    contract.check_model(
        functools.partial(
            build, kernel_regularizer="l2", kl_weight=2.0, free_bits=0.1
        ),
        tmp_path,
        server,
    )


@pytest.mark.parametrize(
    "options",
    [
        {
            "network": "conv",
            "batch_normalization": True,
            "likelihood": "bernoulli",
        },
        {"importance_samples": 3, "likelihood": "continuous_bernoulli"},
        {"network": "resnet", "kernel_regularizer": "l2", "attention": 8},
    ],
    ids=["conv", "iwae", "resnet"],
)
def test_contract_of_networks(options, tmp_path, server):
    model = contract.check_network(
        functools.partial(build, **options), tmp_path
    )
    contract.check_export(model, tmp_path, server)


@pytest.mark.parametrize("network", ["dense", "resnet"])
def test_contract_of_labels(network, tmp_path, server):
    contract.check_labels(
        functools.partial(build, network=network), tmp_path, server
    )


def test_dropout_resumes_exactly_too(tmp_path):
    """The random streams of the networks' own layers are saved as well."""

    def with_dropout():
        plain = build()
        x = keras.Input((8, 8, 1))
        dropped = keras.layers.Dropout(0.5)(x)
        encoder = keras.Model(x, plain.encoder(dropped))
        vae = kgen.VAE(encoder, plain.decoder)
        vae.compile()
        return vae

    contract.check_save_and_resume(contract.seeded(with_dropout), tmp_path)


class TestUpdate:
    """One step of SGD against the objective written out here."""

    def stepped(self, **options):
        """A model, its gradient by hand, and its weights after a step."""
        vae = build(optimizer=keras.optimizers.SGD(0.1), **options)
        inputs = tf.constant(X)
        if vae.conditional:
            inputs = [inputs, tf.constant(Y)]
        eps = self.next_eps(vae)
        variables = vae.trainable_variables
        with tf.GradientTape() as tape:
            loss = self.loss(vae, inputs, eps)
        gradients = tape.gradient(loss, [v.value for v in variables])
        before = [v.numpy() for v in variables]
        logs = vae.train_on_batch(
            X, Y if vae.conditional else None, return_dict=True
        )
        assert logs["loss"] == pytest.approx(float(loss), rel=1e-5)
        for old, new, gradient in zip(before, variables, gradients):
            np.testing.assert_allclose(
                new.numpy(), old - 0.1 * gradient, atol=2e-6
            )

    def next_eps(self, vae):
        """What the sampling layer will draw next."""
        samples = vae.importance_samples
        generator = vae.sampling.seed_generator
        shape = (len(X), 3) if samples == 1 else (samples, len(X), 3)
        kept = generator.state.numpy()
        eps = keras.random.normal(shape, seed=generator)
        generator.state.assign(kept)
        return eps

    def loss(self, vae, inputs, eps):
        mean, log_var = vae.encoder(inputs)
        stddev = tf.exp(0.5 * log_var)
        z = mean + stddev * eps
        if vae.importance_samples > 1:
            return self.importance_weighted(vae, z, stddev, eps)
        labels = [inputs[1]] if vae.conditional else []
        logits = vae.decoder([z, *labels] if labels else z)
        log_prob = self.log_prob(logits, X)
        kl = 0.5 * (tf.exp(log_var) + mean**2 - 1.0 - log_var)
        loss = vae.kl_weight * tf.reduce_sum(kl, -1) - log_prob
        regularizers = vae.encoder.losses + vae.decoder.losses
        return tf.reduce_mean(loss) + sum(regularizers, start=tf.zeros(()))

    def log_prob(self, logits, x):
        cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(
            tf.broadcast_to(x, tf.shape(logits)), logits
        )
        return -tf.reduce_sum(cross_entropy, axis=(-3, -2, -1))

    def importance_weighted(self, vae, z, stddev, eps):
        logits = tf.stack([vae.decoder(part) for part in z])
        log_2pi = np.log(2 * np.pi).astype("float32")
        log_p = -0.5 * tf.reduce_sum(z**2 + log_2pi, -1)
        log_q = -0.5 * tf.reduce_sum(eps**2 + log_2pi, -1)
        log_q -= tf.reduce_sum(tf.math.log(stddev), -1)
        weights = self.log_prob(logits, X) + log_p - log_q
        bound = tf.reduce_logsumexp(weights, 0) - np.log(len(z))
        return -tf.reduce_mean(bound)

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {
                "kl_weight": 3.0,
                "kernel_regularizer": keras.regularizers.L2(0.1),
            },
            {"conditional": True},
            {"importance_samples": 4},
        ],
        ids=["elbo", "beta and L2", "conditional", "iwae"],
    )
    def test_weights_after_one_step(self, options):
        self.stepped(likelihood="bernoulli", **options)


def test_kl_weight_may_change_while_training():
    vae = build(kl_weight=2.0)
    one = vae.evaluate(X, verbose=0, return_dict=True)
    vae.sampling.current_kl_weight.assign(0.5)
    other = vae.evaluate(X, verbose=0, return_dict=True)
    assert one["kl_loss"] == pytest.approx(4 * other["kl_loss"], rel=1e-4)
    assert one["elbo"] == pytest.approx(other["elbo"], abs=1.0)


def test_free_bits_are_a_floor_for_each_dimension():
    vae = build(free_bits=5.0)
    logs = vae.evaluate(X, batch_size=len(X), verbose=0, return_dict=True)
    assert logs["kl_loss"] == pytest.approx(15.0)
    assert -logs["elbo"] < logs["loss"]


def test_no_gradients_are_registered():
    """TensorFlow would keep them, and their graphs with them, for ever."""
    vae = build(likelihood="bernoulli")
    known = set(ops.gradient_registry.list())
    vae.fit(X, batch_size=len(X), validation_data=X, verbose=0)
    vae.predict(X, verbose=0)
    vae.elbo(X)
    new = set(ops.gradient_registry.list()) - known
    assert not [name for name in new if name.startswith("CustomGradient-")]


@pytest.mark.parametrize("log_var", [np.inf, 3e38, 25.0, 0.1, -0.3, -np.inf])
def test_bounded_log_var_is_exact_and_its_gradient_passes(log_var):
    x = tf.constant(log_var, "float32")
    with tf.GradientTape() as tape:
        tape.watch(x)
        bounded = bound_log_var(x)
    assert bounded.numpy() == np.clip(x, -20.0, 20.0)
    assert tape.gradient(bounded, x).numpy() == np.isfinite(log_var)


def test_log_var_is_bounded_but_can_come_back():
    layer = kgen.layers.GaussianSampling()
    log_var = tf.Variable([[500.0], [-1e9]])
    with tf.GradientTape() as tape:
        z = layer([tf.zeros((2, 1)), log_var])
        loss = layer.losses[0]
    assert np.isfinite(z).all() and np.isfinite(loss)
    gradient = tape.gradient(loss, log_var).numpy()
    assert gradient[0] > 0 > gradient[1]


def test_free_bits_of_an_estimated_kl_are_those_of_all_dimensions():
    """Also where the layer is used alone, and no model has built the prior."""
    flow = kgen.priors.Flow(1)
    flow.build((None, 3))
    layer = kgen.layers.GaussianSampling(free_bits=5.0, flow=flow)
    layer([np.zeros((4, 3), "float32"), np.zeros((4, 3), "float32")])
    assert float(layer.losses[0]) == 15.0


def test_sampling_layer_draws_what_it_says():
    layer = kgen.layers.GaussianSampling(seed=0)
    mean, log_var = tf.fill((50_000, 1), 2.0), tf.fill((50_000, 1), -1.0)
    z = layer([mean, log_var]).numpy()
    assert z.mean() == pytest.approx(2.0, abs=4.5 * np.exp(-0.5) / 50_000**0.5)
    assert z.var() == pytest.approx(np.exp(-1.0), rel=0.03)


def test_reparameterised_gradient():
    """dz/dmean = 1 and dz/dlog_var = (z - mean) / 2."""
    layer = kgen.layers.GaussianSampling(seed=0)
    mean, log_var = tf.ones((3, 2)), tf.fill((3, 2), 0.4)
    with tf.GradientTape() as tape:
        tape.watch([mean, log_var])
        z = layer([mean, log_var])
    by_mean, by_log_var = tape.gradient(z, [mean, log_var])
    np.testing.assert_allclose(by_mean, np.ones((3, 2)))
    np.testing.assert_allclose(by_log_var, (z - mean) / 2, rtol=1e-5)


def test_methods_shapes_and_seeds():
    vae = build()
    images = vae.sample(5, seed=3)
    assert images.shape == (5, 8, 8, 1)
    assert images.min() >= 0 and images.max() <= 1
    np.testing.assert_array_equal(images, vae.sample(5, seed=3))
    assert not np.array_equal(images, vae.sample(5, seed=4))
    mean, log_var = vae.posterior(X)
    assert mean.shape == log_var.shape == (len(X), 3)
    np.testing.assert_array_equal(vae.encode(X), mean)
    np.testing.assert_allclose(vae.reconstruct(X), vae.decode(mean), atol=1e-6)
    np.testing.assert_allclose(
        vae.reconstruct(contract.dataset()), vae.reconstruct(X), atol=1e-6
    )
    assert vae.elbo(X, seed=0).shape == (len(X),)
    np.testing.assert_array_equal(
        vae.log_likelihood(X, 7, seed=0), vae.log_likelihood(X, 7, seed=0)
    )


def test_conditional_methods():
    vae = build(conditional=True)
    vae.fit(X, Y, verbose=0)
    labels = np.array([0, 1, 2, 0])
    images = vae.sample(4, labels=labels, seed=0)
    assert images.shape == (4, 8, 8, 1)
    np.testing.assert_allclose(
        images[1], vae.sample(4, labels=1, seed=0)[1], atol=1e-6
    )
    assert not np.allclose(images[0], vae.sample(4, labels=1, seed=0)[0])
    assert vae.log_likelihood([X, Y], 5).shape == (len(X),)
    assert vae.encode([X, Y]).shape == (len(X), 3)


@pytest.mark.parametrize("options", [{}, {"importance_samples": 3}])
def test_an_evaluation_is_the_same_each_time_and_moves_no_stream(options):
    vae = build(**options)
    stream = vae.sampling.seed_generator.state.numpy()
    logs = vae.evaluate(X, verbose=0, return_dict=True)
    assert vae.evaluate(X, verbose=0, return_dict=True) == logs
    np.testing.assert_array_equal(
        vae.sampling.seed_generator.state.numpy(), stream
    )


def test_interpolation_takes_names_of_classes():
    vae = build(conditional=True)
    vae.class_names = ["a", "b", "c"]
    pictures = [
        vae.interpolate([X[:2], labels], [X[2:4], labels], 3)
        for labels in (["c", "a"], [2, 0])
    ]
    np.testing.assert_array_equal(*pictures)
    with pytest.raises(InvalidArgument, match="np.stack"):
        vae.encode(list(X))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    try:
        vae = build(network="conv")
        history = vae.fit(contract.dataset(), epochs=3, verbose=0).history
        vae.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(history["loss"]).all()
    assert history["loss"][-1] < history["loss"][0]
    scaled = isinstance(vae.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    contract.assert_same_state(vae, loaded)


def test_bad_data():
    contract.check_bad_data(build)


def test_losses_that_are_no_densities_are_refused():
    for likelihood in (
        kgen.losses.OptimalGaussian(),
        kgen.losses.KerasLoss("mae"),
    ):
        with pytest.raises(InvalidArgument, match="a density of x"):
            build(likelihood=likelihood)


def test_vectors_under_a_gaussian_may_be_any_numbers():
    vae = kgen.create_model("vae", input_shape=(64,), network="dense")
    vae.compile()
    vae.fit(50 * X.reshape(len(X), 64), verbose=0)


def test_pictures_are_in_the_unit_range_whatever_the_likelihood():
    with pytest.raises(InvalidArgument, match="values in"):
        build(likelihood="gaussian").fit(50 * X, verbose=0)


def test_a_saved_model_loads_in_a_new_process(tmp_path):
    build().save(tmp_path / "vae.keras")
    script = (
        "import keras, kgen; keras.saving.load_model('vae.keras'); "
        "kgen.load_model('vae.keras').sample(2, seed=0)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)


def test_a_look_at_the_data_is_not_a_pass():
    """The first epoch of `fit` has the order of epoch 0."""
    train = kgen.data.load(X, "train", batch_size=32, seed=0)
    build().fit(train, validation_data=train, epochs=2, verbose=0)
    assert int(train.epoch_counter) == 4  # two passes each


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "labels"),
        (Y + CLASSES, "integers from 0 to 2"),
        (Y.astype("float32"), "integers"),
        (Y[:5], "shape"),
    ],
)
def test_bad_labels_are_refused(labels, message):
    with pytest.raises(InvalidArgument, match=message):
        build(conditional=True).fit(X, labels, verbose=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latent_dim": 0}, "`latent_dim` of `create_model`"),
        ({"latent_dim": 2.5}, "positive integer"),
        ({"kl_weight": -1}, "at least 0"),
        ({"kl_weight": float("nan")}, "finite"),
        ({"free_bits": -1}, "at least 0"),
        ({"importance_samples": 0}, "positive integer"),
        ({"importance_samples": 2, "free_bits": 1.0}, "free_bits"),
        ({"likelihood": "bernouli"}, "did you mean 'bernoulli'"),
        ({"likelihood": "gaussian:-1"}, "stddev"),
        ({"likelihood": "bernoulli:2"}, "likelihood"),
        ({"network": "convv"}, "did you mean 'conv'"),
        ({"kl_wieght": 1.0}, "did you mean 'kl_weight'"),
        ({"input_shape": (8, 0, 1)}, "positive integers"),
        (
            {"input_shape": (4, 4, 4, 1), "network": "conv"},
            'network="dense"',
        ),
        ({"num_classes": 0}, "num_classes"),
        ({"hidden_units": (0,)}, "hidden_units"),
        ({"hidden_units": 3}, "a sequence of positive integers"),
        ({"hidden_units": "12"}, "a sequence of positive integers"),
        ({"network": "conv", "hidden_units": (2.5,)}, "hidden_units"),
        ({"network": "conv", "filters": 0}, "filters"),
        ({"seed": -1}, "`seed`"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    options = {"input_shape": (8, 8, 1), "network": "dense", **options}
    with pytest.raises(InvalidArgument) as error:
        kgen.create_model("vae", **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps_per_execution": 0}, "`steps_per_execution` of `VAE.compile`"),
        ({"optimizer": "adm"}, "did you mean 'adam'"),
        ({"optimizer": "adam:-1"}, "`optimizer` of `compile`"),
        ({"optimizer": "adam:"}, "`optimizer` of `compile`"),
    ],
)
def test_bad_compile_arguments_are_refused(options, message):
    with pytest.raises(InvalidArgument) as error:
        build().compile(**options)
    assert message in str(error.value)


@pytest.mark.parametrize("method", ["encode", "reconstruct", "elbo"])
@pytest.mark.parametrize("form", ["array", "dataset"])
def test_methods_refuse_other_shapes(method, form):
    x = X[:, :7]
    if form == "dataset":
        x = tf.data.Dataset.from_tensor_slices(x).batch(32)
    with pytest.raises(InvalidArgument, match="8, 8, 1"):
        getattr(build(), method)(x)


def test_unknown_model_offers_the_nearest():
    with pytest.raises(InvalidArgument, match="did you mean 'vae'"):
        kgen.create_model("vea", input_shape=(8, 8, 1))


def test_networks_that_do_not_fit_are_refused():
    vae, other = build(), build(network="conv")
    small = kgen.networks.dense.decoder((8, 8, 1), 2)
    single = kgen.networks.dense.encoder((8, 8, 1), 3, gaussian=False)
    labelled = build(conditional=True).decoder
    for encoder, decoder, name in (
        (vae.encoder, small, "decoder"),
        (single, other.decoder, "encoder"),
        (vae.encoder, labelled, "decoder"),
        ("encoder", vae.decoder, "encoder"),
    ):
        with pytest.raises(InvalidArgument, match=f"`{name}` of `VAE`"):
            kgen.VAE(encoder, decoder)


def test_sample_weights_are_refused():
    data = tf.data.Dataset.from_tensors((X, Y, np.ones(len(X))))
    with pytest.raises(InvalidArgument, match="sample weights"):
        build().fit(data, verbose=0)
