"""What `kgen evaluate` costs: time and memory, on Fashion-MNIST.

    python benchmarks/evaluation.py --data FOLDER_WITH_THE_IDX_FILES

Trains a VAE for an epoch, and then, each in a process of its own: evaluates 10,000
samples by all metrics, twice, the first time with the training of the classifier
whose features they use; and computes the metrics of samples alone for 10,000 and for
100,000 of them, for the peak of memory.
Writes result.json to `--out`.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

_COMMAND = "from kgen.cli import main; main()"
_OF_SAMPLES = (
    "frechet_distance,kernel_distance,precision,recall,density,coverage,"
    "sample_sharpness,similarity,memorization"
)


def run(*args, cache):
    """Seconds and peak of memory, in MB, of a command."""
    environment = {**os.environ, "KGEN_CACHE": str(cache)}
    start = time.time()
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, *map(str, args)], env=environment
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"kgen {args[0]} failed")
    found = {
        "seconds": round(time.time() - start, 1),
        "peak_mb": round(usage.ru_maxrss / 1024),
    }
    print(*args[:1], found, flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--network", default="conv")
    parser.add_argument("--out", default="benchmarks/results/evaluation")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        cache, model = (
            pathlib.Path(folder, "cache"),
            pathlib.Path(folder, "run"),
        )
        options = ("--network", arguments.network, "--epochs", 1)
        run(
            *("train", "vae", "--data", arguments.data, *options),
            *("--out", model),
            cache=cache,
        )
        evaluate = ("evaluate", model, "--overwrite")
        found = {
            name: run(*evaluate, cache=cache)
            for name in (
                "10,000 samples, all metrics, with the classifier's training",
                "10,000 samples, all metrics",
            )
        }
        for count in (10_000, 100_000):
            found[f"{count:,} samples, metrics of samples"] = run(
                *(*evaluate, "--metrics", _OF_SAMPLES, "--num-samples", count),
                cache=cache,
            )
    found["network"] = arguments.network
    (out / "result.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
