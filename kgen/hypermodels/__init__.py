"""Models in a space of settings, for Keras Tuner: one class for each model."""

from kgen.hypermodels.base import HyperModel
from kgen.params import Options, checked

__all__ = [
    "VAE",
    "VAEGAN",
    "GAN",
    "Autoencoder",
    "BayesClassifier",
    "DenoisingAutoencoder",
    "HyperModel",
    "get",
]


class Autoencoder(HyperModel):
    """`kgen.Autoencoder` in a space of settings; see `HyperModel`."""

    model = "autoencoder"


class DenoisingAutoencoder(HyperModel):
    """`kgen.DenoisingAutoencoder` in a space of settings; see `HyperModel`."""

    model = "denoising_autoencoder"


class VAE(HyperModel):
    """`kgen.VAE` in a space of settings; see `HyperModel`.

    Example:

        tuner = keras_tuner.RandomSearch(
            kgen.hypermodels.VAE(input_shape=(8, 8, 1)),
            objective=keras_tuner.Objective("val_elbo", "max"),
            max_trials=20,
        )
        tuner.search(train, validation_data=validation, epochs=20)
    """

    model = "vae"


class GAN(HyperModel):
    """`kgen.GAN` in a space of settings; see `HyperModel`.

    Its losses measure no quality: `kgen.callbacks.Evaluation` gives figures
    that do.
    """

    model = "gan"


class VAEGAN(HyperModel):
    """`kgen.VAEGAN` in a space of settings; see `HyperModel`."""

    model = "vaegan"


class BayesClassifier(HyperModel):
    """`kgen.BayesClassifier` in a space of settings; see `HyperModel`."""

    model = "bayes_classifier"


_CLASSES = {
    cls.model: cls
    for cls in (
        Autoencoder,
        DenoisingAutoencoder,
        VAE,
        GAN,
        VAEGAN,
        BayesClassifier,
    )
}


@checked(model=Options(_CLASSES))
def get(model: str) -> type[HyperModel]:
    """The class for a model's name.

    Args:
        model: A name that `kgen.create_model` knows.

    Returns:
        A subclass of `HyperModel`.

    Raises:
        InvalidArgument: If there is no such model.
    """
    return _CLASSES[model]
