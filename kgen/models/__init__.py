"""Models: one file each, a `keras.Model` with its own train_step."""

from kgen.models.autoencoder import Autoencoder
from kgen.models.bayes_classifier import BayesClassifier
from kgen.models.denoising import DenoisingAutoencoder
from kgen.models.factory import create_model, load_model
from kgen.models.gan import GAN
from kgen.models.vae import VAE
from kgen.models.vae_density import VAEDensity
from kgen.models.vaegan import VAEGAN

__all__ = [
    "Autoencoder",
    "BayesClassifier",
    "DenoisingAutoencoder",
    "GAN",
    "VAE",
    "VAEDensity",
    "VAEGAN",
    "create_model",
    "load_model",
]
