"""Models with other priors, posteriors and divergences, and `fit_prior`."""

import functools
import json

import keras
import numpy as np
import pytest

import kgen
from kgen import priors
from kgen.errors import InvalidArgument
from kgen.priors import fitting
from tests.models import contract
from tests.models.contract import X, Y

OPTIONS = {
    "mixture": {"prior": "mixture:3"},
    "vamp and flow": {"prior": "vamp:4", "posterior": "flow:2"},
    "flow": {"prior": "flow:3", "free_bits": 0.05},
    "two levels": {"prior": "vamp:4", "levels": 2, "latent_dim": 4},
    "mmd": {"divergence": "mmd", "kl_weight": 10.0},
    "total correlation": {"divergence": "total_correlation:3"},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_contract_of_a_vae(options, tmp_path, server):
    build = functools.partial(contract.small_model, "vae", **options)
    model = contract.check_network(build, tmp_path)
    contract.check_export(model, tmp_path, server)


@pytest.mark.parametrize("options", list(OPTIONS.values())[1:3])
def test_contract_of_a_vaegan(options, tmp_path, server):
    build = functools.partial(contract.small_model, "vaegan", **options)
    model = contract.check_network(build, tmp_path)
    contract.check_export(model, tmp_path, server)


@pytest.mark.parametrize("options", list(OPTIONS.values())[:4])
def test_half_precision(options):
    build = functools.partial(contract.small_model, "vae", **options)
    contract.check_mixed_precision(build, "mixed_bfloat16")


def small_vae(**options):
    return contract.small_model("vae", training=contract.EAGERLY, **options)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("form", ["array", "dataset", "sequence"])
def test_pseudo_inputs_begin_as_training_examples(conditional, form):
    vae = small_vae(prior="vamp:5", optimizer="sgd:0", conditional=conditional)
    data = (X, Y) if conditional else (X,)
    if form == "array":
        vae.fit(*data, verbose=0)
    elif form == "dataset":
        vae.fit(contract.dataset(conditional), verbose=0)
    else:
        vae.fit(contract.Batches(*data), verbose=0)
    found = vae.prior.pseudo_inputs.numpy()
    places = [np.flatnonzero((u == X).all(axis=(1, 2, 3))) for u in found]
    places = np.concatenate(places)
    assert len(set(places)) == 5
    if conditional:
        np.testing.assert_array_equal(vae.prior.labels, Y[places])
    # A second training goes on with what the first one has learned.
    vae.prior.pseudo_inputs.assign(0.5 * found)
    vae.compile("sgd:0", **contract.EAGERLY)
    vae.fit(*data, verbose=0)
    np.testing.assert_array_equal(vae.prior.pseudo_inputs, 0.5 * found)


def test_pseudo_inputs_stay_in_the_range_of_the_data():
    """An update brings back what lies outside, whatever its gradient is."""
    vae = small_vae(prior="vamp:5", optimizer="sgd:0", likelihood="bernoulli")
    vae.fit(X, verbose=0)
    vae.prior.pseudo_inputs.assign(3.0 * vae.prior.pseudo_inputs - 1.0)
    vae.fit(X, verbose=0)
    found = vae.prior.pseudo_inputs.numpy()
    assert found.min() == 0.0 and found.max() <= 1.0


@keras.saving.register_keras_serializable(package="test")
class Shifted(priors.Prior):
    """N(3, I), as a user writes it."""

    def log_prob(self, z):
        return priors.NormalPrior().log_prob(z - 3.0)

    def transform(self, normal, uniform):
        return normal + 3.0


def test_a_prior_of_one_s_own(tmp_path):
    vae = small_vae(prior=Shifted())
    vae.fit(X, verbose=0)
    vae.save(tmp_path / "vae.keras")
    loaded = kgen.load_model(tmp_path / "vae.keras")
    assert isinstance(loaded.prior, Shifted)
    z = loaded.prior.sample(1000, 0).numpy()
    assert abs(z.mean() - 3.0) < 0.2
    np.testing.assert_array_equal(loaded.elbo(X, seed=0), vae.elbo(X, seed=0))


@pytest.mark.parametrize("levels, posterior", [(1, "flow:2"), (2, "gaussian")])
def test_units_are_those_of_the_code_and_of_each_level(levels, posterior):
    vae = small_vae(latent_dim=4, levels=levels, posterior=posterior)
    vae.fit(X, verbose=0)
    mean, codes = vae.posterior(X)[0], vae.encode(X)
    assert not np.array_equal(mean, codes)
    expected = codes if levels == 1 else mean
    np.testing.assert_array_equal(vae.codes_for_active_units(X), expected)


class Unsummed(priors.Prior):
    """One whose density is that of each dimension, which is wrong."""

    def log_prob(self, z):
        return -keras.ops.square(z)


@pytest.mark.parametrize(
    "options", [{"latent_dim": 1}, {"latent_dim": 2}, {"importance_samples": 3}]
)
def test_a_density_of_each_dimension_is_refused(options):
    """With one dimension it would broadcast, and train on nonsense."""
    vae = small_vae(prior=Unsummed(), **options)
    for method in (functools.partial(vae.fit, verbose=0), vae.log_likelihood):
        with pytest.raises(InvalidArgument, match="summed over the dimensions"):
            method(X)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"prior": "vamp:0"}, "a positive integer"),
        ({"prior": "vamp"}, '"vamp:PSEUDO_INPUTS"'),
        ({"prior": "vampp:3"}, "did you mean 'vamp'"),
        ({"prior": "flow:2", "latent_dim": 1}, "at least 2"),
        ({"posterior": "flow:2", "latent_dim": 1}, "at least 2"),
        ({"posterior": "iaf:2"}, "'gaussian', 'flow'"),
        ({"divergence": "total_correlation:-1"}, "at least 0"),
        (
            {"divergence": "total_correlation:2", "posterior": "flow:2"},
            "Gaussian posteriors",
        ),
        ({"levels": 3}, "from 1 to 2"),
        ({"levels": 2}, "an even number"),
        ({"levels": 2, "latent_dim": 2, "prior": "flow:2"}, "an upper level"),
        ({"levels": 2, "latent_dim": 4, "posterior": "flow:2"}, "halves"),
        ({"divergence": "mmd", "free_bits": 0.1}, "free_bits"),
        ({"divergence": "mmd", "importance_samples": 2}, "importance_samples"),
    ],
)
def test_mistakes_are_named(options, words):
    options = {"latent_dim": 3, "network": "dense", **options}
    with pytest.raises(InvalidArgument) as error:
        kgen.create_model("vae", input_shape=(8, 8, 1), **options)
    assert words in str(error.value)


