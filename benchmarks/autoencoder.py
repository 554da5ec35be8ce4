"""Autoencoders against PCA on Fashion-MNIST: error, and what codes tell.

    python benchmarks/autoencoder.py --data FOLDER_WITH_THE_IDX_FILES

For each latent size: the mean squared error per pixel on the test pictures, and
the accuracy on them of 10 nearest neighbours and logistic regression on the
codes, learnt from all training codes; for the convolutional autoencoder as
`kgen.create_model` makes it, and for PCA. Nothing is selected on the test
pictures. Writes result.json and errors.png to `--out`.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import keras
import numpy as np
from sklearn.decomposition import PCA

import kgen


def autoencoder(size, arguments):
    """Functions to codes and back, and the seconds of training."""
    keras.utils.set_random_seed(arguments.seed)
    training = kgen.data.load(arguments.data, "train", seed=arguments.seed)
    model = kgen.create_model(
        "autoencoder", input_shape=(28, 28, 1), latent_dim=size
    )
    steps = arguments.epochs * int(training.cardinality())
    rate = keras.optimizers.schedules.CosineDecay(
        arguments.learning_rate, steps, alpha=0.01
    )
    model.compile(optimizer=kgen.optimizers.Adam(rate))
    start = time.time()
    model.fit(training, epochs=arguments.epochs, verbose=2)
    return model.encode, model.decode, time.time() - start


def pca(size, x, seed):
    start = time.time()
    fitted = PCA(size, random_state=seed).fit(x.reshape(len(x), -1))
    return (
        lambda x: fitted.transform(x.reshape(len(x), -1)),
        lambda z: fitted.inverse_transform(z).reshape(-1, *x.shape[1:]),
        time.time() - start,
    )


def judge(encode, decode, seconds, train, test):
    z, z_test = encode(train.images), encode(test.images)
    errors = np.square(decode(z_test) - test.images)
    by_picture = errors.reshape(len(errors), -1).mean(axis=1)
    return {
        "mse": float(by_picture.mean()),
        "mse_standard_error": float(
            by_picture.std() / np.sqrt(len(by_picture))
        ),
        **kgen.metrics.probe(z, train.labels, z_test, test.labels),
        "train_seconds": round(seconds, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 8, 16, 32])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="benchmarks/results/autoencoder")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    source = kgen.data.open_source(arguments.data)
    train, test = (
        dataclasses.replace(part, images=part.images / np.float32(255))
        for part in (source.examples("train"), source.examples("test"))
    )
    results = {"PCA": {}, "autoencoder": {}}
    for size in arguments.sizes:
        for name, fitted in (
            ("PCA", pca(size, train.images, arguments.seed)),
            ("autoencoder", autoencoder(size, arguments)),
        ):
            results[name][size] = judge(*fitted, train, test)
            print(size, name, results[name][size], flush=True)
    curves = {
        name: (list(by_size), [row["mse"] for row in by_size.values()])
        for name, by_size in results.items()
    }
    kgen.plots.errors(curves, out / "errors.png")
    settings = {**vars(arguments)}
    del settings["data"], settings["out"]
    (out / "result.json").write_text(
        json.dumps({"settings": settings, "results": results}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
