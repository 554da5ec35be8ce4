"""What draws from a posterior tell of log p(x): bounds, estimates, scores."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from kgen.models import estimates, imputation
from kgen.models.available import available_if
from kgen.models.draws import new_seed
from kgen.models.encoder_decoder import EncoderDecoder
from kgen.params import SEED, Boolean, Integer, Optional, checked

# Draws of z for the ELBO of an outlier's score.
_SCORE_DRAWS = 8


class LikelihoodEstimator(EncoderDecoder):
    """Base of models that estimate log p(x) by draws of z from `q(z|x)`.

    A subclass implements `posterior_of`, the posterior of a batch, and
    `serving_prior`, p(z).
    """

    _score_options = ("num_samples", "seed")

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
        `num_samples` codes for each row. Where a few of them would outweigh all
        others, their weights are evened, so that a gap is not filled by a draw or
        two; with more codes this is done less.

        Args:
            x: DataFrame with gaps.
            num_samples: Draws of z for each row.
            draw: Whether each gap is filled by a draw of its value given the
                known ones, as multiple imputation needs, and not by the
                expectation.
            seed: Integer for the draws, or None.

        Returns:
            A copy of x without gaps in the columns of the table. Known values, other
            columns and the index stay as they are. If the model is conditional, rows
            whose target is missing are returned unchanged; a line on stderr says so.

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
