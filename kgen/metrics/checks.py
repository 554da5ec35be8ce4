"""What the metrics ask of their inputs."""

import numpy as np

from kgen.errors import invalid

_ROUNDING = 1e-4  # of float32 rows that should sum to 1


def check_features(owner, argument, x, least=1, num_features=None):
    """Returns features as float64, or raises.

    Args:
        owner: Name of the metric.
        argument: Name of its argument.
        x: Array of shape `(n, d)`, finite.
        least: The least n.
        num_features: d, or None for any.
    """
    x = as_array(x)
    is_fit = x.dtype.kind in "fiub" and x.ndim == 2 and x.size
    if not is_fit or len(x) < least or not np.isfinite(x).all():
        raise invalid(
            argument,
            owner,
            f"finite numbers of shape (n, d), with n of {least} or more",
            f"{x.dtype} of shape {x.shape}",
        )
    if num_features not in (None, x.shape[1]):
        raise invalid(
            argument,
            owner,
            f"{num_features} features, as the others have",
            f"shape {x.shape}",
        )
    return x.astype("float64")


def check_pictures(owner, argument, images, side, least=1):
    """Returns pictures as they are, or raises.

    Args:
        owner: Name of the metric.
        argument: Name of its argument.
        images: Floats in [0, 1] of shape `(n, height, width, channels)`.
        side: The least height and width.
        least: The least n.
    """
    images = as_array(images)
    if images.ndim != 4 or not images.size or len(images) < least:
        raise invalid(
            argument,
            owner,
            f"shape (n, height, width, channels), with n of {least} or more",
            f"shape {images.shape}",
        )
    if min(images.shape[1:3]) < side:
        raise invalid(
            argument,
            owner,
            f"pictures with both sides {side} or more",
            f"shape {images.shape}",
        )
    if images.dtype.kind != "f":
        raise invalid(argument, owner, "finite floats in [0, 1]", images.dtype)
    check_in_range(argument, owner, images)
    return images


def check_in_range(argument, owner, x, is_picture=True):
    """Raises for NaN and infinity, and for pictures that leave [0, 1]."""
    low, high = x.min(), x.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise invalid(argument, owner, "finite numbers", "NaN or infinity")
    if is_picture and not (low >= 0.0 and high <= 1.0):
        raise invalid(
            argument,
            owner,
            "pictures in [0, 1]: scale them, or clip samples that leave it",
            f"values from {low:g} to {high:g}",
        )


def check_probabilities(owner, probabilities, least=1):
    """Returns P(y|x) as float64 of shape `(n, num_classes)`, or raises.

    Args:
        owner: Name of the metric.
        probabilities: Rows of numbers from 0 with the sum 1.
        least: The least n.
    """
    probabilities = as_array(probabilities)
    is_fit = probabilities.dtype.kind in "fiub" and probabilities.ndim == 2
    if not is_fit or not probabilities.size or len(probabilities) < least:
        few = "at least one example" if least == 1 else f"n of {least} or more"
        raise invalid(
            "probabilities",
            owner,
            f"shape (n, num_classes), with {few}",
            f"shape {probabilities.shape}",
        )
    probabilities = probabilities.astype("float64")
    # Written so that NaN fails, too.
    off = np.abs(probabilities.sum(axis=1) - 1.0)
    if not (probabilities.min() >= 0.0 and off.max() <= _ROUNDING):
        raise invalid(
            "probabilities",
            owner,
            "rows of numbers from 0 with the sum 1; of logits, pass the softmax",
            f"a least number of {probabilities.min():g}, and sums that are off "
            f"by {off.max():g}",
        )
    return probabilities


def as_array(x):
    """What was given as an array; rows of several lengths as one object."""
    try:
        return np.asarray(x)
    except ValueError:
        return np.empty((), "O")
