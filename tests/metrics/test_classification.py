import numpy as np
import pytest

from kgen.errors import InvalidArgument
from kgen.metrics import calibration_error

RNG = np.random.default_rng(0)


def direct(probabilities, labels, bins):
    """Guo et al., equation 5, bin by bin: (m - 1) / M < confidence <= m / M."""
    confidence, guess = probabilities.max(axis=1), probabilities.argmax(axis=1)
    error = 0.0
    for m in range(1, bins + 1):
        inside = ((m - 1) / bins < confidence) & (confidence <= m / bins)
        if inside.any():
            accuracy = np.mean(guess[inside] == labels[inside])
            gap = abs(accuracy - confidence[inside].mean())
            error += inside.mean() * gap
    return error


@pytest.mark.parametrize("bins", [1, 7, 15])
@pytest.mark.parametrize("classes", [2, 10])
def test_it_is_the_definition(bins, classes):
    probabilities = RNG.dirichlet(np.full(classes, 0.5), 400)
    labels = RNG.integers(0, classes, 400)
    got = calibration_error(probabilities, labels, bins)
    assert got == pytest.approx(direct(probabilities, labels, bins), abs=1e-12)


def test_right_as_often_as_it_says():
    """In two bins at once, each of 20 examples: 75% and 60% are right."""
    probabilities = np.repeat([[0.75, 0.25], [0.6, 0.4]], 20, axis=0)
    labels = np.r_[np.arange(20) >= 15, np.arange(20) >= 12].astype(int)
    assert calibration_error(probabilities, labels) == pytest.approx(0.0)
    # The two errors of one bin may cancel; in two they may not.
    labels = np.r_[np.arange(20) >= 12, np.arange(20) >= 15].astype(int)
    assert calibration_error(probabilities, labels) == pytest.approx(0.15)
    assert calibration_error(probabilities, labels, 1) == pytest.approx(0.0)


def test_always_sure():
    sure = np.eye(3)[[0, 1, 2, 0]]
    assert calibration_error(sure, [1, 2, 0, 2]) == 1.0
    assert calibration_error(sure, [0, 1, 2, 0]) == 0.0
    assert calibration_error(sure, [0, 1, 0, 2]) == 0.5


def test_a_bound_belongs_to_the_bin_below():
    # 0.5 and 0.6, both wrong and right, in one bin of (0.5, 1] or in two.
    probabilities = np.array([[0.5, 0.5], [0.6, 0.4]])
    got = calibration_error(probabilities, [1, 0], bins=2)
    assert got == pytest.approx((0.5 + 0.4) / 2)


def test_the_calibrated_limit():
    """Labels drawn by the probabilities: what is left is the bins' noise."""
    probabilities = RNG.dirichlet(np.ones(4), 20_000)
    uniform = RNG.uniform(size=(20_000, 1))
    labels = np.sum(uniform > probabilities.cumsum(axis=1), axis=1)
    # The mean of |N(0, p (1 - p) / n)| over at most 15 bins is below this.
    noise = np.sqrt(15 * 0.25 / 20_000)
    assert calibration_error(probabilities, labels) < noise
    sharper = probabilities**4 / np.sum(probabilities**4, 1, keepdims=True)
    assert calibration_error(sharper, labels) > 10 * noise


def test_float32_rows_are_probabilities():
    logits = RNG.normal(size=(50, 10)).astype("float32")
    rows = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert rows.dtype == np.float32
    assert 0.0 <= calibration_error(rows, np.zeros(50, "int32")) <= 1.0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (([0.5, 0.5], [0]), "shape (n, num_classes)"),
        ((np.zeros((0, 2)), []), "at least one example"),
        (([[2.0, -1.0]], [0]), "pass the softmax"),
        (([[0.5, 0.6]], [0]), "with the sum 1"),
        (([[np.nan, 1.0]], [0]), "with the sum 1"),
        (([[0.5, 0.5]], [0, 1]), "1 labels"),
        (([[0.5, 0.5]], [0.0]), "float64"),
        (([[0.5, 0.5]], [2]), "from 0 to 1"),
        (([[0.5, 0.5]], [-1]), "from 0 to 1"),
        (([[0.5, 0.5]], [1], 0), "`bins`"),
    ],
)
def test_bad_input(args, message):
    with pytest.raises(InvalidArgument) as error:
        calibration_error(*args)
    assert message in str(error.value)
