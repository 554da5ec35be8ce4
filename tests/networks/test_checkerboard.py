"""No grid in the spectrum of what generators and decoders start from."""

import numpy as np
import pytest

from kgen.networks import convolutional, resnet
from tests.networks.spectrum import peaks, peaks_at_start

SHAPE = (32, 32, 3)
BUILDERS = {
    "conv generator": convolutional.generator,
    "conv decoder": convolutional.decoder,
    "resnet generator": resnet.generator,
    "resnet decoder": resnet.decoder,
}


def at_start(name):
    return peaks_at_start(lambda: BUILDERS[name](SHAPE, 16, filters=8))


def test_the_measure_itself():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(400, 32, 32, 1))
    np.testing.assert_allclose(peaks(noise), 1.0, atol=0.1)
    board = np.indices((32, 32)).sum(axis=0)[..., None] % 2
    found = peaks(noise + board)
    np.testing.assert_allclose(found[:-1], 1.0, atol=0.1)
    assert found[-1] > 5


@pytest.mark.parametrize("name", BUILDERS)
def test_the_spectrum_is_flat_at_the_start(name):
    assert at_start(name).max() < 1.25


@pytest.mark.parametrize("name", ["conv generator", "conv decoder"])
def test_weights_drawn_one_by_one_leave_a_grid(name, monkeypatch):
    """As generators had them: the test above can fail."""
    monkeypatch.setattr(
        convolutional, "ResizeConvolution", lambda: "glorot_uniform"
    )
    assert at_start(name).max() > 3
