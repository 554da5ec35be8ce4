"""How near pictures are to others."""

from typing import Any

import numpy as np

from kgen import arrays
from kgen.errors import invalid

# The mean squared error of rounding to 256 greys: pictures that differ by less
# are equal once they are in a file.
_ROUNDING = 1.0 / 255.0**2 / 12.0


def psnr(images: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Returns the peak signal-to-noise ratio of each picture.

    It is `-10 log10(mean squared error)` for values in [0, 1]; infinite for
    equal pictures.

    Args:
        images: Floats in [0, 1] of shape `(n, ...)`; clip values out of [0, 1],
            as a file of the picture would.
        references: Array of the same shape.

    Returns:
        Array of shape `(n,)`, in dB.

    Raises:
        InvalidArgument: If the shapes differ, or values are out of [0, 1].
    """
    images, references = arrays.as_array(images), arrays.as_array(references)
    if images.shape != references.shape or not images.ndim or not images.size:
        raise invalid(
            "images",
            "psnr",
            f"some, of the shape of the references, {references.shape}",
            f"shape {images.shape}",
        )
    for name, array in (("images", images), ("references", references)):
        if not np.issubdtype(array.dtype, np.floating):
            raise invalid(name, "psnr", "floats in [0, 1]", array.dtype)
        arrays.check_unit_range(name, "psnr", array)
    return _decibels(mean_squares(images, references))


def psnr_at_most(images: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Returns the PSNR of each picture, or 58.9 dB where rounding costs more.

    Values are not checked: noisy pictures may leave [0, 1].
    """
    squares = mean_squares(images, references)
    return _decibels(np.maximum(squares, _ROUNDING))


def mean_squares(images: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Returns the mean squared difference of each example, in float64."""
    square = np.square(images.astype("float64") - references)
    return square.reshape(len(images), -1).mean(axis=1)


def _decibels(squares):
    with np.errstate(divide="ignore"):
        return -10.0 * np.log10(squares)


def sharpness(images: np.ndarray) -> np.ndarray:
    """Returns the variance of each picture's Laplacian: less if it is blurred.

    The Laplacian is the sum of a pixel's four neighbours minus four times the
    pixel, within the borders. Divided by the sharpness of real pictures, it
    tells how blurred others are.

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
    images = arrays.check_pictures("images", "sharpness", images, side=3)
    edges = laplacian(images.astype("float64"))
    return edges.reshape(len(images), -1).var(axis=1)


def laplacian(x: Any) -> Any:
    """The Laplacian of pictures, of an array or a tensor; see `sharpness`."""
    middle = x[:, 1:-1, 1:-1]
    beside = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
    return beside - 4.0 * middle
