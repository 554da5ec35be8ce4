"""Checks inside the exported graph: a wrong request gets an error, not a crash."""

from collections.abc import Collection, Iterable, Mapping

import tensorflow as tf


def guarded(
    signatures: Mapping,
    max_batch: int,
    support: tuple[float, float] | None = None,
    num_classes: int | None = None,
    may_miss: Collection[str] = (),
) -> dict:
    """Signatures that check what they are given before they do anything.

    Args:
        signatures: Dictionary from names to `(function, input_signature)`.
        max_batch: The most examples of one request.
        support: Bounds of the numbers in `images`, or None.
        num_classes: How many classes there are, if known.
        may_miss: Names of inputs in which NaN marks what is missing.

    Returns:
        Dictionary of the same form.
    """

    def guard(function, specs):
        def checked(*tensors):
            given = {
                spec.name: shaped(tensor, spec)
                for spec, tensor in zip(specs, tensors)
            }
            checks = [
                *_count_checks(given, max_batch),
                *_value_checks(given, support, num_classes, may_miss),
            ]
            return function(*after(checks, list(given.values())))

        return checked, specs

    return {name: guard(*pair) for name, pair in signatures.items()}


def after(checks: Iterable[tf.Operation], tensors: Iterable[tf.Tensor]) -> list:
    """The tensors, once the checks have passed."""
    with tf.control_dependencies(checks):
        return [tf.identity(tensor) for tensor in tensors]


def expect(condition: tf.Tensor, name: str, expected: str) -> tf.Operation:
    """An error of the request unless `condition`, a boolean scalar, holds.

    The message is all that it prints: with numbers in it, each check would be a
    branch of the graph.
    """
    return tf.debugging.Assert(condition, [f"`{name}`: expected {expected}"])


def shaped(tensor: tf.Tensor, spec: tf.TensorSpec) -> tf.Tensor:
    """`tensor`, after a check that it has the shape of the spec.

    A server feeds the graph with tensors of any shape. The declared shape is hidden
    from TensorFlow's graph optimizer, which would otherwise rely on it, and remove
    the check.
    """
    hidden = tf.raw_ops.PlaceholderWithDefault(
        input=tensor, shape=tf.TensorShape(None)
    )
    sizes = " x ".join(str(size or "batch") for size in spec.shape)
    expected = f"the shape {sizes}" if sizes else "a scalar"
    shape = tf.shape(hidden)
    rank = tf.equal(tf.size(shape), len(spec.shape))
    (shape,) = after([expect(rank, spec.name, expected)], [shape])
    fixed = [at for at, size in enumerate(spec.shape) if size is not None]
    if fixed:
        wanted = tf.constant([spec.shape[at] for at in fixed], "int32")
        same = tf.reduce_all(tf.equal(tf.gather(shape, fixed), wanted))
        (shape,) = after([expect(same, spec.name, expected)], [shape])
    (hidden,) = after([shape], [hidden])
    return tf.ensure_shape(hidden, spec.shape)


def _count_checks(given, max_batch):
    """Checks of how many examples there are, and are asked for."""
    counts = {
        name: tensor if name == "num_samples" else tf.shape(tensor)[0]
        for name, tensor in given.items()
        if tensor.shape.rank or name == "num_samples"
    }
    first = next(iter(counts))
    for name, count in counts.items():
        fits = (count >= 1) & (count <= max_batch)
        what = "" if name == "num_samples" else " examples"
        yield expect(fits, name, f"1 to {max_batch}{what}")
        if name != first:
            same = tf.equal(count, counts[first])
            yield expect(same, name, f"as many as `{first}`")


def _value_checks(given, support, num_classes, may_miss):
    """Checks of the numbers."""
    for name, tensor in given.items():
        if name in may_miss:
            if tensor.dtype.is_floating:
                fits = tf.logical_not(tf.math.is_inf(tensor))
                yield expect(tf.reduce_all(fits), name, "finite numbers or NaN")
            continue
        low, high = None, None
        if name == "images" and tensor.dtype.is_floating and support:
            low, high = support
            expected = f"finite numbers in [{low:g}, {high:g}]"
        elif name == "labels":
            low, high = 0, (num_classes or 2**31) - 1
            expected = f"integers from 0 to {high}"
        elif name == "seed":
            low, high = 0, 2**31 - 1
            expected = "an integer from 0"
        if low is not None:
            fits = (tensor >= low) & (tensor <= high)  # False for NaN
            yield expect(tf.reduce_all(fits), name, expected)
        elif tensor.dtype.is_floating:
            finite = tf.reduce_all(tf.math.is_finite(tensor))
            yield expect(finite, name, "finite numbers")
