"""kgen: generative models in Keras, right to the sign.

The public names are resolved when they are used, so that the command line
answers before TensorFlow is loaded.
"""

import sys

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "callbacks",
        "data",
        "densities",
        "evaluation",
        "export",
        "extractors",
        "hypermodels",
        "layers",
        "losses",
        "metrics",
        "models",
        "networks",
        "optimizers",
        "plots",
        "sklearn",
        "studies",
    ],
    submod_attrs={
        "models": [
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
    },
)

if "keras" in sys.modules:
    # Then nothing is lost, and `keras.saving.load_model` finds the classes.
    from kgen import metrics, models  # noqa: F401
