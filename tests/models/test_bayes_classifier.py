import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics

import kgen
from kgen import densities
from kgen.errors import InvalidArgument
from tests.models import contract
from tests.models.contract import CLASSES, EAGERLY, X, Y

CLOSED = ["naive_gaussian", "naive_bernoulli", "full", "shared", "low_rank:3"]
SOME = np.where(np.arange(len(Y)) % 3 == 0, -1, Y).astype("int32")


def build(density="naive_gaussian", training=(), optimizer="adam", **options):
    """A compiled classifier of the contract's pictures."""
    if density == "vae" and "network" not in options:
        options = {"network": "dense", "hidden_units": (16,), **options}
    model = kgen.create_model(
        "bayes_classifier",
        input_shape=(8, 8, 1),
        latent_dim=3,
        num_classes=CLASSES,
        density=density,
        **options,
    )
    model.compile(optimizer, **dict(training))
    return model


def of_many(training=(), **options):
    """A compiled classifier by one VAE for each class."""
    vaes = [contract.small_model("vae", **options) for _ in range(CLASSES)]
    model = kgen.BayesClassifier(kgen.VAEDensity(vaes))
    model.compile(**dict(training))
    return model


@pytest.mark.parametrize("density", ["low_rank:3", "vae"])
def test_contract(density, tmp_path, server):
    contract.check_model(functools.partial(build, density), tmp_path, server)


@pytest.mark.parametrize(
    "density", [one for one in CLOSED if one != "low_rank:3"]
)
def test_contract_of_closed_forms(density, tmp_path):
    contract.check_network(functools.partial(build, density), tmp_path)


HYBRID = {"discriminative_weight": 10.0}


@pytest.mark.parametrize(
    "make",
    [
        functools.partial(
            build,
            "vae",
            HYBRID,
            likelihood="bernoulli",
            importance_samples=3,
        ),
        functools.partial(build, "vae", network="conv", filters=4),
        functools.partial(build, "low_rank:3", HYBRID),
    ],
    ids=[
        "hybrid vae",
        "conv vae",
        "hybrid low rank",
    ],
)
def test_contract_of_gradients(make, tmp_path):
    contract.check_network(make, tmp_path)


def test_contract_of_a_vae_a_class(tmp_path, server):
    model = contract.check_network(of_many, tmp_path)
    contract.check_export(model, tmp_path, server)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("density", ["vae", "full"])
def test_mixed_precision(density, policy):
    contract.check_mixed_precision(lambda: build(density), policy)


@pytest.mark.parametrize("density", ["vae", "naive_gaussian"])
def test_bad_data(density):
    contract.check_bad_data(lambda: build(density))


def test_probabilities_sum_to_1_and_stay_finite_far_from_all_classes():
    for density in CLOSED:
        x = np.random.default_rng(0).normal(size=(90, 4)).astype("float32")
        bits = density == "naive_bernoulli"
        model = kgen.create_model(
            "bayes_classifier",
            input_shape=(4,),
            num_classes=3,
            density=density.replace("3", "2"),
            **({"threshold": 0.0} if bits else {}),
        )
        model.compile(**EAGERLY)
        model.fit(x, np.arange(90) % 2, verbose=0)  # none of the third class
        far = np.array([[1e6] * 4, [-1e9] * 4, [1e15, 0, 0, 0]], "float32")
        for points in (x, far):
            p = model.predict(points, verbose=0)
            np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-6)
            p = np.exp(model.predict_log_proba(points))
            np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-12)
            assert np.all(p[:, 2] == 0.0)
            log_p = model.predict_log_proba(points)
            assert np.isfinite(log_p[:, :2]).all()
            assert np.all(log_p[:, 2] == -np.inf)
            assert np.isfinite(model.log_prob(points)).all()


