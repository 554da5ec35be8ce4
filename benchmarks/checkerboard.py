"""The grid in the spectrum of what networks generate, at the start and trained.

    python benchmarks/checkerboard.py --steps 300

Digits (scikit-learn's), enlarged to 32x32. A GAN and a VAE are trained with
convolutional networks whose transposed convolutions start from independent weights
(`independent`, as they do in Keras) or as a convolution of resized maps (`conv`,
kgen's), and with residual ones (`resnet`). Told is the power at the frequencies of the
grids of 8, 4 and 2 pixels over that of the frequencies beside them: 1 is flat. That of
the digits themselves stands beside.
"""

import argparse
import pathlib
import sys

import keras
import numpy as np
from scipy import ndimage

import kgen
from kgen.networks import convolutional

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from tests.networks.spectrum import peaks  # the measure that the tests use

PICTURES, NETWORKS = 512, 4
GRIDS = (0, 1, 3)  # of the frequencies 4, 8, 12 and 16


def line(name, images):
    figures = "  ".join(f"{peaks(images)[place]:8.2f}" for place in GRIDS)
    print(f"{name:34s}{figures}", flush=True)


def drawn(model):
    images = model.sample(PICTURES, seed=0)
    return (images - images.mean()) / images.std()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=300)
    steps = parser.parse_args().steps
    data = kgen.data.load("digits", split="train", batch_size=2000)
    x = np.concatenate([np.asarray(batch) for batch in data])
    x = ndimage.zoom(x, (1, 4, 4, 1), order=1, grid_mode=True, mode="nearest")
    x = np.clip(x, 0, 1).astype("float32")
    print(f"{'pixels of the grid':34s}{8:8d}  {4:8d}  {2:8d}")
    line("the digits", x)
    plain = convolutional.ResizeConvolution
    for label in ("independent", "conv", "resnet"):
        convolutional.ResizeConvolution = (
            (lambda: "glorot_uniform") if label == "independent" else plain
        )
        network = "resnet" if label == "resnet" else "conv"
        for name in ("gan", "vae"):
            start, end = [], []
            for seed in range(NETWORKS):
                keras.utils.set_random_seed(seed)
                model = kgen.create_model(
                    name, input_shape=x.shape[1:], network=network, seed=seed
                )
                model.compile(**({"ema_decay": 0.9} if name == "gan" else {}))
                start.append(drawn(model))
                rows = np.random.default_rng(seed).integers(
                    0, len(x), 32 * steps
                )
                model.fit(x[rows], batch_size=32, verbose=0)
                end.append(drawn(model))
            line(f"{label} {name}, start", np.concatenate(start))
            line(f"{label} {name}, {steps} steps", np.concatenate(end))


if __name__ == "__main__":
    main()
