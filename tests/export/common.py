"""A run without the training."""

import numpy as np

from kgen import runs
from tests.models import contract
from tests.settings import USUAL


def make_run(path, model, kind="vae", **settings):
    """A run's directory with a model, and its data beside it.

    Args:
        path: The directory to make.
        model: The run's model.
        kind: Its name for `kgen train`.
        **settings: Of config.json.
    """
    run = runs.Run(path)
    data = path.with_name("data.npz")
    np.savez(data, images=contract.X, labels=contract.Y)
    usual = {
        **USUAL,
        "model": kind,
        "data": str(data),
        "latent_dim": 3,
        "batch_size": 32,
        "conditional": model.conditional,
    }
    run.create(runs.TrainSettings(**usual | settings))
    model.save(run.model_file)
    return run