class TestObjective:
    """One step of SGD against the objective written out here."""

    def model(self, weight):
        model = build(
            "vae",
            {"discriminative_weight": weight},
            keras.optimizers.SGD(0.1),
            kernel_regularizer="l2",
            prior=[0.5, 0.3, 0.2],
        )
        # No noise: what is left is a function of the weights.
        vae = model.density.models
        vae.sampling.noise = tf.zeros
        return model

    def check_step(self, model, y, weight):
        variables = model.density.trainable_variables
        with tf.GradientTape() as tape:
            loss = self.loss(model, y, weight)
        gradients = tape.gradient(loss, [v.value for v in variables])
        before = [v.numpy() for v in variables]
        logs = model.train_on_batch(X, y, return_dict=True)
        np.testing.assert_allclose(logs["loss"], loss, rtol=1e-5)
        for old, variable, gradient in zip(before, variables, gradients):
            np.testing.assert_allclose(
                variable.numpy(), old - 0.1 * gradient, atol=2e-5
            )

    def loss(self, model, y, weight):
        """Loops over the classes, one at a time, and over the examples."""
        vae, joint = model.density.models, []
        for label, prior in enumerate([0.5, 0.3, 0.2]):
            inputs = [tf.constant(X), tf.fill([len(X)], label)]
            mean, log_var = vae.encoder(inputs, training=True)
            parameters = vae.decoder([mean, inputs[1]], training=True)
            kl = 0.5 * (mean**2 + tf.exp(log_var) - 1 - log_var)
            elbo = vae.likelihood.log_prob(
                inputs[0], parameters
            ) - tf.reduce_sum(kl, 1)
            joint.append(elbo + np.log(prior))
        joint = tf.stack(joint, axis=1)
        total = 0.0
        for row, label in zip(joint, y):
            marginal = tf.math.log(tf.reduce_sum(tf.exp(row - row[0]))) + row[0]
            if label < 0:
                total -= marginal
            else:
                total -= row[label] + weight * (row[label] - marginal)
        return total / len(y) + tf.add_n(
            vae.encoder.losses + vae.decoder.losses
        )

    @pytest.mark.parametrize("weight", [0.0, 7.0])
    def test_update(self, weight):
        """Where all examples have a label, and where some do."""
        model = self.model(weight)
        for y in (Y, SOME):
            with contract.put_back(model):
                self.check_step(model, y, weight)

    def test_no_gradient_of_an_impossible_class_is_nan(self):
        model = build(
            "vae", {"discriminative_weight": 1.0}, prior=[0.5, 0.5, 0.0]
        )
        model.train_on_batch(X, np.minimum(Y, 1))
        for variable in model.trainable_variables:
            assert np.isfinite(variable.numpy()).all()


def test_a_hybrid_starts_from_the_closed_form_and_buys_accuracy():
    data, test = kgen.data.load("digits", ("train", "test"), labels=True)
    plain, hybrid = (
        kgen.create_model(
            "bayes_classifier",
            input_shape=(8, 8, 1),
            num_classes=10,
            density="naive_gaussian",
        )
        for _ in range(2)
    )
    plain.compile()
    plain.fit(data, verbose=0)
    hybrid.compile("adam:0.0", discriminative_weight=10.0)
    hybrid.fit(data, verbose=0)
    for one, other in zip(plain.weights, hybrid.weights):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-12)
    hybrid.compile("adam:0.01", discriminative_weight=10.0)
    hybrid.fit(data, epochs=5, verbose=0)
    found = [
        model.evaluate(test, verbose=0, return_dict=True)
        for model in (plain, hybrid)
    ]
    assert found[1]["accuracy"] > found[0]["accuracy"] + 0.02
    assert found[1]["discriminative_loss"] < found[0]["discriminative_loss"]