@pytest.mark.parametrize("options", [{"prior": "flow:2"}, {"levels": 2}])
def test_a_frozen_prior_stays_frozen(options, tmp_path):
    vae = small_vae(latent_dim=4, **options)
    vae.prior.trainable = False
    vae.compile(**contract.EAGERLY)
    vae.fit(X, verbose=0)
    vae.save(tmp_path / "model.keras")
    loaded = kgen.load_model(tmp_path / "model.keras")
    assert not loaded.prior.trainable_variables
    assert len(loaded.trainable_variables) == len(vae.trainable_variables)


def test_learned_pseudo_inputs_are_kept():
    """Also where a model beside this one begins with its own."""
    vae = small_vae(prior="vamp:3")
    vae.fit(X, verbose=0)
    learned = vae.prior.pseudo_inputs.numpy()
    vae.prior.start_from(X, None)
    np.testing.assert_array_equal(vae.prior.pseudo_inputs, learned)


@pytest.mark.parametrize("levels", [1, 2])
def test_a_mixture_that_can_t_be_learned_is_told_of(levels):
    options = {"divergence": "mmd", "prior": "mixture:2", "levels": levels}
    with pytest.warns(UserWarning, match="keep equal weights"):
        small_vae(latent_dim=4, **options)


def test_a_prior_of_another_size_or_model_is_refused():
    prior = priors.MixturePrior(2)
    prior.build((None, 5))
    with pytest.raises(InvalidArgument, match="codes of size 5"):
        small_vae(prior=prior)
    upper = priors.MixturePrior(2)
    upper.build((None, 4))
    with pytest.raises(InvalidArgument, match="of size 2, as the upper"):
        small_vae(prior=upper, levels=2, latent_dim=4)
    both = priors.HierarchicalPrior()
    both.build((None, 6))
    with pytest.raises(InvalidArgument, match="of size 4, as the encoder"):
        small_vae(prior=both, levels=2, latent_dim=4)
    vamp = priors.VampPrior(2)
    small_vae(prior=vamp)
    with pytest.raises(InvalidArgument, match="another model"):
        small_vae(prior=vamp)
    with pytest.raises(InvalidArgument, match="70"):
        small_vae(prior="vamp:71").fit(X, verbose=0)


