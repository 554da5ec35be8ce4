"""Pictures from a folder of PNG files: opening it, and reading it by the batch.

    python benchmarks/folders.py --count 20000 --torch-python PATH/bin/python

Opening is `kgen.data.load` of the whole folder into memory. Reading is a shuffled
epoch of float32 batches of what does not fit in memory: by kgen; by kgen with its
cache of decoded pictures; by plain tf.data (`tf.io.decode_png` in a parallel map);
and by PyTorch's DataLoader with Pillow in two workers, in the environment of
`--torch-python` (PyTorch, NumPy, Pillow), without which it is left out. Each repeat
does all of them in turn. The table gives medians, and the median and the range of
the repeats' ratios. The pictures, 64x64x3, are in a temporary folder (TMPDIR).
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time
import unittest.mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import numpy as np
import tensorflow as tf
from PIL import Image

import kgen
from kgen.data import examples, picture_cache

BATCH = 128
SIDE = 64


def write_pictures(folder, count):
    """Smooth pictures with some noise, about 8 kB each."""
    rng = np.random.default_rng(0)
    along = np.arange(SIDE) / 8
    for number in range(count):
        waves = np.sin(rng.normal(size=(4, 3, 1)) * along + rng.normal())
        smooth = waves[:2, :, :, None] + waves[2:, :, None, :]
        pixels = 128 + 30 * smooth.sum(0) + 6 * rng.normal(size=(3, SIDE, SIDE))
        pixels = np.clip(np.moveaxis(pixels, 0, -1), 0, 255).astype("uint8")
        Image.fromarray(pixels).save(folder / f"{number:06}.png")


def opening(folder):
    """Seconds to open the folder and read it into memory."""
    start = time.perf_counter()
    kgen.data.load(folder, "all", batch_size=BATCH)
    return time.perf_counter() - start


def epoch(dataset):
    """Seconds of a pass, and the mean of all values, for a check."""
    start, total, count = time.perf_counter(), 0.0, 0
    for batch in dataset:
        total += float(tf.reduce_mean(batch)) * len(batch)
        count += len(batch)
    return time.perf_counter() - start, total / count


def by_kgen(folder, cache=None):
    """A dataset that reads files by the batch, as of a folder above 1 GiB."""
    variables = {picture_cache.LIMIT: "100", "KGEN_CACHE": str(cache)}
    with (
        unittest.mock.patch.object(examples, "IN_MEMORY_BYTES", 0),
        unittest.mock.patch.dict(os.environ, variables if cache else {}),
    ):
        source = kgen.data.open_source(folder)
        return source.examples("all").batches(
            batch_size=BATCH, shuffle=True, seed=0
        )


def by_tf_data(folder):
    """What one writes by hand."""
    paths = sorted(str(path) for path in folder.iterdir())

    def read(path):
        return tf.io.decode_png(tf.io.read_file(path), channels=3)

    return (
        tf.data.Dataset.from_tensor_slices(paths)
        .shuffle(len(paths))
        .map(read, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(BATCH)
        .map(lambda x: tf.cast(x, tf.float32) / 255)
        .prefetch(tf.data.AUTOTUNE)
    )


class Torch:
    """folders_torch.py in a process of its own; a line asks for one epoch."""

    def __init__(self, python, folder):
        script = pathlib.Path(__file__).with_name("folders_torch.py")
        self.process = subprocess.Popen(
            [python, str(script), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def epoch(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        seconds, mean = self.process.stdout.readline().split()
        return float(seconds), float(mean)


def middle(values):
    return f"{statistics.median(values):8.2f} ({min(values):.2f} to {max(values):.2f})"


def measure(folder, count, repeats, torch_python, cache):
    openings = [opening(folder) for _ in range(repeats)]
    print(f"opening {count:,} pictures: {middle(openings)} s")
    start = time.perf_counter()
    cached = by_kgen(folder, cache)
    print(f"filling the cache:{time.perf_counter() - start:9.2f} s")
    start = time.perf_counter()
    cached = by_kgen(folder, cache)
    print(f"opening with it:  {time.perf_counter() - start:9.2f} s")
    datasets = {
        "kgen": by_kgen(folder),
        "kgen, cached": cached,
        "tf.data": by_tf_data(folder),
    }
    contenders = {
        name: lambda dataset=dataset: epoch(dataset)
        for name, dataset in datasets.items()
    }
    if torch_python:
        contenders["DataLoader"] = Torch(torch_python, folder).epoch
    speeds, means = {name: [] for name in contenders}, {}
    for repeat in range(repeats + 1):
        for name, run in contenders.items():
            seconds, means[name] = run()
            if repeat:  # the first one warms up
                speeds[name].append(count / seconds)
    print(f"\n{'':12} {'pictures/s':>10}   kgen is ... times as fast    mean")
    for name, values in speeds.items():
        ratios = [mine / theirs for mine, theirs in zip(speeds["kgen"], values)]
        speed = statistics.median(values)
        print(
            f"{name:12} {speed:10.0f}   {middle(ratios)}   {means[name]:9.5f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--torch-python")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kgen-folders-") as place:
        folder = pathlib.Path(place, "pictures")
        folder.mkdir()
        write_pictures(folder, arguments.count)
        measure(
            folder,
            arguments.count,
            arguments.repeats,
            arguments.torch_python,
            pathlib.Path(place, "cache"),
        )


if __name__ == "__main__":
    main()
