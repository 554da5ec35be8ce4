"""The weight of the KL term, batch by batch; the order of an epoch."""

import contextlib

import keras
import numpy as np
import pytest

import kgen
from kgen.callbacks import EpochOrder, KLWarmUp
from kgen.errors import InvalidArgument
from tests import quick

MODELS = quick.Models()
X = np.random.default_rng(0).random((8, 4), "float32")


class Weights(keras.callbacks.Callback):
    """Notes the weight at each batch's end."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        weight = self.model.sampling.current_kl_weight
        self.seen.append(float(weight.numpy()))


def make():
    """A model as it is before training, traced once for all tests."""

    def build():
        model = kgen.create_model(
            "vae",
            input_shape=(4,),
            network="dense",
            latent_dim=2,
            hidden_units=[4],
            kl_weight=2.0,
        )
        model.compile(steps_per_execution=1)
        return model

    return MODELS.get("vae", build)


def weights_of(warm_up, model=None, **kwargs):
    """The weights that a training of 2 batches an epoch used."""
    weights = Weights()
    (model or make()).fit(
        X, batch_size=4, callbacks=[warm_up, weights], verbose=0, **kwargs
    )
    return weights.seen


def test_it_rises_by_the_batch_to_the_model_s_own():
    seen = weights_of(KLWarmUp(2), epochs=3)
    assert seen == [0.0, 0.5, 1.0, 1.5, 2.0, 2.0]


def test_start_and_fractions_of_an_epoch():
    seen = weights_of(KLWarmUp(0.5, start=1.0), epochs=1)
    assert seen == [1.0, 2.0]


def test_cycles():
    """It rises for an epoch, stays for one, and begins again."""
    seen = weights_of(KLWarmUp(1, cycles=2), epochs=4)
    assert seen == [0.0, 1.0, 2.0, 2.0, 0.0, 1.0, 2.0, 2.0]


def test_a_resume_goes_on_where_it_was():
    seen = weights_of(KLWarmUp(4), epochs=3, initial_epoch=2)
    assert seen == [1.0, 1.25]


def test_the_model_has_its_own_weight_back():
    model = make()
    weights_of(KLWarmUp(100), model, epochs=1)
    assert float(model.sampling.current_kl_weight) == 2.0


class Interrupts(keras.callbacks.Callback):
    """Ctrl-C in the middle of an epoch."""

    def on_train_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt


ENDS = {
    "weights of before": lambda: keras.callbacks.EarlyStopping(
        monitor="elbo", mode="min", patience=9, restore_best_weights=True
    ),
    "Ctrl-C": Interrupts,
}


@pytest.mark.parametrize("end", ENDS)
def test_a_warm_up_leaves_nothing_behind(end):
    """However a training ends, the next one is by the model's own weight."""
    model, after = make(), Weights()
    with contextlib.suppress(KeyboardInterrupt):
        model.fit(
            X, epochs=2, callbacks=[KLWarmUp(100), ENDS[end]()], verbose=0
        )
    assert float(model.sampling.current_kl_weight) == 2.0
    model.sampling.current_kl_weight.assign(0.1)
    model.fit(X, batch_size=4, callbacks=[after], verbose=0)
    assert after.seen == [2.0, 2.0]


@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5"])
def test_a_model_saved_in_a_warm_up_has_its_own_weight(name, tmp_path):
    model, path = make(), tmp_path / name
    saving = keras.callbacks.ModelCheckpoint(
        path, save_weights_only=name.endswith(".h5")
    )
    model.fit(X, callbacks=[KLWarmUp(100), saving], verbose=0)
    if name.endswith(".keras"):
        model = kgen.load_model(path)
    else:
        model.load_weights(path)
    assert float(model.sampling.current_kl_weight) == 2.0


@pytest.mark.parametrize("epochs", [0, -1, float("nan"), "many"])
def test_epochs_that_are_none(epochs):
    with pytest.raises(InvalidArgument, match="`epochs` of `KLWarmUp`"):
        KLWarmUp(epochs)


def test_a_model_without_a_kl_term():
    model = keras.Sequential([keras.layers.Dense(4)])
    model.compile("sgd", "mse")
    with pytest.raises(InvalidArgument, match="a model with a KL term"):
        model.fit(X, X, callbacks=[KLWarmUp(1)], verbose=0)


def test_the_order_belongs_to_the_epoch():
    """Two epochs at once, and the second alone: the same weights."""
    trained = []
    for starts in ([0], [0, 1]):
        dataset = kgen.data.load(X, batch_size=2, seed=0)
        model = make()
        for start, stop in zip(starts, [*starts[1:], 2]):
            list(dataset)  # passes in between, which count up by themselves
            model.fit(
                dataset,
                initial_epoch=start,
                epochs=stop,
                callbacks=[EpochOrder(dataset)],
                verbose=0,
            )
        trained.append(model.get_weights())
    for one, two in zip(*trained, strict=True):
        np.testing.assert_array_equal(one, two)
