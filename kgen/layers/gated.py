"""Dense layers with a gate."""

from typing import Any

import keras
from tensorflow import Tensor

from kgen.layers.dense import Dense
from kgen.params import Built, Integer, checked

_REGULARIZER = Built(keras.regularizers.get, "a Keras regularizer or its name")


@keras.saving.register_keras_serializable(package="kgen")
class GatedDense(keras.layers.Layer):
    """A linear unit times a gate: `(W x + b) * sigmoid(V x + c)`.

    Args:
        units: Positive integer, size of the output.
        kernel_regularizer: Keras regularizer of W and V.

    Call arguments:
        x: Tensor of shape `(..., features)`.

    Returns:
        Tensor of shape `(..., units)`.

    References:
        Dauphin et al. (2017), arXiv 1612.08083, equation 1;
        Tomczak & Welling (2018), arXiv 1705.07120, section 4.2 (in VAEs).
    """

    @checked(units=Integer(1), kernel_regularizer=_REGULARIZER)
    def __init__(
        self,
        units: int,
        kernel_regularizer: keras.regularizers.Regularizer | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.kernel_regularizer = kernel_regularizer
        # One product for both halves.
        self.dense = Dense(
            2 * self.units,
            kernel_initializer=keras.initializers.VarianceScaling(
                2.0, "fan_avg", "uniform"
            ),
            kernel_regularizer=self.kernel_regularizer,
            dtype=self.dtype_policy,
            name="dense",
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.dense.build(input_shape)

    def call(self, x: Tensor) -> Tensor:
        linear, gate = keras.ops.split(self.dense(x), 2, axis=-1)
        return linear * keras.ops.sigmoid(gate)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "units": self.units,
            "kernel_regularizer": keras.regularizers.serialize(
                self.kernel_regularizer
            ),
        }
