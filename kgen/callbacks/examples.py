"""The examples by which a callback judges a model."""

from typing import Any

import keras
import numpy as np

from kgen.errors import invalid


def checked_examples(x: Any, owner: str) -> np.ndarray:
    """Returns real examples as a float32 array.

    Args:
        x: Array of shape `(n, *input_shape)`.
        owner: The callback, for the message.

    Raises:
        InvalidArgument: Unless there are two or more, of finite numbers.
    """
    try:
        with np.errstate(over="ignore"):  # infinity is refused below
            examples = np.asarray(x, "float32")
    except (TypeError, ValueError, OverflowError):
        examples = np.empty(())
    is_batch = examples.ndim > 1 and len(examples) > 1
    if not is_batch or not np.isfinite(examples).all():
        raise invalid(
            "x",
            owner,
            "two examples or more, of finite numbers",
            f"{type(x).__name__} of shape {np.shape(examples)}",
        )
    return examples


def check_model(
    model: keras.Model, x: np.ndarray, owner: str, method: str, kind: str
) -> None:
    """Raises unless a callback suits a model, and its examples do.

    Args:
        model: The model.
        x: The callback's examples.
        owner: The callback, for the message.
        method: Name of what a model must have.
        kind: What such a model is called.

    Raises:
        InvalidArgument: If they don't.
    """
    if not hasattr(model, method):
        raise invalid("model", owner, kind, type(model).__name__)
    if x.shape[1:] != model.input_shapes[0]:
        raise invalid(
            "x",
            owner,
            f"examples of shape {model.input_shapes[0]}",
            f"shape {x.shape}",
        )
