"""The spectrum of pictures, in which a checkerboard is a row of peaks."""

import keras
import numpy as np

TOP = 4  # side of the smallest maps of networks for squares of 8, 16, 32, ...


def peaks(images):
    """Power at the frequencies of the grids of doubling, over their neighbours'.

    Args:
        images: Array of shape `(n, side, side, channels)`, side 4, 8, 16, ...

    Returns:
        Array of a ratio for each of the frequencies 4, 8, ..., side / 2 (waves
        for each picture), of rows and columns together; 1 is flat.
    """
    power = sum(
        np.abs(np.fft.fft(images, axis=axis) ** 2).mean(axis=(0, 3 - axis, 3))
        for axis in (1, 2)
    )
    places = np.arange(TOP, len(power) // 2 + 1, TOP)
    return 2 * power[places] / (power[places - 1] + power[places + 1])


def peaks_at_start(build, networks=8, count=64, latent_dim=16):
    """`peaks` of the mean power of what several new networks generate.

    Args:
        build: Function that returns a network from z to pictures.
        networks: How many are built.
        count: Of pictures of each.
        latent_dim: Size of z.
    """
    images = []
    for seed in range(networks):
        keras.utils.set_random_seed(seed)
        z = np.random.default_rng(seed).normal(size=(count, latent_dim))
        found = build().predict(z.astype("float32"), verbose=0)
        images.append((found - found.mean()) / found.std())
    return peaks(np.concatenate(images))
