"""What tuning gains: tuned beside untuned models, on a test split not seen before.

    python benchmarks/tuned.py tuning/*_digits.toml

For each study: `kgen train MODEL` on the study's data, with the defaults of before
its results, with those of now, and `--from-study`, by `--seeds` seeds; then `kgen
evaluate`, by the study's objective, on the test split. Writes result.json to `--out`.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

# Defaults that have moved since the first studies, as they were.
BEFORE = {
    "vae": (
        *("--latent-dim", 8, "--epochs", 100, "--batch-size", 64),
        *("--set", "activation=relu", "--set", "optimizer=adam:0.001"),
        *("--fit-prior", "none"),
    )
}

_COMMAND = [sys.executable, "-c", "from kgen.cli import main; main()"]


def kgen(*args):
    """Runs a command of kgen's; what it prints is of no use here."""
    done = subprocess.run(
        [*_COMMAND, *map(str, args)], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"kgen {' '.join(map(str, args))}: {done.stderr}")


def options_of(data):
    """The options of `kgen train` for the data of a study."""
    found = ["--data", data.get("source", "digits")]
    if "image_shape" in data:
        found += ["--image-shape", "x".join(map(str, data["image_shape"]))]
    if "data_dir" in data:
        found += ["--data-dir", data["data_dir"]]
    flags = ("conditional", "binarize")
    return [*found, *(f"--{name}" for name in flags if data.get(name))]


def judge(run, *metrics):
    """A run's figures on the test split, by their names."""
    kgen("evaluate", run, "--metrics", ",".join(metrics))
    (found,) = json.loads((run / "metrics.json").read_text())
    return {name: found["metrics"][name]["value"] for name in metrics}


def compare(study, seeds, folder):
    """Figures of the models that were tuned by a study, and of those that were not."""
    results = json.loads(study.with_suffix(".results.json").read_text())
    model, metric = results["model"], results["objective"].removeprefix("val_")
    data = options_of(results["data"])
    variants = {
        "before": (*data, *BEFORE.get(model, ())),
        "defaults": data,
        "tuned": ("--from-study", study),
    }
    if model not in BEFORE:
        del variants["before"]
    found = {"metric": metric, "direction": results["direction"]}
    for name, options in variants.items():
        found[name] = []
        for seed in range(seeds):
            run = folder / f"{study.stem}-{name}-{seed}"
            kgen("train", model, *options, "--seed", seed, "--out", run)
            found[name].append(judge(run, metric)[metric])
            print(study.stem, name, seed, found[name][-1], flush=True)
        found[f"{name}_mean"] = float(np.mean(found[name]))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="+", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", default="benchmarks/results/tuned")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    file = out / "result.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for study in arguments.studies:
            found[study.stem] = compare(
                study, arguments.seeds, pathlib.Path(folder)
            )
            file.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
