"""Trainings that take a given time."""

import time

import keras

import kgen


class Seconds(keras.callbacks.Callback):
    """Ends a training after so many; in its second half the rate falls to 0.

    Args:
        seconds: How many.
    """

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def on_train_begin(self, logs=None):
        self.start = time.monotonic()
        self.rate = float(self.model.optimizer.learning_rate)

    def on_train_batch_end(self, batch, logs=None):
        passed = (time.monotonic() - self.start) / self.seconds
        left = min(max(2.0 * (1.0 - passed), 0.0), 1.0)
        self.model.optimizer.learning_rate = self.rate * left
        self.model.stop_training = passed >= 1.0


def fit_for(seconds, model, x, batch_size, seed, options, compiled):
    """Trains a model for as many epochs as fit into a time, with their schedule.

    Args:
        seconds: The time.
        model: Name of the model.
        x: Array of examples.
        batch_size: As in `fit`.
        seed: Integer.
        options: Dictionary of options of `create_model`.
        compiled: Dictionary of options of `compile`.

    Returns:
        The model, and a dictionary of its epochs and minutes.
    """

    def build():
        keras.utils.set_random_seed(seed)
        made = kgen.create_model(
            model, input_shape=x.shape[1:], seed=seed, **options
        )
        made.compile(**compiled)
        return made

    epochs = _epochs_in(seconds, build(), x, batch_size)
    trained, start = build(), time.monotonic()
    trained.fit(x, batch_size=batch_size, epochs=epochs, verbose=2)
    minutes = round((time.monotonic() - start) / 60, 1)
    return trained, {"epochs": epochs, "minutes": minutes}


def _epochs_in(seconds, model, x, batch_size):
    """By the time of a few epochs of another model."""
    fit = {"x": x, "batch_size": batch_size, "verbose": 0}
    model.fit(**fit, epochs=1)
    start, count = time.monotonic(), 0
    while time.monotonic() - start < min(30.0, 0.1 * seconds):
        model.fit(**fit, epochs=1)
        count += 1
    return max(1, round(seconds * count / (time.monotonic() - start)))
