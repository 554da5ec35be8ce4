"""A GAN on a ring of 8 Gaussians: modes, quality, balance.

    python benchmarks/ring.py

The data: 8 Gaussians of standard deviation 0.01, evenly on a circle of radius
1. With kgen's defaults for vectors, and with the minimax loss of 2014 without
penalty and average, `--seeds` trainings each. 2,500 samples are judged by
`kgen.metrics.mode_coverage`. A sample belongs to the mode that is nearest, and is of
high quality within 3 standard deviations of it; a mode counts with one such sample;
reverse KL is that of the samples' nearest modes from the uniform distribution. A
perfect sampler has 8 modes, 98.89 % and 0.0014 in the mean. Writes result.json and
samples.png to `--out`.
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

import kgen

MODES, STDDEV = 8, 0.01
ANGLES = 2 * np.pi * np.arange(MODES) / MODES
CENTRES = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
SETTINGS = {
    "defaults": {},
    "minimax, 2014": {"loss": "minimax", "penalty": None, "ema_decay": None},
}


def draw(count, seed):
    rng = np.random.default_rng(seed)
    centres = CENTRES[rng.integers(MODES, size=count)]
    points = centres + STDDEV * rng.normal(size=(count, 2))
    return points.astype("float32")


def judge(points):
    return kgen.metrics.mode_coverage(points, CENTRES, STDDEV)


def judge_perfect(count=200):
    """The means over many draws of the data itself."""
    found = [judge(draw(2500, seed)) for seed in range(count)]
    return {name: float(np.mean([f[name] for f in found])) for name in found[0]}


def train(options, arguments, seed):
    keras.utils.set_random_seed(seed)
    gan = kgen.create_model(
        "gan", input_shape=(2,), network="dense", latent_dim=2, seed=seed
    )
    gan.compile(**options)
    x = draw(arguments.batch_size * arguments.steps_per_epoch, seed)
    start = time.time()
    gan.fit(
        x, batch_size=arguments.batch_size, epochs=arguments.epochs, verbose=0
    )
    points = gan.sample(2500, seed=seed)
    return points, {**judge(points), "seconds": round(time.time() - start, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--steps-per-epoch", type=int, default=200)
    parser.add_argument("--out", default="benchmarks/results/ring")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    results = {"perfect sampler": judge_perfect()}
    frames = {"data": draw(2500, 0)}
    for name, options in SETTINGS.items():
        results[name] = []
        for seed in range(arguments.seeds):
            points, figures = train(options, arguments, seed)
            results[name].append(figures)
            frames.setdefault(name, points)
            print(name, seed, figures, flush=True)
    kgen.plots.progress(frames, out / "samples.png", "2,500 points each")
    settings = {**vars(arguments)}
    del settings["out"]
    (out / "result.json").write_text(
        json.dumps({"settings": settings, "results": results}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
