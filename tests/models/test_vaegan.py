import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen.errors import InvalidArgument
from kgen.models import equilibrium
from tests.models import contract
from tests.models.contract import EAGERLY, X, Y

build = functools.partial(contract.small_model, "vaegan", kl_weight=1.0)
RATE = 0.1
SGD = {
    "decoder_optimizer": f"sgd:{RATE}",
    "discriminator_optimizer": f"sgd:{RATE}",
}


def test_contract(tmp_path, server):
    # A margin so wide that all play: who sits out moves no weight.
    contract.check_model(
        functools.partial(
            build, feature_weight=0.5, training={"equilibrium_margin": 9.0}
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
            "training": {"discriminator_steps": 2, "ema_decay": None},
        },
        {"network": "resnet", "blocks": 2},
    ],
    ids=["conv", "resnet"],
)
def test_contract_of_networks(options, tmp_path):
    contract.check_network(functools.partial(build, **options), tmp_path)


@pytest.mark.parametrize("network", ["dense", "resnet"])
def test_contract_of_labels(network, tmp_path, server):
    contract.check_labels(
        functools.partial(build, network=network), tmp_path, server
    )


def test_bad_data():
    contract.check_bad_data(build)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    contract.check_mixed_precision(build, policy)


class TestUpdate:
    """One step of SGD against the three losses, each by a tape of its own."""

    def draws(self, model, count):
        """The next eps of q(z|x) and z of the prior."""
        found = []
        for stream in (model.sampling.seed_generator, model.seed_generator):
            kept = stream.state.numpy()
            found.append(keras.random.normal((count, 3), seed=stream))
            stream.state.assign(kept)
        return found

    def losses(self, model, x, labels, eps, z2):
        """Encoder's, decoder's and discriminator's, as the paper has them."""

        def give(tensor):
            return tensor if labels is None else [tensor, labels]

        discriminator = model.discriminator
        features = keras.Model(
            discriminator.inputs, discriminator.get_layer("features").output
        )
        mean, log_var = model.encoder(give(x))
        x1 = model.decoder(give(mean + tf.exp(log_var / 2) * eps))
        x2 = model.decoder(give(z2))
        kl = 0.5 * tf.reduce_sum(tf.exp(log_var) + mean**2 - 1 - log_var, -1)
        distance = features(give(x)) - features(give(x1))
        by_feature = 0.5 * tf.reduce_sum(distance**2, -1)
        stddev = tf.exp(0.5 * model.likelihood.log_var)
        by_pixel = self.pixels(x, x1, stddev)
        weight = model.feature_weight
        error = tf.reduce_mean(weight * by_feature + (1 - weight) * by_pixel)
        logits = [discriminator(give(v)) for v in (x, x1, x2)]
        value = [tf.math.log(tf.sigmoid(logits[0]))]
        value += [tf.math.log(1 - tf.sigmoid(logit)) for logit in logits[1:]]
        value = sum(tf.reduce_mean(part) for part in value)
        fixed = self.pixels(x, tf.stop_gradient(x1), stddev)
        decoder = model.reconstruction_weight * error
        # -L_GAN of the paper is `value`: what the decoder lowers.
        decoder += model.adversarial_weight * value
        decoder += weight * tf.reduce_mean(fixed)
        # R2 is at both kinds of generated examples.
        points = [x, x1, x2] if isinstance(model.penalty, list) else [x]
        penalty = sum(self.r1(model, v) for v in points if model.penalty)
        own = [
            sum(network.losses)
            for network in (model.encoder, model.decoder, discriminator)
        ]
        return (
            tf.reduce_mean(kl) + error + own[0],
            decoder + own[1],
            -value + penalty + own[2],
        )

    def r1(self, model, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = model.discriminator(x)
        slope = tape.gradient(logits, x)
        square = tf.reduce_sum(slope**2, axis=(1, 2, 3))
        return 0.5 * 0.5 * tf.reduce_mean(square)

    def pixels(self, x, mean, stddev):
        log_prob = -0.5 * ((x - mean) / stddev) ** 2 - tf.math.log(stddev)
        log_prob -= 0.5 * tf.math.log(2 * np.pi)
        return -tf.reduce_sum(log_prob, axis=(1, 2, 3))

    def players(self, model):
        decoder = model.decoder.trainable_variables
        return (
            model.encoder.trainable_variables,
            decoder + model.likelihood.trainable_variables,
            model.discriminator.trainable_variables,
        )

    def stepped(self, conditional=False, **options):
        """Weights after a step, against gradients by hand."""
        training = {
            **SGD,
            "loss": "minimax",
            "penalty": None,
            "reconstruction_weight": 0.7,
            "adversarial_weight": 1.3,
            **options.pop("training", EAGERLY),
        }
        model = build(
            conditional=conditional,
            optimizer=f"sgd:{RATE}",
            training=training,
            **options,
        )
        labels = tf.constant(Y) if conditional else None
        eps, z2 = self.draws(model, len(X))
        assert not np.allclose(eps, z2)  # two streams, whatever the seed
        players = self.players(model)
        gradients = []
        for number, variables in enumerate(players):
            with tf.GradientTape() as tape:
                loss = self.losses(model, tf.constant(X), labels, eps, z2)[
                    number
                ]
            found = tape.gradient(loss, [v.value for v in variables])
            # An embedding's is sparse.
            gradients.append([tf.convert_to_tensor(part) for part in found])
        before = [[v.numpy() for v in variables] for variables in players]
        model.train_on_batch(X, Y if conditional else None)
        for number, variables in enumerate(players):
            for old, new, gradient in zip(
                before[number], variables, gradients[number]
            ):
                np.testing.assert_allclose(
                    new.numpy(),
                    old - RATE * gradient,
                    atol=3e-6,
                    err_msg=new.path,
                )
        return gradients

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"feature_weight": 0.0},
            {"feature_weight": 0.3},
            {"conditional": True},
            # These two are traced; a margin of 9 is one at which all play.
            {"training": {"equilibrium_margin": 9.0}},
            {"training": {"penalty": "r1:0.5"}},
            {"training": {"penalty": ["r1:0.5", "r2:0.5"], **EAGERLY}},
            {"seed": 3},
            {"kernel_regularizer": "l2"},
        ],
        ids=[
            "features",
            "pixels",
            "both",
            "labels",
            "gate",
            "r1",
            "r1 and r2",
            "seed",
            "regularized",
        ],
    )
    def test_weights_after_one_step(self, options):
        gradients = self.stepped(**options)
        # None is trivially 0.
        for of_player in gradients:
            norms = [float(tf.norm(gradient)) for gradient in of_player]
            assert max(norms) > 1e-3

    def test_the_decoder_s_push_is_towards_real(self):
        """Its loss lowers log(1 - D): the logits of what it makes go up."""
        model = build(
            optimizer="sgd:0",
            training={
                "decoder_optimizer": "sgd:0.01",
                "discriminator_optimizer": "sgd:0",
                "reconstruction_weight": 0.0,
                "ema_decay": None,
            },
        )
        model.fit(X, epochs=1, verbose=0)
        start = model.discriminate(model.sample(500, seed=0)).mean()
        model.fit(X, epochs=20, verbose=0)
        assert model.discriminate(model.sample(500, seed=0)).mean() > start


