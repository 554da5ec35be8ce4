"""Kernels of transposed convolutions that leave no checkerboard."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from tensorflow import Tensor

from kgen.params import Built, checked

_INITIALIZER = Built(keras.initializers.get, "a Keras initializer or its name")


@keras.saving.register_keras_serializable(package="kgen")
class NoCheckerboard(keras.constraints.Constraint):
    """Keeps equal sums of the weights by which the pixels of a 2x2 cell arise.

    A transposed convolution with a stride of 2 makes each of the four pixels by
    weights of their own. Where their sums differ, a constant map becomes a
    checkerboard, even if the kernel's size is a multiple of the stride. The
    nearest kernel with equal sums takes the place of each; what it makes of maps
    that are not constant stays free, unlike that of a resized map's convolution.

    Call arguments:
        w: Kernel of shape `(rows, columns, filters, channels)`, with even rows
            and columns.

    Returns:
        Tensor of that shape.

    References:
        Odena et al. (2016), Deconvolution and checkerboard artifacts,
        doi 10.23915/distill.00003.
    """

    def __call__(self, w: Tensor) -> Tensor:
        rows, columns = w.shape[:2]
        # One product, which is cheaper than means over axes.
        places = rows * columns
        row, column = np.indices((rows, columns)).reshape(2, -1) % 2
        pixel = 2 * row + column
        is_same = pixel[:, None] == pixel
        projection = np.eye(places) - (4.0 * is_same - 1.0) / places
        flat = ops.reshape(w, (places, -1))
        flat = ops.matmul(ops.cast(projection, flat.dtype), flat)
        return ops.reshape(flat, w.shape)


@keras.saving.register_keras_serializable(package="kgen")
class ResizeConvolution(keras.initializers.Initializer):
    """Kernel of a transposed convolution that starts as one of a resized map.

    With a stride of 2 the layer then repeats each row and column, and convolves
    what results by a kernel that is smaller by 1. `NoCheckerboard` holds at the
    start, and keeps it from losing what matters of that in training.

    Args:
        initializer: Keras initializer of the smaller kernel, or its name.

    Call arguments:
        shape: `(rows, columns, filters, channels)` of the kernel, as in
            `keras.layers.Conv2DTranspose`.
        dtype: Its dtype.

    Returns:
        Tensor of that shape.

    References:
        Aitken et al. (2017), arXiv 1707.02937 (of sub-pixel convolutions).
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
