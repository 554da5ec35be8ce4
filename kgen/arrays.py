"""Checks of arrays: dtype, shape, range and finiteness, and labels."""

import numpy as np

from kgen.errors import invalid


def check_array(images, shape, support, owner, argument="x"):
    """Raises unless `images` are floats of `shape`, finite and in `support`.

    Args:
        images: Array of shape `(batch, *shape)`.
        shape: The shape that the model takes.
        support: Pair of bounds, or None.
        owner: Whose argument it is, for the message.
        argument: Its name.
    """
    images = np.asarray(images)
    if images.shape[1:] != tuple(shape):
        raise wrong_shape(images.shape, shape, owner, argument)
    if not len(images):
        raise invalid(argument, owner, "at least one example", "no data")
    if not np.issubdtype(images.dtype, np.floating) and (
        images.dtype.name != "bfloat16"
    ):
        raise invalid(
            argument,
            owner,
            floats(shape),
            f"an array of {images.dtype}",
        )
    check_range(argument, owner, images, support, within(support))


def check_range(argument, owner, x, support=None, expected=None):
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
            expected,
            f"values from {_text(low)} to {_text(high)}",
        )


def _text(value):
    """All digits of a number, since 1.0000001 lies outside of [0, 1]."""
    return str(value).removesuffix(".0")


def wrong_shape(found, shape, owner, argument="x"):
    """The error for an array of another shape, with what to do where it is plain.

    Args:
        found: The array's shape.
        shape: That of one example.
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


def floats(shape):
    """What is expected of the type of examples of `shape`, for messages."""
    if len(shape) == 3:
        return 'floats; for 8-bit pictures pass `x.astype("float32") / 255`'
    return 'floats; `x.astype("float32")` makes them'


def within(support):
    """What is expected of values that must keep bounds, for messages."""
    if support is None:
        return "finite numbers"
    return f"values in [{support[0]:g}, {support[1]:g}]; scale the data"


def no_labels(owner):
    """The error for labels that are missing."""
    return invalid(
        "labels", owner, "one for each example: the networks take them", None
    )


def check_labels(labels, num_classes, count, owner, lowest=0):
    """Raises unless `labels` are `count` integers below `num_classes`.

    Args:
        labels: What was given.
        num_classes: How many classes there are, if known.
        count: How many labels there must be.
        owner: Whose argument it is, for the message.
        lowest: The least that a label may be.
    """
    if labels is None:
        raise no_labels(owner)
    labels = np.asarray(labels)
    if labels.shape != (count,):
        is_one_hot = labels.ndim == 2 and len(labels) == count
        advice = "; of one-hot rows, `y.argmax(axis=1)`" if is_one_hot else ""
        raise invalid(
            "labels",
            owner,
            f"{count} labels, one for each example: shape ({count},){advice}",
            f"shape {labels.shape}",
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise invalid(
            "labels",
            owner,
            f"integers, such as `{_as_integers(labels)}`",
            f"an array of {labels.dtype}",
        )
    if (
        num_classes
        and count
        and not (labels.min() >= lowest and labels.max() < num_classes)
    ):
        raise invalid(
            "labels",
            owner,
            f"integers from {lowest} to {num_classes - 1}",
            f"values from {labels.min()} to {labels.max()}",
        )


def _as_integers(labels):
    """How to make integers of labels without mixing classes up."""
    is_whole = labels.dtype.kind == "b" or (
        labels.dtype.kind == "f" and (labels == np.rint(labels)).all()
    )
    if is_whole:
        return 'y.astype("int32")'
    return "np.unique(y, return_inverse=True)[1]"
