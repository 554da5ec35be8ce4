"""Models: one file each, a `keras.Model` with its own train_step."""

from kgen.models.factory import create_model, load_model
from kgen.models.vae import VAE

__all__ = ["VAE", "create_model", "load_model"]
