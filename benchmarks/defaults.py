"""What `kgen train` reaches on the digits by its defaults.

    python benchmarks/defaults.py vae --metrics elbo log_likelihood frechet_distance

Each model is trained as `kgen train MODEL` does it, by `--seeds` seeds, and judged as
`kgen evaluate` does it, on the test split. Writes result.json to `--out`.
"""

import argparse
import json
import pathlib
import tempfile

import numpy as np
from tuned import judge, kgen


def train(model, seed, metrics, folder):
    """The figures of one training."""
    run = folder / f"{model}-{seed}"
    kgen("train", model, "--seed", seed, "--out", run)
    return judge(run, *metrics)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--metrics", nargs="+", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", default="benchmarks/results/defaults")
    arguments = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for model in arguments.models:
            found = [
                train(model, seed, arguments.metrics, pathlib.Path(folder))
                for seed in range(arguments.seeds)
            ]
            means = {
                key: float(np.mean([f[key] for f in found])) for key in found[0]
            }
            results[model] = {"seeds": found, "means": means}
            print(model, results[model], flush=True)
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "result.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
