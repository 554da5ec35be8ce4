"""What a model with codes draws: codes from a prior, and pictures from these."""

import functools
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from kgen import arrays
from kgen.arrays import Labels
from kgen.errors import InvalidArgument, invalid
from kgen.models import batches, table_rows
from kgen.models.available import available_if
from kgen.models.base import GenerativeModel
from kgen.models.saving import arguments_of
from kgen.models.training import Traces
from kgen.params import SEED, Boolean, Instance, Integer, Optional, checked
from kgen.priors import Prior, fitting

_FITTED = Optional(Instance(Prior, "None: `fit_prior` makes it"))
# Rows of a table that are decoded at a time.
_ROWS = 50_000


class CodeSampler(GenerativeModel):
    """Base of models that sample by drawing a code, and decoding it.

    A subclass has `encode`, `decode`, `decoded`, `latent_dim` and `decodes_z_alone`.
    If it has an argument `fitted_prior`, which it gives to `_set_fitted_prior`,
    `fit_prior` can be used, and what was fitted is saved.
    """

    fitted_prior: Prior | None = None

    def sample_codes(
        self, x: Any, batch_size: int = 1024, seed: int | None = None
    ) -> np.ndarray:
        """A code of each example: a draw from q(z|x) where it is a density.

        Together they are draws from the aggregate posterior, the mean of q(z|x)
        over the data. Of an autoencoder they are what `encode` gives.

        Args:
            x: Array of shape `(n, *input_shape)`, `[x, labels]`, or a dataset.
            batch_size: For arrays: how many are encoded at a time.
            seed: Integer for the draws, or None.

        Returns:
            Array of shape `(n, latent_dim)`.
        """
        return self.encode(x, batch_size)

    @checked(seed=SEED)
    def fit_prior(
        self,
        x: Any,
        prior: str | None = "mixture:10",
        seed: int = 0,
        batch_size: int = 1024,
    ) -> Prior | None:
        """Fits a density to the codes of examples, and samples from it from now on.

        Samples are poor where the prior has mass but no training example has its
        code. So a density is fitted to the codes of a trained model, and takes the
        prior's place in `sample`, and in `elbo`, `log_likelihood` and
        `rate_distortion` of models that have these. An autoencoder, which has no
        prior, can sample by it. `fit` and `evaluate` do not use it, so that
        `val_elbo` stays that of the prior the model was trained with; after more
        training, fit it again. It is saved and exported with the model.

        Args:
            x: Array of shape `(n, *input_shape)`, `[x, labels]`, or a dataset:
                training examples.
            prior: `"gaussian"`, one Gaussian; `"mixture:10"`, as many Gaussians
                with full covariances; `"flow:4"`, a normalising flow of as many
                coupling layers; or None, to go back to the model as it was
                trained.
            seed: Integer, of the draws of codes and of the fit.
            batch_size: For arrays: how many are encoded at a time.

        Returns:
            The density, which is the attribute `fitted_prior`, too; or None.

        Raises:
            InvalidArgument: If the name is unknown, or there are too few examples.

        Example:

            ae = kgen.create_model("autoencoder", input_shape=(8, 8, 1))
            ae.compile()
            ae.fit(train)
            ae.fit_prior(train, "mixture:10")
            images = ae.sample(16, seed=0)

        References:
            Ghosh et al. (2020), From variational to deterministic autoencoders,
            arXiv 1903.12436, section 4.
        """
        owner = f"{type(self).__name__}.fit_prior"
        if not self.decodes_z_alone:
            raise InvalidArgument(
                f"`{owner}`: this decoder takes more than z, by its skip "
                "connections, and can't sample. Use networks without them."
            )
        if "fitted_prior" not in arguments_of(type(self)):
            raise InvalidArgument(
                f"`{owner}`: the density could not be saved, since `__init__` of "
                f"{type(self).__name__} has no argument `fitted_prior`. Add it, and "
                "give it to `_set_fitted_prior`, as `Autoencoder` does."
            )
        fitted = None
        if prior is not None:
            fitting.named(prior, owner)  # a wrong name is told before any work
            self._warn_of_untrained_codes(owner)
            codes = self.sample_codes(x, batch_size, seed)
            if not np.isfinite(codes).all():
                raise InvalidArgument(
                    f"`{owner}`: the codes are not finite numbers."
                )
            fitted = fitting.fit(prior, codes, seed, owner)
        self._set_fitted_prior(fitted)
        self.traces = Traces()  # the old ones use the previous prior
        return self.fitted_prior

    def _warn_of_untrained_codes(self, owner):
        if not self.compiled:
            what = "is not compiled. If it has not been trained, train it first"
        elif not self.optimizer.iterations.numpy():
            what = "has not been trained since it was compiled"
        else:
            return
        warnings.warn(
            f"{owner}: this model {what}. A density of the codes of untrained "
            "networks is of no use.",
            stacklevel=3,
        )

    def _set_fitted_prior(self, prior):
        """Sets the density that `fit_prior` has fitted, or None."""
        prior = _FITTED.check("fitted_prior", type(self).__name__, prior)
        if self.fitted_prior is not None:
            # Otherwise its weights would still be among the model's.
            self._tracker.untrack(self.fitted_prior)
        if (
            prior is not None
            and self.distribute_strategy.num_replicas_in_sync > 1
        ):
            prior = self._on_all_devices(prior)
        if prior is not None:
            prior.build_for(self)
            prior.trainable = False  # also when it was loaded
        self.fitted_prior = prior

    def _on_all_devices(self, prior):
        """A copy of a prior, with weights on each of the model's devices."""
        values = prior.get_weights()
        with self.distribute_strategy.scope():
            prior = type(prior).from_config(prior.get_config())
            prior.build_for(self)
            prior.set_weights(values)
        return prior

    @property
    def has_prior(self) -> bool:
        """Whether there is a prior to sample from."""
        return self.fitted_prior is not None

    @property
    def serving_prior(self) -> Prior:
        """p(z) outside of training.

        Raises:
            AttributeError: If there is none.
        """
        if self.fitted_prior is None:
            raise AttributeError(
                f"`{type(self).__name__}` has no prior to sample from. Call "
                "`fit_prior` first."
            )
        return self.fitted_prior

    # Not by `has_prior`: the error of `serving_prior` tells users why it is not there.
    @available_if(lambda model: bool(model.serving_prior))
    @checked(num_samples=Integer(1), noise=Optional(Boolean()))
    def sample(
        self,
        num_samples: int,
        labels: Labels | None = None,
        seed: int | None = None,
        noise: bool | None = None,
        conditions: Mapping[str, Any] | None = None,
    ) -> Any:
        """New examples: E[x|z] or a draw of x given z, for z from the prior.

        It is there if there is a prior: always in a VAE and a VAE-GAN, after
        `fit_prior` in an autoencoder.

        Args:
            num_samples: How many.
            labels: Integer or `num_samples` integers, or names out of
                `class_names`, for a conditional model.
            seed: Integer; the same one gives the same examples, also from the
                exported model. None for new ones at each call.
            noise: Whether x is drawn from p(x|z), so that examples are draws from
                p(x); without it they are the means E[x|z], which have too small a
                variance. None: for a table's rows, and not for other examples, of
                which pictures look grainy with independent noise at each pixel.
            conditions: For a table: dictionary from names of columns to a value, a
                list of values, or for numbers a pair `(low, high)`; None is a gap,
                where the column has gaps. Only rows that meet them are returned.

        Returns:
            Array of shape `(num_samples, *input_shape)`; of a table a DataFrame,
            with gaps as frequent as in training.

        Raises:
            InvalidArgument: If a value can't be used, or almost no row meets the
                conditions.

        Example:

            rows = vae.sample(100, conditions={"species": "Adelie"}, seed=0)
        """
        noise = self.table is not None if noise is None else noise
        if noise and not self.likelihood.is_density:
            owner = f"{type(self).__name__}.sample"
            expected = "False: this likelihood is no density of x"
            raise invalid("noise", owner, expected, noise)
        draw = functools.partial(self._draw_examples, noise=noise)
        return table_rows.sample(
            self, draw, num_samples, labels, seed, conditions
        )

    def _draw_examples(self, num_samples, labels, seed, noise):
        """Examples for z from the prior, as arrays."""
        z = self.serving_prior.sample(num_samples, seed)
        inputs = z if labels is None else (z, labels)
        # Of rows, many at a time, so that an exported model draws the same.
        size = 1024 if self.table is None else _ROWS
        inputs = batches.of_arrays(inputs, size, type(self).__name__)
        if not noise:
            return batches.apply(self, self.decoded, inputs)
        return batches.apply(
            self, self.decoded_with_noise, inputs, tf.constant(seed)
        )

    def decoded_with_noise(
        self, inputs: Any, number: int | tf.Tensor, seed: int | tf.Tensor
    ) -> tf.Tensor:
        """Draws from p(x|z) for a batch of the decoder's inputs.

        Args:
            inputs: z, or `[z, labels]`.
            number: The number of the batch: each has draws of its own.
            seed: Integer or integer tensor; z may come from the same one.

        Returns:
            Tensor of the shape of x.
        """
        parameters = self.serving_decoder(inputs, training=False)
        # Another stream than that of z.
        seed = tf.random.fold_in(tf.stack([seed, number]), 1)
        return self.likelihood.sample(parameters, seed)

    @available_if(lambda model: bool(model.serving_prior))
    def log_prior(self, z: np.ndarray, batch_size: int = 1024) -> np.ndarray:
        """log p(z) of codes, under what `sample` draws them from.

        Args:
            z: Array of shape `(n, latent_dim)`.
            batch_size: How many are worked on at a time.

        Returns:
            Array of shape `(n,)`, nats.

        Raises:
            InvalidArgument: If the shape is wrong.
        """
        owner = f"{type(self).__name__}.log_prior"
        z = self._checked_codes(z, owner)
        inputs = batches.of_arrays(z, batch_size, owner)
        return batches.apply(self, self._log_prior, inputs)

    def _log_prior(self, z, number=0):
        return self.serving_prior.log_prob(z)

    def _checked_codes(self, z, owner):
        z = np.asarray(z)
        if np.issubdtype(z.dtype, np.integer):
            z = z.astype("float32")
        arrays.check_array(z, (self.latent_dim,), None, owner, "z")
        return z.astype("float32")

    def _sample_endpoint(self):
        """The signature `sample`, if there is a prior."""
        if not self.has_prior:
            return {}

        def sample(num_samples, seed, labels=None):
            z = self.serving_prior.sample(num_samples, seed)
            code = self.with_labels(z, labels)
            if self.table is None:
                return {"images": self.decoded(code)}
            # Rows are draws from p(x), and have gaps, as in Python.
            rows = self.decoded_with_noise(code, 0, seed)
            return {"images": self.table.with_gaps(rows, seed)}

        counts = [
            tf.TensorSpec((), "int32", name) for name in ("num_samples", "seed")
        ]
        return {"sample": (sample, [*counts, *self.label_specs()])}
