"""How near pictures are to others."""

import numpy as np

from kgen.errors import invalid


def psnr(images, references):
    """Peak signal-to-noise ratio of each picture, for values in [0, 1].

    `-10 log10(mean squared error)`; infinite for equal pictures.

    Args:
        images: Array of shape `(n, ...)`.
        references: Array of the same shape.

    Returns:
        Array of shape `(n,)`, in dB.

    Raises:
        InvalidArgument: If the shapes differ.
    """
    images, references = np.asarray(images), np.asarray(references)
    if images.shape != references.shape or not images.size:
        raise invalid(
            "images",
            "psnr",
            f"some, of the shape of the references, {references.shape}",
            f"shape {images.shape}",
        )
    for name, array in (("images", images), ("references", references)):
        if not np.issubdtype(array.dtype, np.floating):
            raise invalid(name, "psnr", "floats in [0, 1]", array.dtype)
    square = np.square(images.astype("float64") - references)
    errors = square.reshape(len(images), -1).mean(axis=1)
    with np.errstate(divide="ignore"):
        return -10.0 * np.log10(errors)
