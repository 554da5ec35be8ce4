"""What a trained generator is used for: samples, ways between them, an export."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from kgen.arrays import Labels
from kgen.models import batches, paths, table_rows
from kgen.models.adversarial import Adversarial
from kgen.models.draws import new_seed
from kgen.params import Integer, Options, checked
from kgen.priors.base import standard_normal
from kgen.tables import Table


class GeneratorSampler(Adversarial):
    """Base of a model whose generator makes examples of z from N(0, I).

    A subclass has `latent_dim`, the size of z, and `call`, from z, or `[z, labels]`,
    to examples.
    """

    @checked(num_samples=Integer(1))
    def sample(
        self,
        num_samples: int,
        labels: Labels | None = None,
        seed: int | None = None,
        conditions: Mapping[str, Any] | None = None,
    ) -> Any:
        """Examples from the generator, by its averaged weights if there are any.

        Args:
            num_samples: How many.
            labels: As in `VAE.sample`, for a conditional model.
            seed: Integer; the same one gives the same examples, also from the
                exported model. None for new ones at each call.
            conditions: As in `VAE.sample`, for a table.

        Returns:
            Array of shape `(num_samples, *input_shape)`; of a table a DataFrame.

        Raises:
            InvalidArgument: As in `VAE.sample`.
        """
        return table_rows.sample(
            self, self._draw_examples, num_samples, labels, seed, conditions
        )

    def _draw_examples(self, num_samples, labels, seed):
        z = standard_normal(num_samples, self.latent_dim, seed)
        return self._generate_all(z, labels)

    @property
    def table(self) -> Table | None:
        """The table whose rows the generator makes, or None."""
        return self.rows_table

    @checked(
        num_ways=Integer(1), steps=Integer(2), path=Options(tuple(paths.PATHS))
    )
    def interpolate(
        self,
        num_ways: int,
        steps: int = 8,
        path: str = "spherical",
        labels: Labels | None = None,
        seed: int | None = None,
    ) -> np.ndarray:
        """Examples on the way from one draw of the prior to another.

        The spherical path is that of a VAE's `interpolate`: its points are as
        far from 0 as draws from the prior are.

        Args:
            num_ways: How many ways, n. They lead from the first half of
                `sample(2 * n, seed=seed)` to the second.
            steps: How many examples, the two ends among them; 2 or more.
            path: `"spherical"` or `"linear"`.
            labels: One or `num_ways`, as in `sample`, for a conditional model: a
                way is of one class.
            seed: As in `sample`.

        Returns:
            Array of shape `(num_ways, steps, *input_shape)`.

        Raises:
            InvalidArgument: If a value can't be used.

        References:
            White (2016), arXiv 1609.04468, section 2.1.
        """
        labels = self.labels_for(num_ways, labels, "interpolate")
        if labels is not None:
            labels = np.repeat(labels, steps)
        z = standard_normal(
            2 * num_ways, self.latent_dim, new_seed(seed)
        ).numpy()
        z = paths.between(z[:num_ways], z[num_ways:], steps, path)
        images = self._generate_all(z, labels)
        return images.reshape(num_ways, steps, *self.input_shapes[0])

    def _generate_all(self, z, labels):
        inputs = batches.of_arrays(
            z if labels is None else (z, labels), 1024, "GAN"
        )
        return batches.apply(self, self._generate, inputs)

    def _generate(self, inputs, number=0):
        return self(inputs, training=False)

    def endpoints(self) -> dict:
        """Returns `serving_default` (z to images), `sample` and `discriminate`."""
        z = tf.TensorSpec((None, self.latent_dim), "float32", "z")
        count = tf.TensorSpec((), "int32", "num_samples")
        seed = tf.TensorSpec((), "int32", "seed")
        labels = self.label_specs()

        def serve(z, labels=None):
            return {"images": self(self.with_labels(z, labels))}

        def sample(num_samples, seed, labels=None):
            z = standard_normal(num_samples, self.latent_dim, seed)
            return {"images": self(self.with_labels(z, labels))}

        return {
            "serving_default": (serve, [z, *labels]),
            "sample": (sample, [count, seed, *labels]),
            **self._discriminate_endpoint(),
        }

    def lite_endpoints(self) -> dict:
        """Returns `generate`, from z to images."""
        return {"generate": self.endpoints()["serving_default"]}
