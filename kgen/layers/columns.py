"""The end of a generator of a table's rows."""

from typing import Any

import keras
from tensorflow import Tensor

from kgen.losses.columns import generated_rows
from kgen.params import Instance, checked
from kgen.tables import Table, with_table


@keras.saving.register_keras_serializable(package="kgen")
class ColumnsOutput(keras.layers.Layer):
    """Makes numbers of a network to a row of a table, as such rows are encoded.

    See `kgen.losses.columns.generated_rows`.

    Args:
        table: The `kgen.data.Table`.
    """

    @checked(table=Instance(Table, "a kgen.data.Table"))
    def __init__(self, table: Table, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.table = table
        self.built = True

    def call(self, parameters: Tensor) -> Tensor:
        """Rows.

        Args:
            parameters: Tensor of shape `(..., *table.shape)`.

        Returns:
            Tensor of the same shape.
        """
        return generated_rows(self.table, parameters)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        table = keras.saving.serialize_keras_object(self.table)
        return {**super().get_config(), "table": table}

    @classmethod
    def from_config(cls, config: dict) -> "ColumnsOutput":
        """Builds the layer that `get_config` described."""
        return cls(**with_table(config))
