"""Models: one file each, a `keras.Model` with its own train_step."""

from kgen.models.autoencoder import Autoencoder
from kgen.models.denoising import DenoisingAutoencoder
from kgen.models.factory import create_model, load_model
from kgen.models.vae import VAE

__all__ = [
    "Autoencoder",
    "DenoisingAutoencoder",
    "VAE",
    "create_model",
    "load_model",
]