class TestFirstCount:
    """A hybrid in closed form counts first, over what `fit` is given."""

    def fitted(self, *args, **kwargs):
        model = build(
            training={"discriminative_weight": 10.0, **EAGERLY},
            optimizer="sgd:0.0",
        )
        model.fit(*args, verbose=0, **kwargs)
        return model.density.mean.numpy()

    def expected(self, x, y):
        model = build(training=EAGERLY)
        model.fit(x, y, verbose=0)
        return model.density.mean.numpy()

    def test_endless_data(self):
        data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(35).repeat()
        found = self.fitted(data, steps_per_epoch=2)
        np.testing.assert_allclose(found, self.expected(X, Y), atol=1e-12)

    def test_a_generator_can_be_read_once(self):
        with pytest.raises(InvalidArgument, match="read twice"):
            self.fitted(((X, Y) for _ in range(3)), steps_per_epoch=1)

    def test_what_is_left_for_validation_is_not_counted(self):
        found = self.fitted(X, Y, validation_split=0.5)
        np.testing.assert_allclose(
            found, self.expected(X[:35], Y[:35]), atol=1e-12
        )


def test_what_is_counted_takes_no_state_of_an_optimizer():
    model = build("full")
    assert len(model.optimizer.variables) == 2  # its rate and its steps
    model.compile(discriminative_weight=1.0)
    assert len(model.optimizer.variables) > 2


def test_a_class_that_is_new_in_validation():
    """What can be judged is judged; a warning says what can't be."""
    model = build()
    model.fit(X, np.minimum(Y, 1), verbose=0)
    known = model.evaluate(X[Y < 2], Y[Y < 2], verbose=0, return_dict=True)
    count = np.sum(Y == 2)
    with pytest.warns(UserWarning, match=f"{count} examples of class 2 can't"):
        found = model.evaluate(X, Y, 16, verbose=0, return_dict=True)
    share = found.pop("accuracy") / known.pop("accuracy")
    assert share == pytest.approx(1.0 - count / len(Y))
    assert found == pytest.approx(known, rel=1e-5)
    with pytest.warns(UserWarning, match=f"{count} examples of class 2 can't"):
        history = model.fit(
            X, np.minimum(Y, 1), validation_data=(X, Y), verbose=0
        ).history
    assert history["val_loss"] == pytest.approx([known["loss"]], rel=1e-5)


class TestCountsOfABatch:
    """They are none: what is counted takes all the data."""

    @pytest.mark.parametrize("weight", [0.0, 1.0])
    def test_closed_form(self, weight):
        model = build(training={"discriminative_weight": weight})
        with pytest.raises(InvalidArgument, match="Call `fit`"):
            model.train_on_batch(X, Y)

    def test_prior(self):
        model = build("vae", EAGERLY)
        with pytest.raises(InvalidArgument, match="Call `fit` first"):
            model.train_on_batch(X, Y)
        model.fit(X, np.minimum(Y, 1), verbose=0)
        prior = model.class_prior.log_prior.numpy()
        model.train_on_batch(X[Y < 2], Y[Y < 2])
        np.testing.assert_array_equal(model.class_prior.log_prior, prior)


