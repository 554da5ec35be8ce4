"""What every model with a Gaussian posterior over z can do once trained."""

import warnings
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kgen.errors import invalid
from kgen.layers import GaussianSampling
from kgen.losses.divergences import bound_log_var
from kgen.models.draws import new_seed
from kgen.models.likelihood_estimator import LikelihoodEstimator
from kgen.models.network_checks import check_posterior
from kgen.priors import (
    MMD,
    Divergence,
    Flow,
    MixturePrior,
    NormalPrior,
    Posterior,
    Prior,
)


class LatentGaussianModel(LikelihoodEstimator):
    """Base of models with `q(z|x)`, `p(x|z)` and the prior p(z).

    What they decode to reconstruct, and what `encode` gives, is the mean of a
    Gaussian posterior, or where its flow takes that mean. A subclass has a
    `GaussianSampling` layer, `sampling`, and calls `_build_latents`.
    """

    # Its argument `posterior` has the name of a method.
    argument_attributes: ClassVar = {"posterior": "posterior_flow"}

    def _build_latents(self):
        """Makes the weights of the prior and of the posterior's flow."""
        owner = type(self).__name__
        check_posterior(owner, self.encoder, self.posterior_flow)
        if self.divergence is not None:
            self.divergence.check(owner, self.posterior_flow)
            self._warn_of_equal_weights(owner)
            if self.free_bits:
                expected = "0 with another divergence than the KL"
                raise invalid("free_bits", owner, expected, self.free_bits)
        self._build_sampling(self.sampling)

    def _warn_of_equal_weights(self, owner):
        upper = getattr(self.prior, "top", self.prior)
        if isinstance(self.divergence, MMD) and isinstance(upper, MixturePrior):
            warnings.warn(
                f"{owner}: the Gaussians of the prior keep equal weights. The maximum "
                "mean discrepancy compares draws, which have no gradient by these.",
                stacklevel=4,
            )

    def _build_sampling(self, sampling, serving=False):
        sampling.prior.build_for(self, serving=serving)
        if sampling.flow is not None:
            code, _, *context = (
                output.shape for output in self.encoder.outputs
            )
            sampling.flow.build_for(type(self).__name__, code, *context)

    @property
    def prior(self) -> Prior:
        """p(z)."""
        return self.sampling.prior

    @property
    def default_path(self) -> str:
        """The path of `interpolate`: as far from 0 as draws from N(0, I)."""
        is_normal = isinstance(self.prior, NormalPrior)
        return "spherical" if is_normal else "linear"

    @property
    def has_prior(self) -> bool:
        return True

    @property
    def serving_prior(self) -> Prior:
        """p(z) outside of training: `fitted_prior` if there is one."""
        if self.fitted_prior is not None:
            return self.fitted_prior
        return self.serving_sampling.prior

    @property
    def serving_sampling(self) -> GaussianSampling:
        """The layer with the prior and the flow outside of training."""
        return self.sampling

    @property
    def divergence(self) -> Divergence | None:
        """What is in the place of the KL in the loss, or None."""
        return self.sampling.divergence

    @property
    def needs_single_steps(self) -> bool:
        return self.divergence is not None  # which looks at the whole batch

    @property
    def posterior_flow(self) -> Flow | None:
        """The flow behind the Gaussian of q(z|x), or None."""
        return self.sampling.flow

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

    @property
    def num_start_examples(self) -> int:
        return self.prior.num_start_examples

    def start_from(self, x: np.ndarray, labels: np.ndarray | None) -> None:
        self.prior.start_from(x, labels)

    # On tensors

    def posterior_of(
        self, inputs: Any, serving: bool = True, training: bool = False
    ) -> Posterior:
        """q(z|x) of a batch.

        In float32: networks may end in half precision, in which densities can't
        be computed.

        Args:
            inputs: x, or `[x, labels]`.
            serving: Whether by what the trained model uses, such as averages of
                weights; False in a step of training or validation.
            training: Whether the encoder is being trained.

        Returns:
            A `kgen.priors.Posterior`.
        """
        encoder = self.serving_encoder if serving else self.encoder
        sampling = self.serving_sampling if serving else self.sampling
        mean, log_var, *context = encoder(inputs, training=training)
        return Posterior(
            ops.cast(mean, "float32"),
            bound_log_var(log_var),
            sampling.flow,
            *(ops.cast(x, "float32") for x in context),
        )

    def _code(self, inputs, training=False):
        return self.posterior_of(inputs, not training, training).code

    def _drawn_code(self, inputs, number, seed):
        posterior = self.posterior_of(inputs)
        shape = tf.shape(posterior.mean)
        z, _ = posterior.draw(tf.random.stateless_normal(shape, [seed, number]))
        return z

    def _posterior(self, inputs, number=0):
        return self.posterior_of(inputs)[:2]

    # On arrays

    def posterior(
        self, x: Any, batch_size: int = 1024
    ) -> tuple[np.ndarray, np.ndarray]:
        """The approximate posterior q(z|x), a diagonal Gaussian.

        If there is a flow behind the Gaussian, this is the Gaussian before it; the
        code of x, behind it, is what `encode` gives. With `levels=2` there is
        such a flow: the first half of the Gaussian is q(z2|x), and the second half is
        the noise that the flow turns into z1, given z2.

        Args:
            x: Array of shape `(n, *input_shape)`, `[x, labels]`, or a dataset.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Arrays `mean` and `log_var`, of shape `(n, latent_dim)`.
        """
        return self._apply(self._posterior, x, batch_size)

    def codes_for_active_units(
        self, x: Any, batch_size: int = 1024
    ) -> np.ndarray:
        """What varies over examples in the dimensions that are active.

        These are the codes that `encode` gives. With `levels=2` they are the means of
        `posterior`, since the code of the lower level varies with that of the upper
        one even where it tells nothing. `kgen.metrics.active_units` counts them.

        Args:
            x: As in `posterior`.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Array of shape `(n, latent_dim)`.
        """
        if getattr(self, "levels", 1) == 1:
            return self.encode(x, batch_size)
        mean, _ = self.posterior(x, batch_size)
        return mean

    def sample_codes(
        self, x: Any, batch_size: int = 1024, seed: int | None = None
    ) -> np.ndarray:
        seed = tf.constant(new_seed(seed))
        return self._apply(self._drawn_code, x, batch_size, seed)

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

    # Files

    def endpoints(self) -> dict:
        """Returns those of `EncoderDecoder`, `encode` with `log_var`.

        With a flow behind the Gaussian, `encode` gives z, too, where the flow
        takes the mean.
        """
        labels = self.label_specs()

        def encode(images, labels=None):
            inputs = self.with_labels(images, labels)
            posterior = self.posterior_of(inputs)
            parts = {"mean": posterior.mean, "log_var": posterior.log_var}
            if self.posterior_flow is not None:
                parts["z"] = posterior.code
            return parts

        return {
            **super().endpoints(),
            "encode": (encode, [self.image_spec(), *labels]),
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
            mean, log_var, *_ = self.serving_encoder(inputs, training=False)
            parts = {
                "mean": ops.cast(mean, "float32"),
                "log_var": ops.cast(log_var, "float32"),
            }
            if self.posterior_flow is not None:
                parts["z"] = self.posterior_of(inputs).code
            return parts

        return {**signatures, "encode": (encode, specs)}
