"""How many steps a call of `fit`, `evaluate` or `predict` runs."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf


@contextlib.contextmanager
def exactly(model: keras.Model, *numbers: int | None) -> Iterator[None]:
    """Within it, the model runs exactly the numbers of steps that are given.

    Keras runs `steps_per_execution` steps in each call into TensorFlow, and so
    rounds a number of steps up to a multiple of it. Within this context,
    `steps_per_execution` is the largest number, at most its usual value, that
    divides all of `numbers`.

    Args:
        model: A compiled `GenerativeModel`.
        *numbers: Positive integers; None where the data's end decides.
    """
    usual = model.steps_per_execution
    common = math.gcd(*(number for number in numbers if number))
    fitting = next(size for size in range(usual, 0, -1) if common % size == 0)
    if fitting == usual:
        yield
        return
    # Keras's function for `predict` takes one batch or several.
    model.steps_per_execution, model.predict_function = fitting, None
    try:
        yield
    finally:
        model.steps_per_execution, model.predict_function = usual, None


def batches_in(data: Any) -> int | None:
    """The number of batches of a dataset; None where it is not known.

    Told this number, Keras makes one iterator for each epoch; else it makes two.
    """
    if not isinstance(data, tf.data.Dataset):
        return None
    return max(0, int(data.cardinality())) or None
