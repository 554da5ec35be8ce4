"""The approximate posterior q(z|x) of a batch."""

from typing import NamedTuple

import keras
from keras import ops
from tensorflow import Tensor

from kgen.losses.divergences import (
    gaussian_log_prob,
    gaussian_log_prob_of_all,
)
from kgen.priors.base import Prior


class Posterior(NamedTuple):
    """q(z|x) of each example: a diagonal Gaussian, perhaps with a flow behind it.

    Args:
        mean: Tensor of shape `(batch, latent_dim)`, that of the Gaussian.
        log_var: Tensor of the same shape, the logarithm of its variance.
        flow: The `Flow` that a draw from the Gaussian goes through, or None.
        context: Tensor of shape `(batch, c)` on which the flow depends, or None.
    """

    mean: Tensor
    log_var: Tensor
    flow: keras.layers.Layer | None = None
    context: Tensor | None = None

    @property
    def parameters(self) -> list[Tensor]:
        """What the encoder gave: `[mean, log_var]`, and the context if any."""
        parameters = [self.mean, self.log_var]
        return (
            parameters if self.context is None else [*parameters, self.context]
        )

    @property
    def code(self) -> Tensor:
        """The code of x, of the shape of `mean`: where the flow takes the mean."""
        return self._through_flow(self.mean)[0]

    def of_first(self, size: int) -> "Posterior":
        """The posterior of the first dimensions of the code.

        Args:
            size: How many; all, or those that a flow of `split="halves"` leaves as
                they are.
        """
        if size == self.mean.shape[-1]:
            return self
        return Posterior(self.mean[:, :size], self.log_var[:, :size])

    def of_rows(self, rows: Tensor) -> "Posterior":
        """That of some examples.

        Args:
            rows: Integer tensor of shape `(n,)`.
        """
        mean, log_var, *context = (
            ops.take(x, rows, axis=0) for x in self.parameters
        )
        return Posterior(mean, log_var, self.flow, *context)

    def draw(self, eps: Tensor) -> tuple[Tensor, Tensor]:
        """Draws z by reparameterisation.

        Args:
            eps: Tensor of shape `(..., batch, latent_dim)`, draws from N(0, I).

        Returns:
            z, of the shape of `eps`, and log q(z|x) in nats, of shape
            `(..., batch)`.
        """
        z = self.mean + ops.exp(0.5 * self.log_var) * eps
        log_q = ops.sum(gaussian_log_prob(eps, 0.0, 0.0), axis=-1)
        log_q = log_q - 0.5 * ops.sum(self.log_var, axis=-1)
        z, log_det = self._through_flow(z)
        return z, log_q - log_det

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z|x) at any z.

        Args:
            z: Tensor of shape `(..., batch, latent_dim)`, or one that broadcasts
                with it.

        Returns:
            Tensor of shape `(..., batch)`, nats.
        """
        log_det = 0.0
        if self.flow is not None:
            z, log_det = self.flow.inverse(*self._with_context(z))
        log_q = gaussian_log_prob(z, self.mean, self.log_var)
        return ops.sum(log_q, axis=-1) + log_det

    def log_prob_of_all(self, z: Tensor) -> Tensor:
        """log q(z|x) of each z under the posterior of each x.

        Args:
            z: Tensor of shape `(..., latent_dim)`.

        Returns:
            Tensor of shape `(..., batch)`, nats.
        """
        if self.flow is None:
            return gaussian_log_prob_of_all(z, self.mean, self.log_var)
        return self.log_prob(ops.expand_dims(z, -2))

    def kl(
        self, prior: Prior, z: Tensor, log_q: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """KL(q(z|x) || p(z)) of each example, in nats.

        In closed form if there is one, else by `log q(z|x) - log p(z)`.

        Args:
            prior: p(z).
            z: What `draw` returned.
            log_q: What `draw` returned beside it.

        Returns:
            Tensor of shape `(batch,)`, and its parts by dimension, of shape
            `(batch, latent_dim)`; or, where the KL is estimated, a tensor of the
            shape of `log_q`, and None.

        Raises:
            InvalidArgument: If a prior of the user's gives no number for each z.
        """
        per_dim = None
        if self.flow is None:
            per_dim = prior.kl(self.mean, self.log_var)
        if per_dim is None:
            return log_q - prior.checked_log_prob(z), None
        return ops.sum(per_dim, axis=-1), per_dim

    def _through_flow(self, z):
        if self.flow is None:
            return z, 0.0
        return self.flow(*self._with_context(z))

    def _with_context(self, z):
        """z of all rows, and the context of each row beside it."""
        shape = (*ops.shape(z)[:-2], ops.shape(self.mean)[0])
        z = ops.broadcast_to(z, (*shape, z.shape[-1]))
        if self.context is None:
            return z, None
        size = self.context.shape[-1]
        return z, ops.broadcast_to(self.context, (*shape, size))
