"""That a lost game and collapsed samples are said, once, in words."""

import keras
import numpy as np
import pytest

import kgen
from kgen.callbacks import GANWatch
from kgen.errors import InvalidArgument

X = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")


class Samples:
    """A model whose samples, undecided and least loss are given."""

    conditional = False

    def __init__(self, samples, undecided=1.386, least=0.0):
        self.samples = samples
        self.discriminator_levels = lambda: (undecided, least)

    def labels_in_turn(self, count):
        return None

    def sample(self, count, labels, seed):
        return self.samples[:count]


def said(model, losses, **options):
    """What is reported over epochs with these losses."""
    found = []
    watch = GANWatch(X, report=found.append, **options)
    watch.set_model(model)
    for epoch, loss in enumerate(losses):
        watch.on_epoch_begin(epoch)
        watch.on_epoch_end(epoch, {"discriminator_loss": loss})
    watch.on_train_end()
    return found


def test_nothing_is_said_of_a_fair_game():
    assert said(Samples(X[::-1] + 0.1), [1.3, 0.1, 0.1, 1.3, 0.1]) == []


def test_a_discriminator_that_has_won():
    found = said(Samples(X), [1.3, 0.01, 0.01, 0.01, 0.01, 1.3])
    assert len(found) == 1
    assert found[0].startswith("epoch 4: the discriminator has won")
    assert "1.4" in found[0] and "penalty=r1:10" in found[0]


def test_it_has_won_where_smoothing_leaves_no_less():
    """A target of 0.9 leaves 0.325 of the loss at best."""
    assert said(Samples(X, least=0.325), [0.4] * 4) != []
    assert said(Samples(X, least=0.325), [0.5] * 4) == []


@pytest.mark.parametrize(
    ("training", "levels"),
    [
        ({}, (2 * np.log(2), 0.0)),
        ({"label_smoothing": 0.1}, (2 * np.log(2), 0.325)),
        ({"loss": "hinge"}, (2.0, 0.0)),
        ({"loss": "least_squares"}, (0.5, 0.0)),
    ],
)
def test_the_levels_of_a_discriminator(training, levels):
    gan = kgen.create_model("gan", input_shape=(2,), network="dense")
    gan.compile(**training)
    assert gan.discriminator_levels() == pytest.approx(levels, abs=0.01)
    gan.compile(loss="wasserstein")
    assert gan.discriminator_levels()[1] < 0


def test_it_is_said_again_after_it_was_over():
    losses = [0.01] * 3 + [1.3] + [0.01] * 3
    assert len(said(Samples(X), losses)) == 2


def test_a_wasserstein_loss_is_no_sign():
    assert said(Samples(X, 0.0, -60.0), [-50.0] * 5) == []


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros_like(X),
        0.01 * X,
        np.repeat(X[:8], 8, axis=0),  # eight different ones
        X[:1] + 1e-3 * X,
    ],
)
def test_samples_that_have_collapsed(samples):
    found = said(Samples(samples), [1.3] * 4)
    assert len(found) == 1
    assert found[0].startswith("epoch 3: the samples have collapsed")
    assert "pack=2" in found[0]


def test_samples_that_are_still_spreading_have_not_collapsed():
    """An untrained generator gives nearly one picture, and gets better."""
    model, found = Samples(X), []
    watch = GANWatch(X, report=found.append)
    watch.set_model(model)
    for epoch, scale in enumerate([0.1, 0.12, 0.15, 0.2, 0.5, 0.2, 0.2, 0.2]):
        model.samples = scale * X
        watch.on_epoch_end(epoch, {"discriminator_loss": 1.3})
        watch.on_epoch_begin(epoch + 1)
        assert bool(found) == (epoch == 7)


def test_in_a_training_that_must_fail():
    """A generator that can't move loses, and gives one point only."""
    z = keras.Input((2,))
    generator = keras.Model(
        z, keras.layers.Dense(2, kernel_initializer="zeros")(z)
    )
    x = keras.Input((2,))
    y = keras.layers.Dense(16, "relu")(x)
    gan = kgen.GAN(generator, keras.Model(x, keras.layers.Dense(1)(y)))
    gan.compile("sgd:0", "adam:0.05", penalty=None)
    found = []
    gan.fit(
        X + 5.0,
        epochs=12,
        batch_size=4,
        callbacks=[GANWatch(X + 5.0, report=found.append)],
        verbose=0,
    )
    found = [text.split(": ")[1] for text in found]
    assert len(found) == 2
    assert any(text.startswith("the discriminator has won") for text in found)
    assert any(text.startswith("the samples have") for text in found)


def test_without_a_report_python_warns():
    watch = GANWatch(X, patience=1)
    watch.set_model(Samples(np.zeros_like(X)))
    watch.on_epoch_end(0, {})
    with pytest.warns(UserWarning, match="collapsed"):
        watch.on_train_end()


def test_bad_arguments():
    for x in (X[:1], None, "abc", 5, X * np.nan):
        with pytest.raises(InvalidArgument, match="two examples"):
            GANWatch(x)
    with pytest.raises(InvalidArgument, match="patience"):
        GANWatch(X, patience=0)
    with pytest.raises(InvalidArgument, match="won"):
        GANWatch(X, won=-1)
    vae = kgen.create_model("vae", input_shape=(2,), network="dense")
    vae.compile()
    with pytest.raises(InvalidArgument, match="with a discriminator"):
        vae.fit(X, verbose=0, callbacks=[GANWatch(X)])
    gan = kgen.create_model("gan", input_shape=(3,), network="dense")
    gan.compile()
    with pytest.raises(InvalidArgument, match="examples of shape"):
        gan.fit(np.ones((9, 3), "float32"), callbacks=[GANWatch(X)])