class TestGates:
    """Who plays, from given logits."""

    @pytest.mark.parametrize(
        ("real", "fakes", "discriminator", "decoder"),
        [
            (0.0, (0.0, 0.0), True, True),
            (3.0, (0.0, 0.0), False, True),  # sure of the real ones
            (0.0, (-3.0, -3.0), False, True),  # of the generated ones
            (-3.0, (0.0, 0.0), True, False),  # fooled by the real ones
            (0.0, (3.0, 3.0), True, False),  # by the generated ones
            (3.0, (3.0, 3.0), True, True),  # both would sit out
            (0.0, (0.0, -9.0), True, True),  # half of them: (.69 + 0) / 2
        ],
    )
    def test_who_plays(self, real, fakes, discriminator, decoder):
        fakes = [tf.fill((4, 1), fake) for fake in fakes]
        gates = equilibrium.gates(tf.fill((4, 1), real), fakes, 0.35)
        assert bool(gates["discriminator_plays"]) == discriminator
        assert bool(gates["decoder_plays"]) == decoder

    @pytest.mark.parametrize("out", ["discriminator", "decoder"])
    def test_who_sits_out_keeps_weights_and_counters(self, out, monkeypatch):
        model = build(training={"equilibrium_margin": 0.35, **EAGERLY})
        players = {
            "encoder": (model.encoder, model.optimizer),
            "decoder": (model.decoder, model.decoder_optimizer),
            "discriminator": (
                model.discriminator,
                model.discriminator_optimizer,
            ),
        }
        monkeypatch.setattr(
            equilibrium,
            "gates",
            lambda *args: {
                f"{name}_plays": tf.constant(name != out)
                for name in ("discriminator", "decoder")
            },
        )
        before = {k: net.get_weights() for k, (net, _) in players.items()}
        model.train_on_batch(X)
        for name, (network, optimizer) in players.items():
            assert int(optimizer.iterations) == (name != out)
            same = [
                np.array_equal(old, new)
                for old, new in zip(before[name], network.get_weights())
            ]
            assert all(same) if name == out else not any(same)


