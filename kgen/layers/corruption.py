"""Layers that corrupt their input while training, for denoising."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from tensorflow import Tensor

from kgen.errors import invalid
from kgen.parallel import replicas
from kgen.params import SEED, Named, Number, Optional, checked, resolve


class Corruption(keras.layers.Layer):
    """Base of the corruptions: a level, fixed or drawn for each example.

    It corrupts when it is called with `training=True`, and else returns its
    input. It computes in float32 under every dtype policy. A subclass implements
    `corrupt`.

    Args:
        level: Number, or a pair `(low, high)` between which each example's own
            level is drawn uniformly.
        seed: Integer, or None for one from Keras's global random state.

    Call arguments:
        x: Tensor of shape `(batch, ...)`.
        training: Whether to corrupt.

    Returns:
        Tensor of the shape of x.
    """

    # The largest level. A share of pixels is at most 1.
    highest = 1.0

    @checked(seed=Optional(SEED))
    def __init__(
        self,
        level: float | Sequence[float],
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.level = self._checked(level)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def _checked(self, level):
        owner = type(self).__name__
        is_pair = isinstance(level, (tuple, list, np.ndarray))
        bounds = list(level) if is_pair else [level]
        if len(bounds) == 2 or not is_pair:
            bounds = [Number().check("level", owner, bound) for bound in bounds]
            if bounds == sorted(bounds) and 0 < bounds[-1] <= self.highest:
                return bounds if is_pair else bounds[0]
        raise invalid(
            "level",
            owner,
            f"a number above 0 and at most {self.highest:g}, or a pair "
            "(low, high) of such",
            level,
        )

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        return self.corrupt(x, self._levels(x)) if training else x

    def corrupt(self, x: Tensor, level: float | Tensor) -> Tensor:
        """Returns a corrupted copy.

        Args:
            x: Tensor of shape `(batch, ...)`.
            level: Number, or a tensor that broadcasts to x, with one number for
                each example.
        """
        raise NotImplementedError

    def _levels(self, x):
        if not isinstance(self.level, list):
            return self.level
        shape = (ops.shape(x)[0], *(1 for _ in x.shape[1:]))
        return replicas.uniform(shape, self.seed_generator, *self.level)

    def _uniform_by_pixel(self, x):
        """Draws a number in [0, 1) for each pixel, the same for all channels."""
        shape = tuple(ops.shape(x))
        if len(shape) == 4:
            shape = (*shape[:-1], 1)
        return replicas.uniform(shape, self.seed_generator)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "level": self.level, "seed": self.seed}


@keras.saving.register_keras_serializable(package="kgen")
class GaussianCorruption(Corruption):
    """Adds noise from N(0, level^2); the result is not clipped."""

    highest = 1e6  # of a standard deviation

    def corrupt(self, x: Tensor, level: float | Tensor) -> Tensor:
        noise = replicas.normal(ops.shape(x), self.seed_generator)
        return x + level * noise


@keras.saving.register_keras_serializable(package="kgen")
class MaskingCorruption(Corruption):
    """Sets a share `level` of the pixels to 0 (Vincent et al. 2010, 3.2)."""

    def corrupt(self, x: Tensor, level: float | Tensor) -> Tensor:
        return ops.where(self._uniform_by_pixel(x) < level, 0.0, x)


@keras.saving.register_keras_serializable(package="kgen")
class SaltAndPepperCorruption(Corruption):
    """Sets a share `level` of the pixels to 0 or 1, with equal chances."""

    def corrupt(self, x: Tensor, level: float | Tensor) -> Tensor:
        uniform = self._uniform_by_pixel(x)
        salted = ops.where(uniform < 0.5 * level, 0.0, 1.0)
        return ops.where(uniform < level, salted, x)


def _named(cls):
    def build(*levels):
        return cls(levels[0] if len(levels) == 1 else levels)

    return Named(build, ("LEVEL", "LOW:HIGH"))


CORRUPTIONS = {
    "gaussian": _named(GaussianCorruption),
    "masking": _named(MaskingCorruption),
    "salt_and_pepper": _named(SaltAndPepperCorruption),
}


def get(identifier: keras.layers.Layer | str, owner: str) -> keras.layers.Layer:
    """Turns a name into a corruption.

    Args:
        identifier: A Keras layer, or a name with a level or two bounds of it:
            `"masking:0.3"`, `"gaussian:0.05:0.6"`.
        owner: Whose argument it is, for the message.

    Returns:
        A Keras layer.

    Raises:
        InvalidArgument: If the name is unknown or a level out of range.
    """
    if isinstance(identifier, keras.layers.Layer):
        return identifier
    return resolve("corruption", owner, CORRUPTIONS, identifier)
