"""That a collapsed posterior, and a training that went too far, are said once."""

import types

import keras
import numpy as np
import pytest

import kgen
from kgen.callbacks import VAEWatch
from kgen.errors import InvalidArgument

X = np.random.default_rng(0).random((64, 6), "float32")


class Model:
    """A VAE whose codes, and learned variance, are given."""

    input_shapes = ((6,),)
    latent_dim, conditional = 4, False

    def __init__(self, codes, log_var=-2.0, kl_weight=0.1):
        self.codes, self.kl_weight = codes, kl_weight
        weight = keras.Variable(kl_weight)
        self.sampling = types.SimpleNamespace(current_kl_weight=weight)
        variable = keras.Variable(log_var)
        self.likelihood = types.SimpleNamespace(log_var=variable)

    def posterior(self, x):
        raise AssertionError(
            "`codes_for_active_units` tells which units are used"
        )

    def codes_for_active_units(self, x):
        return self.codes


USED = Model(X[:, :4])
UNUSED = Model(1e-3 * X[:, :4])


def said(model, losses=(5.0,), validation=(None,), patience=3):
    """What is reported over epochs with these losses, also of validation data."""
    found = []
    watch = VAEWatch(X, patience=patience, report=found.append)
    watch.set_model(model)
    watch.on_train_begin()
    count = max(len(losses), len(validation))
    for epoch in range(count):
        watch.on_epoch_begin(epoch)
        logs = {"reconstruction_loss": losses[min(epoch, len(losses) - 1)]}
        if validation[epoch % len(validation)] is not None:
            logs["val_loss"] = validation[epoch]
        watch.on_epoch_end(epoch, logs)
    watch.on_train_end()
    return found


def test_a_posterior_that_has_collapsed():
    found = said(UNUSED, [9.0, 5.0, 5.0, 5.0, 5.0, 5.0])
    assert len(found) == 1
    assert found[0].startswith("epoch 5: the posterior has collapsed: 0 of")
    assert "--kl-warmup 10" in found[0]


def test_nothing_is_said_while_the_reconstruction_gets_better():
    assert said(UNUSED, [9.0, 8.0, 7.0, 6.0, 5.0, 4.0]) == []
    assert said(USED, [5.0] * 6) == []


def test_losses_of_an_earlier_training_are_not_compared():
    found = []
    watch = VAEWatch(X, patience=3, report=found.append)
    watch.set_model(UNUSED)
    for losses in ([1.0], [9.0, 8.0, 7.0, 6.0]):
        watch.on_train_begin()
        for epoch, loss in enumerate(losses):
            watch.on_epoch_end(epoch, {"reconstruction_loss": loss})
    watch.on_train_end()
    assert found == []


@pytest.mark.parametrize(
    "log_var, word", [(-15.0, "bernoulli"), (15.0, "rate")]
)
def test_a_learned_deviation_without_bounds(log_var, word):
    found = said(Model(X[:, :4], log_var), [5.0] * 4)
    assert len(found) == 1 and word in found[0]


def test_a_deviation_that_is_not_learned_is_the_user_s_own():
    model = Model(X[:, :4], -15.0)
    model.likelihood.log_var.trainable = False
    assert said(model, [5.0] * 4) == []


def test_a_validation_loss_that_has_turned():
    found = said(USED, validation=[90.0, 50.0, 53.0, 53.0, 54.0, 55.0])
    assert len(found) == 1
    assert found[0].startswith("epoch 5: the loss of the validation data")
    assert "50 after epoch 2" in found[0]
    # As of `validation_freq=2`
    sparse = [90.0, None, 50.0, None, 53.0, None, 53.0, None, 54.0]
    assert "50 after epoch 3" in said(USED, validation=sparse)[0]
    # 0.05 of the gain of 40 is 2; of a plateau, 0.05 % of the best are 0.025.
    assert said(USED, validation=[90.0, 50.0, 51.0, 51.5, 51.9, 51.0]) == []
    assert said(USED, validation=[50.0, 50.02, 50.02, 50.02, 50.02]) == []


def test_losses_of_a_warm_up_do_not_compare():
    model = Model(X[:, :4])
    model.sampling.current_kl_weight.assign(0.05)
    assert said(model, validation=[10.0, 20.0, 30.0, 40.0, 50.0]) == []


def test_in_a_training_that_must_fail():
    """A decoder that can't see the code: nothing keeps the posterior alive."""
    keras.utils.set_random_seed(0)
    vae = kgen.create_model(
        "vae",
        input_shape=(6,),
        network="dense",
        latent_dim=2,
        likelihood="gaussian",
        kl_weight=100.0,
    )
    vae.compile("adam:0.01", steps_per_execution=2)
    found = []
    watch = VAEWatch(X, report=found.append)
    vae.fit(X, epochs=40, callbacks=[watch], verbose=0)
    assert any("the posterior has collapsed" in text for text in found)


def test_bad_arguments():
    with pytest.raises(InvalidArgument, match="two examples"):
        VAEWatch(X[:1])
    with pytest.raises(InvalidArgument, match="patience"):
        VAEWatch(X, patience=0)
    gan = kgen.create_model("gan", input_shape=(6,), network="dense")
    gan.compile()
    with pytest.raises(InvalidArgument, match="with a posterior"):
        gan.fit(X, verbose=0, callbacks=[VAEWatch(X)])
    vaegan = kgen.create_model("vaegan", input_shape=(6,), network="dense")
    vaegan.compile()
    with pytest.raises(InvalidArgument, match="GANWatch"):
        vaegan.fit(X, verbose=0, callbacks=[VAEWatch(X)])
    vae = kgen.create_model(
        "vae", input_shape=(6,), network="dense", num_classes=2
    )
    vae.compile()
    for labels in (None, np.full(64, 2)):
        with pytest.raises(InvalidArgument, match="labels"):
            watch = VAEWatch(X, labels)
            vae.fit(X, np.zeros(64, "int32"), verbose=0, callbacks=[watch])
    vae = kgen.create_model("vae", input_shape=(5,), network="dense")
    vae.compile()
    with pytest.raises(InvalidArgument, match="examples of shape"):
        vae.fit(X[:, :5], verbose=0, callbacks=[VAEWatch(X)])