def test_each_part_of_a_batch_is_one_update_of_the_discriminator():
    """K = 2, by two models' steps on a half each."""
    training = {**SGD, **EAGERLY, "penalty": None, "ema_decay": None}
    by_parts, by_hand = (
        build(
            seed=0,
            optimizer=f"sgd:{RATE}",
            training={**training, "discriminator_steps": k},
        )
        for k in (2, 1)
    )
    by_hand.set_weights(by_parts.get_weights())
    others = by_hand.encoder.weights + by_hand.decoder.weights
    others += by_hand.likelihood.weights
    start = [weight.numpy() for weight in others]
    half = len(X) // 2
    by_hand.train_on_batch(X[:half])
    for weight, value in zip(others, start):
        weight.assign(value)  # these two wait for the last part
    by_hand.train_on_batch(X[half:])
    by_parts.train_on_batch(X)
    for network in ("encoder", "decoder", "discriminator"):
        for found, expected in zip(
            getattr(by_parts, network).weights,
            getattr(by_hand, network).weights,
        ):
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_more_steps_of_the_discriminator():
    model = build(training={"discriminator_steps": 3, **EAGERLY})
    model.fit(contract.dataset(), verbose=0)
    assert int(model.discriminator_optimizer.iterations) == 9
    assert int(model.decoder_optimizer.iterations) == 3
    assert int(model.optimizer.iterations) == 3


def test_without_the_discriminator_it_is_a_vae_weight_for_weight():
    keras.utils.set_random_seed(0)
    vae = contract.small_model("vae", seed=0)
    model = build(
        optimizer="adam",
        seed=0,
        feature_weight=0.0,
        training={
            "adversarial_weight": 0.0,
            "ema_decay": None,
            "learning_rate_decay": 0.0,
        },
    )
    for one, other in (
        (vae.encoder, model.encoder),
        (vae.decoder, model.decoder),
    ):
        other.set_weights(one.get_weights())
    logs = [
        trained.fit(contract.dataset(), epochs=5, verbose=0)
        for trained in (vae, model)
    ]
    for one, other in (
        (vae.encoder, model.encoder),
        (vae.decoder, model.decoder),
        (vae.likelihood, model.likelihood),
    ):
        for mine, theirs in zip(one.weights, other.weights, strict=True):
            np.testing.assert_allclose(mine.numpy(), theirs.numpy(), atol=1e-5)
    np.testing.assert_allclose(
        vae.elbo(X, seed=0), model.elbo(X, seed=0), rtol=1e-4
    )
    np.testing.assert_allclose(
        logs[0].history["elbo"], logs[1].history["elbo"], rtol=1e-4
    )


def test_one_optimizer_is_for_all_or_each_has_its_own():
    model = build(optimizer="adam:0.003:0.4")
    for optimizer in (
        model.optimizer,
        model.decoder_optimizer,
        model.discriminator_optimizer,
    ):
        assert float(optimizer.learning_rate) == pytest.approx(0.003)
        assert optimizer.beta_1 == 0.4
    model = build(training={"decoder_optimizer": "sgd:0.5", **EAGERLY})
    assert float(model.decoder_optimizer.learning_rate) == 0.5
    schedule = keras.callbacks.LearningRateScheduler(lambda e, rate: rate / 10)
    model.fit(X, verbose=0, callbacks=[schedule])
    assert float(model.decoder_optimizer.learning_rate) == pytest.approx(0.05)


def test_instance_noise_is_no_reconstruction_error():
    """x and its reconstruction get the same noise."""
    model = build(training={"instance_noise": 0.3})
    seen = []
    model._discriminator_examples = lambda x, noise=0.0: (
        seen.append(noise) or x + noise
    )
    model._step_losses(tf.constant(X))
    assert seen[0] is seen[1] and not np.allclose(seen[0], seen[2])


def test_validation_is_by_the_players_own_weights():
    model = build(training={"ema_decay": 0.99, **EAGERLY})
    model.fit(X, verbose=0)
    before = model.evaluate(X, verbose=0, return_dict=True)
    for average in (model.average, model.encoder_average):
        average.copy.set_weights([0 * w for w in average.copy.get_weights()])
    assert model.evaluate(X, verbose=0, return_dict=True) == before


