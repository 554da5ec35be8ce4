"""What a density of each class and P(y) can do once they are known."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from scipy.special import log_softmax, logsumexp

from kgen.arrays import Labels
from kgen.errors import invalid
from kgen.export import guards
from kgen.models import batches, checks, graph_checks, table_rows
from kgen.models.draws import new_seed
from kgen.models.outliers import OutlierScorer
from kgen.params import Integer, checked
from kgen.tables import Table


class BayesRule(OutlierScorer):
    """Base of `BayesClassifier`: P(y|x) = p(x|y) P(y) / p(x).

    A subclass sets `density` and `class_prior`, and implements the training.
    """

    needs_labels = True
    lowest_label = -1  # where the class is not known

    @property
    def num_start_examples(self) -> int:
        return self.density.num_start_examples

    def start_from(self, x: np.ndarray, labels: np.ndarray | None) -> None:
        if labels is not None:  # `fit` needs them
            self.density.start_from(x, labels)

    def _joint(self, x, mask=None, training=False):
        """log p(x, y) of each class, float64."""
        return self._with_prior(
            self.density.log_prob(x, mask=mask, training=training)
        )

    def _with_prior(self, log_prob):
        """log p(x, y) from log p(x|y)."""
        if not log_prob.shape.is_compatible_with((None, self.num_classes)):
            raise invalid(
                "density",
                "BayesClassifier",
                f"one whose `log_prob` has the shape (batch, {self.num_classes})",
                f"a {type(self.density).__name__} that gives the shape "
                f"{tuple(log_prob.shape)}",
            )
        return tf.cast(log_prob, "float64") + self.class_prior.log_prior.value

    # Data

    def _unpack(self, data, shape):
        """x alone, twice: prediction needs no label."""
        owner = type(self).__name__
        x, _ = checks.parts_of(data, owner)
        x = graph_checks.examples(x, shape, owner)
        return x, x

    def _pair(self, data):
        """x and the labels of a batch, which may be -1."""
        owner = type(self).__name__
        x, y = checks.parts_of(data, owner)
        x = graph_checks.examples(x, self.input_shapes[0], owner)
        y = graph_checks.labels(y, self.num_classes, owner, self.lowest_label)
        return x, tf.cast(y, "int32")

    def _one_hot(self, y):
        return tf.one_hot(y, self.num_classes, dtype="float64")

    def checked_inputs(self, inputs: Any, any_range: bool = False) -> Any:
        """Checks the examples that a method is given; labels are left out."""
        inputs = _without_labels(self.encoded(inputs))
        return self._checked_examples(inputs, any_range)

    def labels_in_turn(self, count: int) -> np.ndarray:
        """The possible classes in order, over and over."""
        possible = np.flatnonzero(np.isfinite(self.class_prior.log_prior))
        return np.resize(possible, count)

    # Once trained

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """P(y|x), of shape `(batch, num_classes)`."""
        expected = self.input_shapes[0]
        if not inputs.shape[1:].is_compatible_with(expected):
            raise invalid(
                "x",
                "BayesClassifier",
                f"shape (batch, {', '.join(map(str, expected))})",
                f"shape {tuple(inputs.shape)}",
            )
        return tf.cast(tf.nn.softmax(self._joint(inputs)), "float32")

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """`keras.Model.evaluate`; examples of impossible classes are errors.

        If P(y) is 0 for an example's class, of which there was no training
        example, -log p(x, y) is infinite. The losses leave such examples out,
        `accuracy` counts them as wrong, and a warning says how many they are.
        """
        self._impossible_counts.start()
        logs = super().evaluate(*args, **kwargs)
        counts = self._impossible_counts.array()
        for label in np.flatnonzero(counts):
            warnings.warn(
                f"`BayesClassifier`: {counts[label]:.0f} examples of class {label} "
                "can't be judged by a loss, since P(y) is 0: there was no "
                "training example of this class. They count as wrong in "
                "`accuracy`, and are left out of the losses.",
                stacklevel=2,
            )
        return logs

    def log_joint(
        self, x: Any, mask: np.ndarray | None = None, batch_size: int = 1024
    ) -> np.ndarray:
        """log p(x, y) for every class y.

        Args:
            x: Array of shape `(n, *input_shape)`, or a dataset.
            mask: None, or truth values of the shape of x, or of one example:
                which numbers of x were seen. The others, which may be NaN, are
                integrated out, exactly; densities in closed form can do it.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Array of shape `(n, num_classes)`, float64, nats per image; minus
            infinity for a class that the prior rules out.

        Raises:
            InvalidArgument: If the shape is wrong, or the density can't
                integrate.
        """
        if mask is None:
            return self._apply(self._log_joint, x, batch_size)
        inputs = self._masked(x, mask, batch_size)
        return batches.apply(self, self._log_joint, inputs)

    def classify(
        self, x: Any, mask: np.ndarray | None = None, batch_size: int = 1024
    ) -> np.ndarray:
        """The likeliest class of each example, `(n,)`; as `log_joint`."""
        return self.log_joint(x, mask, batch_size).argmax(axis=1)

    def predict_log_proba(
        self, x: Any, mask: np.ndarray | None = None, batch_size: int = 1024
    ) -> np.ndarray:
        """log P(y|x), of shape `(n, num_classes)`; arguments as `log_joint`."""
        return log_softmax(self.log_joint(x, mask, batch_size), axis=1)

    def log_prob(
        self, x: Any, mask: np.ndarray | None = None, batch_size: int = 1024
    ) -> np.ndarray:
        """log p(x), the sum over the classes, of shape `(n,)`, nats per image."""
        return logsumexp(self.log_joint(x, mask, batch_size), axis=1)

    def outlier_score(
        self, x: Any, mask: np.ndarray | None = None, batch_size: int = 1024
    ) -> np.ndarray:
        """How unlike the data each example is: -log p(x).

        Densities of pixels may find what is simpler than the data likelier than
        the data (Nalisnick et al. 2019, arXiv 1810.09136); compare scores with
        those of held-out data on both sides.

        Args:
            x: As in `log_joint`.
            mask: As in `log_joint`. Scores of a part of the numbers can't be
                compared with a threshold, which is for all of them.
            batch_size: For arrays: how many are worked on at a time.

        Returns:
            Array of shape `(n,)`, float64, nats per image; higher for outliers.
        """
        return -self.log_prob(x, mask, batch_size)

    def _outlier_score(self, inputs, number=0):
        return -tf.reduce_logsumexp(self._joint(inputs), axis=1)

    @checked(num_samples=Integer(1))
    def sample(
        self,
        num_samples: int,
        labels: Labels | None = None,
        seed: int | None = None,
        conditions: Mapping[str, Any] | None = None,
    ) -> Any:
        """Examples from the model: y from P(y), x from p(x|y).

        Pictures of a density by VAEs are the means E[x|z].

        Args:
            num_samples: How many.
            labels: Integer or `num_samples` integers, or names out of
                `class_names`; None to draw them.
            seed: Integer; the same one gives the same examples, also from the
                exported model. None for new ones at each call.
            conditions: As in `VAE.sample`, for a table.

        Returns:
            Array of shape `(num_samples, *input_shape)`. Pictures are clipped
            to [0, 1]. Of a table, a DataFrame.
        """
        seed = new_seed(seed)
        if labels is None and self.table is None:
            draws = np.random.default_rng(seed)
            labels = draws.choice(
                self.num_classes, num_samples, p=self.class_shares
            )
        return table_rows.sample(
            self, self._draw_examples, num_samples, labels, seed, conditions
        )

    @property
    def class_shares(self) -> np.ndarray:
        """P(y), of shape `(num_classes,)`."""
        return np.exp(self.class_prior.log_prior.numpy())

    def _draw_examples(self, num_samples, labels, seed):
        impossible = labels[self.class_shares[labels] == 0]
        if len(impossible):
            owner = f"{type(self).__name__}.sample"
            expected = "classes that the prior allows for"
            raise invalid("labels", owner, expected, impossible[0])
        return self._drawn(tf.constant(labels), tf.constant(seed)).numpy()

    @property
    def table(self) -> Table | None:
        """The table whose rows the examples are, or None."""
        return getattr(self.density, "table", None)

    def _drawn(self, labels, seed):
        images = self.density.draw(labels, seed)
        return (
            tf.clip_by_value(images, *self.support) if self.support else images
        )

    def _log_joint(self, inputs, number=0):
        if isinstance(inputs, dict):
            return self._joint(inputs["x"], inputs["mask"])
        return self._joint(inputs)

    def _masked(self, x, mask, batch_size):
        """x and where it was seen, as batches."""
        owner = "BayesClassifier"
        if not self.density.marginalises:
            raise invalid(
                "mask",
                owner,
                "None: this density can't integrate over missing numbers. Those "
                "in closed form can",
                type(self.density).__name__,
            )
        if isinstance(x, tf.data.Dataset):
            raise invalid("x", owner, "an array, with a mask", "a dataset")
        x, mask = np.asarray(_without_labels(x)), np.asarray(mask)
        shape = self.input_shapes[0]
        if x.shape[1:] != shape:
            raise invalid(
                "x", owner, f"shape (n, *{shape})", f"shape {x.shape}"
            )
        if (
            mask.shape not in (shape, x.shape)
            or not np.isin(mask, [0, 1]).all()
        ):
            raise invalid(
                "mask",
                owner,
                f"truth values of shape {shape}, or of that of x",
                f"{mask.dtype} of shape {mask.shape}",
            )
        mask = np.broadcast_to(mask.astype(bool), x.shape)
        x = self.checked_inputs(np.where(mask, x, 0))
        return batches.of_arrays({"x": x, "mask": mask}, batch_size, owner)

    def endpoints(self) -> dict:
        """Returns `serving_default` (P(y|x)), `log_joint`, and `sample`.

        And `outlier_score`.
        """
        images = [self.image_spec()]
        scalar = tf.TensorSpec((), "int32", "num_samples")
        seed = tf.TensorSpec((), "int32", "seed")

        def serve(images):
            return {"probabilities": self(images)}

        def log_joint(images):
            return {"log_joint": tf.cast(self._joint(images), "float32")}

        def sample(num_samples, seed, labels):
            del num_samples  # there are as many as labels
            prior = tf.gather(self.class_prior.log_prior.value, labels)
            possible = tf.reduce_all(tf.math.is_finite(prior))
            expected = "classes that the prior allows for"
            check = guards.expect(possible, "labels", expected)
            (labels,) = guards.after([check], [labels])
            images = self._drawn(labels, seed)
            if self.table is not None:
                images = self.table.with_gaps(images, seed)
            return {"images": images}

        return {
            "serving_default": (serve, images),
            "log_joint": (log_joint, images),
            "sample": (sample, [scalar, seed, *self.label_specs()]),
            **self._outlier_endpoint(),
        }


def _without_labels(inputs):
    """x of a pair, as `fit` takes it, or of x alone."""
    pair = isinstance(inputs, (tuple, list)) and len(inputs) == 2
    return inputs[0] if pair else inputs
