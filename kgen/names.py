"""Names that users type, for the command line: no TensorFlow import here."""

from typing import Any

MODELS = {
    "autoencoder": "fewer dimensions, and back",
    "bayes_classifier": "classes by Bayes' rule and a generative model",
    "denoising_autoencoder": "pictures without their noise",
    "gan": "generative adversarial network",
    "vae": "variational autoencoder",
    "vaegan": "a VAE whose decoder plays against a discriminator",
}
NETWORKS = {
    "dense": "fully connected, for vectors and pictures",
    "conv": "convolutional, for pictures of any size",
    "unet": "convolutional with skip connections, to denoise",
}
SOURCES = {
    "digits": "the UCI digits, 8x8, built in (the default)",
    "NAME": "any TensorFlow Datasets name, such as mnist",
    "FOLDER": "pictures (png, jpg, gif, webp, ...), or MNIST's IDX files",
    "FILE": ".npy or .npz",
}
STRATEGIES = {
    "mirrored": "all GPUs of this machine, or --devices of them",
    "multi_worker": "several machines, as TF_CONFIG says",
}

# What may follow a loss or gradient that is NaN or infinite.
ON_NAN = {
    "stop": "end the training, with the model saved as it was before",
    "skip": "leave the step out; ends after 10 such steps in a row",
    "rollback": "go back to the epoch's beginning, with half the learning rate; "
    "5 times at most",
}

# What `kgen train` does without being told, and where a model differs: tuning/README.md
# says what came of studies.
TRAINING = {"latent_dim": 8, "epochs": 100, "batch_size": 64}
TRAINING_OF = {
    "gan": {"latent_dim": 16, "epochs": 150, "batch_size": 32},
    "vae": {"latent_dim": 16},
    "vaegan": {"latent_dim": 16, "batch_size": 32},
}

# Of what `kgen export` writes.
IMAGE_FORMATS = ("float", "uint8", "png")
PRECISIONS = ("float16", "int8")


def training_of(model: str) -> dict[str, int]:
    """What `kgen train MODEL` does without being told.

    Args:
        model: A name out of `MODELS`.
    """
    return {**TRAINING, **TRAINING_OF.get(model, {})}


def as_typed(value: Any) -> Any:
    """A setting, or a dictionary of settings, as a user types it.

    Args:
        value: What a run's settings hold.
    """
    if isinstance(value, dict):
        settings = (f"{name}={setting}" for name, setting in value.items())
        return " ".join(settings) or "(none)"
    return value
