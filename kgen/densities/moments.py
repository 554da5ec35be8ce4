"""Counts, means and scatters of classes, batch by batch, without cancellation.

Two parts of the data with counts n, m, means a, b and scatters A, B about them have
together the mean a + (b - a) m / (n + m) and the scatter
A + B + (b - a)(b - a)^T n m / (n + m) (Chan et al. 1979, equations 1.3 and 1.5).
"""

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
