"""Counts, means and scatters of classes, batch by batch, without cancellation.

Two parts of the data with counts n, m, means a, b and scatters A, B about them have
together the mean a + (b - a) m / (n + m) and the scatter
A + B + (b - a)(b - a)^T n m / (n + m) (Chan et al. 1979, equations 1.3 and 1.5).
"""

import numpy as np
import tensorflow as tf


def diagonal(rows, weights):
    """The sum of squares in each column, of shape `(size,)`."""
    return tf.linalg.matvec(tf.square(rows), weights, transpose_a=True)


def full(rows, weights):
    """The sum of products of each two columns, `(size, size)`."""
    return tf.matmul(rows * weights[:, None], rows, transpose_a=True)


def add(sums, x, weights, products):
    """Adds a batch to `count`, `mean` and `scatter`.

    Args:
        sums: `Sums`: `count` of shape `(classes,)`, `mean` of
            shape `(classes, size)`, `scatter` of shape `(classes, ...)`, or
            `(1, ...)` for one that all classes share.
        x: Tensor of shape `(batch, size)`.
        weights: Tensor of shape `(batch, classes)`.
        products: `diagonal` or `full`.
    """
    shared = sums["scatter"].shape[0] == 1 < weights.shape[1]

    def add_class(number):
        """Adds to the scatter; returns the class's new count and mean."""
        own = tf.where(weights[:, number] > 0)[:, 0]
        weight = tf.gather(weights[:, number], own)
        rows = tf.gather(x, own)
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
            tf.IndexedSlices(scatter[None], [0 if shared else number])
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


def merge(parts):
    """The sums of all parts of the data.

    Args:
        parts: List of dictionaries of arrays; `mean` and `scatter` as in `add`,
            others are added up.

    Returns:
        Such a dictionary.
    """
    if len(parts) == 1:
        return parts[0]
    merged = {name: sum(part[name] for part in parts) for name in parts[0]}
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
