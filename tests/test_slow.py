"""Trainings and estimates that take a minute."""

import csv
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_the_first_line_of_the_readme(tmp_path):
    """`kgen train vae --export` as a newcomer runs it."""
    done = subprocess.run(
        [sys.executable, "-c", "from kgen.cli import main; main()"]
        + ["train", "vae", "--export"],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k[:6] != "TF_CPP"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert "saved_models/vae/1" in done.stdout
    with open(tmp_path / "runs" / "vae-1" / "history.csv") as file:
        history = list(csv.DictReader(file))
    assert len(history) == 100
    # Probabilistic PCA with as many dimensions reaches 14 on these pictures.
    assert float(history[-1]["val_elbo"]) > 25


MEMORY = """
import resource, sys
import numpy as np
import kgen

vae = kgen.create_model("vae", input_shape=(28, 28, 1), network="dense",
                        hidden_units=(32,))
x = np.random.default_rng(0).uniform(size=(1000, 28, 28, 1)).astype("float32")
vae.log_likelihood(x, num_samples=int(sys.argv[1]), verbose=0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_memory_does_not_grow_with_the_importance_samples():
    few, many = (
        float(
            subprocess.run(
                [sys.executable, "-c", MEMORY, samples],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for samples in ("50", "5000")
    )
    assert many < few + 100  # MiB; all weights at once would take 15 GiB
