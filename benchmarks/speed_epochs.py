"""The part --epochs of speed.py: what an epoch costs beside its steps.

report(models=("vae", "gan"), repeats=3)

Scikit-learn's digits are small, so that an epoch has ten steps, and all that `kgen
train` does besides (the next epoch's data, callbacks, checkpoints, pictures) shows.
"""

import math
import pathlib
import tempfile
import time

import numpy as np
import trainings
from speed_report import spread

import kgen
from kgen import runs

# Epochs of the short and the long training: their difference has no start-up, and
# is long enough for the checkpoints and pictures that time allows.
_SHORT, _LONG = 10, 110
_BATCH = 128
# How often the data are repeated for the time of the steps alone.
_FACTOR = 20


def _train(name, epochs, folder):
    """Seconds of a training as `kgen train` does it, and the model."""
    settings = trainings.settings(
        name, "digits", network="conv", epochs=epochs, batch_size=_BATCH
    )
    start = time.perf_counter()
    model = runs.train(
        runs.Run(pathlib.Path(folder, "run")), settings, overwrite=True
    )
    return time.perf_counter() - start, model


def _steps_alone(model, batch_size):
    """Seconds of the steps of one epoch: of training, and of validation.

    They are a part of an epoch of many times as many examples, so that its beginning
    and end do not count.
    """
    total = 0.0
    for split, run in (("train", model.fit), ("test", model.evaluate)):
        batches = kgen.data.load("digits", split, seed=0)
        x = np.concatenate(list(batches.as_numpy_iterator()))
        many = np.concatenate([x] * _FACTOR)
        run(many[: 2 * batch_size], batch_size=batch_size, verbose=0)  # traces
        start = time.perf_counter()
        run(many, batch_size=batch_size, verbose=0)
        seconds = time.perf_counter() - start
        share = math.ceil(len(x) / batch_size) / math.ceil(
            len(many) / batch_size
        )
        total += seconds * share
    return total


def report(models, repeats):
    """Returns a table of the milliseconds of an epoch, and of its steps.

    Args:
        models: Names of models.
        repeats: How often each is measured; the table has medians.
    """
    head = f"{'model':8} {'epoch':>8} {'its steps':>10} {'the rest':>9}"
    lines = [f"{head}  (min to max), ms"]
    for name in models:
        rounds = []
        for _ in range(repeats):
            with tempfile.TemporaryDirectory(prefix="kgen-speed-") as folder:
                short, _ = _train(name, _SHORT, folder)
                long, model = _train(name, _LONG, folder)
            epoch = (long - short) / (_LONG - _SHORT)
            steps = _steps_alone(model, _BATCH)
            rounds.append((1000 * epoch, 1000 * steps, 1000 * (epoch - steps)))
        (epoch, *_), (steps, *_), (rest, low, high) = map(spread, zip(*rounds))
        line = f"{name:8} {epoch:8.1f} {steps:10.1f} {rest:9.1f}"
        lines.append(f"{line}  ({low:.1f} to {high:.1f})")
    return "\n".join(lines)
