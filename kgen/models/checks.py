"""Looks at data before training starts, so that mistakes are named early."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgen import arrays
from kgen.arrays import Shape, check_array
from kgen.errors import InvalidArgument, invalid


def check_data(
    model: keras.Model,
    x: Any,
    y: Any = None,
    argument: str = "x",
    owner: str = "fit",
    any_range: bool = False,
    batch_size: int | None = None,
    labels: bool | None = None,
    shape: Shape | None = None,
) -> None:
    """Raises `InvalidArgument` if `model` can't train on `x`.

    Arrays are looked at whole; of a dataset or a `PyDataset`, the first batch.
    Generators can't be looked at without taking from them, and are not.

    Args:
        model: A `GenerativeModel`.
        x: What `fit` or `evaluate` takes as `x` or `validation_data`.
        y: Labels, where `x` is an array.
        argument: The name that the message uses.
        owner: Whose argument it is, for the message.
        any_range: Whether values may lie outside the model's support.
        batch_size: For arrays to train on: how many are a batch; 0 for a
            dataset's own. None where any will do.
        labels: Whether there must be labels; None if the model takes them.
        shape: That of one example; None for the model's own.
    """
    whole = not isinstance(x, (tf.data.Dataset, keras.utils.PyDataset))
    if isinstance(x, tf.data.Dataset):
        with no_pass(x):
            batch = next(iter(x.take(1)), None)
    elif isinstance(x, keras.utils.PyDataset):
        batch = x[0] if x.num_batches != 0 else None  # None: endless
    elif isinstance(x, (tuple, list)):
        batch = tuple(x)
    elif hasattr(x, "shape"):
        batch = (x, y)
    elif x is None:
        raise invalid(argument, owner, "data", None)
    else:
        return
    if batch is None:
        raise invalid(argument, owner, "at least one example", "no data")
    images, y = parts_of(batch, owner, argument)
    support = None if any_range else model.support
    shape = shape or model.input_shapes[0]
    check_array(images, shape, support, owner, argument)
    if model.conditional if labels is None else labels:
        model.check_labels(y, len(images), owner)
        if whole and not model.needs_labels:  # a classifier sees what there is
            text = labels_from_1(y, model.num_classes, owner)
            if text:
                warnings.warn(text, stacklevel=3)
    elif y is not None:
        check_no_target(y, shape, owner)
    if batch_size is not None:
        have = min(batch_size or len(images), len(images))
        model.check_batch_size(have, owner)


def parts_of(batch: Any, owner: str, argument: str = "x") -> tuple[Any, Any]:
    """Splits a batch into its examples and its labels.

    Args:
        batch: What a dataset yields: `x`, `(x,)`, `(x, labels)`, or
            `((x, labels),)`.
        owner: Whose argument it is, for the message.
        argument: Its name.

    Returns:
        The examples, and the labels or None.

    Raises:
        InvalidArgument: If the batch has another form.
    """
    if isinstance(batch, (tuple, list)) and len(batch) > 3:
        raise invalid(
            argument,
            owner,
            "one array, or a pair of an array and labels; `np.stack(x)` makes "
            "one array of a list of examples",
            f"a {type(batch).__name__} of {len(batch)}",
        )
    x, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
    if isinstance(x, (tuple, list)) and len(x) == 1:
        (x,) = x
    elif isinstance(x, (tuple, list)) and len(x) == 2 and labels is None:
        x, labels = x
    if isinstance(x, dict):
        raise invalid(
            argument,
            owner,
            "examples, or pairs of examples and labels. Take them out of the "
            "dictionaries, as in "
            '`dataset.map(lambda row: (row["image"], row["label"]))`',
            f"dictionaries with the keys {list(x)}",
        )
    if weights is not None:
        raise InvalidArgument(
            f"`{owner}` takes no sample weights: the objective is a mean over "
            "the batch. Pass `x`, or `x` and labels."
        )
    return x, labels


def refuse_weights(owner: str, **weights: Any) -> None:
    """Raises if there are weights, of classes or of examples.

    Args:
        owner: Whose arguments they are, for the message.
        **weights: Arguments by their names, which must be None.
    """
    for name, given in weights.items():
        if given is not None:
            raise invalid(
                name,
                owner,
                "None: the objective is a mean over the batch",
                type(given).__name__,
            )


@contextlib.contextmanager
def no_pass(dataset: tf.data.Dataset) -> Iterator[None]:
    """Within it, a look at a dataset is no pass: kgen's datasets count those."""
    counter = getattr(dataset, "epoch_counter", None)
    passes = None if counter is None else counter.numpy()
    try:
        yield
    finally:
        if counter is not None:
            counter.assign(passes)


