"""The judge of all cases must see what is different."""

import json
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image

from tests.faults import compare


def write_run(folder):
    """Files as `kgen train` leaves them."""
    (folder / "run" / "checkpoints").mkdir(parents=True)
    run = folder / "run"
    weights = run / "checkpoints" / "epoch-00001.weights.h5"
    with h5py.File(weights, "w") as file:
        file["optimizer/vars/0"] = np.arange(3.0)
    with zipfile.ZipFile(run / "model.keras", "w") as archive:
        archive.write(weights, "model.weights.h5")
        archive.writestr("config.json", json.dumps({"shared_object_id": 1}))
        archive.writestr("metadata.json", json.dumps({"date_saved": "today"}))
    (run / "history.csv").write_text("epoch,loss\n0,1.5\n1,1.25\n")
    (run / "config.json").write_text(
        json.dumps({"epochs": 2, "date": 1, "sums": [[1.0, 2.0], 3.0]})
    )
    Image.fromarray(np.zeros((2, 2), "uint8")).save(run / "losses.png")
    return run


@pytest.fixture
def runs(tmp_path):
    """Two runs that are equal, but for dates and the like."""
    ours, theirs = (write_run(tmp_path / name) for name in ("ours", "theirs"))
    (ours / "config.json").write_text(
        json.dumps({"sums": [[1.0, 2.0], 3.0], "date": 2, "epochs": 2})
    )
    (ours / "history.csv").write_text("epoch,loss\n0,1.50\n1,1.25\n")
    (ours / "logs").mkdir()
    (ours / "logs" / "events").touch()
    assert compare.differences(ours, theirs) == []
    assert compare.unreadable(ours) == []
    return ours, theirs


def change_weight(run):
    path = run / "checkpoints" / "epoch-00001.weights.h5"
    with h5py.File(path, "a") as file:
        file["optimizer/vars/0"][1] += 1e-7


def change_model(run):
    other = run.parent / "other"
    change_weight(write_run(other))
    weights = other / "run" / "checkpoints" / "epoch-00001.weights.h5"
    with zipfile.ZipFile(run / "model.keras", "w") as archive:
        archive.write(weights, "model.weights.h5")
        archive.writestr("config.json", json.dumps({"latent_dim": 3}))


@pytest.mark.parametrize(
    "change, said",
    [
        (change_weight, "epoch-00001.weights.h5 differs in optimizer/vars/0"),
        (change_model, "model.keras differs in config.json, optimizer/vars/0"),
        (
            lambda run: (run / "history.csv").write_text("epoch,loss\n0,1.5\n"),
            "history.csv differs in epoch, loss",
        ),
        (
            lambda run: (run / "config.json").write_text(
                '{"epochs": 3, "sums": [[1.0, 2.5], 3.0]}'
            ),
            "config.json differs in epochs, sums",
        ),
        (lambda run: (run / "losses.png").unlink(), "losses.png is missing"),
        (
            lambda run: (run / "losses.png").write_bytes(b"\x89PNG"),
            "losses.png can't be read",
        ),
        (
            lambda run: (run / "own.txt").touch(),
            "own.txt should not be there",
        ),
        (
            lambda run: (run / ".12-model.keras").touch(),
            ".12-model.keras was left over",
        ),
        (
            lambda run: (run / ".1-x.kgen-new").mkdir(),
            ".1-x.kgen-new was left over",
        ),
    ],
)
def test_a_difference_is_told(runs, change, said):
    ours, theirs = runs
    change(ours)
    (found,) = compare.differences(ours, theirs)
    assert said in found
    assert bool(compare.unreadable(ours)) == ("can't be read" in found)
