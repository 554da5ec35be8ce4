"""Checks each batch in training, evaluation and prediction.

The checks are part of the graph. If one fails, TensorFlow raises a long error
about nodes and stacks; `in_words` replaces it with kgen's own message.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from kgen import arrays
from kgen.errors import InvalidArgument, invalid

_OUTSIDE = "values outside this range"
_NOT_FINITE = "NaN or infinity"
_OURS = re.compile(
    r"Invalid value for argument `\w+` of `[\w.]+`\. Expected .*? Received: \w+="
    + f"(?:{_NOT_FINITE}|{_OUTSIDE}(?:, or NaN)?)"
)


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Within it, a check that fails in the graph raises `InvalidArgument`."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = _OURS.search(str(error))
        if found is None:
            raise
        # Without TensorFlow's own message, whose pages would hide this line.
        raise InvalidArgument(found.group()) from None


def examples(x: Any, shape: arrays.Shape, owner: str) -> tf.Tensor:
    """Examples as a float32 tensor of known shape.

    Args:
        x: Tensor or array of one batch.
        shape: Shape of one example.
        owner: Whose argument it is, for the message.

    Returns:
        Tensor of shape `(batch, *shape)`.
    """
    try:
        x = tf.convert_to_tensor(x)
    except (TypeError, ValueError) as error:
        raise invalid("x", owner, "an array", type(x).__name__) from error
    if not x.shape.is_compatible_with((None, *shape)):
        raise arrays.wrong_shape(x.shape, shape, owner)
    if not x.dtype.is_floating:
        found = f"an array of {x.dtype.name}"
        raise invalid("x", owner, arrays.floats(shape), found)
    if x.shape.rank is None or not x.shape[1:].is_fully_defined():
        x = tf.ensure_shape(x, (None, *shape))
    return tf.cast(x, "float32")


def check_values(x: tf.Tensor, support: arrays.Support, owner: str) -> None:
    """Raises unless `x` is finite and within `support`.

    Args:
        x: Tensor of floats.
        support: Pair of bounds, or None.
        owner: Whose argument it is, for the message.
    """
    if support:
        error = invalid(
            "x", owner, arrays.within(support), f"{_OUTSIDE}, or NaN"
        )
        _check(tf.logical_and(x >= support[0], x <= support[1]), error)
    else:
        error = invalid("x", owner, "finite numbers", _NOT_FINITE)
        _check(tf.math.is_finite(x), error)


def labels(
    y: Any, num_classes: int | None, owner: str, lowest: int = 0
) -> tf.Tensor:
    """Labels, once they are seen to be classes.

    Args:
        y: Tensor or array of one batch, or None.
        num_classes: How many classes there are, if known.
        owner: Whose argument it is, for the message.
        lowest: The least that a label may be.

    Returns:
        Tensor of integers, of shape `(batch,)`.
    """
    if y is None:
        raise arrays.no_labels(owner)
    y = tf.convert_to_tensor(y)
    if not y.dtype.is_integer:
        raise invalid("labels", owner, "integers", f"{y.dtype.name}")
    if not y.shape.is_compatible_with((None,)):
        raise invalid(
            "labels", owner, "shape (batch,)", f"shape {tuple(y.shape)}"
        )
    if y.shape.rank is None:
        y = tf.ensure_shape(y, (None,))
    good, expected = y >= lowest, f"integers of at least {lowest}"
    if num_classes:
        good = tf.logical_and(good, y < num_classes)
        expected = f"integers from {lowest} to {num_classes - 1}"
    check = _check(good, invalid("labels", owner, expected, _OUTSIDE))
    # Check before use: an embedding layer would raise an error of its own.
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(y)


def _check(good, error):
    """An operation that raises `error`; outside of a graph it does at once."""
    return tf.debugging.Assert(tf.reduce_all(good), [str(error)])
