"""How many steps a call of `fit`, `evaluate` or `predict` runs."""

import contextlib
import math

from kgen.errors import check_int, check_number, invalid


def check_counts(owner, **numbers):
    """Raises unless each number, given by its name, is positive or None."""
    for name, number in numbers.items():
        if number is not None:
            check_int(name, owner, number)


def check_epochs(
    owner, epochs, initial_epoch, validation_split, validation_freq
):
    """Raises unless these arguments of `fit` are what it takes."""
    check_int("epochs", owner, epochs, 0)
    check_int("initial_epoch", owner, initial_epoch, 0)
    share = check_number("validation_split", owner, validation_split)
    if share >= 1:
        raise invalid(
            "validation_split",
            owner,
            "a number in [0, 1), the share of the examples to hold out",
            validation_split,
        )
    if not isinstance(validation_freq, list):  # else it lists the epochs
        check_int("validation_freq", owner, validation_freq)


@contextlib.contextmanager
def exactly(model, *numbers):
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
