import functools

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter, laplace

from kgen.errors import InvalidArgument
from kgen.metrics import diversity, ms_ssim, psnr, sharpness, ssim


def test_psnr_is_its_formula_and_tensorflow_s():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(2, 5, 9, 7, 3)).astype("float32")
    expected = [-10 * np.log10(np.mean((a - b) ** 2)) for a, b in zip(x, y)]
    np.testing.assert_allclose(psnr(x, y), expected, rtol=1e-5)
    np.testing.assert_allclose(
        psnr(x, y), tf.image.psnr(x, y, max_val=1.0), rtol=1e-5
    )
    assert psnr(0.9 * x, 0.9 * x + 0.1) == pytest.approx(20.0, rel=1e-4)
    assert np.isinf(psnr(x, x)).all()


def test_shapes_must_agree():
    with pytest.raises(InvalidArgument, match="shape of the references"):
        psnr(np.zeros((2, 4, 4, 1)), np.zeros((2, 4, 4, 3)))


def test_what_are_no_pictures():
    with pytest.raises(InvalidArgument, match="floats in"):
        psnr(np.zeros((2, 4), "uint8"), np.zeros((2, 4), "uint8"))
    with pytest.raises(InvalidArgument, match="some"):
        psnr(np.zeros((0, 4)), np.zeros((0, 4)))


def test_sharpness_is_the_variance_of_scipy_s_laplacian():
    x = np.random.default_rng(0).uniform(size=(4, 9, 7, 1))
    expected = [laplace(image[..., 0])[1:-1, 1:-1].var() for image in x]
    np.testing.assert_allclose(sharpness(x), expected)
    blurred = gaussian_filter(x, (0, 1, 1, 0))
    assert (sharpness(blurred) < 0.1 * sharpness(x)).all()
    ramp = 0.25 * np.arange(5.0)[None, :, None, None] * np.ones((1, 5, 5, 3))
    np.testing.assert_allclose(sharpness(ramp), 0.0, atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 9, 7), (0, 9, 7, 1), (4, 2, 7, 1)])
def test_what_has_no_sharpness(shape):
    with pytest.raises(InvalidArgument, match="both sides 3 or more"):
        sharpness(np.zeros(shape))


@pytest.mark.parametrize("bad", [-0.01, 1.01, np.nan, np.inf])
@pytest.mark.parametrize(
    "function",
    [
        functools.partial(psnr, references=np.zeros((3, 12, 12, 1))),
        functools.partial(ssim, references=np.zeros((3, 12, 12, 1))),
        functools.partial(ms_ssim, references=np.zeros((3, 12, 12, 1))),
        functools.partial(psnr, np.zeros((3, 12, 12, 1))),
        functools.partial(ssim, np.zeros((3, 12, 12, 1))),
        sharpness,
        diversity,
    ],
)
def test_values_that_are_no_pictures_are_refused(function, bad):
    x = np.full((3, 12, 12, 1), 0.5)
    x[1, 2, 3] = bad
    expected = "in \\[0, 1\\]" if np.isfinite(bad) else "finite"
    with pytest.raises(InvalidArgument, match=expected):
        function(x)
