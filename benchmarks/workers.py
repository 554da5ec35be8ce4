"""What a second worker gains: one study, by one process and by two.

    python benchmarks/workers.py

Runs a small study of the autoencoder on digits with `kgen tune`, alone and with
`--workers 2`, each from its beginning, and checks that no trial is run twice, and
that all of them differ. Writes result.json to `--out`.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

_STUDY = """
model = "autoencoder"
data = "digits"
objective = "val_mse"
tuner = "random"

[budget]
trials = {trials}
epochs = {epochs}

[space]
filters = 16
latent_dim = {{ min = 2, max = 64 }}
[space.optimizer]
text = "adam:{{rate}}"
rate = {{ min = 3e-4, max = 0.01, log = true }}
"""


def run(study, workers):
    """Seconds that the study takes, and what came of it."""
    command = [sys.executable, "-c", "from kgen.cli import main; main()"]
    options = ["tune", str(study), "--workers", str(workers), "--overwrite"]
    start = time.time()
    subprocess.run([*command, *options], check=True)
    seconds = time.time() - start
    results = study.with_suffix(".results.json").read_text()
    trials = json.loads(results)["trials"]
    check(study, trials)
    return {
        "seconds": round(seconds, 1),
        "trials": len(trials),
        "seconds_of_a_trial": round(
            sum(one["seconds"] for one in trials) / len(trials), 1
        ),
    }


def check(study, trials):
    """Ends the benchmark if a trial was run twice, or is one that has been."""
    oracle = study.with_suffix(".trials") / "oracle.json"
    ended = [int(n) for n in json.loads(oracle.read_text())["end_order"]]
    if sorted(ended) != [one["trial"] for one in trials]:
        sys.exit(f"not every trial was run once: {ended}")
    settings = {json.dumps(one["settings"], sort_keys=True) for one in trials}
    if len(settings) != len(trials):
        sys.exit(f"{len(trials)} trials have {len(settings)} settings")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--out", default="benchmarks/results/workers")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    found = {"cores": os.cpu_count()}
    with tempfile.TemporaryDirectory() as folder:
        study = pathlib.Path(folder, "study.toml")
        study.write_text(
            _STUDY.format(trials=arguments.trials, epochs=arguments.epochs)
        )
        for workers in (1, 2):
            found[f"{workers} workers"] = run(study, workers)
            print(workers, found[f"{workers} workers"], flush=True)
    seconds = [found[f"{workers} workers"]["seconds"] for workers in (1, 2)]
    found["ratio"] = round(seconds[0] / seconds[1], 2)
    (out / "result.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