def test_both_averages_follow():
    """`d * average + (1 - d) * weight`, d = 1 / 10 at the first update."""
    model = build(training={"ema_decay": 0.99})
    pairs = (
        (model.average, model.decoder),
        (model.encoder_average, model.encoder),
    )
    before = [network.get_weights() for _, network in pairs]
    model.train_on_batch(X)
    for (average, network), old in zip(pairs, before):
        for found, start, new in zip(
            average.copy.get_weights(), old, network.get_weights()
        ):
            np.testing.assert_allclose(
                found, 0.1 * start + 0.9 * new, atol=1e-6
            )


def test_all_encodes_and_decodes_by_averages():
    model = build(training={"ema_decay": 0.99})
    model.fit(X, epochs=5, verbose=0)
    z = np.random.default_rng(0).normal(size=(3, 3)).astype("float32")
    drawn = model.average.copy(z).numpy()
    assert not np.allclose(drawn, model.decoder(z), atol=1e-5)
    np.testing.assert_allclose(model.decode(z), drawn, atol=1e-6)
    mean, log_var = model.encoder_average.copy(X)
    assert not np.allclose(mean, model.encoder(X)[0], atol=1e-5)
    np.testing.assert_allclose(model.encode(X), mean, atol=1e-5)
    np.testing.assert_allclose(model.posterior(X)[1], log_var, atol=1e-5)
    np.testing.assert_allclose(
        model.reconstruct(X), model.average.copy(mean), atol=1e-5
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feature_weight": 1.5}, "from 0 to 1"),
        ({"feature_weight": -0.5}, "from 0 to 1"),
        ({"feature_layer": "feature"}, "did you mean 'features'"),
        ({"feature_layer": "images"}, "feature_layer"),
        ({"kl_weight": -1}, "at least 0"),
        ({"likelihood": "mae"}, "likelihood"),
        ({"conditional": True, "pack": 2}, "no packing with labels"),
        ({"training": {"reconstruction_weight": -1}}, "at least 0"),
        ({"training": {"adversarial_weight": None}}, "adversarial_weight"),
        ({"training": {"equilibrium_margin": -0.1}}, "at least 0"),
        ({"training": {"loss": "hing"}}, "did you mean 'hinge'"),
        ({"training": {"decoder_optimizer": "adamm"}}, "did you mean 'adam'"),
        ({"training": {"decoder_optimizer": ""}}, "Expected one of"),
        ({"seed": 2**31}, "from 0 to 2147483647"),
    ],
)
def test_bad_values_are_refused(options, message):
    with pytest.raises(InvalidArgument) as error:
        build(**options)
    assert message in str(error.value)


def features_of(kind):
    """A discriminator whose layer is called twice, elsewhere, or gives two."""
    x = keras.Input((8, 8, 1))
    layer = keras.layers.Dense(5, name="layer")
    flat = keras.layers.Flatten()(x)
    if kind == "twice":
        h = layer(keras.layers.Dense(64)(layer(flat)))
    elif kind == "two":
        layer = keras.layers.LSTM(5, return_state=True, name="layer")
        h = layer(keras.layers.Reshape((8, 8))(x))[0]
    else:
        layer(keras.Input((64,)))
        h = layer(flat)
    return keras.Model(x, keras.layers.Dense(1)(h))


@pytest.mark.parametrize("kind", ["twice", "two"])
def test_features_are_one_tensor(kind):
    model = build()
    with pytest.raises(InvalidArgument, match="applies once, of one output"):
        kgen.VAEGAN(
            model.encoder,
            model.decoder,
            features_of(kind),
            feature_layer="layer",
        )


def test_features_of_a_layer_that_is_used_elsewhere_too():
    model = build()
    other = kgen.VAEGAN(
        model.encoder,
        model.decoder,
        features_of("elsewhere"),
        feature_layer="layer",
    )
    layer = other.discriminator.get_layer("layer")
    outputs = other._discriminator_outputs(tf.constant(X))
    np.testing.assert_allclose(
        outputs.features, layer(X.reshape(len(X), -1)), atol=1e-6
    )


def test_a_discriminator_that_does_not_fit():
    model, other = build(), build(conditional=True)
    with pytest.raises(InvalidArgument, match="of both networks or of none"):
        kgen.VAEGAN(model.encoder, model.decoder, other.discriminator)
    with pytest.raises(InvalidArgument, match="examples' shape"):
        kgen.VAEGAN(
            model.encoder,
            model.decoder,
            kgen.networks.dense.discriminator((5,)),
        )
