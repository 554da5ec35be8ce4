"""A run without the training."""

import numpy as np

from kgen import runs
from tests.models import contract


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
        "image_shape": None,
        "data_dir": None,
        "network": "dense",
        "latent_dim": 3,
        "epochs": 1,
        "batch_size": 32,
        "seed": 0,
        "conditional": model.conditional,
        "binarize": False,
        "kl_warmup": 0.0,
        "options": {},
    }
    settings = {**usual, "data": str(data), **settings}
    run.create(runs.TrainSettings(model=kind, **settings))
    model.save(run.model_file)
    return run
