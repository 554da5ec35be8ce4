"""Normalising flows: invertible functions with a known Jacobian."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from tensorflow import Tensor

from kgen.errors import invalid
from kgen.params import Count, Integer, Options, checked

# B in `B tanh(s / B)`, which takes the place of a coupling layer's s: one layer scales
# by e^2 at most, so that training does not overflow.
_LOG_SCALE_BOUND = 2.0


class _Coupling(layers.Layer):
    """`z <- z * exp(mask * s) + mask * t`, s and t functions of `(1 - mask) * z`.

    The mask is 1 for the dimensions that change, 0 for the others. `(s, t)` is the sum
    of an affine function and of a network with one hidden layer, so that a linear flow
    is among what can be learned. Both are 0 at first: the layer begins as the identity.
    """

    def __init__(self, mask, hidden_units, **kwargs):
        super().__init__(**kwargs)
        self.mask = mask
        size = len(mask)
        # When Keras loads a layer, it passes `trainable` as an argument, which the
        # layers within it must be given, too.
        own = {"dtype": "float32", "trainable": self.trainable}
        self.hidden = layers.Dense(hidden_units, "relu", **own)
        self.nonlinear, self.linear = (
            layers.Dense(2 * size, kernel_initializer="zeros", **own)
            for _ in range(2)
        )

    def build(self, input_shape):
        self.hidden.build(input_shape)
        self.linear.build(input_shape)
        self.nonlinear.build((None, self.hidden.units))
        self.built = True

    def _log_scale_and_shift(self, z, context):
        kept = z * (1.0 - self.mask)
        if context is not None:
            kept = ops.concatenate([kept, context], axis=-1)
        parameters = self.linear(kept) + self.nonlinear(self.hidden(kept))
        log_scale, shift = ops.split(parameters, 2, axis=-1)
        log_scale = _LOG_SCALE_BOUND * ops.tanh(log_scale / _LOG_SCALE_BOUND)
        return log_scale * self.mask, shift * self.mask

    def call(self, z, context=None):
        log_scale, shift = self._log_scale_and_shift(z, context)
        return z * ops.exp(log_scale) + shift, ops.sum(log_scale, axis=-1)

    def inverse(self, z, context=None):
        log_scale, shift = self._log_scale_and_shift(z, context)
        return (z - shift) * ops.exp(-log_scale), -ops.sum(log_scale, axis=-1)


@keras.saving.register_keras_serializable(package="kgen")
class Flow(layers.Layer):
    """An invertible function of codes, by affine coupling layers.

    Each layer scales and shifts one part of the dimensions by functions of the
    others.

    Args:
        num_layers: L, the number of coupling layers. With `2 * ceil(log2(d))` of
            them or more, an alternating flow parts any two of the d dimensions, so
            that either can change by the other.
        hidden_units: Units of the hidden layer in each of them.
        split: How the dimensions are parted. `"alternating"`: two layers in a row
            change the two parts of one split, and the next two those of another
            split. `"halves"`: every layer changes the second half, and none the
            first, as in a hierarchy of two levels.

    Call arguments:
        z: Tensor of shape `(..., d)`, with d of at least 2.
        context: Tensor of shape `(..., c)` on which the function depends, too, or
            None.

    Returns:
        The transformed z, of its shape; and the logarithm of the absolute
        determinant of the Jacobian, of shape `(...)`.

    References:
        Dinh et al. (2017), arXiv 1605.08803, equations 4 to 8.
    """

    @checked(
        num_layers=Count(),
        hidden_units=Integer(1),
        split=Options(("alternating", "halves")),
    )
    def __init__(
        self,
        num_layers: int = 4,
        hidden_units: int = 64,
        split: str = "alternating",
        **kwargs: Any,
    ):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.num_layers = num_layers
        self.hidden_units = hidden_units
        self.split = split

    def build(self, z_shape: tuple, context_shape: tuple | None = None) -> None:
        """Makes the coupling layers."""
        size = z_shape[-1]
        check_size(size, type(self).__name__)
        width = size + (context_shape[-1] if context_shape else 0)
        self.couplings = [
            _Coupling(
                mask,
                self.hidden_units,
                dtype="float32",
                trainable=self.trainable,
            )
            for mask in self._masks(size)
        ]
        for coupling in self.couplings:
            coupling.build((None, width))
        self.sizes = (size, width - size)
        self.built = True

    def build_for(
        self, owner: str, z_shape: tuple, context_shape: tuple | None = None
    ) -> None:
        """Makes the flow one of a model's codes.

        Args:
            owner: Name of the model, for the message.
            z_shape: That of the codes.
            context_shape: That of the encoder's context, or None.

        Raises:
            InvalidArgument: If the flow is one of other sizes.
        """
        if not self.built:
            self.build(z_shape, context_shape)
        sizes = (z_shape[-1], context_shape[-1] if context_shape else 0)
        if self.sizes != sizes:
            raise invalid(
                "posterior",
                owner,
                "a flow of codes of size {} with a context of size {}, as the "
                "encoder's are".format(*sizes),
                "one of codes of size {} with a context of size {}".format(
                    *self.sizes
                ),
            )

    def call(
        self, z: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        log_det = 0.0
        for coupling in self.couplings:
            z, part = coupling(z, context)
            log_det = log_det + part
        return z, log_det

    def inverse(
        self, z: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """What the flow takes to z, and the logarithm of *its* determinant.

        Args:
            z: As in the call.
            context: As in the call.
        """
        log_det = 0.0
        for coupling in reversed(self.couplings):
            z, part = coupling.inverse(z, context)
            log_det = log_det + part
        return z, log_det

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "hidden_units": self.hidden_units,
            "split": self.split,
        }

    def _masks(self, size):
        """The mask of each layer."""
        if self.split == "halves":
            second = (np.arange(size) >= size // 2).astype("float32")
            return [second] * self.num_layers
        return _alternating(size, self.num_layers)


def check_size(latent_dim: int, owner: str) -> None:
    """Raises unless a flow can be had for codes of this size.

    Args:
        latent_dim: Size of the codes.
        owner: Whose flow it is, for the message.
    """
    if latent_dim < 2:
        raise invalid(
            "latent_dim",
            owner,
            "at least 2: a coupling layer changes a part of the dimensions by the "
            "others",
            latent_dim,
        )


def _alternating(size, count):
    """The masks of layers that change all dimensions in turn.

    Each pair of layers splits the dimensions by another binary digit of their
    numbers. From `2 * ceil(log2(size))` layers on, any two dimensions are apart in one
    of the pairs.
    """
    digits = (size - 1).bit_length()
    numbers = np.arange(size)
    for layer in range(count):
        digit = (numbers >> (layer // 2 % digits)) & 1
        yield (digit if layer % 2 == 0 else 1 - digit).astype("float32")