@pytest.mark.parametrize("shapes", [[(None, 5)], [(None, 3), (None, 2)]])
def test_a_flow_of_other_sizes_is_refused(shapes):
    flow = priors.Flow(2)
    flow.build(*shapes)
    words = "of codes of size 3 with a context of size 32, as the encoder's"
    with pytest.raises(InvalidArgument, match=words):
        small_vae(posterior=flow, latent_dim=3)


def vae_with_context(shape, **options):
    """A VAE whose encoder has a third output, of this shape."""
    x = keras.Input((3,))
    mean, log_var = (keras.layers.Dense(4)(x) for _ in range(2))
    context = keras.layers.Reshape(shape)(keras.layers.Dense(6)(x))
    encoder = keras.Model(x, [mean, log_var, context])
    decoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    return kgen.VAE(encoder, decoder, **options)


def test_two_levels_take_a_context_of_networks_of_one_s_own():
    vae = vae_with_context((6,), levels=2, seed=0)
    vae.compile()
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    before = vae.encode(x)
    vae.fit(x, epochs=2, verbose=0)
    # The lower level, the second half, depends on the context.
    context = vae.encoder.layers[-2].get_weights()
    assert len(context) == 2 and np.any(context[1])
    assert not np.allclose(vae.encode(x), before)


@pytest.mark.parametrize("options", [{"levels": 2}, {"posterior": "flow:2"}])
def test_a_context_that_is_no_vector_is_refused(options):
    with pytest.raises(InvalidArgument, match="(batch, context_dim)"):
        vae_with_context((2, 3), **options)


def test_an_endless_dataset_has_no_codes():
    endless = contract.dataset(False).repeat()
    with pytest.raises(InvalidArgument, match="leave out `repeat"):
        small_vae().sample_codes(endless)


def test_a_prior_without_a_density_is_told_of():
    class Nothing(priors.Prior):
        pass

    with pytest.raises(NotImplementedError, match="`Nothing` needs the method"):
        Nothing().log_prob(np.zeros((2, 3)))


@pytest.mark.parametrize(
    "prior", [priors.NormalPrior(), priors.MixturePrior(2)]
)
def test_a_prior_without_a_size_is_not_drawn_from(prior):
    with pytest.raises(InvalidArgument, match="Give the prior to a model"):
        prior.sample(3, seed=0)
    prior.build((None, 2))
    assert prior.sample(3, seed=0).shape == (3, 2)


def test_a_vampprior_without_a_model_is_not_built():
    with pytest.raises(InvalidArgument, match="a model's encoder"):
        priors.VampPrior(2).build((None, 3))


def test_a_text_is_no_fitted_prior():
    ae = contract.small_model("autoencoder", training=contract.EAGERLY)
    with pytest.raises(
        InvalidArgument, match="`fitted_prior` of `Autoencoder`"
    ):
        kgen.Autoencoder(ae.encoder, ae.decoder, fitted_prior="mixture:3")


def test_a_second_fit_leaves_the_same_file():
    """Whatever layers the process has made before."""
    vae = small_vae()
    vae.fit(X, verbose=0)
    configs = []
    for prior in ("gaussian", "flow:2", "gaussian"):
        vae.fit_prior(X, prior)
        configs.append(json.dumps(vae.get_config()["fitted_prior"]))
    assert configs[0] == configs[2] != configs[1]
    assert vae.fitted_prior.name == "fitted_prior"


def test_a_regularised_autoencoder_minimises_what_its_paper_does():
    """Half the squared error and norm of codes, and the decoder's weights."""
    beta, weight = 0.3, 1e-2
    x = keras.Input((8, 8, 1))
    flat = keras.layers.Flatten()(x)
    penalty = keras.regularizers.L2(0.5 * beta)
    z = keras.layers.Dense(3, activity_regularizer=penalty)(flat)
    decoder = kgen.networks.dense.decoder(
        (8, 8, 1),
        3,
        hidden_units=(5,),
        kernel_regularizer=keras.regularizers.L2(weight),
    )
    rae = kgen.Autoencoder(keras.Model(x, z), decoder)
    rae.compile(**contract.EAGERLY)
    logs = rae.evaluate(X, batch_size=len(X), verbose=0, return_dict=True)
    codes, error = rae.encode(X), X - rae.reconstruct(X)
    kernel = decoder.layers[1].kernel.numpy()
    expected = 0.5 * beta * np.square(codes).sum(axis=1).mean()
    expected += weight * np.square(kernel).sum()
    assert logs["regularization_loss"] == pytest.approx(expected, rel=1e-4)
    half = 0.5 * np.square(error).sum(axis=(1, 2, 3)).mean()
    constant = 0.5 * 64 * np.log(2 * np.pi)
    assert logs["reconstruction_loss"] == pytest.approx(
        half + constant, rel=1e-4
    )
    rae.fit(X, verbose=0)
    rae.fit_prior(X, "gaussian")
    assert rae.sample(2, seed=0).shape == (2, 8, 8, 1)


