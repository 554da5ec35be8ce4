"""Numbers of steps, and the figures that Keras's methods return."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgen
from kgen import registry
from kgen.errors import InvalidArgument

ROWS = np.random.default_rng(0).random((80, 4), "float32")


class Parts(keras.utils.PyDataset):
    """40 batches of 2 rows."""

    def __len__(self):
        return 40

    def __getitem__(self, number):
        return ROWS[2 * number : 2 * number + 2]


def batches():
    """The same as a `tf.data.Dataset`."""
    return tf.data.Dataset.from_tensor_slices(ROWS).batch(2)


def generated():
    """The same without an end, as a generator."""
    while True:
        yield (ROWS[:2],)


def compiled(name):
    """A small model whose calls into TensorFlow run 16 steps."""
    model = kgen.create_model(
        name,
        input_shape=(4,),
        network="dense",
        hidden_units=[4],
        latent_dim=2,
    )
    model.compile()
    return model


@pytest.fixture(scope="module")
def model():
    return compiled("vae")


DATA = {
    "array": lambda: ROWS,
    "dataset": batches,
    "endless dataset": lambda: batches().repeat(),
    "PyDataset": Parts,
    "generator": generated,
}


@pytest.mark.parametrize("kind", DATA)
def test_steps_are_those_asked_for(model, kind):
    data, size = DATA[kind](), {"batch_size": 2} if kind == "array" else {}
    before = int(model.optimizer.iterations)
    model.fit(data, epochs=3, steps_per_epoch=10, verbose=0, **size)
    assert int(model.optimizer.iterations) - before == 30
    model.evaluate(data, steps=3, verbose=0, **size)
    assert int(model.log_means.count) == 3 * 2
    assert len(model.predict(data, steps=3, verbose=0, **size)) == 3 * 2
    assert model.steps_per_execution == 16


def test_steps_of_validation(model):
    before = int(model.optimizer.iterations)
    model.fit(
        batches(),
        validation_data=batches().repeat(),
        validation_steps=3,
        verbose=0,
    )
    assert int(model.optimizer.iterations) - before == 40
    assert int(model.log_means.count) == 3 * 2


def test_epochs_of_some_steps_go_on_where_the_last_one_ended(model):
    furthest = tf.Variable(-1, dtype="int64")

    def note(number, rows):
        furthest.assign(tf.maximum(furthest, number))
        return rows

    noting = batches().enumerate().map(note)
    model.fit(noting, epochs=4, steps_per_epoch=10, verbose=0)
    assert int(furthest) == 39


def test_wrong_numbers(model):
    for wrong in (
        {"steps_per_epoch": 0},
        {"steps_per_epoch": 1.5},
        {"batch_size": 0},
        {"epochs": 1.5},
        {"initial_epoch": -1},
        {"validation_split": 2},
        {"validation_split": "a"},
        {"validation_freq": 0},
    ):
        (name,) = wrong
        with pytest.raises(InvalidArgument, match=f"`{name}` of `VAE.fit`"):
            model.fit(ROWS, verbose=0, **wrong)
    for method in (model.evaluate, model.predict):
        for name in ("batch_size", "steps"):
            with pytest.raises(InvalidArgument, match=f"`{name}` of `VAE."):
                method(ROWS, verbose=0, **{name: 0})


def test_figures_are_in_the_order_of_their_names(model):
    by_name = model.evaluate(ROWS, verbose=0, return_dict=True)
    figures = model.test_on_batch(ROWS)
    assert model.metrics_names[0] == "loss"
    assert model.metrics_names == list(model.log_means.logged)
    assert set(model.metrics_names) == set(by_name)
    by_name = dict(zip(model.metrics_names, figures, strict=True))
    assert by_name["loss"] == pytest.approx(-by_name["elbo"], rel=1e-6)
    assert by_name["elbo"] < 0 < by_name["reconstruction_loss"]


@pytest.mark.parametrize(
    ("name", "options", "training", "absent"),
    [
        ("vae", {}, {}, {"regularization_loss"}),
        ("vae", {"kernel_regularizer": "l2"}, {}, set()),
        ("gan", {}, {}, {"regularization_loss"}),
        ("gan", {}, {"penalty": None}, {"regularization_loss", "penalty"}),
    ],
)
def test_what_is_always_0_is_not_logged(name, options, training, absent):
    model = kgen.create_model(
        name,
        input_shape=(4,),
        network="dense",
        hidden_units=[4],
        latent_dim=2,
        **options,
    )
    model.compile(run_eagerly=True, **training)
    logs = model.fit(ROWS[:4], validation_data=ROWS[4:8], verbose=0).history
    assert all(value != [0.0] for value in logs.values())
    names = {"regularization_loss", "penalty"} & set(model.log_means.names)
    assert names - set(logs) == absent
    assert {f"val_{n}" for n in names} - set(logs) == {
        f"val_{n}" for n in absent
    }
    assert set(model.metrics_names) == {n for n in logs if n[:4] != "val_"}


def test_a_penalty_of_codes_is_logged():
    """Not known from the networks' weights: a layer adds it when it is called."""
    model = compiled("autoencoder")
    sparse = keras.layers.ActivityRegularization(l1=1.0)
    encoder = keras.Model(
        model.encoder.inputs, sparse(model.encoder.outputs[0])
    )
    model = kgen.Autoencoder(encoder, model.decoder)
    model.compile()
    logs = model.fit(ROWS, verbose=0).history
    assert logs["regularization_loss"][0] > 0


