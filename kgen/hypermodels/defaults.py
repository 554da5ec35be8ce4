"""What is searched where nothing is said, by the model's name."""


def _adam(low, high):
    rate = {"min": low, "max": high, "log": True}
    return {"text": "adam:{rate}", "rate": rate}


def _player():
    """A player's Adam: GANs want a small beta_1."""
    return {
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
    "optimizer": _adam(1e-4, 1e-2),
    "batch_size": {"values": [32, 64, 128]},
}
_PLAYERS = {
    **_NETWORKS,
    "optimizer": _player(),
    "discriminator_optimizer": _player(),
    "loss": {"values": ["non_saturating", "hinge", "wasserstein"]},
    "penalty": {"values": ["gradient_penalty:0.1", "r1:0.1", "r1:1"]},
    "discriminator_steps": {"values": [1, 2]},
    "batch_size": {"values": [32, 64]},
}
_LATENT = {"latent_dim": {"min": 4, "max": 64, "log": True}}

# A larger code always rebuilds better: an autoencoder's size is not searched.
SPACES = {
    "autoencoder": _ONE_PLAYER,
    "bayes_classifier": {
        **_LATENT,
        **_ONE_PLAYER,
        "discriminative_weight": {"values": [0.0, 0.1, 1.0]},
    },
    "denoising_autoencoder": {**_LATENT, **_ONE_PLAYER},
    "gan": {**_LATENT, **_PLAYERS},
    "vae": {**_LATENT, **_ONE_PLAYER},
    "vaegan": {
        **_LATENT,
        **_PLAYERS,
        "kl_weight": {"min": 1e-3, "max": 1.0, "log": True},
        "reconstruction_weight": {"min": 0.1, "max": 10.0, "log": True},
        "feature_weight": {"min": 0.0, "max": 1.0},
    },
}
