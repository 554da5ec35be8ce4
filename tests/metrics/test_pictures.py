import numpy as np
import pytest
import tensorflow as tf

from kgen.errors import InvalidArgument
from kgen.metrics import psnr


def test_psnr_is_its_formula_and_tensorflow_s():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(2, 5, 9, 7, 3)).astype("float32")
    expected = [-10 * np.log10(np.mean((a - b) ** 2)) for a, b in zip(x, y)]
    np.testing.assert_allclose(psnr(x, y), expected, rtol=1e-5)
    np.testing.assert_allclose(
        psnr(x, y), tf.image.psnr(x, y, max_val=1.0), rtol=1e-5
    )
    assert psnr(x, x + 0.1) == pytest.approx(20.0, rel=1e-4)
    assert np.isinf(psnr(x, x)).all()


def test_shapes_must_agree():
    with pytest.raises(InvalidArgument, match="shape of the references"):
        psnr(np.zeros((2, 4, 4, 1)), np.zeros((2, 4, 4, 3)))


def test_what_are_no_pictures():
    with pytest.raises(InvalidArgument, match="floats in"):
        psnr(np.zeros((2, 4), "uint8"), np.zeros((2, 4), "uint8"))
    with pytest.raises(InvalidArgument, match="some"):
        psnr(np.zeros((0, 4)), np.zeros((0, 4)))
