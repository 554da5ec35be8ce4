"""Settings of trainings as `kgen train` makes them, for scripts that time these.

settings("gan", "digits", network="conv", epochs=10, batch_size=128)
"""

from kgen import runs


def settings(model, data, **given):
    """`kgen.runs.TrainSettings`, of which some are given."""
    usual = {
        "image_shape": None,
        "data_dir": None,
        "latent_dim": 16,
        "seed": 0,
        "conditional": False,
        "binarize": False,
        "kl_warmup": 0.0,
        "options": {},
    }
    return runs.TrainSettings(model=model, data=data, **usual | given)
