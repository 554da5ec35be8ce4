"""The callbacks of `fit`: those that it was given, and a model's own."""

import copy
from typing import Any

import keras
import tensorflow as tf

from kgen.models.logs import ProgressBar


def with_own_callbacks(
    model: keras.Model,
    callbacks: Any,
    epochs: int,
    shows_progress: bool = False,
) -> Any:
    """Adds a model's own callbacks to those of `fit`.

    Args:
        model: A `GenerativeModel`, whose `_own_callbacks` arranges them.
        callbacks: What `fit` was given.
        epochs: The number of epochs that `fit` was given.
        shows_progress: Whether a `ProgressBar` is to be among them, in the place of
            Keras's own.

    Returns:
        What `fit` passes on: a list, or a copy of the `CallbackList` it was given.
    """
    is_list = isinstance(callbacks, keras.callbacks.CallbackList)
    given = callbacks.callbacks if is_list else tf.nest.flatten(callbacks)
    arranged = model._own_callbacks([x for x in given if x is not None])
    if not is_list:
        has_bar = [
            isinstance(x, keras.callbacks.ProgbarLogger) for x in arranged
        ]
        if shows_progress and not any(has_bar):
            arranged = [*arranged, ProgressBar()]
        return arranged
    for callback in arranged:
        if callback not in given:  # Keras has set the model of the given ones
            callback.set_model(callbacks.model)
            callback.set_params({**(callbacks.params or {}), "epochs": epochs})
    found = copy.copy(callbacks)
    found.callbacks = arranged
    return found
