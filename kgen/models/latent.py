"""What every model with a Gaussian posterior over z can do once trained."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kgen.arrays import Labels
from kgen.errors import invalid
from kgen.losses.divergences import bound_log_var
from kgen.models import estimates
from kgen.models.draws import new_seed, prior_draws
from kgen.models.encoder_decoder import EncoderDecoder
from kgen.models.outputs import check_log_var
from kgen.params import Integer, checked


class LatentGaussianModel(EncoderDecoder):
    """Base of models with `q(z|x)`, `p(x|z)` and the prior N(0, I).

    What they decode to reconstruct, and what `encode` gives, is the posterior
    mean. A subclass has a `GaussianSampling` layer, `sampling`.
    """

    default_path = "spherical"  # as draws from the prior, far from 0

    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """`keras.Model.fit`; without `KLWarmUp`, the KL term counts in full.

        Afterwards the KL term has its full weight again, even if `EarlyStopping`
        restored weights from a warm-up.

        Raises:
            InvalidArgument: As in every model.
        """
        self.sampling.reset()
        try:
            return super().fit(*args, **kwargs)
        finally:
            self.sampling.reset()

    # On tensors

    def posterior_of(
        self, inputs: Any, encoder: keras.Model, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The mean and log-variance of q(z|x).

        In float32: networks may end in half precision, in which densities can't
        be computed.

        Args:
            inputs: x, or `[x, labels]`.
            encoder: `encoder` in a step of training or validation,
                `serving_encoder` once trained.
            training: Whether the encoder is being trained.

        Returns:
            Two tensors of shape `(batch, latent_dim)`.
        """
        mean, log_var = encoder(inputs, training=training)
        return ops.cast(mean, "float32"), bound_log_var(log_var)

    def _code(self, inputs, training=False):
        encoder = self.encoder if training else self.serving_encoder
        mean, _ = encoder(inputs, training=training)
        return mean

    def _posterior(self, inputs, number=0):
        return self.posterior_of(inputs, self.serving_encoder)

    # On arrays

    def posterior(
        self, x: Any, batch_size: int = 1024
    ) -> tuple[np.ndarray, np.ndarray]:
        """The approximate posterior q(z|x).

        Args:
            x: Array of shape `(n, *input_shape)`, `[x, labels]`, or a dataset.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Arrays `mean` and `log_var`, of shape `(n, latent_dim)`.
        """
        return self._apply(self._posterior, x, batch_size)

    @checked(num_samples=Integer(1))
    def sample(
        self,
        num_samples: int,
        labels: Labels | None = None,
        seed: int | None = None,
    ) -> np.ndarray:
        """Pictures from the model: E[x|z] for z from N(0, I).

        Args:
            num_samples: How many.
            labels: Integer or `num_samples` integers, for a conditional model.
            seed: Integer; the same one gives the same pictures, also from the
                exported model. None for new ones at each call.

        Returns:
            Array of shape `(num_samples, *input_shape)`.
        """
        labels = self._labels_for(num_samples, labels, "sample")
        z = prior_draws(num_samples, self.latent_dim, new_seed(seed))
        return self.decode(z, labels)

    def attribute_vector(
        self, x: Any, y: np.ndarray, batch_size: int = 1024
    ) -> np.ndarray:
        """The direction of an attribute in the latent space.

        The mean code of the examples that have it less that of the others:
        `decode(encode(x) + v)` gives x the attribute, less v takes it away.

        Args:
            x: Array of shape `(n, *input_shape)`, or `[x, labels]`.
            y: `n` truth values: who has the attribute.
            batch_size: How many are worked on at a time.

        Returns:
            Array of shape `(latent_dim,)`.

        Raises:
            InvalidArgument: If y is not one truth value for each example, or
                all have the attribute, or none.

        References:
            Larsen et al. (2016), arXiv 1512.09300, section 4.2.
        """
        z, y = self.encode(x, batch_size), np.asarray(y)
        is_truth = y.shape == (len(z),) and np.isin(y, [0, 1]).all()
        if not is_truth or len(np.unique(y)) < 2:
            raise invalid(
                "y",
                f"{type(self).__name__}.attribute_vector",
                f"{len(z)} truth values, of both kinds",
                "one kind alone" if is_truth else f"shape {y.shape}",
            )
        y = y.astype(bool)
        return z[y].mean(axis=0) - z[~y].mean(axis=0)

    def elbo(
        self,
        x: Any,
        num_samples: int = 1,
        batch_size: int = 128,
        seed: int | None = None,
    ) -> np.ndarray:
        """The evidence lower bound of each example.

        The KL term in closed form, `E_q[log p(x|z)]` by `num_samples` draws.

        Args:
            x: As in `posterior`.
            num_samples: Draws of z for each example.
            batch_size: For arrays.
            seed: Integer for the draws, or None.

        Returns:
            Array of shape `(n,)`, nats per image.
        """
        rate, distortion = self.rate_distortion(
            x, num_samples, batch_size, seed
        )
        return -distortion - rate

    def rate_distortion(
        self,
        x: Any,
        num_samples: int = 1,
        batch_size: int = 128,
        seed: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The two parts of the ELBO of each example, which is minus their sum.

        Args:
            x: As in `posterior`.
            num_samples: Draws of z for each example.
            batch_size: For arrays.
            seed: Integer for the draws, or None.

        Returns:
            Two arrays of shape `(n,)`, nats per image: the rate
            `KL(q(z|x) || N(0, I))`, in closed form, and the distortion
            `-E_q[log p(x|z)]`, by `num_samples` draws.

        References:
            Alemi et al. (2018), arXiv 1711.00464, section 2.
        """
        return self._estimate(
            estimates.rate_distortion, x, num_samples, batch_size, seed
        )

    def log_likelihood(
        self,
        x: Any,
        num_samples: int = 500,
        batch_size: int = 128,
        seed: int | None = None,
        verbose: int | str = "auto",
    ) -> np.ndarray:
        """log p(x) of each example by importance sampling.

        `log 1/K sum_k p(x, z_k) / q(z_k|x)` with z_k from q(z|x): from below in
        expectation, and closer with more samples (Burda et al. 2016, theorem
        1). Memory does not grow with `num_samples`.

        Args:
            x: As in `posterior`.
            num_samples: K, the draws of z for each example.
            batch_size: For arrays.
            seed: Integer for the draws, or None.
            verbose: 1 or "auto" shows a progress bar, 0 does not.

        Returns:
            Array of shape `(n,)`, nats per image.
        """
        log_likelihood, _ = self.importance_sampling(
            x, num_samples, batch_size, seed, verbose
        )
        return log_likelihood

    def importance_sampling(
        self,
        x: Any,
        num_samples: int = 500,
        batch_size: int = 128,
        seed: int | None = None,
        verbose: int | str = "auto",
    ) -> tuple[np.ndarray, np.ndarray]:
        """`log_likelihood`, and how many of the draws bear it.

        The effective sample size is `(sum_k w_k)^2 / sum_k w_k^2` for the
        weights `w_k = p(x, z_k) / q(z_k|x)`: K for a perfect posterior, near 1
        if one draw outweighs all others.

        Args:
            x: As in `posterior`.
            num_samples: K, the draws of z for each example.
            batch_size: For arrays.
            seed: Integer for the draws, or None.
            verbose: 1 or "auto" shows a progress bar, 0 does not.

        Returns:
            Two arrays of shape `(n,)`: log p(x) in nats per image, and the
            effective sample size, from 1 to K.

        References:
            Burda et al. (2016), arXiv 1509.00519, equation 8; Kong (1992), A
            note on importance sampling using standardized weights.
        """
        return self._estimate(
            estimates.importance_sampling,
            x,
            num_samples,
            batch_size,
            seed,
            verbose,
        )

    def _estimate(
        self,
        function: Callable,
        x: Any,
        num_samples: int,
        batch_size: int,
        seed: int | None,
        verbose: int | str = 0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Applies a function of `kgen.models.estimates` to arrays."""
        owner = type(self).__name__
        count = Integer(1).check("num_samples", owner, num_samples)

        def method(inputs, number, num_samples, seed):
            return function(self, inputs, num_samples, [seed, number])

        method.__name__ = function.__name__  # by which traces are kept
        return self._apply(
            method,
            x,
            batch_size,
            tf.constant(count),
            tf.constant(new_seed(seed)),
            verbose=verbose,
        )

    # Files

    def endpoints(self) -> dict:
        """Returns those of `EncoderDecoder`, with `log_var`; and `sample`."""
        scalar = tf.TensorSpec((), "int32", "num_samples")
        seed = tf.TensorSpec((), "int32", "seed")
        labels = self.label_specs()

        def encode(images, labels=None):
            mean, log_var = self._posterior(self.with_labels(images, labels))
            return {"mean": mean, "log_var": log_var}

        def sample(num_samples, seed, labels=None):
            z = prior_draws(num_samples, self.latent_dim, seed)
            return {"images": self.decoded(self.with_labels(z, labels))}

        return {
            **super().endpoints(),
            "encode": (encode, [self.image_spec(), *labels]),
            "sample": (sample, [scalar, seed, *labels]),
        }

    def lite_endpoints(self) -> dict:
        """Returns those of `EncoderDecoder`; `encode` leaves `log_var` unbounded.

        It comes out of one split with the mean, and LiteRT would cut both to the
        range of the one that has bounds.
        """
        signatures = super().lite_endpoints()
        _, specs = signatures["encode"]

        def encode(images, labels=None):
            inputs = self.with_labels(images, labels)
            mean, log_var = self.serving_encoder(inputs, training=False)
            return {
                "mean": ops.cast(mean, "float32"),
                "log_var": ops.cast(log_var, "float32"),
            }

        return {**signatures, "encode": (encode, specs)}


def check_posterior(owner: str, encoder: keras.Model) -> None:
    """Raises unless the encoder ends in `(mean, log_var)`."""
    outputs = encoder.outputs
    if len(outputs) != 2 or outputs[0].shape != outputs[1].shape:
        raise invalid(
            "encoder",
            owner,
            "two outputs of one shape, (mean, log_var)",
            [output.shape for output in outputs],
        )
    check_log_var(owner, encoder)
