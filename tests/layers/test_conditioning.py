import numpy as np
import pytest

from kgen.errors import InvalidArgument
from kgen.layers import ConcatenateLabels, GainAndShift


@pytest.mark.parametrize("shape", [(4,), (6, 5, 2)])
def test_labels_become_channels(shape):
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    y = ConcatenateLabels(3)([x, np.array([2, 0])]).numpy()
    assert y.shape == (2, *shape[:-1], shape[-1] + 3)
    np.testing.assert_array_equal(y[..., :-3], x)
    middle = tuple(range(len(shape) - 1))
    np.testing.assert_array_equal(y[0, ..., -3:].mean(axis=middle), [0, 0, 1])
    np.testing.assert_array_equal(y[1, ..., -3:].mean(axis=middle), [1, 0, 0])


def test_number_of_classes_is_checked():
    with pytest.raises(InvalidArgument, match="num_classes"):
        ConcatenateLabels(0)


def test_what_is_no_class_has_no_channel():
    x = np.zeros((4, 2), "float32")
    layer = ConcatenateLabels(3)
    found = layer([x, np.array([-1, 3, 2, 100])]).numpy()
    expected = np.zeros((4, 5))
    expected[2, 4] = 1
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", [(4,), (6, 5, 4)])
def test_gain_and_shift_of_a_class(shape):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, *shape)).astype("float32")
    labels = np.array([2, 0, -1, 3])
    layer = GainAndShift(3)
    np.testing.assert_array_equal(layer([x, labels]), x)
    table = rng.normal(size=(3, 8)).astype("float32")
    layer.set_weights([table])
    found = layer([x, labels]).numpy()
    for row, label in ((0, 2), (1, 0)):
        expected = (1 + table[label, :4]) * x[row] + table[label, 4:]
        np.testing.assert_allclose(found[row], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found[2:], x[2:])  # what is no class
    copy = GainAndShift.from_config(layer.get_config())
    assert copy.num_classes == 3
    with pytest.raises(InvalidArgument, match="num_classes"):
        GainAndShift(0)
