import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter

from kgen.errors import InvalidArgument
from kgen.metrics import diversity, ms_ssim, similarity, ssim

RNG = np.random.default_rng(0)
WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])


def pairs_of(count, side, channels=1):
    """Smooth pictures, and others that are near to them."""
    x = RNG.uniform(size=(count, side, side, channels))
    x = gaussian_filter(x, (0, 1.5, 1.5, 0))
    y = np.clip(x + 0.05 * RNG.normal(size=x.shape), 0, 1)
    return x.astype("float32"), y.astype("float32")


def parts(x, y):
    """Luminance and contrast-structure by SciPy's window, float64."""
    x, y = x.astype("float64"), y.astype("float64")

    def blur(image):
        full = gaussian_filter(image, (1.5, 1.5, 0), radius=(5, 5, 0))
        return full[5:-5, 5:-5]

    mean, other = blur(x), blur(y)
    variances = blur(x * x) + blur(y * y) - mean**2 - other**2
    covariance = blur(x * y) - mean * other
    light = (2 * mean * other + 1e-4) / (mean**2 + other**2 + 1e-4)
    contrast = (2 * covariance + 9e-4) / (variances + 9e-4)
    return (light * contrast).mean(axis=(0, 1)), contrast.mean(axis=(0, 1))


def halve(x):
    return x.reshape(len(x) // 2, 2, len(x) // 2, 2, -1).mean(axis=(1, 3))


def direct_ms_ssim(x, y, scales):
    weights = WEIGHTS[:scales] / WEIGHTS[:scales].sum()
    product = 1.0
    for number, weight in enumerate(weights):
        both, contrast = parts(x, y)
        last = number == scales - 1
        product = product * (both if last else contrast) ** weight
        x, y = (x, y) if last else (halve(x), halve(y))
    return np.mean(product)  # over the channels


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_scikit_image_s(channels):
    metrics = pytest.importorskip("skimage.metrics")
    x, y = pairs_of(5, 20, channels)
    expected = [
        metrics.structural_similarity(
            a.astype("float64"),
            b.astype("float64"),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            channel_axis=-1,
        )
        for a, b in zip(x, y)
    ]
    np.testing.assert_allclose(ssim(x, y), expected, atol=1e-5)


@pytest.mark.parametrize("side", [11, 28])
def test_ssim_is_its_formula(side):
    x, y = pairs_of(4, side)
    expected = [parts(a, b)[0][0] for a, b in zip(x, y)]
    # One window alone shows float32's rounding of the variances.
    atol = 1e-4 if side == 11 else 1e-5
    np.testing.assert_allclose(ssim(x, y), expected, atol=atol)
    np.testing.assert_allclose(ssim(x, x), 1.0, atol=1e-6)


@pytest.mark.parametrize(
    ("side", "scales"), [(16, 1), (28, 2), (64, 3), (128, 4), (176, 5)]
)
def test_ms_ssim_has_the_scales_that_fit(side, scales):
    x, y = pairs_of(2, side, 3)
    expected = [direct_ms_ssim(a, b, scales) for a, b in zip(x, y)]
    np.testing.assert_allclose(ms_ssim(x, y), expected, atol=2e-5)
    if scales == 5:
        tensorflow = tf.image.ssim_multiscale(x, y, 1.0)
        np.testing.assert_allclose(ms_ssim(x, y), tensorflow, atol=1e-5)


@pytest.mark.parametrize("side", [11, 21, 41, 81, 161])
def test_the_smallest_pictures_of_each_number_of_scales(side):
    x, y = pairs_of(1, side)
    assert 0.0 < ms_ssim(x, y)[0] < 1.0
    np.testing.assert_allclose(ms_ssim(x, x), 1.0, atol=1e-6)


@pytest.mark.parametrize("function", [ssim, ms_ssim])
def test_batches_change_nothing(function, monkeypatch):
    x, y = pairs_of(7, 24)
    whole = function(x, y)
    monkeypatch.setattr(similarity, "_BATCH", 3)
    np.testing.assert_allclose(function(x, y), whole, rtol=1e-6)


def test_diversity_of_all_pairs():
    x, _ = pairs_of(6, 16)
    places = [(i, j) for j in range(6) for i in range(j)]
    values = [ms_ssim(x[[i]], x[[j]])[0] for i, j in places]
    got = diversity(x)
    assert got["ms_ssim"] == pytest.approx(np.mean(values), rel=1e-5)
    error = np.std(values, ddof=1) / np.sqrt(15)
    assert got["standard_error"] == pytest.approx(error, rel=1e-4)


@pytest.mark.parametrize("count", [3, 50, 100_000])
def test_pairs_are_different_and_drawn_once(count):
    first, second = similarity._pairs(count, 1000, np.random.default_rng(0))
    assert len(set(zip(first, second))) == min(1000, count * (count - 1) // 2)
    assert (first < second).all() and first.min() >= 0 and second.max() < count
    # The numbering, at its ends.
    most = count * (count - 1) // 2

    class Ends:
        def choice(self, *args, **kwargs):
            return np.array([0, 1, 2, most - 1])

    ends = np.transpose(similarity._pairs(count, 4, Ends()))
    last = [count - 2, count - 1]
    np.testing.assert_array_equal(ends, [[0, 1], [0, 2], [1, 2], last])


def test_copies_have_no_diversity():
    x, _ = pairs_of(8, 28)
    some = diversity(x, pairs=20)
    assert diversity(np.repeat(x[:1], 8, axis=0))["ms_ssim"] > 0.999
    assert some["ms_ssim"] < 0.9
    assert some == diversity(x, pairs=20, seed=0)
    assert some != diversity(x, pairs=20, seed=1)


X = np.zeros((3, 16, 16, 1), "float32")


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (ssim, (X[:, :10], X[:, :10]), "both sides 11"),
        (ms_ssim, (X[:, :, :10], X[:, :, :10]), "both sides 11"),
        (diversity, (X[:, :10],), "both sides 11"),
        (ssim, (X, X[:2]), "shape of the references"),
        (ssim, (X[..., 0], X[..., 0]), "(n, height, width, channels)"),
        (ms_ssim, (X[:0], X[:0]), "n of 1 or more"),
        (ssim, (X.astype("uint8"), X), "floats in [0, 1]"),
        (ms_ssim, (X, X + np.nan), "`references`"),
        (diversity, (X[:2],), "n of 3 or more"),
        (diversity, (X, 1), "`pairs`"),
        (diversity, (X, 10, -1), "`seed`"),
    ],
)
def test_bad_input(function, arguments, message):
    with pytest.raises(InvalidArgument) as error:
        function(*arguments)
    assert message in str(error.value)
