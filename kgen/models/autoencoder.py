"""The autoencoder."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kgen.losses import Likelihood, likelihoods
from kgen.models.encoder_decoder import EncoderDecoder, check_fit
from kgen.models.training import training_step, validation_step
from kgen.models.updates import Player, regularizers, update
from kgen.priors import Prior


class ReconstructionLosses(NamedTuple):
    """Means over a batch, in nats per image; these are the logs."""

    loss: tf.Tensor
    reconstruction_loss: tf.Tensor
    regularization_loss: tf.Tensor | float
    mse: tf.Tensor  # per pixel
    psnr: tf.Tensor | float = 0.0  # of denoised pictures, in dB


class Reconstructing(EncoderDecoder):
    """Base of models whose code is one point: x -> z -> x.

    With networks that have skip connections the code is a list: z, and what
    else the decoder takes. A subclass implements `_step_losses`.
    """

    def _set_reconstruction(self, likelihood, encoder, decoder, logs=()):
        """Sets the networks, and a likelihood that may be a Keras loss."""
        owner = type(self).__name__
        names = ["loss", "reconstruction_loss", "regularization_loss", "mse"]
        likelihood = likelihoods.get(likelihood, owner, losses=True)
        self._set_encoder_decoder([*names, *logs], likelihood, encoder, decoder)
        check_fit(owner, encoder, decoder, encoder.outputs)

    def _code(self, inputs, training=False):
        encoder = self.encoder if training else self.serving_encoder
        return encoder(inputs, training=training)

    @training_step
    def train_step(self, data: Any) -> dict:
        inputs, x = self.unpack(data)
        losses = update(
            lambda: self._step_losses(inputs, x, training=True),
            Player(self.optimizer, self.trainable_variables),
        )
        return self._log(losses, x)

    @validation_step
    def test_step(self, data: Any) -> dict:
        inputs, x = self.unpack(data, values=True)
        return self._log(self._step_losses(inputs, x, training=False), x)

    def _step_losses(self, inputs, x, training):
        raise NotImplementedError

    def _reconstruction_losses(self, inputs, x, training):
        """The losses of reconstructing x from `inputs`, and x's estimate."""
        code = self._code(inputs, training)
        regularization = regularizers(self.encoder)
        code = self.decoder_inputs(code, inputs)
        parameters = self.decoder(code, training=training)
        regularization += regularizers(self.decoder, self.likelihood)
        reconstruction = -ops.mean(self.likelihood.log_prob(x, parameters))
        estimate = self.likelihood.mean(parameters)
        losses = ReconstructionLosses(
            loss=reconstruction + regularization,
            reconstruction_loss=reconstruction,
            regularization_loss=regularization,
            mse=ops.mean(ops.square(ops.cast(x, "float32") - estimate)),
        )
        return losses, estimate

    def outlier_score(self, x: Any, *, batch_size: int = 1024) -> np.ndarray:
        """How unlike the data each example is: its error of reconstruction.

        That is -log p(x|z) for the code z of x, or the sum over the pixels of a Keras
        loss: what training has made small for the data. With a Gaussian likelihood, it
        orders examples as the squared error does. A denoising autoencoder takes x as
        it is.

        Args:
            x: Array of shape `(n, *input_shape)`, `[x, labels]`, or a dataset.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Array of shape `(n,)`, nats per image; higher for outliers.

        References:
            Hawkins et al. (2002), Outlier detection using replicator neural networks.
        """
        return self._apply(self._outlier_score, x, batch_size)

    def _outlier_score(self, inputs, number=0):
        x = inputs[0] if self.conditional else inputs
        parameters = self.reconstruction_parameters(inputs)
        return -self.likelihood.log_prob(x, parameters)


@keras.saving.register_keras_serializable(package="kgen")
class Autoencoder(Reconstructing):
    """Autoencoder: a code z of few dimensions from which x can be rebuilt.

    What is minimised is, in nats per image and averaged over the batch,

        -log p(x | z = encoder(x)) + regularizers

    the logs `reconstruction_loss` and `regularization_loss` (where there are
    regularizers), and their sum
    `loss`. Under the Gaussian likelihood that is half the squared error and a
    constant. The log `mse` is the squared error per pixel, whatever the
    likelihood. The networks' own regularizers count, those of activities too: an
    L1 penalty on the codes makes a sparse autoencoder.

    Args:
        encoder: Built `keras.Model` from x, or `[x, labels]`, to z of shape
            `(batch, latent_dim)`.
        decoder: Built `keras.Model` from z, or `[z, labels]`, to the
            likelihood's parameters, of the shape of x.
        likelihood: `"gaussian"` (half the squared error plus a constant),
            `"gaussian:learned"`, `"gaussian:optimal"` (the PSNR), `"bernoulli"`,
            `"continuous_bernoulli"`, a `Likelihood`, or a Keras loss or its
            name, such as `"mae"`.
        fitted_prior: What `fit_prior` had fitted when a saved model was loaded.
            Leave it None, and call `fit_prior`.

    Raises:
        InvalidArgument: If networks don't fit together, or a value is out of
            range.

    Example:

        ae = kgen.create_model("autoencoder", input_shape=(8, 8, 1))
        ae.compile(optimizer="adam")
        ae.fit(train, validation_data=test, epochs=20)
        codes = ae.encode(x)

        # A sparse one: Keras's regularizer on the codes.
        x = keras.Input((64,))
        z = keras.layers.Dense(100, "relu", activity_regularizer="l1")(x)
        encoder = keras.Model(x, z)
        decoder = keras.Sequential([keras.Input((100,)), keras.layers.Dense(64)])
        ae = kgen.Autoencoder(encoder, decoder)

        # A regularised one (RAE): half the squared norm of codes, and the squared
        # weights of the decoder. It samples once a density is fitted to its codes.
        x = keras.Input((64,))
        y = keras.layers.Dense(256, "relu")(x)
        z = keras.layers.Dense(8, activity_regularizer=keras.regularizers.L2(0.005))(y)
        encoder = keras.Model(x, z)
        decoder = kgen.networks.dense.decoder(
            (64,), 8, kernel_regularizer=keras.regularizers.L2(1e-4)
        )
        rae = kgen.Autoencoder(encoder, decoder)
        rae.compile()
        rae.fit(train)
        rae.fit_prior(train, "mixture:10")
        images = rae.sample(16, seed=0)

    References:
        Hinton & Salakhutdinov (2006), Reducing the dimensionality of data with
        neural networks; Vincent et al. (2010), section 2.2 (the likelihoods);
        Baldi & Hornik (1989) (a linear one finds the subspace of PCA);
        Ghosh et al. (2020), arXiv 1903.12436, equations 7 and 8 (RAE).
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        likelihood: Likelihood | keras.losses.Loss | str = "gaussian",
        fitted_prior: Prior | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self._set_reconstruction(likelihood, encoder, decoder)
        self._set_fitted_prior(fitted_prior)

    def _step_losses(self, inputs, x, training):
        losses, _ = self._reconstruction_losses(inputs, x, training)
        return losses
