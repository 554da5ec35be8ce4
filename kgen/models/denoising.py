"""The denoising autoencoder."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kgen import arrays
from kgen.errors import invalid
from kgen.layers import corruption as corruptions
from kgen.losses import Likelihood
from kgen.models import network_checks
from kgen.models.autoencoder import Reconstructing
from kgen.models.draws import fixed_draws
from kgen.params import SEED, Integer, checked
from kgen.priors import Prior


@keras.saving.register_keras_serializable(package="kgen")
class DenoisingAutoencoder(Reconstructing):
    """Denoising autoencoder: rebuilds x from a corrupted copy of it.

    What is minimised is, in nats per image and averaged over the batch,

        -log p(x | z = encoder(corruption(x))) + regularizers

    with a new draw of the corruption at each step; the logs are those of
    `Autoencoder`, and for pictures `psnr`, in dB. Give `fit` clean pictures: the
    model corrupts them itself. Validation corrupts as well, by a random stream
    that begins anew at each evaluation, so that its figures compare at one
    batch size (a layer of one's own draws by a `SeedGenerator` then). `call`,
    `predict`, `encode`, `reconstruct` and `denoise` take pictures as they are.

    Args:
        encoder: Built `keras.Model` from x, or `[x, labels]`, to z of shape
            `(batch, latent_dim)`, or to a list of z and what else the decoder
            takes (skip connections).
        decoder: Built `keras.Model` from z, or a list as above, with the labels
            last if there are any, to the likelihood's parameters.
        corruption: `"gaussian:0.25"` (that standard deviation),
            `"gaussian:0.05:0.6"` (drawn for each picture between the two),
            `"masking:0.3"` (the share of pixels set to 0),
            `"salt_and_pepper:0.1"` (the share set to 0 or 1), or any Keras
            layer, such as `keras.layers.Dropout(0.2)`.
        likelihood: As in `Autoencoder`; the default maximises the mean PSNR,
            so that pictures with little noise count as much as those with more.
        seed: Integer for the corruption of validation data.
        fitted_prior: What `fit_prior` had fitted when a saved model was loaded.
            Leave it None, and call `fit_prior`.

    Raises:
        InvalidArgument: If networks don't fit together, or a value is out of
            range.

    Example:

        model = kgen.create_model(
            "denoising_autoencoder", input_shape=(28, 28, 1), network="unet"
        )
        model.compile(optimizer="adam")
        model.fit(train, validation_data=test, epochs=20)
        clean = model.denoise(noisy)

    References:
        Vincent et al. (2008), Extracting and composing robust features with
        denoising autoencoders; Vincent et al. (2010), section 3.
    """

    encodes_any_range = True

    @checked(seed=SEED)
    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        corruption: keras.layers.Layer | str = "gaussian:0.05:0.6",
        likelihood: Likelihood | keras.losses.Loss | str = "gaussian:optimal",
        seed: int = 0,
        fitted_prior: Prior | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.corruption = corruptions.get(corruption, "DenoisingAutoencoder")
        network_checks.check_network("encoder", "DenoisingAutoencoder", encoder)
        _prepare(self.corruption, encoder.inputs[0].shape)
        self.seed = seed
        picture = len(encoder.inputs[0].shape) == 4
        logs = ["psnr"] if picture else []
        self._set_reconstruction(likelihood, encoder, decoder, logs)
        self._set_fitted_prior(fitted_prior)

    def _step_losses(self, inputs, x, training):
        if training:
            corrupted = self.corruption(x, training=True)
        else:  # the count begins at 0 with each evaluation
            corrupted = self._corrupted(x, self.log_means.seen())
        labels = inputs[1] if self.conditional else None
        inputs = self.with_labels(corrupted, labels)
        losses, estimate = self._reconstruction_losses(inputs, x, training)
        if "psnr" not in self.log_means.names:
            return losses
        x = ops.cast(x, "float32")
        psnr = ops.mean(tf.image.psnr(x, estimate, max_val=1.0))
        return losses._replace(psnr=psnr)

    def _corrupted(self, x, position):
        with fixed_draws(self.corruption, self.seed, position):
            return self.corruption(x, training=True)

    @checked(position=Integer(0))
    def corrupt(self, x: np.ndarray, position: int = 0) -> np.ndarray:
        """x, corrupted as in validation: the result is the same each time.

        The draws are a function of the model's seed and the position. The random
        stream of training is not changed.

        Args:
            x: Array of shape `(n, *input_shape)`.
            position: Integer, the place of the first example in the data.

        Returns:
            Array of the shape of x.
        """
        x = np.asarray(x)
        owner = f"{type(self).__name__}.corrupt"
        arrays.check_array(x, self.input_shapes[0], self.support, owner)
        return np.asarray(self._corrupted(tf.constant(x, "float32"), position))

    def denoise(self, x: Any, batch_size: int = 1024) -> Any:
        """Pictures without their noise: another name of `reconstruct`.

        Args:
            x: Array of shape `(n, *input_shape)`, `[x, labels]`, or a dataset; of a
                table, a DataFrame. Values outside [0, 1] are allowed: they are not
                clipped.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Array of the shape of x, within the likelihood's bounds; of a table, a
            DataFrame.
        """
        return self.reconstruct(x, batch_size)

    def endpoints(self) -> dict:
        """Returns those of `EncoderDecoder`, and `denoise`."""
        signatures = super().endpoints()
        return {**signatures, "denoise": signatures["serving_default"]}


def _prepare(corruption, shape):
    """Builds a corruption; raises unless it keeps the shape of examples.

    Its weights, if it has any, are not trained: it would learn to corrupt nothing.
    """
    try:
        if not corruption.built:
            corruption.build(shape)
        after = tuple(corruption.compute_output_shape(shape))
    except Exception as error:  # of any kind, out of any layer
        raise invalid(
            "corruption",
            "DenoisingAutoencoder",
            f"a layer for examples of shape {tuple(shape[1:])}",
            f"{corruption}: {error}",
        ) from error
    if after[1:] != tuple(shape[1:]):
        raise invalid(
            "corruption",
            "DenoisingAutoencoder",
            f"a layer that keeps the shape {tuple(shape[1:])}",
            f"{corruption}, which gives {after[1:]}",
        )
    corruption.trainable = False