def test_a_classifier_s_vae_has_a_prior_of_its_own():
    """`prior` is that of the classes; pseudo-inputs begin with the data."""
    model = contract.small_model(
        "bayes_classifier",
        conditional=True,
        latent_prior="vamp:4",
        optimizer="sgd:0",
        training=contract.EAGERLY,
    )
    y = np.where(np.arange(len(Y)) % 2, Y, -1)
    model.fit(X, y, verbose=0)
    prior = model.density.models.prior
    for u, label in zip(prior.pseudo_inputs.numpy(), prior.labels.numpy()):
        (place,) = np.flatnonzero((u == X).all(axis=(1, 2, 3)))
        assert y[place] in (label, -1) and 0 <= label < contract.CLASSES


@functools.cache
def averaging():
    """A VAE-GAN whose prior and flow are learned, after an epoch."""
    model = contract.small_model(
        "vaegan",
        prior="vamp:4",
        posterior="flow:2",
        optimizer="adam:0.05",
        training=contract.EAGERLY,
    )
    model.fit(X, batch_size=16, verbose=0)
    return model


def test_a_vaegan_samples_by_averages_alone():
    """Of the networks, and of the prior that was learned with them."""
    model = averaging()
    own, average = model.sampling, model.serving_sampling
    assert average is not own
    assert not np.array_equal(
        own.prior.pseudo_inputs, average.prior.pseudo_inputs
    )
    before = model.sample(3, seed=0), model.encode(X[:3])
    for layer in (model.encoder, model.decoder, own.prior, own.flow):
        layer.set_weights([0.5 * w for w in layer.get_weights()])
    np.testing.assert_array_equal(model.sample(3, seed=0), before[0])
    np.testing.assert_array_equal(model.encode(X[:3]), before[1])


def trained(name):
    """A small model after an epoch."""
    model = contract.small_model(name, training=contract.EAGERLY)
    model.fit(X, verbose=0)
    return model


