"""GANs on distributions of points in the plane, of which all is known.

    python benchmarks/mixtures.py

The distributions, each of which has modes of known probabilities:

- `ring`: 8 Gaussians of standard deviation 0.01 on a circle of radius 1, all as likely;
- `unequal`: the same with probabilities of 1/36, 2/36, ..., 8/36;
- `spirals`: two interlocked spirals of one turn and a half, with Gaussian noise of
  standard deviation 0.02. A mode is one of 8 pieces of equal length of each spiral. A
  sample is of high quality within 3 standard deviations of the curve;
- `checkerboard`: uniform on the 8 black squares of a board of 4 by 4 over [-1, 1]. A
  mode is a square. A sample is of high quality within 0.02 of a black square.

Each is learnt by `kgen.create_model("gan", input_shape=(2,), network="dense")`,
`compile()` and `fit(points, batch_size=256, epochs=...)`, without any other setting,
by `--seeds` trainings. 2,500 samples are judged: how many modes have a sample of high
quality, the share of such samples, and the reverse Kullback-Leibler divergence of the
samples' modes from the true probabilities. A perfect sampler stands beside. Writes
result.json and samples.png to `--out`.
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
from scipy.spatial import KDTree

import kgen

SAMPLES = 2500


class Gaussians:
    """Gaussians on a circle, with given probabilities."""

    stddev = 0.01

    def __init__(self, weights):
        self.weights = np.asarray(weights) / np.sum(weights)
        angles = 2 * np.pi * np.arange(len(weights)) / len(weights)
        self.centers = np.stack([np.cos(angles), np.sin(angles)], axis=1)

    def draw(self, count, rng):
        modes = rng.choice(len(self.weights), size=count, p=self.weights)
        return self.centers[modes] + self.stddev * rng.normal(size=(count, 2))

    def judge(self, points):
        return kgen.metrics.mode_coverage(
            points, self.centers, self.stddev, weights=self.weights
        )


class Spirals:
    """Two interlocked spirals, uniform in length, with Gaussian noise."""

    stddev, pieces = 0.02, 8

    def __init__(self):
        # Points at equal distances along an Archimedean spiral.
        angle = np.linspace(0.5 * np.pi, 3.5 * np.pi, 100_000)
        length = np.cumsum(np.sqrt(1 + angle**2))
        count = 500 * self.pieces
        steps = np.linspace(length[0], length[-1], count)
        angle = np.interp(steps, length, angle)
        radius = angle / angle[-1]
        arm = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        self.curve = np.concatenate([arm, -arm])
        self.modes = np.arange(2 * count) // 500
        self.weights = np.full(2 * self.pieces, 0.5 / self.pieces)

    def draw(self, count, rng):
        points = self.curve[rng.integers(len(self.curve), size=count)]
        return points + self.stddev * rng.normal(size=(count, 2))

    def judge(self, points):
        distances, nearest = KDTree(self.curve).query(points)
        good = distances <= 3 * self.stddev
        return summary(self.modes[nearest], good, self.weights)


class Checkerboard:
    """Uniform on the black squares of a board of 4 by 4."""

    margin = 0.02

    def __init__(self):
        corners = [
            (i, j) for i in range(4) for j in range(4) if (i + j) % 2 == 0
        ]
        self.centers = np.array(corners) * 0.5 - 0.75
        self.weights = np.full(len(corners), 1 / len(corners))

    def draw(self, count, rng):
        squares = self.centers[rng.integers(len(self.centers), size=count)]
        return squares + rng.uniform(-0.25, 0.25, size=(count, 2))

    def judge(self, points):
        # The distance to a square, by the larger of its two coordinates.
        distances = np.abs(points[:, None] - self.centers).max(axis=-1) - 0.25
        nearest = distances.argmin(axis=1)
        good = distances.min(axis=1) <= self.margin
        return summary(nearest, good, self.weights)


def summary(modes, good, weights):
    """The figures of `kgen.metrics.mode_coverage`, for any kind of modes."""
    shares = np.bincount(modes, minlength=len(weights)) / len(modes)
    used = shares > 0
    return {
        "modes": len(np.unique(modes[good])),
        "high_quality": float(good.mean()),
        "reverse_kl": float(
            np.sum(shares[used] * np.log(shares[used] / weights[used]))
        ),
    }


PROBLEMS = {
    "ring": Gaussians(np.ones(8)),
    "unequal": Gaussians(np.arange(1, 9)),
    "spirals": Spirals(),
    "checkerboard": Checkerboard(),
}


def train(problem, arguments, seed):
    """Samples of a GAN with the default settings, and what is found of them."""
    keras.utils.set_random_seed(seed)
    gan = kgen.create_model("gan", input_shape=(2,), network="dense", seed=seed)
    gan.compile()
    rng = np.random.default_rng(seed)
    x = problem.draw(arguments.points, rng).astype("float32")
    start = time.time()
    gan.fit(
        x, batch_size=arguments.batch_size, epochs=arguments.epochs, verbose=0
    )
    seconds = round(time.time() - start, 1)
    points = gan.sample(SAMPLES, seed=seed)
    return points, {**problem.judge(points), "seconds": seconds}


def judge_perfect(problem, count=100):
    """The mean figures of draws from the distribution itself."""
    found = [
        problem.judge(problem.draw(SAMPLES, np.random.default_rng(seed)))
        for seed in range(count)
    ]
    return {name: float(np.mean([f[name] for f in found])) for name in found[0]}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--problems", nargs="+", choices=list(PROBLEMS), default=list(PROBLEMS)
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--points", type=int, default=50_000)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--out", default="benchmarks/results/mixtures")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    results, frames = {}, {}
    for name in arguments.problems:
        problem = PROBLEMS[name]
        results[name] = {"perfect sampler": judge_perfect(problem), "gan": []}
        frames[f"{name}: data"] = problem.draw(
            SAMPLES, np.random.default_rng(0)
        )
        for seed in range(arguments.seeds):
            points, figures = train(problem, arguments, seed)
            results[name]["gan"].append(figures)
            frames.setdefault(f"{name}: GAN", points)
            print(name, seed, figures, flush=True)
    kgen.plots.progress(frames, out / "samples.png", f"{SAMPLES:,} points each")
    settings = {name: x for name, x in vars(arguments).items() if name != "out"}
    (out / "result.json").write_text(
        json.dumps({"settings": settings, "results": results}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