class Stop(keras.callbacks.Callback):
    """Ctrl-C in some epoch and batch."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.place, self.epoch = (epoch, batch), None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.place:
            raise KeyboardInterrupt


class TestInterruptedCounts:
    def weights(self, model):
        return [weight.numpy() for weight in model.weights]

    def fit(self, model, epochs, *callbacks):
        model.fit(
            X, SOME, 32, epochs, callbacks=callbacks, verbose=0, shuffle=False
        )

    @pytest.mark.parametrize("epoch", [0, 1])
    def test_the_last_whole_epoch_is_left(self, epoch):
        """And a new `fit` counts anew."""
        stopped, whole = (build("full", EAGERLY) for _ in range(2))
        with pytest.raises(KeyboardInterrupt):
            self.fit(stopped, 3, Stop(epoch, 1))
        if epoch:
            self.fit(whole, epoch)
        np.testing.assert_array_equal(stopped.log_joint(X), whole.log_joint(X))
        for model in (stopped, whole):
            self.fit(model, 1)
        np.testing.assert_array_equal(stopped.log_joint(X), whole.log_joint(X))

    @pytest.mark.parametrize(
        "options, y",
        [
            ({"density": "full"}, np.where(np.arange(len(Y)) == 3, 2, Y % 2)),
            ({"prior": "uniform"}, np.minimum(Y, 1)),
        ],
        ids=["density", "prior"],
    )
    def test_counts_that_do_not_do_change_nothing(self, options, y):
        """Neither the density nor P(y)."""
        model = build(training=EAGERLY, **options)
        self.fit(model, 1)
        before = self.weights(model)
        with pytest.raises(InvalidArgument):
            model.fit(X, y, verbose=0)
        for old, new in zip(before, self.weights(model)):
            np.testing.assert_array_equal(old, new)

    def test_ctrl_c_while_weights_are_set(self, monkeypatch):
        model = build(training=EAGERLY)
        self.fit(model, 1)
        before, log_var = self.weights(model), model.density.log_var
        weights = tf.one_hot(Y[:10], CLASSES, dtype="float64")
        model.density.observe(tf.constant(X[:10]), weights)
        assign = type(log_var).assign

        def stop_once(variable, value):
            if variable is log_var:
                monkeypatch.undo()
                raise KeyboardInterrupt
            return assign(variable, value)

        monkeypatch.setattr(type(log_var), "assign", stop_once)
        with pytest.raises(KeyboardInterrupt):
            model._m_step()
        for old, new in zip(before, self.weights(model)):
            np.testing.assert_array_equal(old, new)


class TestDensitiesOfOnesOwn:
    def test_one_of_another_size_than_it_says(self):
        density = Laplace((8, 8, 1), CLASSES)
        density.log_prob = lambda x, mask=None, training=False: x[:, 0, 0]
        model = kgen.BayesClassifier(density)
        model.compile()
        for method in (model.predict, model.fit):
            data = (X, Y)[: 1 + (method == model.fit)]
            with pytest.raises(InvalidArgument, match=r"shape \(batch, 3\)"):
                method(*data, verbose=0)

    def test_one_without_what_all_have(self):
        class Empty(densities.Density):
            def __init__(self):
                keras.layers.Layer.__init__(self)

        with pytest.raises(InvalidArgument, match="`super"):
            kgen.BayesClassifier(Empty())


def test_a_list_of_callbacks_of_keras_own():
    model = build()
    given = keras.callbacks.CallbackList([], add_history=True, model=model)
    model.fit(X, Y, callbacks=given, verbose=0)
    assert np.isfinite(model.log_joint(X)).all()
    assert model.density.mean.numpy().any()


def test_xla_gives_the_same():
    """Though it can't know how many have a label: all, or some."""
    losses = []
    for compiled in (False, True):
        keras.utils.set_random_seed(0)
        model = build(
            "vae",
            {"jit_compile": compiled, "steps_per_execution": 1},
            prior="uniform",
        )
        # Both draw as many numbers as they need: not the same ones.
        model.density._noise = lambda x: tf.zeros((tf.shape(x)[0], 3))
        for y in (Y, SOME):
            with contract.put_back(model):
                logs = model.train_on_batch(X, y, return_dict=True)
                losses.append(logs["loss"])
    np.testing.assert_allclose(losses[:2], losses[2:], rtol=1e-4)


@pytest.mark.parametrize("density", ["vae", "naive_gaussian"])
def test_the_loss_weighs_what_has_no_label(density):
    """Against log p(x, y) and log p(x), by both ways to compute it."""
    training = {"unlabelled_weight": 0.3}
    model = build(density, training)
    model.fit(X, Y, verbose=0)
    if density == "vae":  # the draws of a step would be others
        model.density._noise = lambda x: tf.zeros((tf.shape(x)[0], 3))
    joint = model._joint(tf.constant(X), training=True).numpy()
    known = SOME >= 0
    own = joint[np.arange(len(X)), np.maximum(SOME, 0)]
    marginal = np.logaddexp.reduce(joint, axis=1)
    expected = -np.mean(np.where(known, own, 0.3 * marginal))
    x, y = tf.constant(X), tf.constant(SOME)
    both = (
        model._step_losses(x, y, training=True),
        model._generative_losses(x, y),
    )
    for found in both:
        np.testing.assert_allclose(found.loss, expected, rtol=1e-6)


