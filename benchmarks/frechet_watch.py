"""What `kgen train` pays for the Frechet distance that it follows, and what it gets.

    python benchmarks/frechet_watch.py --epochs 48

Trains GANs and VAE-GANs on the digits, on points in the plane and on a table, and
measures which share of the time the looks take, and keeping the best model; also how
long an example that is compared takes against one that is trained on, which bounds that
share. Then it compares the distances of samples of three trainings of different
quality, and of digits that were spoilt, by several extractors. Writes result.json to
`--out`.
"""

import argparse
import contextlib
import json
import os
import pathlib
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
import trainings
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_wine

import kgen
from kgen import extractors, metrics, runs
from kgen.callbacks import FrechetWatch
from kgen.data.examples import subset
from kgen.runs import best, training

COMPARED = 400
# Of a training: its epochs, and the rate of both players.
TRAININGS = {"good": (40, 1e-3), "short": (8, 1e-3), "slow": (10, 5e-5)}


@contextlib.contextmanager
def timed(spent, place, name, key):
    """Within it, the time that a method takes is added to `spent[key]`."""
    method = getattr(place, name)

    def measured(*args, **kwargs):
        start = time.perf_counter()
        try:
            return method(*args, **kwargs)
        finally:
            seconds = time.perf_counter() - start
            spent.setdefault(key, []).append(seconds)

    setattr(place, name, measured)
    try:
        yield
    finally:
        setattr(place, name, method)


def share_of_time(folder, model, data, network, epochs):
    """Times of a training by its parts, and their shares."""
    settings = trainings.settings(
        model, str(data), network=network, epochs=epochs, batch_size=32
    )
    spent = {}
    with (
        timed(spent, training, "_fit", "training"),
        timed(spent, FrechetWatch, "_samples", "samples"),
        timed(spent, FrechetWatch, "on_epoch_end", "looks"),
        timed(spent, best.BestModel, "on_epoch_end", "keeping"),
        timed(spent, best.BestModel, "write", "keeping"),
    ):
        run = runs.Run(folder / f"{model}-{network}-{data.stem}")
        runs.train(run, settings)
    source = settings.source()
    count, compared = (len(source.examples(s)) for s in ("train", "test"))
    compared = min(compared, best._MOST)
    seconds = spent["training"][0]
    looks = [x for x in spent["looks"] if x > 1e-3]
    fit = seconds - sum(spent["looks"]) - sum(spent["keeping"])
    return {
        "epochs": epochs,
        "seconds": round(seconds, 2),
        "looks": len(looks),
        "share_of_looks": round(sum(looks) / seconds, 4),
        "share_of_keeping": round(sum(spent["keeping"]) / seconds, 4),
        # Without the first one, which is traced.
        "compared_over_trained_on": round(
            float(np.median(looks[1:]) / compared) / (fit / epochs / count), 3
        ),
    }


def cases(folder):
    """Triples of a model, its data and its networks."""
    points = np.random.default_rng(0).uniform(-1, 1, (2000, 2))
    np.save(folder / "points.npy", points.astype("float32"))
    rows = load_wine(as_frame=True).frame
    rows = pd.concat([rows] * 10, ignore_index=True)
    rows.to_csv(folder / "wine.csv", index=False)
    digits = pathlib.Path("digits")
    return [
        ("gan", digits, "conv"),
        ("gan", digits, "dense"),
        ("vaegan", digits, "conv"),
        ("gan", folder / "points.npy", "dense"),
        ("gan", folder / "wine.csv", "dense"),
    ]


def samples_of(train, epochs, rate):
    """Samples of a GAN that was trained on the digits."""
    keras.utils.set_random_seed(0)
    gan = kgen.create_model("gan", input_shape=(8, 8, 1), latent_dim=16)
    players = f"adam:{rate}:0.5"
    gan.compile(players, players)
    gan.fit(train, batch_size=32, epochs=epochs, verbose=0)
    return gan.sample(COMPARED, seed=0)


def ranking():
    """Distances by the names of what is compared, and of extractors."""
    source = kgen.data.open_source("digits")
    examples = subset(source.examples("train"), 2000)
    (x,) = examples.batches(batch_size=2000).as_numpy_iterator()
    real, others, classes = x[:COMPARED], x[COMPARED:], examples.labels
    first = others[:COMPARED]
    noise = np.random.default_rng(0).normal(size=first.shape)
    few = others[classes[COMPARED:] < 5][:COMPARED]
    compared = {
        "training examples": first,
        "noise of 0.1": np.clip(first + 0.1 * noise, 0, 1),
        "a blur of 0.8 pixels": gaussian_filter(first, (0, 0.8, 0.8, 0)),
        "five of ten classes": few,
        **{f"GAN, {n}": samples_of(others, *t) for n, t in TRAININGS.items()},
    }
    by = {
        "classifier": extractors.get("classifier", source),
        "random": extractors.RandomExtractor(real),
        "random, of pixels": extractors.RandomExtractor(
            real.reshape(len(real), -1)
        ),
        "pixels": extractors.get("pixels", source),
    }
    found = {}
    for name, extractor in by.items():
        flat = len(extractor.input_shape) == 1

        def features(x, extractor=extractor, flat=flat):
            x = np.asarray(x, "float32")
            return extractor.features(x.reshape(len(x), -1) if flat else x)

        of_real = features(real)
        found[name] = {
            what: round(metrics.frechet_distance(of_real, features(x)), 4)
            for what, x in compared.items()
        }
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--out", default="benchmarks/results/frechet_watch")
    arguments = parser.parse_args()
    results = {"times": {}, "distances": ranking()}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for model, data, network in cases(folder):
            found = share_of_time(
                folder, model, data, network, arguments.epochs
            )
            results["times"][f"{model} {network}, {data.name}"] = found
            print(model, data.name, network, found, flush=True)
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=2) + "\n"
    (out / "result.json").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
