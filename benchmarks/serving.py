"""Exported `reconstruct` against `model.predict`: time for a request.

    python benchmarks/serving.py [--data FOLDER]

The convolutional VAE of `create_model`. The export is run by TensorFlow's C
library in a process of its own, as TF Serving runs it, without the network; what
is timed there is a request from NumPy to NumPy. Both take turns, and the figures
are medians, and the median of the turns' ratios, predict / export.
"""

import argparse
import contextlib
import os
import pathlib
import statistics
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as kgen does, if first

import keras
import numpy as np

import kgen
from kgen import files

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from tests.export.server import Model, Server

BATCHES = {1: 50, 256: 5}


def model_of(shape):
    keras.utils.set_random_seed(0)
    model = kgen.create_model("vae", input_shape=shape, latent_dim=16)
    model.compile()
    return model


def seconds_of_predict(model, x, count):
    start = time.perf_counter()
    for _ in range(count):
        model.predict(x, batch_size=len(x), verbose=0)
    return (time.perf_counter() - start) / count


def measured(model, served, x, count, repeats):
    """Seconds for a request of x, by both, in turns."""
    request = [("serving_default", {"images": x})]
    seconds_of_predict(model, x, 1)  # traces
    served.seconds(*request, 1)
    turns = [
        (seconds_of_predict(model, x, count), served.seconds(*request, count))
        for _ in range(repeats)
    ]
    found = {
        "predict_ms": 1000 * statistics.median(one for one, _ in turns),
        "export_ms": 1000 * statistics.median(other for _, other in turns),
        "ratio": statistics.median(one / other for one, other in turns),
    }
    return {name: round(value, 2) for name, value in found.items()}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data", default="digits", help="source of the pictures (digits)"
    )
    parser.add_argument(
        "--repeats", type=int, default=7, help="turns of both (7)"
    )
    parser.add_argument(
        "--out",
        default="benchmarks/results/serving",
        help="where result.json is written (benchmarks/results/serving)",
    )
    arguments = parser.parse_args()
    dataset = kgen.data.load(arguments.data, "test", batch_size=256)
    x = next(iter(dataset)).numpy()
    model = model_of(x.shape[1:])
    found = {}
    with (
        contextlib.closing(Server()) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        path = pathlib.Path(folder, "1")
        model.export(path, examples=x)
        served = Model(server, path)
        for size, count in BATCHES.items():
            batch = np.ascontiguousarray(x[:size])
            found[size] = measured(
                model, served, batch, count, arguments.repeats
            )
            print(f"batch {size}: {found[size]}")
    result = {"shape": list(x.shape[1:]), "batches": found}
    files.write_json(pathlib.Path(arguments.out, "result.json"), result)


if __name__ == "__main__":
    main()
