"""The base of all priors."""

from typing import Any

import keras
import tensorflow as tf
from tensorflow import Tensor

from kgen.errors import InvalidArgument, invalid
from kgen.parallel import replicas


class Prior(keras.layers.Layer):
    """Base of the densities p(z) that codes are drawn from.

    A subclass implements `log_prob` and `transform`, makes its weights in
    `build`, and is registered as serialisable. It computes in float32 under every
    dtype policy. The model that a prior is given to builds it; without a model,
    `prior.build((None, latent_dim))` does.

    Call arguments:
        z: Tensor of shape `(batch, latent_dim)`.

    Returns:
        `log_prob(z)`.

    Example:

        @keras.saving.register_keras_serializable()
        class Laplace(kgen.priors.Prior):
            def log_prob(self, z):
                return -tf.reduce_sum(tf.abs(z) + math.log(2.0), axis=-1)

            def transform(self, normal, uniform):
                p = 0.5 * tf.math.erfc(tf.abs(normal) / math.sqrt(2.0))
                return -tf.sign(normal) * tf.math.log(2.0 * p)

        vae = kgen.create_model(
            "vae", input_shape=(64,), network="dense", prior=Laplace()
        )
    """

    # Whether `transform` needs a uniform number for each draw.
    needs_uniform = False

    def __init__(self, **kwargs: Any):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.latent_dim = 0  # known once it is built

    def build(self, input_shape: tuple) -> None:
        """Makes the weights; a subclass calls this first."""
        self.latent_dim = input_shape[-1]
        self.built = True

    @property
    def num_start_examples(self) -> int:
        """How many training examples `start_from` wants."""
        return 0

    def build_for(
        self,
        model: keras.Model,
        size: int | None = None,
        serving: bool = False,
    ) -> None:
        """Makes the prior one of a model's codes.

        Args:
            model: The model, which has its networks.
            size: The number of leading dimensions of the codes that the prior
                covers; None for all.
            serving: Whether it goes with the networks of the trained model, which
                may be averages, and not with those that are being trained.

        Raises:
            InvalidArgument: If the prior is one of codes of another size.
        """
        size = model.latent_dim if size is None else size
        if self.built and self.latent_dim != size:
            whole = size == model.latent_dim
            whose = "the encoder's" if whole else "the upper level's"
            raise invalid(
                "prior",
                type(model).__name__,
                f"a prior of codes of size {size}, as {whose} are",
                f"one of codes of size {self.latent_dim}",
            )
        self._prepare(model, size, serving)
        if not self.built:
            self.build((None, size))

    def _prepare(self, model, size, serving):
        """Takes what `build` needs of a model; the arguments of `build_for`."""

    def start_from(self, x: Any, labels: Any) -> None:
        """Takes training examples for initial weights, before `fit` begins."""

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) in nats.

        Args:
            z: Tensor of shape `(..., latent_dim)`.

        Returns:
            Tensor of shape `(...)`.
        """
        raise self._not_implemented("log_prob")

    def checked_log_prob(self, z: Tensor) -> Tensor:
        """`log_prob`, with a check that a subclass sums over the dimensions.

        Otherwise the result may broadcast without an error.

        Args:
            z: As in `log_prob`.

        Raises:
            InvalidArgument: If the result is not one number for each z.
        """
        log_prob = self.log_prob(z)
        if len(log_prob.shape) != len(z.shape) - 1:
            raise InvalidArgument(
                f"`{type(self).__name__}.log_prob`: expected a tensor of shape "
                "(...) for z of shape (..., latent_dim), summed over the "
                f"dimensions. Received: one of shape {tuple(log_prob.shape)}"
            )
        return log_prob

    def transform(self, normal: Tensor, uniform: Tensor | None) -> Tensor:
        """Draws of z, made of noise.

        Args:
            normal: Tensor of shape `(n, latent_dim)`, draws from N(0, I).
            uniform: Tensor of shape `(n,)`, draws from U(0, 1); in training
                None if `needs_uniform` is False.

        Returns:
            Tensor of shape `(n, latent_dim)`.
        """
        raise self._not_implemented("transform")

    def _not_implemented(self, method):
        """The error of a subclass that has not all methods."""
        return NotImplementedError(
            f"`{type(self).__name__}` needs the method `{method}`, as the "
            "documentation of `kgen.priors.Prior` shows."
        )

    def kl(self, mean: Tensor, log_var: Tensor) -> Tensor | None:
        """KL(N(mean, exp(log_var)) || p(z)) where it has a closed form.

        Args:
            mean: Tensor of shape `(batch, latent_dim)`.
            log_var: Tensor of shape `(batch, latent_dim)`.

        Returns:
            Tensor of shape `(batch, latent_dim)`, nats per dimension; None where
            there is no closed form, so that it must be estimated.
        """
        return None

    def call(self, z: Tensor) -> Tensor:
        return self.log_prob(z)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape[:-1]

    def sample(self, num_samples: int | Tensor, seed: int | Tensor) -> Tensor:
        """Draws z, as a function of the seed alone.

        So they are the same in Python and in an exported model.

        Args:
            num_samples: Integer or integer tensor.
            seed: Integer or integer tensor.

        Returns:
            Tensor of shape `(num_samples, latent_dim)`.

        Raises:
            InvalidArgument: If the prior is not built, so that it has no size.
        """
        if not self.built:
            raise InvalidArgument(
                f"`{type(self).__name__}`: the size of the codes is not known yet. "
                "Give the prior to a model, or call `build((None, latent_dim))`."
            )
        return self.transform(*noise(num_samples, self.latent_dim, seed))

    def draw(
        self, num_samples: Tensor, seed_generator: keras.random.SeedGenerator
    ) -> Tensor:
        """Draws z in a step of training; each device its part of the batch's.

        Args:
            num_samples: Integer tensor.
            seed_generator: The stream that is drawn from.

        Returns:
            Tensor of shape `(num_samples, latent_dim)`.
        """
        shape = (num_samples, self.latent_dim)
        normal = replicas.normal(shape, seed_generator)
        uniform = None
        if self.needs_uniform:
            uniform = replicas.uniform((num_samples,), seed_generator)
        return self.transform(normal, uniform)


def standard_normal(
    num_samples: int | Tensor, latent_dim: int, seed: int | Tensor
) -> Tensor:
    """Draws from N(0, I), which are a function of the seed alone.

    Args:
        num_samples: Integer or integer tensor.
        latent_dim: Size of z.
        seed: Integer or integer tensor.

    Returns:
        Tensor of shape `(num_samples, latent_dim)`.
    """
    return tf.random.stateless_normal(
        [num_samples, latent_dim], tf.stack([seed, 0])
    )


def noise(
    num_samples: int | Tensor, latent_dim: int, seed: int | Tensor
) -> tuple[Tensor, Tensor]:
    """What `Prior.transform` makes draws of: a function of the seed alone.

    Args:
        num_samples: Integer or integer tensor.
        latent_dim: Size of z.
        seed: Integer or integer tensor.

    Returns:
        Draws from N(0, I), of shape `(num_samples, latent_dim)`, and from U(0, 1),
        of shape `(num_samples,)`.
    """
    return (
        standard_normal(num_samples, latent_dim, seed),
        tf.random.stateless_uniform([num_samples], tf.stack([seed, 1])),
    )
