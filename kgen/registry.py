"""The models by the names that users type: one entry each, read by all.

There is no TensorFlow here, so that the command line answers at once; a model's
class is imported when it is first used.
"""

import dataclasses
import math
import pkgutil
from collections.abc import Collection, Mapping
from typing import Any

# Defaults of `kgen train`.
TRAINING = {"latent_dim": 8, "epochs": 100, "batch_size": 64}


@dataclasses.dataclass(frozen=True)
class Entry:
    """What is known of a model by its name.

    Args:
        path: Where its class is: a module, a colon and the class.
        sentence: What it is, for `kgen --help`.
        objective: The figures by which trials of it are best compared, for
            messages.
        space: What a study searches if it does not say; as in
            `kgen.hypermodels.HyperModel`.
        training: Settings whose default differs from `TRAINING`; tuning/README.md
            tells which studies the values come from.
        recipe: Settings, and options of `--set`, that `kgen train` uses unless the user
            types others. Studies and `--from-study` do not use them.
        networks: Names of the network families that it can be built of.
        figures: The logs that `kgen train` shows, the most important first, with
            `"lower"` or `"higher"` for the better values, or `""` for a log that
            says nothing about quality. The first three that are logged are shown.
    """

    path: str
    sentence: str
    objective: str
    space: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    training: Mapping[str, int] = dataclasses.field(default_factory=dict)
    recipe: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    networks: tuple[str, ...] = ("dense", "conv", "resnet")
    figures: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {"val_loss": "lower", "loss": "lower"}
    )

    @property
    def class_name(self) -> str:
        """The name of its class."""
        return self.path.partition(":")[2]

    @property
    def model_class(self) -> Any:
        """Its class, a subclass of `kgen.models.base.GenerativeModel`."""
        return pkgutil.resolve_name(self.path)

    @property
    def defaults(self) -> dict[str, int]:
        """The defaults of `kgen train` for it."""
        return {**TRAINING, **self.training}


def figures_of(model: type) -> Mapping[str, str]:
    """The figures of a model's class, as in `Entry`; `{}` if it has no entry."""
    path = f"{model.__module__}:{model.__name__}"
    return next((e.figures for e in MODELS.values() if e.path == path), {})


def shown(figures: Mapping[str, str], logs: Collection[str]) -> list[str]:
    """The names of those figures that are shown: the first three that are logged."""
    return [name for name in figures if name in logs][:3]


def equal_to_loss(logs: Mapping[str, float]) -> set[str]:
    """The names of other logs whose absolute value is that of `loss`."""
    size = abs(logs["loss"]) if "loss" in logs else math.nan
    return {
        name
        for name, value in logs.items()
        if name != "loss" and math.isclose(abs(value), size, rel_tol=1e-5)
    }


# A player's Adam: GANs want a small beta_1.
_PLAYERS_ADAM = {
    "text": "adam:{rate}:{beta_1}",
    "rate": {"min": 1e-4, "max": 3e-3, "log": True},
    "beta_1": {"values": [0.0, 0.5, 0.9]},
}
_NETWORKS = {
    "filters": {"values": [16, 32, 64]},
    "hidden_units": {"values": [[128], [256], [512, 256]]},
}
_ONE_PLAYER = {
    **_NETWORKS,
    "activation": {"values": ["relu", "gelu"]},
    "optimizer": {
        "text": "adam:{rate}",
        "rate": {"min": 1e-4, "max": 1e-2, "log": True},
    },
    "batch_size": {"values": [32, 64, 128]},
}
_PLAYERS = {
    **_NETWORKS,
    "optimizer": _PLAYERS_ADAM,
    "discriminator_optimizer": _PLAYERS_ADAM,
    "loss": {"values": ["non_saturating", "hinge", "wasserstein"]},
    "penalty": {"values": ["gradient_penalty:0.1", "r1:0.1", "r1:1"]},
    "discriminator_steps": {"values": [1, 2]},
    "batch_size": {"values": [32, 64]},
}
_LATENT = {"latent_dim": {"min": 4, "max": 64, "log": True}}

MODELS = {
    "autoencoder": Entry(
        "kgen.models.autoencoder:Autoencoder",
        "encodes examples in few numbers, and decodes them",
        "val_mse",
        # The size of the code is not searched: a larger one always reconstructs
        # better.
        space=_ONE_PLAYER,
        figures={"val_mse": "lower", "mse": "lower", "loss": "lower"},
    ),
    "bayes_classifier": Entry(
        "kgen.models.bayes_classifier:BayesClassifier",
        "classes by Bayes' rule and a generative model",
        "val_accuracy",
        space={
            **_LATENT,
            **_ONE_PLAYER,
            "discriminative_weight": {"values": [0.0, 0.1, 1.0]},
        },
        figures={
            "val_accuracy": "higher",
            "val_loss": "lower",
            "loss": "lower",
        },
    ),
    "denoising_autoencoder": Entry(
        "kgen.models.denoising:DenoisingAutoencoder",
        "pictures without their noise",
        "val_denoised_psnr",
        space={**_LATENT, **_ONE_PLAYER},
        # In the other models, the skip connections of a U-Net would lead x past z.
        networks=("dense", "conv", "resnet", "unet"),
        figures={
            "val_psnr": "higher",
            "psnr": "higher",
            "val_mse": "lower",
            "mse": "lower",
        },
    ),
    "gan": Entry(
        "kgen.models.gan:GAN",
        "generative adversarial network",
        "val_frechet_distance",
        space={**_LATENT, **_PLAYERS},
        training={"latent_dim": 16, "epochs": 150, "batch_size": 32},
        figures={"val_frechet_distance": "lower"}
        | dict.fromkeys(
            ("generator_loss", "discriminator_loss", "fake_probability"), ""
        ),
    ),
    "vae": Entry(
        "kgen.models.vae:VAE",
        "variational autoencoder",
        "val_log_likelihood or val_elbo",
        space={**_LATENT, **_ONE_PLAYER},
        training={"latent_dim": 16},
        recipe={
            "epochs": 150,
            "batch_size": 32,
            "activation": "silu",
            "optimizer": "adam:0.0005",
            # Many codes drawn from N(0, I) lie where no example has its code.
            "fit_prior": "mixture:10",
        },
        figures={"val_elbo": "higher", "elbo": "higher", "kl_loss": ""},
    ),
    "vaegan": Entry(
        "kgen.models.vaegan:VAEGAN",
        "a VAE whose decoder plays against a discriminator",
        "val_frechet_distance",
        space={
            **_LATENT,
            **_PLAYERS,
            "kl_weight": {"min": 1e-3, "max": 1.0, "log": True},
            "reconstruction_weight": {"min": 0.1, "max": 10.0, "log": True},
            "feature_weight": {"min": 0.0, "max": 1.0},
        },
        training={"latent_dim": 16, "batch_size": 32},
        figures={"val_frechet_distance": "lower"}
        | dict.fromkeys(
            ("generator_loss", "discriminator_loss", "reconstruction_loss"), ""
        ),
    ),
}