class TestFitPrior:
    @pytest.mark.parametrize(
        "name, prior",
        [
            ("autoencoder", "gaussian"),
            ("vae", "flow:2"),
            ("denoising_autoencoder", "mixture:3"),
            ("vaegan", "mixture:3"),
        ],
    )
    def test_contract(self, name, prior, tmp_path, server, quick_flows):
        model = contract.small_model(name, training=contract.EAGERLY)
        model.fit(X, verbose=0)
        variables = len(model.trainable_variables)
        for _ in range(3):  # each takes the place of the one before
            fitted = model.fit_prior(X, prior, seed=3)
            weights, count = fitted.get_weights(), len(model.variables)
        again = model.fit_prior(X, prior, seed=3)
        contract.assert_same(weights, again.get_weights())
        assert model.fitted_prior is again and len(model.variables) == count
        assert len(model.trainable_variables) == variables
        model.save(tmp_path / "model.keras")
        loaded = kgen.load_model(tmp_path / "model.keras")
        assert model.log_prior(np.zeros((2, 3))).shape == (2,)
        configs = [x.get_config()["fitted_prior"] for x in (loaded, model)]
        assert configs[0]["config"] == configs[1]["config"]
        assert len(loaded.variables) == count
        images = model.sample(5, seed=1)
        np.testing.assert_array_equal(loaded.sample(5, seed=1), images)
        contract.check_export(model, tmp_path, server)
        model.fit(X, verbose=0)  # training goes on without it
        loaded.fit(X, verbose=0)
        contract.assert_same_state(model, loaded)

    def test_a_way_back(self):
        vae = small_vae()
        vae.fit(X, verbose=0)
        before = vae.sample(3, seed=0), len(vae.variables)
        vae.fit_prior(X, "gaussian")
        assert not np.array_equal(vae.sample(3, seed=0), before[0])
        assert vae.fit_prior(X, None) is None
        np.testing.assert_array_equal(vae.sample(3, seed=0), before[0])
        assert len(vae.variables) == before[1]

    @pytest.mark.parametrize("prior", ["mixture:2", "flow:2"])
    def test_several_devices(self, prior, strategy, quick_flows):
        keras.utils.set_random_seed(1)
        with strategy.scope():
            vae = contract.small_model("vae")
        vae.fit(X, verbose=0)
        vae.fit_prior(X, prior)
        assert vae.sample(3, seed=0).shape == (3, 8, 8, 1)

        with strategy.scope():
            if prior == "flow:2":
                with pytest.raises(InvalidArgument, match="outside of the"):
                    vae.fit_prior(X, prior)
            else:
                vae.fit_prior(X, prior)

    def test_an_untrained_model_is_told_of(self):
        with pytest.warns(UserWarning, match="not been trained"):
            small_vae().fit_prior(X, "gaussian")
        vae = kgen.create_model("vae", input_shape=(8, 8, 1), filters=4)
        with pytest.warns(UserWarning, match="not compiled"):
            vae.fit_prior(X, "gaussian")

    def test_a_dimension_that_no_example_uses(self, quick_flows):
        """Its scale is far smaller than a step of the fit of a flow."""
        codes = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
        codes[:, 1] = 1.2345
        flow = fitting.fit("flow:2", codes, 0, "fit_prior")
        # Of N(0, 1) in two dimensions, and N(0, 1e-12) at its mean in the third
        expected = -1.5 * np.log(2 * np.pi) - 1.0 - np.log(1e-6)
        assert abs(np.mean(flow.log_prob(codes)) - expected) < 1.0

    def test_the_density_is_that_of_the_codes(self):
        """The mean of log p(code) is that of scikit-learn's own mixture."""
        from sklearn.mixture import GaussianMixture

        ae = trained("autoencoder")
        codes = ae.encode(X)
        wanted = GaussianMixture(1).fit(codes).score(codes)
        fitted = ae.fit_prior(X, "gaussian")
        found = fitted.log_prob(codes).numpy().mean()
        assert found == pytest.approx(wanted, abs=1e-3)

    def test_an_autoencoder_samples_only_with_a_prior(self):
        ae = trained("autoencoder")
        assert not hasattr(ae, "sample") and "sample" not in ae.endpoints()
        with pytest.raises(AttributeError) as error:
            ae.sample(3)
        assert "`fit_prior` first" in str(error.value.__cause__)
        ae.fit_prior(X)
        assert ae.sample(3, seed=0).shape == (3, 8, 8, 1)

    def test_the_bound_is_that_of_the_fitted_prior(self):
        """A prior that fits the codes better has a higher bound."""
        vae = small_vae(conditional=True)
        vae.fit(X, Y, verbose=0)
        vae.encoder.set_weights([3 * w for w in vae.encoder.get_weights()])
        before = vae.elbo([X, Y], 20, seed=0).mean()
        vae.fit_prior([X, Y], "gaussian")
        assert vae.elbo([X, Y], 20, seed=0).mean() > before
        assert vae.sample(4, labels=[0, 1, 2, 0], seed=0).shape == (4, 8, 8, 1)

    @pytest.mark.parametrize(
        "prior, words", [("vamp:3", "'mixture'"), ("mixture:71", "at least 71")]
    )
    def test_mistakes_are_named(self, prior, words):
        ae = trained("autoencoder")
        with pytest.raises(InvalidArgument) as error:
            ae.fit_prior(X, prior)
        assert words in str(error.value)

    def test_fewer_codes_than_dimensions_have_no_covariance(self):
        for name in ("gaussian", "mixture:2"):
            fitting.check(name, 8, 9, "fit_prior")
            with pytest.raises(InvalidArgument, match="at least 9"):
                fitting.check(name, 8, 8, "fit_prior")

    def test_skip_connections_leave_nothing_to_sample(self):
        model = kgen.create_model(
            "denoising_autoencoder",
            input_shape=(8, 8, 1),
            network="unet",
            filters=4,
        )
        with pytest.raises(InvalidArgument, match="skip connections"):
            model.fit_prior(X)


@pytest.fixture
def quick_flows(monkeypatch):
    """Flows that are fitted for two epochs."""
    monkeypatch.setattr(priors.fitting, "_MOST_EPOCHS", 2)
