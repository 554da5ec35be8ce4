"""Checks of arrays: dtype, shape, range and finiteness; labels, probabilities."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kgen.errors import InvalidArgument, invalid, unknown_name

Shape = Sequence[int]
Support = tuple[float, float] | None
Labels = int | str | Sequence[int] | Sequence[str] | np.ndarray

_NUMERIC = "fiub"  # kinds of NumPy's types
_ROUNDING = 1e-4  # of the sum of float32 probabilities


def check_array(
    images: ArrayLike,
    shape: Shape,
    support: Support,
    owner: str,
    argument: str = "x",
) -> None:
    """Raises unless `images` are floats of `shape`, finite and in `support`.

    Args:
        images: Array of shape `(batch, *shape)`.
        shape: The shape that the model takes.
        support: Pair of bounds, or None.
        owner: Whose argument it is, for the message.
        argument: Its name.
    """
    if np.ma.is_masked(images):
        raise masked(argument, owner)
    images = np.asarray(images)
    if images.shape[1:] != tuple(shape):
        raise wrong_shape(images.shape, shape, owner, argument)
    if not len(images):
        raise invalid(argument, owner, "at least one example", "no data")
    if not is_floating(images.dtype):
        raise invalid(
            argument, owner, floats(shape), f"an array of {images.dtype}"
        )
    check_range(argument, owner, images, support, within(support))


def check_range(
    argument: str,
    owner: str,
    x: np.ndarray,
    support: Support = None,
    expected: str | None = None,
) -> None:
    """Raises unless all numbers are finite and within bounds.

    Args:
        argument: The array's name, for the message.
        owner: Whose argument it is.
        x: Array of numbers, not empty.
        support: Pair of bounds, or None.
        expected: What to say of numbers outside them.
    """
    low, high = x.min(), x.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise invalid(argument, owner, "finite numbers", "NaN or infinity")
    if support and not (support[0] <= low and high <= support[1]):
        raise invalid(
            argument,
            owner,
            expected or within(support),
            f"values from {_text(low)} to {_text(high)}",
        )


def _text(value):
    """All digits of a number, since 1.0000001 lies outside of [0, 1]."""
    return str(value).removesuffix(".0")


def wrong_shape(
    found: Shape, shape: Shape, owner: str, argument: str = "x"
) -> InvalidArgument:
    """The error for an array of the wrong shape, with advice where it is plain.

    Args:
        found: The array's shape.
        shape: The shape of one example.
        owner: Whose argument it is.
        argument: Its name.
    """
    found, shape = tuple(found), tuple(shape)
    hint = ""
    if found == shape:
        hint = "; a single example is a batch of one: `x[np.newaxis]`"
    elif found[1:] == shape[:-1] and shape[-1:] == (1,):
        hint = "; add the axis of channels: `x[..., np.newaxis]`"
    elif len(shape) == 3 and found[1:] == (shape[-1], *shape[:-1]):
        hint = "; channels are the last axis: `np.moveaxis(x, 1, -1)`"
    return invalid(
        argument,
        owner,
        f"shape (batch, {', '.join(str(size) for size in shape)}){hint}",
        f"an array of shape {found}",
    )


def floats(shape: Sequence[int | None]) -> str:
    """What is expected of the type of examples of `shape`, for messages."""
    if len(shape) == 3:
        return 'floats; for 8-bit pictures pass `x.astype("float32") / 255`'
    return 'floats; `x.astype("float32")` makes them'


def within(support: Support) -> str:
    """What is expected of values that must lie within bounds, for messages."""
    if support is None:
        return "finite numbers"
    return f"values in [{support[0]:g}, {support[1]:g}]; scale the data"


def masked(argument: str, owner: str) -> InvalidArgument:
    """The error about an array with a mask, which would be lost.

    Args:
        argument: The array's name, for the message.
        owner: Whose argument it is.
    """
    return invalid(
        argument,
        owner,
        "values without gaps: fill them with `x.filled(value)`, or leave the "
        "examples out",
        "masked values",
    )


def no_labels(owner: str) -> InvalidArgument:
    """The error for labels that are missing."""
    return invalid(
        "labels", owner, "one for each example: the networks take them", None
    )


def check_labels(
    labels: ArrayLike | None,
    num_classes: int | None,
    count: int,
    owner: str,
    lowest: int = 0,
    argument: str = "labels",
    class_names: Sequence[str] = (),
) -> None:
    """Raises unless `labels` are `count` integers below `num_classes`.

    Args:
        labels: What was given.
        num_classes: How many classes there are, if known.
        count: How many labels there must be.
        owner: Whose argument it is, for the message.
        lowest: The least that a label may be.
        argument: Its name.
        class_names: The names of the classes, where they are known.
    """
    if labels is None:
        raise no_labels(owner)
    labels = as_array(labels)
    if labels.shape != (count,):
        is_one_hot = labels.ndim == 2 and len(labels) == count
        advice = "; of one-hot rows, `y.argmax(axis=1)`" if is_one_hot else ""
        raise invalid(
            argument,
            owner,
            f"{count} labels, one for each example: shape ({count},){advice}",
            f"shape {labels.shape}",
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise invalid(
            argument,
            owner,
            f"integers, such as `{_as_integers(labels, class_names)}`",
            f"an array of {labels.dtype}",
        )
    if not num_classes or not count:
        return
    if labels.min() < lowest or labels.max() >= num_classes:
        raise invalid(
            argument,
            owner,
            f"integers from {lowest} to {num_classes - 1}",
            f"values from {labels.min()} to {labels.max()}",
        )


def numbered(
    labels: Any,
    class_names: Sequence[str],
    owner: str,
    argument: str = "labels",
) -> Any:
    """Labels that are names of classes, as numbers; all others, as they are.

    Args:
        labels: What was given: one label, or several of any shape.
        class_names: The names of all classes, in the order of their numbers; `()`
            where they are not known.
        owner: Whose argument it is, for the message.
        argument: Its name.

    Raises:
        InvalidArgument: If there is no class of such a name; the nearest is
            offered.
    """
    names = as_array(labels)
    is_text = names.dtype.kind in "UO" and names.size > 0
    if not is_text or not all(isinstance(name, str) for name in names.flat):
        return labels
    if not class_names:
        expected = "integers: the names of the classes are not known"
        raise invalid(argument, owner, expected, labels)
    numbers = {name: number for number, name in enumerate(class_names)}
    for name in names.flat:
        if name not in numbers:
            raise unknown_name(argument, owner, class_names, str(name))
    found = [numbers[name] for name in names.flat]
    return np.array(found, "int32").reshape(names.shape)


def _as_integers(labels, class_names):
    """How to make integers of labels without mixing classes up."""
    is_whole = labels.dtype.kind == "b" or (
        labels.dtype.kind == "f" and (labels == np.rint(labels)).all()
    )
    if is_whole:
        return 'y.astype("int32")'
    if class_names:
        return "[model.class_names.index(name) for name in y]"
    return "np.unique(y, return_inverse=True)[1]"


def as_array(x: Any) -> np.ndarray:
    """Returns what was given as an array; rows of unequal length as one object."""
    try:
        return np.asarray(x)
    except ValueError:
        return np.empty((), "O")


def is_floating(dtype: np.dtype) -> bool:
    """Whether a type is one of floats, which NumPy denies of bfloat16."""
    return np.issubdtype(dtype, np.floating) or dtype.name == "bfloat16"


def check_numbers(
    argument: str, owner: str, x: Any, ndim: int | None = 2, least: int = 1
) -> np.ndarray:
    """Returns finite numbers as an array of their own type, or raises.

    Args:
        argument: The array's name, for the message.
        owner: Whose argument it is.
        x: What was given.
        ndim: How many axes it must have: 1, 2, or None for 2 or more.
        least: The least length of the first axis, n.
    """
    x = as_array(x)
    has_axes = x.ndim >= 2 if ndim is None else x.ndim == ndim
    is_fit = x.dtype.kind in _NUMERIC and has_axes and x.size
    if not is_fit or len(x) < least or not np.isfinite(x).all():
        shape = {1: "(n,)", 2: "(n, d)", None: "(n, ...)"}[ndim]
        raise invalid(
            argument,
            owner,
            f"finite numbers of shape {shape}, with n of {least} or more",
            f"{x.dtype} of shape {x.shape}",
        )
    return x


def check_features(
    argument: str,
    owner: str,
    x: Any,
    least: int = 1,
    num_features: int | None = None,
) -> np.ndarray:
    """Returns features as float64 of shape `(n, d)`, or raises.

    Args:
        argument: The array's name, for the message.
        owner: Whose argument it is.
        x: What was given: finite numbers.
        least: The least n.
        num_features: d, or None for any.
    """
    x = check_numbers(argument, owner, x, 2, least)
    if num_features not in (None, x.shape[1]):
        raise invalid(
            argument,
            owner,
            f"{num_features} features, as the others have",
            f"shape {x.shape}",
        )
    return x.astype("float64")


def check_unit_range(argument: str, owner: str, images: np.ndarray) -> None:
    """Raises unless pictures are finite and in [0, 1]; see `check_range`."""
    expected = "pictures in [0, 1]: scale them, or clip samples that leave it"
    check_range(argument, owner, images, (0.0, 1.0), expected)


def check_pictures(
    argument: str, owner: str, images: Any, side: int, least: int = 1
) -> np.ndarray:
    """Returns pictures as an array of their own type, or raises.

    Args:
        argument: The array's name, for the message.
        owner: Whose argument it is.
        images: Floats in [0, 1] of shape `(n, height, width, channels)`.
        side: The least height and width.
        least: The least n.
    """
    images = as_array(images)
    is_fit = images.dtype.kind == "f" and images.ndim == 4 and images.size
    is_fit = is_fit and len(images) >= least
    if not is_fit or min(images.shape[1:3]) < side:
        raise invalid(
            argument,
            owner,
            "floats in [0, 1] of shape (n, height, width, channels), with n of "
            f"{least} or more, both sides {side} or more",
            f"{images.dtype} of shape {images.shape}",
        )
    check_unit_range(argument, owner, images)
    return images


def check_probabilities(
    owner: str, probabilities: Any, least: int = 1
) -> np.ndarray:
    """Returns P(y|x) as float64 of shape `(n, num_classes)`, or raises.

    Args:
        owner: Whose argument it is, for the message.
        probabilities: Rows of numbers from 0 with the sum 1.
        least: The least n.
    """
    rows = as_array(probabilities)
    is_fit = rows.dtype.kind in _NUMERIC and rows.ndim == 2 and rows.size
    if not is_fit or len(rows) < least:
        few = "at least one example" if least == 1 else f"n of {least} or more"
        raise invalid(
            "probabilities",
            owner,
            f"shape (n, num_classes), with {few}",
            f"shape {rows.shape}",
        )
    rows = rows.astype("float64")
    lowest, errors = rows.min(), np.abs(rows.sum(axis=1) - 1.0)
    # Written so that NaN fails, too.
    if not (lowest >= 0.0 and errors.max() <= _ROUNDING):
        raise invalid(
            "probabilities",
            owner,
            "rows of numbers from 0 with the sum 1; of logits, pass the softmax",
            f"a least number of {lowest:g}, and sums that are off by "
            f"{errors.max():g}",
        )
    return rows
