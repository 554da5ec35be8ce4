"""Training by sampling: a generator of rows is told a condition for each row."""

from typing import Any

import keras
from keras import ops
from tensorflow import Tensor

from kgen.errors import InvalidArgument, invalid
from kgen.layers import ColumnsOutput
from kgen.parallel import replicas
from kgen.tables import Conditions, Table


class SampledConditions:
    """The conditions of a GAN's rows, which both its networks get as labels.

    Args:
        table: The rows' `Table`, without a target.
        generator: Network from `[z, condition]` to rows, which ends in a
            `ColumnsOutput`.
        num_classes: How many different labels it takes.

    Raises:
        InvalidArgument: If there is no such table, or the generator does not fit.

    References:
        Xu et al. (2019), arXiv 1907.00503, section 4.3.
    """

    def __init__(
        self,
        table: Table | None,
        generator: keras.Model,
        num_classes: int | None,
    ) -> None:
        if table is None or table.target is not None:
            expected = "False, unless `table` is a table without a target"
            raise invalid("training_by_sampling", "GAN", expected, True)
        self.law = Conditions(table)
        count, output = self.law.count, generator.layers[-1]
        if num_classes != count or not isinstance(output, ColumnsOutput):
            expected = (
                f"a network of z and {count} labels, the conditions, with a "
                "ColumnsOutput as its last layer"
            )
            found = f"{num_classes} labels, and {type(output).__name__}"
            raise invalid("generator", "GAN", expected, found)
        ends = [generator.outputs[0], output.input]
        self._rows_and_parameters = keras.Model(generator.inputs, ends)

    def draw(
        self, rows: Tensor, seed: keras.random.SeedGenerator
    ) -> list[Tensor]:
        """Draws a condition for each row of a batch, and then rows that meet them.

        Args:
            rows: Tensor of shape `(n, *table.shape)`.
            seed: `keras.random.SeedGenerator`.

        Returns:
            Rows of the batch, and the conditions of shape `(n,)`.
        """
        if replicas.count() > 1:
            raise InvalidArgument(
                "`training_by_sampling` draws rows from a whole batch, which several "
                "devices share. Train on one device."
            )
        uniform = replicas.uniform((ops.shape(rows)[0], 2), seed)
        return list(self.law.drawn(rows, uniform))

    def generate(
        self, z: Tensor, conditions: Tensor, training: bool
    ) -> tuple[Tensor, Tensor]:
        """Rows for conditions, and the mean of -log p that they meet these.

        Args:
            z: Draws from N(0, I), of shape `(n, latent_dim)`.
            conditions: Tensor of shape `(n,)`.
            training: Whether the generator is being trained.
        """
        z = self.law.code_of(z, conditions)
        inputs = [z, conditions]
        rows, parameters = self._rows_and_parameters(inputs, training=training)
        return rows, self.law.loss(parameters, conditions)

    def with_condition(self, z: Any) -> list[Any]:
        """z, and its condition: those of many z are as frequent as in the table."""
        return [z, self.law.of_code(z)]
