"""What every model with a Gaussian posterior over z can do once trained."""

from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kgen.errors import invalid
from kgen.layers import GaussianSampling
from kgen.losses.divergences import bound_log_var
from kgen.models import estimates, imputation
from kgen.models.available import available_if
from kgen.models.draws import new_seed
from kgen.models.encoder_decoder import EncoderDecoder
from kgen.models.network_checks import check_posterior
from kgen.params import SEED, Boolean, Integer, Optional, checked
from kgen.priors import Divergence, Flow, NormalPrior, Posterior, Prior

# Draws of z for the ELBO of an outlier's score.
_SCORE_DRAWS = 8


class LatentGaussianModel(EncoderDecoder):
    """Base of models with `q(z|x)`, `p(x|z)` and the prior p(z).

    What they decode to reconstruct, and what `encode` gives, is the mean of a
    Gaussian posterior, or where its flow takes that mean. A subclass has a
    `GaussianSampling` layer, `sampling`, and calls `_build_latents`.
    """

    # Its argument `posterior` has the name of a method.
    argument_attributes: ClassVar = {"posterior": "posterior_flow"}
    _score_options = ("num_samples", "seed")

    def _build_latents(self):
        """Makes the weights of the prior and of the posterior's flow."""
        owner = type(self).__name__
        check_posterior(owner, self.encoder, self.posterior_flow)
        if self.divergence is not None:
            self.divergence.check(owner, self.posterior_flow)
            if self.free_bits:
                expected = "0 with another divergence than the KL"
                raise invalid("free_bits", owner, expected, self.free_bits)
        self._build_sampling(self.sampling)

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
        is_normal = isinstance(self.serving_prior, NormalPrior)
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
        code of x, behind it, is what `encode` gives.

        Args:
            x: Array of shape `(n, *input_shape)`, `[x, labels]`, or a dataset.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Arrays `mean` and `log_var`, of shape `(n, latent_dim)`.
        """
        return self._apply(self._posterior, x, batch_size)

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

    def elbo(
        self,
        x: Any,
        num_samples: int = 1,
        batch_size: int = 128,
        seed: int | None = None,
    ) -> np.ndarray:
        """The evidence lower bound of each example.

        `E_q[log p(x|z)]` by `num_samples` draws, and by the same ones the KL term
        unless it has a closed form.

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
            `KL(q(z|x) || p(z))`, in closed form if there is one, and the
            distortion `-E_q[log p(x|z)]`, by `num_samples` draws.

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

    @available_if(lambda model: model.table is not None)
    @checked(num_samples=Integer(1), draw=Boolean())
    def impute(
        self,
        x: Any,
        num_samples: int = 500,
        draw: bool = False,
        seed: int | None = None,
    ) -> Any:
        """Fills the gaps of a table's rows; it is there in models of a table.

        Each is filled by its expectation given the row's known values, of a
        category by the most probable one; by importance sampling with
        `num_samples` codes for each row.

        Args:
            x: DataFrame with gaps.
            num_samples: Draws of z for each row.
            draw: Whether each gap is filled by a draw of its value given the
                known ones, as multiple imputation needs, and not by the
                expectation.
            seed: Integer for the draws, or None.

        Returns:
            A copy of x without gaps in the columns of the table. Known values, other
            columns and the index stay as they are.

        Raises:
            InvalidArgument: If x is no DataFrame of such rows.

        Example:

            filled = vae.impute(rows, seed=0)

        References:
            Mattei & Frellsen (2019), MIWAE, arXiv 1812.02633, section 3.
        """
        return imputation.impute(self, x, num_samples, draw, new_seed(seed))

    @checked(num_samples=Optional(Integer(1)), seed=SEED)
    def outlier_score(
        self,
        x: Any,
        num_samples: int | None = None,
        batch_size: int = 1024,
        seed: int = 0,
    ) -> np.ndarray:
        """How unlike the data each example is: -ELBO, or -log p(x).

        The draws of z are the same for all examples, so that a score is a function of
        x and the seed alone, also in the exported model. Scores by other draws, or by
        another `num_samples`, can't be compared with these. As to densities of pixels
        see `BayesClassifier.outlier_score`.

        Args:
            x: As in `posterior`.
            num_samples: None for -ELBO, by 8 draws; or K, for -log p(x) by importance
                sampling with as many, as in `log_likelihood`.
            batch_size: For arrays: how many are worked on at a time.
            seed: Integer for the draws.

        Returns:
            Array of shape `(n,)`, nats per image; higher for outliers.
        """

        def method(inputs, number, seed):
            return self._outlier_score(inputs, number, num_samples, seed)

        method.__name__ = f"outlier_score_{num_samples}"  # as in `_estimate`
        return self._apply(method, x, batch_size, tf.constant(seed))

    def _outlier_score(self, inputs, number=0, num_samples=None, seed=0):
        bound = num_samples is None
        count = _SCORE_DRAWS if bound else num_samples
        return -estimates.log_prob(self, inputs, count, seed, bound)

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
