"""The grid in the spectrum of what networks generate, at the start and trained.

    python benchmarks/checkerboard.py

Digits (scikit-learn's), enlarged to 32x32. A GAN and a VAE are trained with
convolutional networks whose transposed convolutions have independent weights
(`independent`, as in Keras) or such as leave no checkerboard (`conv`, kgen's), and
with residual ones (`resnet`). The figures are the power at the frequencies of the
grids of 8, 4 and 2 pixels over that of the frequencies beside them: 1 is flat. Those of
the digits themselves stand beside. Writes result.json to `--out`.
"""

import argparse
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import keras
import numpy as np
from scipy import ndimage

import kgen
from kgen.networks import convolutional

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from tests.networks.spectrum import peaks  # the measure that the tests use

PICTURES = 512  # of each network
KERASES = (lambda: "glorot_uniform"), (lambda: None)
# Pixels of a grid, and where its figure is in those of the frequencies 4, 8, 12, 16.
GRIDS = {8: 0, 4: 1, 2: 3}


def figures(images):
    """By the pixels of the grid."""
    found = peaks(images)
    return {f"{n} pixels": round(float(found[i]), 2) for n, i in GRIDS.items()}


def drawn(model):
    images = model.sample(PICTURES, seed=0)
    return (images - images.mean()) / images.std()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--networks", type=int, default=4, help="of each kind")
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--out", default="benchmarks/results/checkerboard")
    arguments = parser.parse_args()
    steps = arguments.steps
    data = kgen.data.load("digits", split="train", batch_size=2000)
    x = np.concatenate([np.asarray(batch) for batch in data])
    x = ndimage.zoom(x, (1, 4, 4, 1), order=1, grid_mode=True, mode="nearest")
    x = np.clip(x, 0, 1).astype("float32")
    results = {"digits": figures(x)}
    kgens = convolutional.ResizeConvolution, convolutional.NoCheckerboard
    for label in ("independent", "conv", "resnet"):
        (
            convolutional.ResizeConvolution,
            convolutional.NoCheckerboard,
        ) = KERASES if label == "independent" else kgens
        network = "resnet" if label == "resnet" else "conv"
        for name in ("gan", "vae"):
            start, end = [], []
            for seed in range(arguments.networks):
                keras.utils.set_random_seed(seed)
                model = kgen.create_model(
                    name,
                    input_shape=x.shape[1:],
                    network=network,
                    filters=arguments.filters,
                    seed=seed,
                )
                model.compile(**({"ema_decay": 0.9} if name == "gan" else {}))
                start.append(drawn(model))
                rows = np.random.default_rng(seed).integers(
                    0, len(x), 32 * steps
                )
                model.fit(x[rows], batch_size=32, verbose=0)
                end.append(drawn(model))
            for when, images in (("start", start), (f"{steps} steps", end)):
                found = figures(np.concatenate(images))
                results[f"{label} {name}, {when}"] = found
                print(label, name, when, found, flush=True)
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    settings = {k: v for k, v in vars(arguments).items() if k != "out"}
    text = json.dumps({"settings": settings, "results": results}, indent=2)
    (out / "result.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
