"""Layers that corrupt their input while training, for denoising."""

import keras
import numpy as np
from keras import ops

from kgen.errors import check_number, check_seed, invalid, unknown_name
from kgen.parallel import replicas


class Corruption(keras.layers.Layer):
    """Base of the corruptions: a level, fixed or drawn for each example.

    It corrupts when it is called with `training=True`, else it gives its input
    back. It computes in float32 under every dtype policy.

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

    # Of shares of pixels; a standard deviation may be larger.
    highest = 1.0

    def __init__(self, level, seed=None, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.level = self._checked(level)
        self.seed = check_seed(type(self).__name__, seed)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def _checked(self, level):
        owner = type(self).__name__
        pair = isinstance(level, (tuple, list, np.ndarray))
        bounds = list(level) if pair else [level]
        if len(bounds) == 2 if pair else not isinstance(level, bool):
            bounds = [check_number("level", owner, bound) for bound in bounds]
            if bounds == sorted(bounds) and 0 < bounds[-1] <= self.highest:
                return bounds if pair else bounds[0]
        raise invalid(
            "level",
            owner,
            f"a number above 0 and at most {self.highest:g}, or a pair "
            "(low, high) of such",
            level,
        )

    def call(self, x, training=False):
        return self.corrupt(x, self._levels(x)) if training else x

    def corrupt(self, x, level):
        """A corrupted copy.

        Args:
            x: Tensor of shape `(batch, ...)`.
            level: Number, or a tensor that broadcasts to x, one number for each
                example.
        """
        raise NotImplementedError

    def _levels(self, x):
        if not isinstance(self.level, list):
            return self.level
        shape = (ops.shape(x)[0], *(1 for _ in x.shape[1:]))
        return replicas.uniform(shape, self.seed_generator, *self.level)

    def _uniform_by_pixel(self, x):
        """One number in [0, 1) for each pixel, the same for its channels."""
        shape = tuple(ops.shape(x))
        if len(shape) == 4:
            shape = (*shape[:-1], 1)
        return replicas.uniform(shape, self.seed_generator)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "level": self.level, "seed": self.seed}


@keras.saving.register_keras_serializable(package="kgen")
class GaussianCorruption(Corruption):
    """Adds noise from N(0, level^2); the result is not clipped."""

    highest = 1e6

    def corrupt(self, x, level):
        noise = replicas.normal(ops.shape(x), self.seed_generator)
        return x + level * noise


@keras.saving.register_keras_serializable(package="kgen")
class MaskingCorruption(Corruption):
    """Sets a share `level` of the pixels to 0 (Vincent et al. 2010, 3.2)."""

    def corrupt(self, x, level):
        return ops.where(self._uniform_by_pixel(x) < level, 0.0, x)


@keras.saving.register_keras_serializable(package="kgen")
class SaltAndPepperCorruption(Corruption):
    """Sets a share `level` of the pixels to 0 or 1, either as likely."""

    def corrupt(self, x, level):
        uniform = self._uniform_by_pixel(x)
        salted = ops.where(uniform < 0.5 * level, 0.0, 1.0)
        return ops.where(uniform < level, salted, x)


CORRUPTIONS = {
    "gaussian": GaussianCorruption,
    "masking": MaskingCorruption,
    "salt_and_pepper": SaltAndPepperCorruption,
}


def get(identifier, owner):
    """Turns a name into a corruption, once, at the border.

    Args:
        identifier: A Keras layer, or a name with a level or two bounds of it:
            `"masking:0.3"`, `"gaussian:0.05:0.6"`.
        owner: Whose argument it is, for the message.

    Returns:
        A Keras layer.
    """
    if isinstance(identifier, keras.layers.Layer):
        return identifier
    name, *levels = str(identifier).split(":")
    if name not in CORRUPTIONS:
        raise unknown_name("corruption", owner, CORRUPTIONS, identifier)
    if not 1 <= len(levels) <= 2:
        raise invalid(
            "corruption",
            owner,
            f'"{name}:LEVEL" or "{name}:LOW:HIGH"',
            identifier,
        )
    return CORRUPTIONS[name](levels if len(levels) == 2 else levels[0])
