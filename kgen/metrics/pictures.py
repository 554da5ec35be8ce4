"""How near pictures are to others."""

import numpy as np

from kgen.errors import invalid
from kgen.metrics.checks import as_array, check_in_range

# What rounding to 256 greys costs: nearer pictures are equal ones in a file.
_ROUNDING = 1.0 / 255.0**2 / 12.0


def psnr(images, references):
    """Peak signal-to-noise ratio of each picture, for values in [0, 1].

    `-10 log10(mean squared error)`; infinite for equal pictures.

    Args:
        images: Floats in [0, 1] of shape `(n, ...)`; clip what leaves it, as a
            file of the picture would.
        references: Array of the same shape.

    Returns:
        Array of shape `(n,)`, in dB.

    Raises:
        InvalidArgument: If the shapes differ, or values are out of [0, 1].
    """
    images, references = as_array(images), as_array(references)
    is_array = images.ndim > 0 and images.size > 0
    if images.shape != references.shape or not is_array:
        raise invalid(
            "images",
            "psnr",
            f"some, of the shape of the references, {references.shape}",
            f"shape {images.shape}",
        )
    for name, array in (("images", images), ("references", references)):
        if not np.issubdtype(array.dtype, np.floating):
            raise invalid(name, "psnr", "floats in [0, 1]", array.dtype)
        check_in_range(name, "psnr", array)
    return decibels(mean_squares(images, references))


def psnr_at_most(images, references):
    """`psnr`, but 58.9 where pictures differ by less; they may leave [0, 1]."""
    squares = mean_squares(images, references)
    return decibels(np.maximum(squares, _ROUNDING))


def mean_squares(images, references):
    """The mean squared difference of each example, in float64."""
    square = np.square(images.astype("float64") - references)
    return square.reshape(len(images), -1).mean(axis=1)


def decibels(mean_squares):
    """Mean squares as PSNR, in dB."""
    with np.errstate(divide="ignore"):
        return -10.0 * np.log10(mean_squares)


def sharpness(images):
    """The variance of each picture's Laplacian: less where it is blurred.

    The Laplacian is the sum of a pixel's four neighbours less four times the
    pixel, within the borders. As a ratio to that of real pictures it tells how
    blurred others are.

    Args:
        images: Floats in [0, 1] of shape `(n, height, width, channels)`, both
            sides 3 or more.

    Returns:
        Array of shape `(n,)`, in squared units of the pixels.

    Raises:
        InvalidArgument: If these are no such pictures.

    References:
        Pech-Pacheco et al. (2000), Diatom autofocusing in brightfield
        microscopy, section 2.
    """
    images = as_array(images)
    is_picture = images.dtype.kind == "f" and images.ndim == 4 and images.size
    if not is_picture or min(images.shape[1:3]) < 3:
        raise invalid(
            "images",
            "sharpness",
            "floats of shape (n, height, width, channels), both sides 3 or more",
            f"{images.dtype} of shape {images.shape}",
        )
    check_in_range("images", "sharpness", images)
    x = images.astype("float64")
    middle = x[:, 1:-1, 1:-1]
    beside = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
    return (beside - 4.0 * middle).reshape(len(x), -1).var(axis=1)
