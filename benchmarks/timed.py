"""Trainings that take a given time."""

import time


def fit_for(seconds, build, x, batch_size):
    """Trains a model for as many epochs as fit into a time, with their schedule.

    Args:
        seconds: The time.
        build: Function without arguments that returns a compiled model, the same
            one each time.
        x: Array of examples.
        batch_size: As in `fit`.

    Returns:
        The model, and a dictionary of its epochs and minutes.
    """
    epochs = _epochs_in(seconds, build(), x, batch_size)
    model, start = build(), time.monotonic()
    model.fit(x, batch_size=batch_size, epochs=epochs, verbose=2)
    minutes = round((time.monotonic() - start) / 60, 1)
    return model, {"epochs": epochs, "minutes": minutes}


def _epochs_in(seconds, model, x, batch_size):
    """By the time of a few epochs of another model."""
    fit = {"x": x, "batch_size": batch_size, "verbose": 0}
    model.fit(**fit, epochs=1)
    start, count = time.monotonic(), 0
    while time.monotonic() - start < min(30.0, 0.1 * seconds):
        model.fit(**fit, epochs=1)
        count += 1
    return max(1, round(seconds * count / (time.monotonic() - start)))