def test_unlabelled_examples_help():
    rng = np.random.default_rng(0)
    train, test = kgen.data.load(
        "digits", ("train", "test"), labels=True, batch_size=2000
    )
    x, y = (part.numpy() for part in next(iter(train)))
    few = np.full(len(y), -1)
    for label in range(10):
        few[rng.choice(np.flatnonzero(y == label), 5, replace=False)] = label
    accuracy = []
    for labels, epochs in ((few, 1), (few, 10)):
        model = kgen.create_model(
            "bayes_classifier",
            input_shape=(8, 8, 1),
            num_classes=10,
            density="full",
            shrinkage=0.3,
        )
        model.compile()
        model.fit(x, labels, 256, epochs, verbose=0)
        accuracy.append(
            model.evaluate(test, verbose=0, return_dict=True)["accuracy"]
        )
    assert accuracy[1] > accuracy[0] + 0.03, accuracy


class TestVAEDensity:
    def test_log_prob_is_the_models_own_estimate(self):
        """Within its standard error: other draws, the same expectation."""
        vae = contract.small_model("vae", conditional=True)
        vae.fit(X, Y, epochs=3, verbose=0)
        model = kgen.BayesClassifier(
            kgen.VAEDensity(vae, importance_samples=2000), prior="uniform"
        )
        x = X[:20]
        joint = model.log_joint(x)
        for label in range(CLASSES):
            labels = np.full(len(x), label)
            expected = vae.log_likelihood([x, labels], 2000, seed=3, verbose=0)
            assert abs(np.mean(joint[:, label] + np.log(3) - expected)) < 0.1

    def test_what_is_predicted_depends_on_x_alone(self):
        for model in (build("vae", importance_samples=5), build("vae")):
            whole = model.log_joint(X)
            np.testing.assert_allclose(
                model.log_joint(X[13:14]), whole[13:14], rtol=1e-5
            )
            np.testing.assert_array_equal(model.log_joint(X), whole)

    def test_one_vae_a_class_gets_the_examples_of_its_class(self):
        model = of_many()
        labels = tf.constant(Y)
        all_classes = model.density.log_prob(tf.constant(X))
        own = model.density.log_prob_in(tf.constant(X), labels)
        np.testing.assert_allclose(
            own, tf.gather(all_classes, labels, batch_dims=1), rtol=1e-5
        )
        samples = model.sample(6, labels=[2, 0, 1, 1, 0, 2], seed=4)
        z = tf.random.stateless_normal([6, 3], [4, 0])
        for row, label in enumerate([2, 0, 1, 1, 0, 2]):
            expected = model.density.models[label].decode(z[row : row + 1])
            np.testing.assert_allclose(samples[row], expected[0], atol=1e-6)

    def test_trained_models_need_no_fit(self):
        vae = contract.small_model("vae", conditional=True)
        model = kgen.BayesClassifier(kgen.VAEDensity(vae), [0.2, 0.3, 0.5])
        np.testing.assert_allclose(
            model.predict(X, verbose=0).sum(axis=1), 1, atol=1e-6
        )

    @pytest.mark.parametrize(
        "models",
        [
            lambda: contract.small_model("vae"),
            lambda: [contract.small_model("vae", conditional=True)],
            lambda: contract.small_model("gan", conditional=True),
            lambda: [
                contract.small_model("vae"),
                kgen.create_model("vae", input_shape=(4, 4, 1)),
            ],
            lambda: [],
        ],
        ids=["no labels", "list of conditional", "gan", "shapes", "empty"],
    )
    def test_models_that_do_not_fit(self, models):
        with pytest.raises(InvalidArgument, match="VAEDensity"):
            kgen.VAEDensity(models())


