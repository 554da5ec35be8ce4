"""Looks at data before training starts, so that mistakes are named early."""

import keras
import numpy as np
import tensorflow as tf

from kgen.errors import InvalidArgument, invalid


def check_data(
    model,
    x,
    y=None,
    argument="x",
    owner="fit",
    any_range=False,
    batch_size=None,
    labels=None,
):
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
    """
    if isinstance(x, tf.data.Dataset):
        # A look is not a pass: kgen's datasets count those.
        counter = getattr(x, "epoch_counter", None)
        passes = None if counter is None else counter.numpy()
        batch = next(iter(x.take(1)), None)
        if counter is not None:
            counter.assign(passes)
    elif isinstance(x, keras.utils.PyDataset):
        batch = x[0] if x.num_batches else None
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
    images, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
    if weights is not None:
        raise InvalidArgument(
            f"`{owner}` takes no sample weights: the objective is a mean over "
            "the batch. Pass `x`, or `x` and labels."
        )
    if isinstance(images, (tuple, list)) and len(images) == 2:
        images, y = images
    support = None if any_range else model.support
    check_images(images, model.input_shapes[0], support, owner, argument)
    if model.conditional if labels is None else labels:
        model.check_labels(y, len(images), owner)
    if batch_size is not None:
        have = min(batch_size or len(images), len(images))
        model.check_batch_size(have, owner)


def check_images(images, shape, support, owner, argument="x"):
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
        raise invalid(
            argument,
            owner,
            f"shape (batch, {', '.join(str(size) for size in shape)})",
            f"an array of shape {images.shape}",
        )
    if not len(images):
        raise invalid(argument, owner, "at least one example", "no data")
    if not np.issubdtype(images.dtype, np.floating) and (
        images.dtype.name != "bfloat16"
    ):
        raise invalid(
            argument,
            owner,
            'floats; for 8-bit pictures pass `x.astype("float32") / 255`',
            f"an array of {images.dtype}",
        )
    low, high = images.min(), images.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise invalid(argument, owner, "finite numbers", "NaN or infinity")
    if support and not (support[0] <= low and high <= support[1]):
        raise invalid(
            argument,
            owner,
            f"values in [{support[0]:g}, {support[1]:g}]; scale the data",
            f"values from {low:g} to {high:g}",
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
        raise invalid(
            "labels",
            owner,
            "one for each example: the networks take them",
            None,
        )
    labels = np.asarray(labels)
    if labels.shape != (count,):
        raise invalid(
            "labels", owner, f"shape ({count},)", f"shape {labels.shape}"
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise invalid("labels", owner, "integers", f"{labels.dtype}")
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
