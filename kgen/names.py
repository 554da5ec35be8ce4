"""Names that users type, for the command line: no TensorFlow import here."""

from typing import Any

NETWORKS = {
    "dense": "fully connected, for vectors and pictures",
    "conv": "convolutional, for pictures of any size and sequences of any length",
    "resnet": "residual blocks, for larger pictures of any size",
    "unet": "convolutional with skip connections, to denoise",
}
SOURCES = {
    "digits": "the UCI digits, 8x8, built in (the default)",
    "NAME": "any TensorFlow Datasets name, such as mnist",
    "FOLDER": "pictures (png, jpg, gif, webp, ...), or MNIST's IDX files",
    "FILE": ".npy or .npz; or a table: .csv or .parquet",
}
# What a column of a table can be.
COLUMN_KINDS = {
    "numeric": "numbers",
    "integer": "whole numbers",
    "count": "whole numbers from 0, with a negative binomial distribution",
    "category": "one of several values",
    "boolean": "true or false",
    "datetime": "dates or times",
    "id": "names of the rows, which are left out",
}
# How the numbers of a table are encoded.
NUMBERS = {
    "quantiles": "as normal scores of their ranks",
    "standard": "less their mean, in standard deviations",
    "modes": "as one of several modes, and the distance from it",
}
STRATEGIES = {
    "mirrored": "all GPUs of this machine, or --devices of them",
    "multi_worker": "several machines, as TF_CONFIG says",
}

# What to do if a loss or gradient is NaN or infinite.
ON_NAN = {
    "stop": "end the training, with the model saved as it was before",
    "skip": "leave the step out; ends after 10 such steps in a row",
    "rollback": "go back to the epoch's beginning, with half the learning rate; "
    "5 times at most",
}

# What a training can be logged to.
TRACKERS = {
    "tensorboard": "files in the run's logs, which are always written",
    "mlflow": "where MLFLOW_TRACKING_URI says",
    "wandb": "Weights & Biases; with WANDB_MODE=offline, in the run's wandb",
}

# The formats of pictures, and the precisions of small models, of `kgen export`.
IMAGE_FORMATS = ("float", "uint8", "png")
PRECISIONS = ("float16", "int8")

# What `--set` takes for each model, of any network: for the shell's completion, which
# can't read the signatures that decide it.
_OF_ALL = """activation attention blocks filters hidden_units jit_compile max_filters
    optimizer output_activation run_eagerly steps_per_execution"""
_OF_ENCODERS = """batch_normalization kernel_regularizer likelihood"""
_OF_PLAYERS = """augmentation discriminator_optimizer discriminator_steps ema_decay
    instance_noise kernel_constraint label_smoothing learning_rate_decay lecam_weight
    loss minibatch_std pack penalty penalty_every spectral_normalization"""
SETTINGS = {
    model: sorted(" ".join(parts).split())
    for model, parts in {
        "autoencoder": (_OF_ALL, _OF_ENCODERS),
        "bayes_classifier": (
            _OF_ALL,
            """density discriminative_weight importance_samples kernel_regularizer
            latent_prior levels likelihood pooling posterior prior rank shrinkage
            smoothing standardize threshold unlabelled_weight""",
        ),
        "denoising_autoencoder": (_OF_ALL, _OF_ENCODERS, "corruption"),
        "gan": (_OF_ALL, _OF_PLAYERS, "training_by_sampling"),
        "vae": (
            _OF_ALL,
            _OF_ENCODERS,
            """divergence free_bits importance_samples kl_weight levels posterior
            prior""",
        ),
        "vaegan": (
            _OF_ALL,
            _OF_ENCODERS,
            _OF_PLAYERS,
            """adversarial_weight decoder_optimizer divergence equilibrium_margin
            feature_layer feature_weight free_bits kl_weight posterior prior
            reconstruction_weight""",
        ),
    }.items()
}


def as_typed(value: Any) -> str:
    """A setting, or a dictionary of settings, as a user types it.

    Args:
        value: What a run's settings, or those of a trial, hold.
    """
    if isinstance(value, dict):
        settings = (f"{name}={setting}" for name, setting in value.items())
        return " ".join(settings) or "(none)"
    return str(value)
