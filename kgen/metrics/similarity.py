"""Structural similarity: of pictures to others, and of samples to each other."""

import numpy as np
import tensorflow as tf

from kgen.arrays import check_pictures
from kgen.errors import invalid
from kgen.metrics.means import mean_and_error
from kgen.params import SEED, Integer, checked

WINDOW = 11  # the Gaussian window's side, in pixels
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of scales 1 to 5
_BATCH = 256


def ssim(images: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Returns the structural similarity of each picture to its reference.

    The window is a Gaussian of 11 pixels a side and standard deviation 1.5, as
    in the paper. The result is the mean over the pixels whose window lies in the
    picture, and over the channels.

    Args:
        images: Floats in [0, 1] of shape `(n, height, width, channels)`, both
            sides 11 or more.
        references: Array of the same shape.

    Returns:
        Array of shape `(n,)`, up to 1 for equal pictures.

    Raises:
        InvalidArgument: If these are no such pictures.

    References:
        Wang et al. (2004), Image quality assessment: from error visibility to
        structural similarity, equation 13.
    """
    return _by_batches("ssim", ssim_of, images, references)


def ms_ssim(images: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Returns the multi-scale structural similarity of pictures to references.

    The paper's five scales halve the sides four times, which takes 161 pixels a
    side for its window of 11. Smaller pictures have as many of the scales as
    the window fits into (28 pixels: two), whose weights are divided by their
    sum. Figures are therefore comparable between pictures of one size only.

    Args:
        images: As for `ssim`.
        references: Array of the same shape.

    Returns:
        Array of shape `(n,)`, from 0 to 1 for equal pictures.

    Raises:
        InvalidArgument: If these are no such pictures.

    References:
        Wang et al. (2003), Multi-scale structural similarity for image quality
        assessment, equation 7.
    """
    return _by_batches("ms_ssim", _multi_scale, images, references)


@checked(pairs=Integer(2), seed=SEED)
def diversity(
    images: np.ndarray, pairs: int = 1000, seed: int = 0
) -> dict[str, float]:
    """Returns how alike samples are: the mean MS-SSIM of random pairs of them.

    Lower is more diverse; compare it with that of as many real pictures. Judge
    one class at a time, as the paper does, or the differences between classes
    hide a class that collapsed.

    Args:
        images: As for `ms_ssim`, three or more.
        pairs: How many pairs of different pictures are drawn, 2 or more; all
            pairs if there are fewer.
        seed: Integer for the pairs.

    Returns:
        Dictionary with `ms_ssim` and its `standard_error`, as if pairs were
        independent.

    Raises:
        InvalidArgument: If these are no such pictures.

    References:
        Odena et al. (2017), arXiv 1610.09585, section 4.2.
    """
    images = check_pictures("images", "diversity", images, WINDOW, least=3)
    first, second = _pairs(len(images), pairs, np.random.default_rng(seed))
    parts = [
        _multi_scale(images[first[part]], images[second[part]])
        for part in _slices(len(first))
    ]
    value, error = mean_and_error(np.concatenate(parts))
    return {"ms_ssim": value, "standard_error": error}


def ssim_of(images: tf.Tensor, references: tf.Tensor) -> tf.Tensor:
    """Returns the `ssim` of tensors."""
    return tf.image.ssim(images, references, 1.0, WINDOW)


def _multi_scale(images, references):
    count, side = 1, min(images.shape[1:3])
    while count < len(_WEIGHTS) and -(-side // 2) >= WINDOW:
        count, side = count + 1, -(-side // 2)
    weights = np.array(_WEIGHTS[:count]) / sum(_WEIGHTS[:count])
    return tf.image.ssim_multiscale(
        images, references, 1.0, tuple(weights), WINDOW
    ).numpy()


def _pairs(count, pairs, rng):
    """Places i < j of pairs, which are numbered (0,1), (0,2), (1,2), (0,3)..."""
    most = count * (count - 1) // 2
    number = rng.choice(most, min(pairs, most), replace=False)
    # j (j - 1) / 2 pairs come before those of j.
    second = np.floor(0.5 + np.sqrt(0.25 + 2.0 * number)).astype("int64")
    first = number - second * (second - 1) // 2
    return first, second


def _by_batches(owner, function, images, references):
    """A function of checked pictures and references, by the batch."""
    images = check_pictures("images", owner, images, WINDOW)
    references = check_pictures("references", owner, references, WINDOW)
    if images.shape != references.shape:
        raise invalid(
            "images",
            owner,
            f"the shape of the references, {references.shape}",
            f"shape {images.shape}",
        )
    images, references = (x.astype("float32") for x in (images, references))
    parts = _slices(len(images))
    return np.concatenate(
        [np.asarray(function(images[part], references[part])) for part in parts]
    )


def _slices(count):
    return [slice(start, start + _BATCH) for start in range(0, count, _BATCH)]
