"""What every model with a Gaussian posterior over z can do once trained."""

import math

import numpy as np
import tensorflow as tf
from keras import ops

from kgen.errors import check_int, invalid
from kgen.losses import gaussian_kl, gaussian_log_prob
from kgen.losses.divergences import bound_log_var
from kgen.models.base import new_seed, prior_draws
from kgen.models.encoder_decoder import EncoderDecoder
from kgen.models.outputs import check_log_var

# The most that a decoder puts out at a time in importance sampling: rows, enough
# to keep the cores busy, and numbers, for large pictures.
_ROWS = 4096
_NUMBERS = 4096 * 28 * 28


class LatentGaussianModel(EncoderDecoder):
    """Base of models with `q(z|x)`, `p(x|z)` and the prior N(0, I).

    What they decode to reconstruct, and what `encode` gives, is the posterior
    mean.
    """

    _own_path = "spherical"  # as draws from the prior, far from 0

    @property
    def _encoded_by(self):
        """The network that encodes once trained."""
        return self.encoder

    def _code(self, inputs, training=False):
        encoder = self.encoder if training else self._encoded_by
        mean, _ = encoder(inputs, training=training)
        return mean

    def encoded(self, inputs, training):
        """What the encoder says of q(z|x): its mean and the log of its variance.

        In float32: networks may end in half precision, where densities can't be
        computed.
        """
        outputs = self.encoder(inputs, training=training)
        return [ops.cast(output, "float32") for output in outputs]

    def fit(self, *args, **kwargs):
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

    def posterior(self, x, batch_size=1024):
        """The approximate posterior q(z|x).

        Args:
            x: Array of shape `(n, *input_shape)`, `[x, labels]`, or a dataset.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Arrays `mean` and `log_var`, of shape `(n, latent_dim)`.
        """
        batches = self._batches_of(x, batch_size)
        return self._in_batches(self._posterior, batches)

    def sample(self, num_samples, labels=None, seed=None):
        """Pictures from the model: E[x|z] for z from N(0, I).

        Args:
            num_samples: How many.
            labels: Integer or `num_samples` integers, for a conditional model.
            seed: Integer; the same one gives the same pictures, also from the
                exported model. None for new ones at each call.

        Returns:
            Array of shape `(num_samples, *input_shape)`.
        """
        count = check_int("num_samples", "sample", num_samples)
        labels = self._labels_for(count, labels, "sample")
        z = prior_draws(count, self.latent_dim, new_seed(seed))
        return self.decode(z, labels)

    def attribute_vector(self, x, y, batch_size=1024):
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
                y if y.size < 10 else f"shape {y.shape}",
            )
        y = y.astype(bool)
        return z[y].mean(axis=0) - z[~y].mean(axis=0)

    def elbo(self, x, num_samples=1, batch_size=128, seed=None):
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
        return self._by_draws(self._elbo, x, num_samples, batch_size, seed)

    def rate_distortion(self, x, num_samples=1, batch_size=128, seed=None):
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
        return self._by_draws(
            self._rate_distortion, x, num_samples, batch_size, seed
        )

    def log_likelihood(
        self, x, num_samples=500, batch_size=128, seed=None, verbose="auto"
    ):
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
        return self.importance_sampling(
            x, num_samples, batch_size, seed, verbose
        )[0]

    def importance_sampling(
        self, x, num_samples=500, batch_size=128, seed=None, verbose="auto"
    ):
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
        return self._by_draws(
            self._importance_sampling, x, num_samples, batch_size, seed, verbose
        )

    def _by_draws(self, function, x, num_samples, batch_size, seed, verbose=0):
        count = check_int("num_samples", type(self).__name__, num_samples)
        return self._in_batches(
            function,
            self._batches_of(x, batch_size),
            tf.constant(count),
            tf.constant(new_seed(seed)),
            verbose=verbose,
        )

    # The same, on tensors.

    def _posterior(self, inputs, number=0):
        mean, log_var = self._encoded_by(inputs, training=False)
        return ops.cast(mean, "float32"), bound_log_var(log_var)

    def _elbo(self, inputs, number, num_samples, seed):
        return self._elbo_by(inputs, num_samples, [seed, number])

    def _rate_distortion(self, inputs, number, num_samples, seed):
        return self._rate_distortion_by(inputs, num_samples, [seed, number])

    def _importance_sampling(self, inputs, number, num_samples, seed):
        return self._importance_by(inputs, num_samples, [seed, number])

    def _elbo_by(self, inputs, num_samples, seed, common=False):
        rate, distortion = self._rate_distortion_by(
            inputs, num_samples, seed, common
        )
        return -distortion - rate

    def _rate_distortion_by(self, inputs, num_samples, seed, common=False):
        mean, log_var = self._posterior(inputs)
        total = self._over_draws(
            lambda z, _: ops.sum(self._log_prob_of(z, inputs), axis=0),
            lambda total, part: total + part,
            tf.zeros(tf.shape(mean)[:1]),
            mean,
            log_var,
            num_samples,
            seed,
            common,
        )
        rate = ops.sum(gaussian_kl(mean, log_var), axis=-1)
        return rate, -total / tf.cast(num_samples, "float32")

    def _log_likelihood_by(self, inputs, num_samples, seed, common=False):
        return self._importance_by(inputs, num_samples, seed, common)[0]

    def _importance_by(self, inputs, num_samples, seed, common=False):
        mean, log_var = self._posterior(inputs)

        def log_weight_sums(z, eps):
            log_q = log_density(eps) - 0.5 * ops.sum(log_var, axis=-1)
            log_weights = self._log_prob_of(z, inputs) + log_density(z) - log_q
            powers = [log_weights, 2.0 * log_weights]  # of w and of w^2
            return ops.stack([ops.logsumexp(x, axis=0) for x in powers])

        sums = self._over_draws(
            log_weight_sums,
            ops.logaddexp,
            tf.fill([2, tf.shape(mean)[0]], float("-inf")),
            mean,
            log_var,
            num_samples,
            seed,
            common,
        )
        log_sum, log_squares = tf.unstack(sums, 2)
        count = tf.cast(num_samples, "float32")
        size = tf.exp(2.0 * log_sum - log_squares)  # but for its rounding
        return log_sum - tf.math.log(count), tf.clip_by_value(size, 1.0, count)

    def _log_prob_of(self, z, inputs):
        x = inputs[0] if self.conditional else inputs
        return self._log_prob_given(z, inputs, x)

    def _over_draws(
        self, function, combine, start, mean, log_var, num_samples, seed, common
    ):
        """Folds `function(z, eps)` over draws from q(z|x), a chunk at a time.

        With `common`, all examples have the same draws of eps.
        """
        shape = tf.shape(mean)
        stddev = ops.exp(0.5 * log_var)
        rows = min(_ROWS, _NUMBERS // math.prod(self.input_shapes[0]))
        most = tf.maximum(rows // tf.maximum(shape[0], 1), 1)
        shared = tf.random.stateless_normal(
            [num_samples if common else 0, 1, self.latent_dim], seed
        )

        def body(done, total):
            size = tf.minimum(most, num_samples - done)
            # A seed of its own for each batch (seed[1]) and chunk (done).
            chunk_seed = tf.random.experimental.stateless_fold_in(seed, done)
            if common:
                eps = shared[done : done + size]
            else:
                eps = tf.random.stateless_normal(
                    [size, shape[0], self.latent_dim], chunk_seed
                )
            part = function(mean + stddev * eps, eps)
            return done + size, combine(total, part)

        any_shape = tf.TensorShape([None] * start.shape.rank)
        start = tf.ensure_shape(start, any_shape)
        _, total = tf.while_loop(
            lambda done, _: done < num_samples,
            body,
            (0, start),
            parallel_iterations=1,
            shape_invariants=(tf.TensorShape([]), any_shape),
        )
        return total

    def _log_prob_given(self, z, inputs, x, training=False):
        """log p(x|z) for z of shape `(samples, batch, latent_dim)`."""
        samples, batch = ops.shape(z)[0], ops.shape(z)[1]
        flat = ops.reshape(z, (-1, self.latent_dim))
        if self.conditional:
            flat = [flat, ops.tile(inputs[1], [samples])]
        parameters = self._parameters_of(flat, training)
        parameters = ops.reshape(
            parameters, (samples, batch, *self.input_shapes[0])
        )
        return self.likelihood.log_prob(x, parameters, batch_axes=2)

    def endpoints(self):
        """Those of `EncoderDecoder`, with `log_var` in `encode`; `sample`."""
        scalar = tf.TensorSpec((), "int32", "num_samples")
        seed = tf.TensorSpec((), "int32", "seed")
        labels = self.label_specs()

        def encode(images, labels=None):
            mean, log_var = self._posterior(self.with_labels(images, labels))
            return {"mean": mean, "log_var": log_var}

        def sample(num_samples, seed, labels=None):
            z = prior_draws(num_samples, self.latent_dim, seed)
            return {"images": self._decode(self.with_labels(z, labels))}

        return {
            **super().endpoints(),
            "encode": (encode, [self.image_spec(), *labels]),
            "sample": (sample, [scalar, seed, *labels]),
        }

    def lite_endpoints(self):
        """Those of `EncoderDecoder`; `encode` leaves `log_var` unbounded.

        It comes out of one split with the mean, and LiteRT would cut both to the
        range of the one that has bounds.
        """
        found = super().lite_endpoints()
        _, specs = found["encode"]

        def encode(images, labels=None):
            inputs = self.with_labels(images, labels)
            mean, log_var = self._encoded_by(inputs, training=False)
            return {
                "mean": ops.cast(mean, "float32"),
                "log_var": ops.cast(log_var, "float32"),
            }

        return {**found, "encode": (encode, specs)}


def log_density(x, mean=0.0, log_var=0.0):
    """Log-density of a diagonal Gaussian, summed over the last axis."""
    return ops.sum(gaussian_log_prob(x, mean, log_var), axis=-1)


def check_posterior(owner, encoder):
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