@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_no_figure_is_shown_twice(capsys, weight):
    """The ELBO, where it is minus the loss; the history has both."""
    keras.utils.set_random_seed(0)  # the KL of some draws of weights is 0
    vae = kgen.create_model(
        "vae",
        input_shape=(4,),
        network="dense",
        hidden_units=[4],
        latent_dim=2,
        kl_weight=weight,
    )
    vae.compile(run_eagerly=True)
    for verbose in (1, 2):
        history = vae.fit(
            ROWS[:4], validation_data=ROWS[4:8], verbose=verbose
        ).history
        text = capsys.readouterr().out
        assert {"elbo", "val_elbo", "loss", "val_loss"} <= set(history)
        assert " loss: " in text and " val_kl_loss: " in text
        assert (" elbo: " in text) == (" val_elbo: " in text) == (weight != 1)


def test_the_bar_shows_the_figures_that_matter(capsys):
    """The registry's three, and what callbacks add; the history has all."""

    class Adds(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_added"] = 1.0

    model = compiled("vaegan")
    model.run_eagerly = True
    history = model.fit(ROWS[:4], epochs=1, callbacks=[Adds()]).history
    shown = set(re.findall(r"- (\w+): ", capsys.readouterr().out))
    figures = registry.MODELS["vaegan"].figures
    assert shown == {*registry.shown(figures, history), "val_added"}
    assert len(shown) == 4 and {"elbo", "loss"} < set(history)


def test_the_bar_of_a_model_that_is_not_registered_shows_all(capsys):
    class Own(kgen.GAN):
        """No entry in the registry."""

    given = compiled("gan")
    model = Own(given.generator, given.discriminator)
    model.compile(run_eagerly=True)
    history = model.fit(ROWS[:4]).history
    shown = re.findall(r"- (\w+): ", capsys.readouterr().out)
    assert set(shown) == set(history) and len(history) > 4


def test_steps_are_traced_once(monkeypatch):
    """In one more `fit`, with a smaller last batch, and for other sizes."""
    traces = []
    for name in ("train_step", "test_step"):
        step = getattr(kgen.Autoencoder, name)

        def traced(self, data, name=name, step=step):
            traces.append(name)
            return step(self, data)

        monkeypatch.setattr(kgen.Autoencoder, name, traced)
    model = compiled("autoencoder")
    train = kgen.data.load(ROWS, "all", batch_size=3)
    validation = kgen.data.load(ROWS[:20], "all", batch_size=3)
    for _ in range(2):
        model.fit(train, validation_data=validation, epochs=2, verbose=0)
    for data in (validation, train):
        model.evaluate(data, verbose=0)
    model.fit(ROWS[:50], batch_size=4, validation_split=0.2, verbose=0)
    assert traces == ["train_step", "test_step"]