@keras.saving.register_keras_serializable(package="tests")
class Laplace(densities.Density):
    """A user's own density, trained by gradient."""

    def __init__(self, input_shape, num_classes, **kwargs):
        super().__init__(input_shape, num_classes, **kwargs)
        self.location = self.add_weight(
            name="location",
            shape=(num_classes, *self.input_shape),
            initializer="zeros",
        )

    def log_prob(self, x, mask=None, training=False):
        distance = tf.abs(x[:, None] - self.location.value)
        axes = list(range(2, 2 + len(self.input_shape)))
        return -tf.reduce_sum(distance + np.log(2.0), axis=axes)

    def draw(self, labels, seed):
        return tf.gather(self.location.value, labels)


def test_contract_of_a_density_of_ones_own(tmp_path, server):
    def of_laplace():
        model = kgen.BayesClassifier(Laplace((8, 8, 1), CLASSES))
        model.compile()
        return model

    model = contract.check_network(of_laplace, tmp_path)
    contract.check_export(model, tmp_path, server)


def test_labels_of_samples_follow_the_prior():
    x = np.repeat([[0.0], [10.0], [20.0]], [10, 30, 60], axis=0)
    model = kgen.create_model(
        "bayes_classifier",
        input_shape=(1,),
        num_classes=3,
        density="naive_gaussian",
    )
    model.compile()
    model.fit(
        x.astype("float32"), np.repeat([0, 1, 2], [10, 30, 60]), verbose=0
    )
    samples = model.sample(2000, seed=0)[:, 0]
    share = np.mean(samples > 15)
    assert abs(share - 0.6) < 4 * np.sqrt(0.6 * 0.4 / 2000)
    np.testing.assert_array_equal(samples, model.sample(2000, seed=0)[:, 0])
    assert np.any(samples != model.sample(2000, seed=1)[:, 0])


def test_outliers_score_higher():
    data, test = kgen.data.load("digits", ("train", "test"), labels=True)
    model = kgen.create_model(
        "bayes_classifier",
        input_shape=(8, 8, 1),
        num_classes=10,
        density="low_rank:8",
    )
    model.compile()
    model.fit(data, verbose=0)
    x = np.concatenate([x.numpy() for x, _ in test])
    noise = np.random.default_rng(0).permuted(x, axis=0)
    scores = np.concatenate(
        [model.outlier_score(x), model.outlier_score(noise)]
    )
    which = np.repeat([0, 1], len(x))
    assert metrics.roc_auc_score(which, scores) > 0.98
    np.testing.assert_array_equal(model.outlier_score(x), -model.log_prob(x))


