"""Sufficient statistics of classes: sums over the data, batch by batch.

Two parts of the data with counts n, m, means a, b and scatters A, B about them have
together the mean a + (b - a) m / (n + m) and the scatter
A + B + (b - a)(b - a)^T n m / (n + m) (Chan et al. 1979, equations 1.3 and 1.5).
With these formulas no digits cancel, as they would in differences of sums of squares.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from kgen.parallel import replicas


class Sums:
    """Sums over the data, by name, in float64.

    They are no weights, are not saved, and Keras must not track them.
    """

    def __init__(self) -> None:
        self._by_name = {}

    def start(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Sets the sums to 0.

        Args:
            shapes: Their shapes, by name.
        """
        for name, shape in shapes.items():
            zeros = tf.zeros(shape, "float64")
            if name in self._by_name:
                self._by_name[name].assign(zeros)
            else:
                self._by_name[name] = tf.Variable(zeros)

    def __getitem__(self, name: str) -> tf.Variable:
        return self._by_name[name]

    def arrays(self) -> dict[str, np.ndarray]:
        """Their values, by name; of all replicas together."""
        values = {
            name: replicas.values_of(variable)
            for name, variable in self._by_name.items()
        }
        return merge(
            [dict(zip(values, part)) for part in zip(*values.values())]
        )


def add(sums: Sums, x: Tensor, weights: Tensor) -> None:
    """Adds a batch to `count`, `mean` and `scatter`.

    Args:
        sums: `count` of shape `(num_classes,)`, `mean` of shape
            `(num_classes, size)`; `scatter` of shape `(num_classes, size)` for
            variances alone, `(num_classes, size, size)` for covariances, or
            `(1, size, size)` for one covariance that all classes share.
        x: Tensor of shape `(batch, size)`.
        weights: Tensor of shape `(batch, num_classes)`.
    """
    products = _squares if sums["scatter"].shape.rank == 2 else _products
    is_tied = sums["scatter"].shape[0] == 1 < weights.shape[1]

    def add_class(number):
        """Adds to the scatter; returns the class's new count and mean."""
        places = tf.where(weights[:, number] > 0)[:, 0]
        weight = tf.gather(weights[:, number], places)
        rows = tf.gather(x, places)
        count, before = tf.reduce_sum(weight), sums["count"][number]
        mean = tf.math.divide_no_nan(
            tf.linalg.matvec(rows, weight, transpose_a=True), count
        )
        shift = mean - sums["mean"][number]
        share = tf.math.divide_no_nan(count, before + count)
        scatter = products(
            tf.concat([rows - mean, shift[None]], axis=0),
            tf.concat([weight, (before * share)[None]], axis=0),
        )
        sums["scatter"].scatter_add(
            tf.IndexedSlices(scatter[None], [0 if is_tied else number])
        )
        return before + count, sums["mean"][number] + shift * share

    count, mean = tf.map_fn(
        add_class,
        tf.range(tf.shape(weights)[1]),
        parallel_iterations=1,
        fn_output_signature=(x.dtype, x.dtype),
    )
    sums["mean"].assign(mean)
    sums["count"].assign(count)


def _squares(rows, weights):
    """The weighted sum of squares of each column, of shape `(size,)`."""
    return tf.linalg.matvec(tf.square(rows), weights, transpose_a=True)


def _products(rows, weights):
    """The weighted sums of products of columns, of shape `(size, size)`."""
    return tf.matmul(rows * weights[:, None], rows, transpose_a=True)


def merge(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Returns the sums of all parts of the data together.

    Args:
        parts: Sums of each part, by name; `mean` and `scatter` are merged as in
            `add`, others are added up.
    """
    if len(parts) == 1:
        return parts[0]
    merged: dict[str, Any] = {
        name: sum(part[name] for part in parts) for name in parts[0]
    }
    if "mean" not in merged:
        return merged
    counts = np.stack([part["count"] for part in parts])[..., None]
    means = np.stack([part["mean"] for part in parts])
    whole = np.maximum(counts.sum(axis=0), 1e-300)
    merged["mean"] = (counts * means).sum(axis=0) / whole
    shift = means - merged["mean"]
    if merged["scatter"].ndim == 2:
        between = counts * np.square(shift)
    else:
        between = np.einsum("rci,rcj->rcij", counts * shift, shift)
    between = between.sum(axis=0)
    if len(merged["scatter"]) == 1 < len(between):  # shared by all classes
        between = between.sum(axis=0, keepdims=True)
    merged["scatter"] = merged["scatter"] + between
    return merged
