"""Structural similarity: of pictures to others, and of samples to each other."""

import numpy as np
import tensorflow as tf

from kgen.errors import check_int, check_seed, invalid
from kgen.metrics.checks import check_pictures
from kgen.metrics.means import mean_and_error

WINDOW = 11  # the Gaussian window's side, in pixels
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of scales 1 to 5
_BATCH = 256


def ssim(images, references):
    """Structural similarity of each picture to its reference.

    With a Gaussian window of 11 pixels a side and standard deviation 1.5, as in
    the paper; the mean over the pixels whose window lies in the picture, and
    over the channels.

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
    images, references = _checked("ssim", images, references)
    return _by_batches(ssim_of, images, references)


def ms_ssim(images, references):
    """Multi-scale structural similarity of each picture to its reference.

    The paper's five scales halve the sides four times, which takes 161 pixels a
    side for its window of 11. Smaller pictures have as many of the scales as
    the window fits into (28 pixels: two), and their weights are divided by
    their sum. So figures compare between pictures of one size only.

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
    images, references = _checked("ms_ssim", images, references)
    return _by_batches(_multi_scale, images, references)


def diversity(images, pairs=1000, seed=0):
    """How alike samples are: the mean MS-SSIM of random pairs of them.

    Lower is more diverse; judge it by that of as many real pictures. Of several
    classes take one at a time, as the paper does, or their differences hide a
    class that collapsed.

    Args:
        images: As for `ms_ssim`, three or more.
        pairs: How many pairs of different pictures, each at most once; cut to
            those that there are.
        seed: Integer for the pairs.

    Returns:
        Dictionary with `ms_ssim` and its `standard_error`, which takes the
        pairs for independent.

    Raises:
        InvalidArgument: If these are no such pictures.

    References:
        Odena et al. (2017), arXiv 1610.09585, section 4.2.
    """
    pairs = check_int("pairs", "diversity", pairs, minimum=2)
    rng = np.random.default_rng(check_seed("diversity", seed, optional=False))
    images = check_pictures("diversity", "images", images, WINDOW, least=3)
    first, second = _pairs(len(images), pairs, rng)
    parts = [
        _multi_scale(images[first[part]], images[second[part]])
        for part in _slices(len(first))
    ]
    value, error = mean_and_error(np.concatenate(parts))
    return {"ms_ssim": value, "standard_error": error}


def ssim_of(images, references):
    """`ssim` of tensors."""
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


def _by_batches(function, images, references):
    return np.concatenate(
        [
            np.asarray(function(images[part], references[part]))
            for part in _slices(len(images))
        ]
    )


def _slices(count):
    return [slice(start, start + _BATCH) for start in range(0, count, _BATCH)]


def _checked(owner, images, references):
    images = check_pictures(owner, "images", images, WINDOW)
    references = check_pictures(owner, "references", references, WINDOW)
    if images.shape != references.shape:
        raise invalid(
            "images",
            owner,
            f"the shape of the references, {references.shape}",
            f"shape {images.shape}",
        )
    return images.astype("float32"), references.astype("float32")
