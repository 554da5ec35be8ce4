"""A VAE-GAN against a VAE on Fashion-MNIST: samples and reconstructions.

    python benchmarks/fashion_vaegan.py --data FOLDER_WITH_THE_IDX_FILES

The same encoder and decoder, the same number of epochs, kgen's defaults
otherwise; in the second half of the training the rates fall to 0. Of 10,000
samples: the figures of `fashion_gan.py`. Of the 10,000 test pictures'
reconstructions: their sharpness (the mean variance of the Laplacian, over that of
the originals), and how often a classifier trained on the training pictures sees
the same class in both. Nothing is selected on the test set. With several
`--seeds` the VAE-GAN is trained with each. Writes result.json and
reconstructions.png to `--out`.
"""

import argparse
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from fashion_judge import Judge

import kgen


def train(name, seed, arguments):
    keras.utils.set_random_seed(seed)
    model = kgen.create_model(
        name,
        input_shape=(28, 28, 1),
        latent_dim=arguments.latent_dim,
        filters=arguments.filters,
        max_filters=arguments.max_filters,
        seed=seed,
    )
    model.compile()
    x = kgen.data.load(
        arguments.data, "train", batch_size=arguments.batch_size, seed=seed
    )
    rate = float(model.optimizer.learning_rate)

    def falling(epoch):
        return rate * min(2.0 * (1.0 - epoch / arguments.epochs), 1.0)

    start = time.time()
    schedule = keras.callbacks.LearningRateScheduler(falling)
    model.fit(x, epochs=arguments.epochs, verbose=2, callbacks=[schedule])
    return model, time.time() - start


def figures(model, judge, seed):
    rebuilt = model.reconstruct(judge.x_test)
    agree = judge.classes(rebuilt) == judge.classes(judge.x_test)
    sharp, real = (
        kgen.metrics.sharpness(x).mean() for x in (rebuilt, judge.x_test)
    )
    return {
        **judge.figures(model.sample(10_000, seed=seed)),
        "sharpness": float(sharp / real),
        "same_class": float(np.mean(agree)),
        "mse": float(np.mean(np.square(rebuilt - judge.x_test))),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--latent-dim", type=int, default=64)
    parser.add_argument("--filters", type=int, default=32)
    parser.add_argument("--max-filters", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", default="benchmarks/results/fashion_vaegan")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    judge = Judge(arguments.data, seed=0)
    results = {"training pictures": judge.floor}
    rows = {"original": judge.x_test[:24]}
    for name, seed in [
        ("vae", 0),
        *(("vaegan", seed) for seed in range(arguments.seeds)),
    ]:
        model, seconds = train(name, seed, arguments)
        found = {"seconds": round(seconds), **figures(model, judge, seed)}
        results[f"{name}, seed {seed}"] = found
        title = {"vae": "VAE", "vaegan": "VAE-GAN"}[name]
        rows.setdefault(title, model.reconstruct(judge.x_test[:24]))
        print(name, seed, found, flush=True)
    path = out / "reconstructions.png"
    kgen.plots.pairs(rows, path, "Originals and their reconstructions")
    settings = {**vars(arguments), "classifier_accuracy": judge.accuracy}
    del settings["data"], settings["out"]
    (out / "result.json").write_text(
        json.dumps({"settings": settings, "results": results}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
