"""A VAE-GAN against a VAE on Fashion-MNIST: samples and reconstructions.

    python benchmarks/fashion_vaegan.py --data FOLDER_WITH_THE_IDX_FILES

The same encoder and decoder, the same number of epochs. The decoder has batch
normalisation, with which it follows the discriminator faster. That has three times the
others' rate, with a beta_2 of 0.9, by which Adam sooner forgets how small its gradients
were, and the penalty R1. All else is kgen's defaults, but for the weights of the KL
term and of pixels, which have another scale beside an error in features. Of 10,000
samples: the figures of `fashion_gan.py`. Of the 10,000 test pictures'
reconstructions: their sharpness (the mean variance of the Laplacian, over that of
the originals), and how often a classifier trained on the training pictures sees
the same class in both. Nothing is selected on the test set. Writes result.json
to `--out`, and reconstructions.png if both models are trained; what result.json
holds already, of the same settings, is kept, so that seeds may run side by side.
"""

import argparse
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import keras
import numpy as np
from fashion_judge import Judge

import kgen
from kgen.networks import convolutional

TITLES = {"vae": "VAE", "vaegan": "VAE-GAN"}


def build(name, seed, arguments):
    shape, size = (28, 28, 1), arguments.latent_dim
    narrow = {
        "filters": arguments.filters,
        "max_filters": 4 * arguments.filters,
    }
    wide = {key: 2 * value for key, value in narrow.items()}
    encoder = convolutional.encoder(shape, size, **narrow)
    decoder = convolutional.decoder(
        shape,
        size,
        batch_normalization=True,
        output_activation="sigmoid",
        **wide,
    )
    if name == "vae":
        model = kgen.VAE(
            encoder, decoder, likelihood="gaussian:learned", seed=seed
        )
        model.compile()
        return model
    model = kgen.VAEGAN(
        encoder,
        decoder,
        convolutional.discriminator(shape, **narrow),
        feature_weight=arguments.feature_weight,
        kl_weight=arguments.kl_weight,
        seed=seed,
    )
    fast = kgen.optimizers.Adam(0.003, beta_1=0.5, beta_2=0.9)
    model.compile(discriminator_optimizer=fast, penalty="r1:0.1")
    return model


def train(name, seed, arguments):
    keras.utils.set_random_seed(seed)
    model = build(name, seed, arguments)
    x = kgen.data.load(
        arguments.data, "train", batch_size=arguments.batch_size, seed=seed
    )
    start = time.time()
    model.fit(x, epochs=arguments.epochs, verbose=2)
    return model, time.time() - start


def figures(model, judge, seed):
    rebuilt = model.reconstruct(judge.x_test)
    drawn = model.sample(10_000, seed=seed)
    agree = judge.classes(rebuilt) == judge.classes(judge.x_test)
    real, sharp, sharp_drawn = (
        kgen.metrics.sharpness(x).mean() for x in (judge.x_test, rebuilt, drawn)
    )
    return {
        **judge.figures(drawn),
        "samples_sharpness": float(sharp_drawn / real),
        "sharpness": float(sharp / real),
        "same_class": float(np.mean(agree)),
        "mse": float(np.mean(np.square(rebuilt - judge.x_test))),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--latent-dim", type=int, default=64)
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--feature-weight", type=float, default=0.998)
    parser.add_argument("--kl-weight", type=float, default=0.005)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--models", nargs="+", default=["vae", "vaegan"], choices=TITLES
    )
    parser.add_argument("--out", default="benchmarks/results/fashion_vaegan")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    judge = Judge(arguments.data, seed=0)
    rows = {"original": judge.x_test[:24]}
    for name in arguments.models:
        for seed in arguments.seeds:
            model, seconds = train(name, seed, arguments)
            found = {"seconds": round(seconds), **figures(model, judge, seed)}
            print(name, seed, found, flush=True)
            save(f"{name}, seed {seed}", found, judge, arguments, out)
            rows.setdefault(TITLES[name], model.reconstruct(judge.x_test[:24]))
    if set(TITLES.values()) <= set(rows):
        path = out / "reconstructions.png"
        kgen.plots.pairs(rows, path, "Originals and their reconstructions")


def save(name, found, judge, arguments, out):
    """Adds a model's figures to those of the same settings."""
    own = {"data", "out", "seeds", "models"}
    settings = {k: v for k, v in vars(arguments).items() if k not in own}
    file = out / "result.json"
    have = json.loads(file.read_text()) if file.exists() else {}
    if have.get("settings") != settings:
        have = {
            "settings": settings,
            "classifier_accuracy": judge.accuracy,
            "results": {"training pictures": judge.floor},
        }
    have["results"][name] = found
    file.write_text(json.dumps(have, indent=2) + "\n")


if __name__ == "__main__":
    main()
