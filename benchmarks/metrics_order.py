"""Whether distances between sets of pictures put them in the right order.

    python benchmarks/metrics_order.py --data FOLDER

On Fashion-MNIST, against training pictures: the test pictures as they are, with
a little noise, blurred, samples of probabilistic PCA, and noise. By the
features of a classifier trained on the training pictures, their Frechet and
kernel distances must grow in this order. Writes result.json to `--out`.
"""

import argparse
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import numpy as np
from fashion_judge import Judge
from scipy.ndimage import gaussian_filter
from sklearn.decomposition import PCA

import kgen

NOISE, BLUR, COMPONENTS = 0.05, 0.7, 20


def sets_of(train, test, rng):
    """The test pictures and what is worse and worse, by name, in order."""
    noisy = test + NOISE * rng.normal(size=test.shape)
    return {
        "test": test,
        "test with noise": noisy,
        "test blurred": gaussian_filter(test, (0, BLUR, BLUR, 0)),
        "samples of pPCA": pca_samples(train, len(test), rng),
        "noise": rng.uniform(size=test.shape),
    }


def pca_samples(x, count, rng):
    """W z + mean + noise, as Tipping & Bishop (1999) estimate them."""
    pca = PCA(COMPONENTS, random_state=0).fit(x.reshape(len(x), -1))
    spread = np.sqrt(pca.explained_variance_ - pca.noise_variance_)
    z = rng.normal(size=(count, COMPONENTS)) * spread
    drawn = z @ pca.components_ + pca.mean_
    drawn += np.sqrt(pca.noise_variance_) * rng.normal(size=drawn.shape)
    return drawn.reshape(count, *x.shape[1:])


def distances(real, fake):
    started = time.time()
    found = {
        "frechet_distance": kgen.metrics.frechet_distance(real, fake),
        **kgen.metrics.kernel_distance(real, fake),
    }
    return {**found, "seconds": round(time.time() - started, 1)}


def compare(features, train, test, seed):
    """Distances of each set to the training pictures, by `features`."""
    rng = np.random.default_rng(seed)
    real = features(train)
    results = {}
    for name, images in sets_of(train, test, rng).items():
        images = np.clip(images, 0.0, 1.0).astype("float32")
        results[name] = distances(real, features(images))
        print(name, results[name], flush=True)
    return results


def in_order(results, figure):
    values = [result[figure] for result in results.values()]
    return bool(np.all(np.diff(values) > 0))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=6, help="the judge's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="benchmarks/results/metrics_order")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    judge = Judge(arguments.data, arguments.seed, arguments.epochs)
    order = np.random.default_rng(arguments.seed).permutation(len(judge.x))
    train = judge.x[order[: arguments.examples]]
    test = judge.x_test[: arguments.examples]
    results = compare(judge.features, train, test, arguments.seed)
    right = {
        figure: in_order(results, figure)
        for figure in ("frechet_distance", "kernel_distance")
    }
    print("in order:", right)
    settings = {**vars(arguments), "accuracy": judge.accuracy}
    del settings["out"], settings["data"]
    report = {"settings": settings, "results": results, "in_order": right}
    (out / "result.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
