"""Kernels of transposed convolutions that leave no checkerboard."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops
from tensorflow import Tensor

from kgen.params import Built, checked

_INITIALIZER = Built(keras.initializers.get, "a Keras initializer or its name")


@keras.saving.register_keras_serializable(package="kgen")
class ResizeConvolution(keras.initializers.Initializer):
    """Kernel of a transposed convolution that starts as one of a resized map.

    With a stride of 2 the layer then repeats each row and column, and convolves
    what results by a kernel that is smaller by 1: all four pixels that come of
    one get the same sums of weights. A kernel of independent weights gives each
    of the four other sums, which repeat over the picture as a checkerboard, even
    where its size is a multiple of the stride.

    Args:
        initializer: Keras initializer of the smaller kernel, or its name.

    Call arguments:
        shape: `(rows, columns, filters, channels)` of the kernel, as in
            `keras.layers.Conv2DTranspose`.
        dtype: Its dtype.

    Returns:
        Tensor of that shape.

    References:
        Odena et al. (2016), Deconvolution and checkerboard artifacts,
        doi 10.23915/distill.00003; Aitken et al. (2017), arXiv 1707.02937 (the
        same idea for sub-pixel convolutions).
    """

    @checked(initializer=_INITIALIZER)
    def __init__(self, initializer: Callable | str = "glorot_uniform") -> None:
        self.initializer = keras.initializers.get(initializer)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        rows, columns, filters, channels = shape
        smaller = (rows - 1, columns - 1, channels, filters)
        kernel = ops.swapaxes(self.initializer(smaller, dtype), 2, 3)
        return sum(
            ops.pad(kernel, [[i, 1 - i], [j, 1 - j], [0, 0], [0, 0]])
            for i in (0, 1)
            for j in (0, 1)
        )

    def get_config(self) -> dict:
        return {"initializer": keras.initializers.serialize(self.initializer)}
