"""Penalties on a discriminator's gradient by its input."""

from collections.abc import Sequence
from typing import Any, overload

import keras
from keras import ops
from tensorflow import Tensor

from kgen.errors import invalid
from kgen.parallel import replicas
from kgen.params import Described, Named, Number, Optional, checked, resolve

# Added to a squared norm, since the derivative of the root at 0 would be NaN.
_EPSILON = 1e-12


class Penalty(Described):
    """Base of the penalties: where the gradient is judged, and how.

    A subclass implements `points` and `__call__`.

    Args:
        weight: Number >= 0 that multiplies the penalty; None for the class's
            `default_weight`.
    """

    default_weight = 10.0

    @checked(weight=Optional(Number()))
    def __init__(self, weight: float | None = None) -> None:
        self.weight = self.default_weight if weight is None else weight

    def points(
        self, real: Tensor, fake: Tensor, seed: keras.random.SeedGenerator
    ) -> Tensor:
        """The examples at which the gradient is judged.

        Args:
            real: Real examples, of shape `(batch, ...)`.
            fake: Generated examples, of the same shape.
            seed: `keras.random.SeedGenerator`.

        Returns:
            Tensor of that shape. Where it is `real` or `fake` itself, the
            discriminator's one run on these examples serves for the penalty,
            too; and with `fake`, each kind of generated examples is judged.
        """
        raise NotImplementedError

    def __call__(self, gradient: Tensor) -> Tensor:
        """The weighted penalty.

        Args:
            gradient: The logits' gradient by `points`, of the same shape.

        Returns:
            Scalar.
        """
        raise NotImplementedError


def _square_norm(gradient):
    axes = tuple(range(1, len(gradient.shape)))
    return ops.sum(ops.square(ops.cast(gradient, "float32")), axis=axes)


class _DistanceFromOne(Penalty):
    """`weight * E[(|grad D| - 1)^2]`."""

    def __call__(self, gradient: Tensor) -> Tensor:
        norm = ops.sqrt(_square_norm(gradient) + _EPSILON)
        return self.weight * ops.mean(ops.square(norm - 1.0))


@keras.saving.register_keras_serializable(package="kgen")
class GradientPenalty(_DistanceFromOne):
    """`weight * E[(|grad D(x')| - 1)^2]` between real and generated examples.

    `x' = u x + (1 - u) G(z)`, with a u for each example, uniform in [0, 1].

    Args:
        weight: lambda; 10 by default.

    References:
        Gulrajani et al. (2017), arXiv 1704.00028, equation 3 (WGAN-GP).
    """

    def points(
        self, real: Tensor, fake: Tensor, seed: keras.random.SeedGenerator
    ) -> Tensor:
        shape = (ops.shape(real)[0], *(1 for _ in real.shape[1:]))
        u = replicas.uniform(shape, seed)
        return u * real + (1.0 - u) * ops.stop_gradient(fake)


class _SquaredGradient(Penalty):
    """`weight / 2 * E[|grad D|^2]`."""

    default_weight = 1.0

    def __call__(self, gradient: Tensor) -> Tensor:
        return 0.5 * self.weight * ops.mean(_square_norm(gradient))


@keras.saving.register_keras_serializable(package="kgen")
class R1(_SquaredGradient):
    """`weight / 2 * E[|grad D(x)|^2]` at real examples.

    Args:
        weight: gamma; 1 by default. Papers whose pictures lie in [-1, 1] write four
            times the gamma of pictures in [0, 1], which kgen has.

    References:
        Mescheder et al. (2018), arXiv 1801.04406, equation 9.
    """

    def points(
        self, real: Tensor, fake: Tensor, seed: keras.random.SeedGenerator
    ) -> Tensor:
        return real


@keras.saving.register_keras_serializable(package="kgen")
class R2(_SquaredGradient):
    """`weight / 2 * E[|grad D(G(z))|^2]` at generated examples.

    Where there are several kinds of these, as in a VAE-GAN, it is the sum over
    them.

    Args:
        weight: gamma; 1 by default. Papers whose pictures lie in [-1, 1] write four
            times the gamma of pictures in [0, 1], which kgen has.

    References:
        Mescheder et al. (2018), arXiv 1801.04406, equation 10;
        Huang et al. (2024), arXiv 2501.05441, section 2 (beside R1).
    """

    def points(
        self, real: Tensor, fake: Tensor, seed: keras.random.SeedGenerator
    ) -> Tensor:
        return fake


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

    def points(
        self, real: Tensor, fake: Tensor, seed: keras.random.SeedGenerator
    ) -> Tensor:
        noise = replicas.normal(ops.shape(real), seed)
        return real + 0.5 * replicas.std(real) * noise


_Several = list[Any] | tuple[Any, ...]
_FORMS = ("", "WEIGHT")
PENALTIES = {
    "gradient_penalty": Named(GradientPenalty, _FORMS),
    "r1": Named(R1, _FORMS),
    "r2": Named(R2, _FORMS),
    "dragan": Named(Dragan, _FORMS),
}
# What "auto" stands for. On larger pictures in colour the gradient penalty left a
# generator with few pictures, or with blank ones; R1 did not.
_OF_PICTURES = Named(lambda: R1(1.0))
_OF_OTHERS = Named(lambda: GradientPenalty(0.1))


@overload
def get(
    identifier: Penalty | str | None,
    owner: str = "GAN.compile",
    shape: Sequence[int] | None = None,
) -> Penalty | None: ...
@overload
def get(
    identifier: _Several,
    owner: str = "GAN.compile",
    shape: Sequence[int] | None = None,
) -> list[Penalty]: ...
def get(
    identifier: Penalty | str | _Several | None,
    owner: str = "GAN.compile",
    shape: Sequence[int] | None = None,
) -> Penalty | list[Penalty] | None:
    """Turns a name into a penalty.

    Args:
        identifier: A `Penalty`, None, or a name, which a weight may follow:
            `"r1"`, `"r1:0.5"`; or a list of several, which are added up.
        owner: Whose argument it is, for the message.
        shape: Shape of one example. With it, `"auto"` stands for `"r1:1"` where
            these are pictures, and for `"gradient_penalty:0.1"` where not.

    Returns:
        A `Penalty`, or None; of a list, a list.

    Raises:
        InvalidArgument: If the name is unknown or the weight out of range.
    """
    if isinstance(identifier, (list, tuple)):
        if not identifier:
            expected = "a penalty, a list of some, or None"
            raise invalid("penalty", owner, expected, identifier)
        return [_one(each, owner, shape) for each in identifier]
    return None if identifier is None else _one(identifier, owner, shape)


def _one(identifier, owner, shape):
    if isinstance(identifier, Penalty):
        return identifier
    table = PENALTIES
    if shape is not None:
        auto = _OF_PICTURES if len(shape) == 3 else _OF_OTHERS
        table = {**PENALTIES, "auto": auto}
    return resolve("penalty", owner, table, identifier)


def listed(penalty: Penalty | list[Penalty] | None) -> list[Penalty]:
    """What `get` returned, as a list."""
    if isinstance(penalty, list):
        return penalty
    return [] if penalty is None else [penalty]
