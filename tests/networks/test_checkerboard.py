"""No grid in the spectrum of what generators and decoders start from."""

import keras
import numpy as np
import pytest

from kgen.layers import NoCheckerboard
from kgen.networks import convolutional, resnet
from tests.models import contract
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


def test_training_brings_none_back():
    gan = contract.small_model("gan", network="conv", training=contract.EAGERLY)
    kernels = [
        layer.kernel
        for network in (gan.generator, gan.average.copy)
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2DTranspose)
    ]
    before = [kernel.numpy() for kernel in kernels]
    gan.fit(contract.X, batch_size=32, verbose=0)
    assert len(kernels) == 2
    for old, kernel in zip(before, kernels):
        assert not np.array_equal(old, kernel)
        nearest = NoCheckerboard()(kernel)
        np.testing.assert_allclose(nearest, kernel, atol=1e-6)
