"""The settings of a training, for tests that need a run without the command line."""

# What `kgen.runs.TrainSettings` has no default of.
USUAL = {
    "model": "vae",
    "data": "digits",
    "image_shape": None,
    "data_dir": None,
    "network": "dense",
    "latent_dim": 2,
    "epochs": 1,
    "batch_size": 64,
    "seed": 0,
    "conditional": False,
    "binarize": False,
    "kl_warmup": 0.0,
    "options": {},
}
