"""Checks inside the exported graph: a wrong request gets an error, not a crash."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the requests to an exported model must keep to.

    Args:
        max_batch: The most examples of one request.
        support: Bounds of the numbers in `images`, or None.
        num_classes: How many classes there are, if known.
    """

    max_batch: int
    support: tuple | None = None
    num_classes: int | None = None


def guarded(endpoints, limits):
    """Endpoints that look at what they are given before they do anything.

    Args:
        endpoints: Dictionary from names to `(function, input_signature)`.
        limits: A `Limits`.

    Returns:
        Dictionary of the same form.
    """
    return {
        name: (_guarded(function, specs, limits), specs)
        for name, (function, specs) in endpoints.items()
    }


def _guarded(function, specs, limits):
    def checked(*tensors):
        given = {
            spec.name: shaped(tensor, spec)
            for spec, tensor in zip(specs, tensors)
        }
        checks = [*_counts(given, limits), *_values(given, limits)]
        return function(*after(checks, list(given.values())))

    return checked


def after(checks, tensors):
    """The tensors, once the checks have passed."""
    with tf.control_dependencies(checks):
        return [tf.identity(tensor) for tensor in tensors]


def expect(condition, name, expected):
    """An error of the request unless `condition`, a boolean scalar, holds.

    The message is all that it prints: with numbers in it, each check would be a
    branch of the graph.
    """
    return tf.debugging.Assert(condition, [f"`{name}`: expected {expected}"])


def shaped(tensor, spec):
    """`tensor`, once its shape has turned out to be the spec's.

    A server feeds what it is sent. The shape that the graph declares is hidden
    here, or it would be taken for granted and the check optimised away.
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


def _counts(given, limits):
    """Checks of how many examples there are, and are asked for."""
    counts = {
        name: tensor if name == "num_samples" else tf.shape(tensor)[0]
        for name, tensor in given.items()
        if tensor.shape.rank or name == "num_samples"
    }
    most = limits.max_batch
    first = next(iter(counts))
    for name, count in counts.items():
        fits = (count >= 1) & (count <= most)
        what = "" if name == "num_samples" else " examples"
        yield expect(fits, name, f"1 to {most}{what}")
        if name != first:
            same = tf.equal(count, counts[first])
            yield expect(same, name, f"as many as `{first}`")


def _values(given, limits):
    """Checks of the numbers."""
    for name, tensor in given.items():
        low, high = None, None
        if name == "images" and tensor.dtype.is_floating and limits.support:
            low, high = limits.support
            expected = f"finite numbers in [{low:g}, {high:g}]"
        elif name == "labels":
            low, high = 0, (limits.num_classes or 2**31) - 1
            expected = f"integers from 0 to {high}"
        elif name == "seed":
            low, high = 0, 2**31 - 1
            expected = "an integer from 0"
        if low is not None:
            fits = (tensor >= low) & (tensor <= high)  # NaN is not
            yield expect(tf.reduce_all(fits), name, expected)
        elif tensor.dtype.is_floating:
            finite = tf.reduce_all(tf.math.is_finite(tensor))
            yield expect(finite, name, "finite numbers")
