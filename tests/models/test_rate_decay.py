"""How the learning rates of players fall at the end of a training."""

import keras
import numpy as np
import pytest

import kgen
from kgen.errors import InvalidArgument
from kgen.models import rates

X = np.random.default_rng(0).normal(size=(8, 2)).astype("float32")


def gan(**options):
    keras.utils.set_random_seed(0)
    model = kgen.create_model(
        "gan", input_shape=(2,), network="dense", hidden_units=(4,), seed=0
    )
    model.compile(run_eagerly=True, **options)
    return model


class Factors(keras.callbacks.Callback):
    """Notes what both learning rates are multiplied by in each epoch."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        players = (self.model.optimizer, self.model.discriminator_optimizer)
        self.seen.append([float(one.rate_factor) for one in players])


def factors(model, **options):
    callback = Factors()
    model.fit(X, batch_size=8, verbose=0, callbacks=[callback], **options)
    generator, discriminator = zip(*callback.seen)
    assert generator == discriminator
    return generator


def test_rates_fall_in_the_last_half_of_the_epochs():
    model = gan()
    found = factors(model, epochs=8)
    np.testing.assert_allclose(found, [1, 1, 1, 1, 1, 0.75, 0.5, 0.25])
    # After the training a step is a whole one again.
    assert float(model.optimizer.rate_factor) == 1.0


def test_a_resumed_training_has_the_rates_of_its_epochs():
    found = factors(gan(), initial_epoch=6, epochs=8)
    np.testing.assert_allclose(found, [0.5, 0.25])


def test_another_share_and_none():
    found = factors(gan(learning_rate_decay=1.0), epochs=4)
    np.testing.assert_allclose(found, [1, 0.75, 0.5, 0.25])
    assert set(factors(gan(learning_rate_decay=0.0), epochs=4)) == {1.0}


def test_a_step_is_as_long_as_the_factor_says():
    """Adam's first step is that of the rate, whatever the gradient is."""
    steps = []
    for factor in (1.0, 0.25):
        optimizer = kgen.optimizers.Adam(0.1, epsilon=1e-12)
        weight = keras.Variable([1.0, -2.0])
        optimizer.build([weight])
        optimizer.rate_factor.assign(factor)
        optimizer.apply([np.array([3.0, -1.0], "float32")], [weight])
        steps.append(weight.numpy() - [1.0, -2.0])
    np.testing.assert_allclose(steps[0], [-0.1, 0.1], rtol=1e-5)
    np.testing.assert_allclose(steps[1], [-0.025, 0.025], rtol=1e-5)


@pytest.mark.parametrize(
    "other",
    [
        keras.optimizers.SGD(0.1),
        kgen.optimizers.Adam(0.001, weight_decay=0.1),
        kgen.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(0.001, decay_steps=9)
        ),
    ],
)
def test_no_rate_falls_where_one_of_a_player_can_not(other):
    """The generator would end up against a discriminator that learns no more."""
    model = gan(optimizer=other, discriminator_optimizer="adam")
    seen = []

    def note(epoch, logs):
        seen.append(float(model.discriminator_optimizer.rate_factor))

    callback = keras.callbacks.LambdaCallback(on_epoch_end=note)
    model.fit(X, batch_size=8, epochs=4, verbose=0, callbacks=[callback])
    assert seen == [1.0] * 4
    assert rates.first_lower_epoch(model, 4) is None


def test_an_interrupted_training_leaves_nothing_to_the_next():
    def interrupt(epoch, logs):
        if epoch == 3:
            raise KeyboardInterrupt

    model = gan()
    callback = keras.callbacks.LambdaCallback(on_epoch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, batch_size=8, epochs=4, verbose=0, callbacks=[callback])
    assert float(model.optimizer.rate_factor) == 1.0


def test_rates_fall_beside_a_list_of_callbacks_of_keras_own():
    model = gan()
    callback = Factors()
    given = keras.callbacks.CallbackList(
        [callback], add_history=True, model=model
    )
    model.fit(X, batch_size=8, epochs=4, verbose=0, callbacks=given)
    found = [generator for generator, _ in callback.seen]
    np.testing.assert_allclose(found, [1, 1, 1, 0.5])
    assert callback in given.callbacks and len(given.callbacks) == 2


@pytest.mark.parametrize(
    "share, epochs, first",
    [(0.5, 8, 6), (0.5, 200, 102), (0.5, 2, None), (0.1, 10, None)],
)
def test_the_first_epoch_with_lower_rates(share, epochs, first):
    model = gan(learning_rate_decay=share)
    assert rates.first_lower_epoch(model, epochs) == first


def test_fit_says_from_which_epoch_on_the_rates_fall(capsys):
    gan().fit(X, batch_size=8, epochs=4, verbose=2)
    said = "The learning rates fall towards 0 from epoch 4 on"
    assert said in capsys.readouterr().out
    gan().fit(X, batch_size=8, epochs=4, verbose=0)
    gan().fit(X, batch_size=8, epochs=1, verbose=2)
    assert "learning rates" not in capsys.readouterr().out


def test_a_share_beyond_all_epochs_is_refused():
    with pytest.raises(InvalidArgument, match="learning_rate_decay=1.5"):
        gan(learning_rate_decay=1.5)