def numbers_of(model: keras.Model, labels: Any, owner: str) -> Any:
    """Labels that are names of classes as numbers, if the model knows the names.

    Args:
        model: A `GenerativeModel`.
        labels: What was given; None, and all but names, is returned as it is.
        owner: Whose argument it is, for the message.
    """
    if labels is None or not model.conditional or not model.class_names:
        return labels
    return arrays.numbered(labels, model.class_names, owner)


def with_numbers(model: keras.Model, data: Any, owner: str) -> Any:
    """Data in which labels that are names of classes are replaced by numbers.

    Args:
        model: A `GenerativeModel`.
        data: What `fit` takes as x or `validation_data`: `(x, labels)`, or such a
            pair in a tuple. Anything else is returned as it is.
        owner: Whose argument it is, for the message.
    """
    if not isinstance(data, (tuple, list)) or not data:
        return data
    first, *rest = data
    if isinstance(first, (tuple, list)):
        first = with_numbers(model, first, owner)
    elif len(rest) == 1:
        rest = [numbers_of(model, rest[0], owner)]
    parts = [first, *rest]
    return parts if isinstance(data, list) else tuple(parts)


def labels_beside(x: Any, y: Any) -> Any:
    """The labels that were passed with x, in a form that Keras takes.

    Args:
        x: What `fit` takes as x.
        y: What it takes as y.

    Returns:
        None where y is x itself, which is how Keras trains autoencoders. A list,
        which Keras does not take, or a column of pandas, to which it adds an axis,
        as an array. Anything else as it is.
    """
    if y is x:
        return None
    if isinstance(y, list) or hasattr(y, "to_numpy"):
        return np.asarray(y)
    return y


def without_copy(validation_data: Any) -> Any:
    """Pairs of the same array twice as that array, as `fit(x, x)` is `fit(x)`.

    Args:
        validation_data: What `fit` takes; in a pair, as in `labels_beside`.
    """
    if not isinstance(validation_data, tuple) or len(validation_data) != 2:
        return validation_data
    x, y = validation_data
    return x if y is x else (x, labels_beside(x, y))


def check_no_target(y: Any, shape: Shape, owner: str) -> None:
    """Raises if `y`, beside examples of `shape`, is a target for each of them.

    Labels beside the examples are allowed: a model that takes none ignores
    them.

    Args:
        y: Array or tensor.
        shape: Shape of one example.
        owner: Whose argument it is, for the message.
    """
    found = getattr(y, "shape", ())
    if isinstance(found, tf.TensorShape) and found.rank is None:
        return
    found = tuple(found)
    if len(found) > 1 and (found[1:] == tuple(shape) or len(found) > 2):
        raise InvalidArgument(
            f"`{owner}` takes examples alone: they are their own targets, and "
            "a denoising autoencoder corrupts them itself. Received: a second "
            f"array of shape {found}"
        )


def labels_from_1(
    labels: Any, num_classes: int | None, owner: str
) -> str | None:
    """What to tell where the labels of all examples seem to be counted from 1.

    Args:
        labels: Array of integers, or of the classes that occur.
        num_classes: How many classes the model has, or None.
        owner: Whose argument it is, for the message.

    Returns:
        Text, or None.
    """
    if num_classes is None or num_classes <= 2:
        return None
    if np.unique(labels).tolist() != list(range(1, num_classes)):
        return None
    return (
        f"`{owner}`: the labels are the numbers from 1 to {num_classes - 1}, and "
        "no example has the label 0, but `sample` would still draw it. Pass "
        f"`labels - 1`, to a model with num_classes={num_classes - 1}."
    )


def refuse_swapped_averages(owner: str, callbacks: list) -> None:
    """Raises if a callback averages weights by the one optimizer that it knows."""
    if any(isinstance(x, keras.callbacks.SwapEMAWeights) for x in callbacks):
        raise InvalidArgument(
            f"`{owner}`: SwapEMAWeights looks at one optimizer, and here each player "
            "has its own. The average is the model's: pass ema_decay=0.999 to "
            "`compile`; `sample` and what is saved use it."
        )
