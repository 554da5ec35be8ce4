"""Penalties on a discriminator's gradient by its input."""

import keras
from keras import ops

from kgen.errors import check_number, unknown_name
from kgen.parallel import replicas

# Under the square root of a norm, whose derivative at 0 would be NaN.
_EPSILON = 1e-12


class Penalty:
    """Base of the penalties: where the gradient is judged, and how.

    A subclass implements `points` and `__call__`.

    Args:
        weight: Number >= 0 that multiplies the penalty.
    """

    default_weight = 10.0

    def __init__(self, weight=None):
        weight = self.default_weight if weight is None else weight
        self.weight = check_number("weight", type(self).__name__, weight)

    def points(self, real, fake, seed):
        """The examples at which the gradient is judged.

        Args:
            real: Real examples, of shape `(batch, ...)`.
            fake: Generated ones, of the same shape.
            seed: `keras.random.SeedGenerator`.

        Returns:
            Tensor of that shape; `real` itself if it is there.
        """
        raise NotImplementedError

    def __call__(self, gradient):
        """The weighted penalty.

        Args:
            gradient: The logits' gradient by `points`, of the same shape.

        Returns:
            Scalar.
        """
        raise NotImplementedError

    def get_config(self):
        """The arguments of `__init__`."""
        return {"weight": self.weight}

    @classmethod
    def from_config(cls, config):
        """Builds the penalty that `get_config` described."""
        return cls(**config)


def _square_norm(gradient):
    axes = tuple(range(1, len(gradient.shape)))
    return ops.sum(ops.square(ops.cast(gradient, "float32")), axis=axes)


class _DistanceFromOne(Penalty):
    """`weight * E[(|grad D| - 1)^2]`."""

    def __call__(self, gradient):
        norm = ops.sqrt(_square_norm(gradient) + _EPSILON)
        return self.weight * ops.mean(ops.square(norm - 1.0))


@keras.saving.register_keras_serializable(package="kgen")
class GradientPenalty(_DistanceFromOne):
    """`weight * E[(|grad D(x')| - 1)^2]` between real and generated examples.

    `x' = u x + (1 - u) G(z)` with u uniform in [0, 1], one for each example.

    Args:
        weight: lambda; 10 by default.

    References:
        Gulrajani et al. (2017), arXiv 1704.00028, equation 3 (WGAN-GP).
    """

    def points(self, real, fake, seed):
        shape = (ops.shape(real)[0], *(1 for _ in real.shape[1:]))
        u = replicas.uniform(shape, seed)
        return u * real + (1.0 - u) * ops.stop_gradient(fake)


@keras.saving.register_keras_serializable(package="kgen")
class R1(Penalty):
    """`weight / 2 * E[|grad D(x)|^2]` at real examples.

    Args:
        weight: gamma; 1 by default.

    References:
        Mescheder et al. (2018), arXiv 1801.04406, equation 9.
    """

    default_weight = 1.0

    def points(self, real, fake, seed):
        return real

    def __call__(self, gradient):
        return 0.5 * self.weight * ops.mean(_square_norm(gradient))


@keras.saving.register_keras_serializable(package="kgen")
class Dragan(_DistanceFromOne):
    """`weight * E[(|grad D(x')| - 1)^2]` around real examples.

    `x' = x + d` with d from `N(0, (s / 2)^2)`, s the standard deviation of all
    numbers of the batch.

    Args:
        weight: lambda; 10 by default.

    References:
        Kodali et al. (2017), arXiv 1705.07215, equation 2 (DRAGAN).
    """

    def points(self, real, fake, seed):
        noise = replicas.normal(ops.shape(real), seed)
        return real + 0.5 * replicas.std(real) * noise


PENALTIES = {
    "gradient_penalty": GradientPenalty,
    "r1": R1,
    "dragan": Dragan,
}


def get(identifier, owner="GAN.compile"):
    """Turns a name into a penalty, once, at the border.

    Args:
        identifier: A `Penalty`, None, or a name, which a weight may follow:
            `"r1"`, `"r1:0.5"`.
        owner: Whose argument it is, for the message.

    Returns:
        A `Penalty`, or None.
    """
    if identifier is None or isinstance(identifier, Penalty):
        return identifier
    name, colon, weight = str(identifier).partition(":")
    if name not in PENALTIES:
        raise unknown_name("penalty", owner, PENALTIES, identifier)
    return PENALTIES[name](weight if colon else None)