class TestBadInput:
    @pytest.mark.parametrize(
        "options, message",
        [
            ({"density": "naive_gausian"}, "did you mean 'naive_gaussian'"),
            ({"density": "low_rank:0"}, "positive integer"),
            ({"density": "low_rank:x"}, "positive integer"),
            ({"density": "low_rank:64"}, "below 64"),
            ({"density": "full:3"}, 'Expected "full"'),
            ({"shrinkage": 0.1}, "`options` of `the density naive_gaussian`"),
            ({"density": "full", "shrinkage": 2}, "a number from 0 to 1"),
            ({"density": "vae", "kl_weight": 2}, "argument `kl_weight`"),
            ({"density": "vae", "smoothing": 2}, "argument `smoothing`"),
            ({"smoothing": -1}, "at least 0"),
            ({"smothing": 1}, "did you mean 'smoothing'"),
            ({"prior": [0.5, 0.5]}, "3 numbers from 0, with the sum 1"),
            ({"prior": [0.5, 0.6, 0.1]}, "with the sum 1"),
            ({"prior": [1.5, -0.5, 0.0]}, "3 numbers from 0"),
            ({"prior": "flat"}, '"uniform"'),
            ({"prior": ["a", "b", "c"]}, "3 numbers from 0"),
            ({"training": {"discriminative_weight": -1}}, "at least 0"),
            ({"training": {"unlabelled_weight": -1}}, "at least 0"),
            ({"density": "shared", "pooling": 0.5}, "0 where all is shared"),
            ({"density": "full", "pooling": 2}, "a number from 0 to 1"),
        ],
    )
    def test_arguments(self, options, message):
        with pytest.raises(InvalidArgument) as error:
            build(**options)
        assert message in str(error.value)

    def test_a_name_is_no_density(self):
        with pytest.raises(InvalidArgument, match="create_model"):
            kgen.BayesClassifier("naive_gaussian")

    def test_number_of_classes_is_needed(self):
        with pytest.raises(InvalidArgument, match="num_classes"):
            kgen.create_model("bayes_classifier", input_shape=(8, 8, 1))

    @pytest.mark.parametrize(
        "y, message",
        [
            (Y + 1, "integers from -1 to 2"),
            (Y - 2, "integers from -1 to 2"),
            (Y[:5], "shape"),
            (Y.astype("float32"), "integers"),
            (None, "one for each example"),
        ],
    )
    def test_labels(self, y, message):
        with pytest.raises(InvalidArgument) as error:
            build().fit(X, y, verbose=0)
        assert message in str(error.value)

    def test_no_example_with_a_label(self):
        with pytest.raises(InvalidArgument, match="no example has a label"):
            build().fit(X, np.full(len(X), -1), verbose=0)

    @pytest.mark.parametrize(
        "density, x, y",
        [
            ("full", X, Y),
            ("shared", X[:40], Y[:40]),
            ("low_rank:60", X, Y),
        ],
    )
    def test_fewer_examples_than_features(self, density, x, y):
        """Refused without shrinkage, and fitted with it."""
        with pytest.raises(InvalidArgument, match="larger shrinkage"):
            build(density, EAGERLY, shrinkage=0.0).fit(x, y, verbose=0)
        model = build(density, EAGERLY, shrinkage=0.1)
        model.fit(x, y, verbose=0)
        assert np.isfinite(model.log_joint(x)).all()

    def test_no_variance(self):
        flat = np.zeros_like(X)
        with pytest.raises(InvalidArgument, match="smoothing above 0"):
            build(training=EAGERLY, smoothing=0.0).fit(flat, Y, verbose=0)
        with pytest.raises(InvalidArgument, match="smoothing=1"):
            build("naive_bernoulli", EAGERLY, smoothing=0.0).fit(
                flat, Y, verbose=0
            )

    def test_a_class_without_examples(self):
        """Impossible, if counted; refused where the prior allows for it."""
        y = np.minimum(Y, 1)
        model = build(training=EAGERLY)
        model.fit(X, y, verbose=0)
        assert np.all(model.predict(X, verbose=0)[:, 2] == 0)
        with pytest.raises(InvalidArgument, match="the prior allows for"):
            model.sample(2, labels=2)
        for prior, message in (
            ("uniform", "0 for class 2"),
            ([0.4, 0.0, 0.6], "more than 0 for class 1"),
        ):
            with pytest.raises(InvalidArgument, match=message):
                build(training=EAGERLY, prior=prior).fit(X, y, verbose=0)
        build(training=EAGERLY, prior=[0.4, 0.6, 0.0]).fit(X, y, verbose=0)

    def test_a_class_with_one_example_only(self):
        y = np.zeros(len(X), "int32")
        y[:40], y[0] = 1, 2
        for density in ("full", "low_rank:3"):
            with pytest.raises(InvalidArgument, match="class 2 is singular"):
                build(density, EAGERLY).fit(X, y, verbose=0)
        for density in ("shared", "naive_gaussian", "naive_bernoulli"):
            model = build(density, EAGERLY)
            model.fit(X, y, verbose=0)
            assert np.isfinite(model.log_joint(X)).all()

    def test_a_density_that_does_not_fit_its_options(self):
        own = densities.NaiveGaussian((4,), CLASSES)
        for options in ({}, {"smoothing": 1.0}):
            with pytest.raises(InvalidArgument, match="its own arguments"):
                build(own, **options)

    @pytest.mark.parametrize(
        "mask", [np.ones(3), np.ones((8, 8)), np.full(X.shape, 2)]
    )
    def test_masks(self, mask):
        with pytest.raises(InvalidArgument, match="truth values of shape"):
            build().log_joint(X, mask=mask)

    def test_mask_of_what_can_not_integrate(self):
        with pytest.raises(InvalidArgument, match="can't integrate"):
            build("vae").log_joint(X, mask=X > 0)

    def test_predicting_takes_arrays_and_datasets_alike(self):
        model = build()
        model.fit(X, Y, verbose=0)
        expected = model.log_joint(X)
        for data in (
            contract.dataset(),
            contract.dataset(conditional=True),
        ):
            np.testing.assert_allclose(model.log_joint(data), expected)
        with pytest.raises(InvalidArgument, match="finite"):
            model.log_joint(np.full_like(X, np.nan))
        with pytest.raises(InvalidArgument, match="shape"):
            model.log_joint(X[:, :4])

    @pytest.mark.parametrize("density", ["naive_gaussian", "vae"])
    def test_shapes(self, density, tmp_path):
        """Of as many numbers, too: they were other examples."""
        model, small = build(density), X[:, :4]
        for wrong in (small, X.reshape(70, 4, 16, 1)):
            with pytest.raises(InvalidArgument, match="shape"):
                model.predict(wrong, verbose=0)
            with pytest.raises(InvalidArgument, match="shape"):
                model.log_joint(wrong)
            if density == "naive_gaussian":
                with pytest.raises(InvalidArgument, match="shape"):
                    model.log_joint(wrong, mask=np.ones((8, 8, 1)))
        model.export(tmp_path / "1")
        serve = tf.saved_model.load(tmp_path / "1").signatures
        # The server looks at shapes itself.
        with pytest.raises(tf.errors.InvalidArgumentError):
            serve["serving_default"](images=tf.constant(small))

    @pytest.mark.parametrize("label", [CLASSES, -2])
    @pytest.mark.parametrize("weight", [0.0, 1.0])
    def test_labels_of_a_later_batch(self, label, weight):
        y = Y.copy()
        y[-1] = label
        data = tf.data.Dataset.from_tensor_slices((X, y)).batch(32)
        model = build(training={"discriminative_weight": weight})
        with pytest.raises(InvalidArgument, match="integers from -1 to 2"):
            model.fit(data, verbose=0)

    # To Bernoulli features, NaN is a number below the threshold.
    @pytest.mark.parametrize(
        "density", [one for one in CLOSED if one != "naive_bernoulli"]
    )
    def test_nan_in_a_later_batch(self, density):
        x = X.copy()
        x[-1, 0] = np.nan
        data = tf.data.Dataset.from_tensor_slices((x, Y)).batch(32)
        with pytest.raises(InvalidArgument, match="not finite"):
            build(density).fit(data, verbose=0)

    def test_networks_in_which_classes_would_meet(self):
        vae = contract.small_model(
            "vae", True, network="conv", batch_normalization=True
        )
        with pytest.raises(InvalidArgument, match="batch normalisation"):
            kgen.VAEDensity(vae)
        with pytest.raises(InvalidArgument, match="batch_normalization"):
            build("vae", network="conv", batch_normalization=True)

    @pytest.mark.parametrize("prior", [[[0.5], [0.2, 0.3]], ["a", "b", "c"]])
    def test_priors_that_are_no_numbers(self, prior):
        with pytest.raises(InvalidArgument, match="3 numbers from 0"):
            build(prior=prior)

    def test_fit_before_compile(self):
        model = kgen.BayesClassifier(densities.NaiveGaussian((8, 8, 1), 3))
        with pytest.raises(InvalidArgument, match="compile"):
            model.fit(X, Y)
