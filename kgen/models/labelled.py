"""What a model knows of classes: their number, their names, and labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kgen import arrays
from kgen.errors import invalid
from kgen.models.training import Trained
from kgen.params import Each, Text
from kgen.tables import Table

NAMES = Each(Text("the name of a class"), "a list of the classes' names")


class Labelled(Trained):
    """Base of models whose networks may take labels.

    A subclass sets `conditional`, whether they do, and `num_classes`, or None where
    that is not known.
    """

    conditional: bool
    num_classes: Any  # an integer, or None where it is not known
    # Below 0 where examples may have no label.
    lowest_label = 0
    # What `class_names` was set to, which is saved with the model.
    _class_names: tuple[str, ...] = ()

    @property
    def table(self) -> Table | None:
        """The table whose rows, as it encodes them, the examples are; or None."""
        return None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in the order of their labels.

        They are `()` where they are not known, as in models of earlier versions.
        Those of a table are its target's. Others may be set, one for each class of
        a model that takes labels. They are saved and exported with the model, and
        its methods take them as labels: `sample(2, labels="cat")`.
        """
        if self.table is not None:
            return self.table.class_names
        return self._class_names

    @class_names.setter
    def class_names(self, class_names: Sequence[str]) -> None:
        owner = type(self).__name__
        names = NAMES.check("class_names", owner, class_names)
        count = self.num_classes or len(names)
        if names and (self.table is not None or not self.conditional):
            expected = "none: the model takes no labels, or those of a table"
            raise invalid("class_names", owner, expected, list(names))
        if len(names) not in (0, count) or len(set(names)) < len(names):
            expected = f"{count} different names, one for each class"
            raise invalid("class_names", owner, expected, list(names))
        self._class_names = names

    @property
    def class_shares(self) -> np.ndarray:
        """The shares of a table's classes, by which labels of rows are drawn."""
        return np.array(() if self.table is None else self.table.class_shares)

    def check_labels(self, labels: Any, count: int, owner: str) -> None:
        """Raises unless `labels` are `count` of the model's classes."""
        arrays.check_labels(
            labels,
            self.num_classes,
            count,
            owner,
            self.lowest_label,
            class_names=self.class_names,
        )

    def with_labels(self, x: Any, labels: Any) -> Any:
        """`[x, labels]` for a conditional model, else `x`."""
        if not self.conditional:
            return x
        if labels is None:
            raise arrays.no_labels(type(self).__name__)
        return [x, labels]

    def labels_for(
        self, count: int, labels: arrays.Labels | None, method: str
    ) -> np.ndarray | None:
        """`labels` of a method as `count` checked int32, or None.

        Args:
            count: How many there must be.
            labels: Integer or `count` integers, or names of classes; None for no
                labels.
            method: The method's name, for messages.
        """
        owner = f"{type(self).__name__}.{method}"
        if not self.conditional:
            if labels is not None:
                raise invalid(
                    "labels",
                    owner,
                    "None: the model is not conditional",
                    labels,
                )
            return None
        if labels is not None:
            labels = arrays.numbered(labels, self.class_names, owner)
            labels = np.asarray(labels)
            if labels.ndim == 0:
                labels = np.full(count, labels)
        arrays.check_labels(labels, self.num_classes, count, owner)
        return np.asarray(labels, "int32")

    def labels_in_turn(self, count: int) -> np.ndarray | None:
        """Labels 0, 1, 2, ... over and over; None if the model takes none."""
        if not self.conditional:
            return None
        return np.arange(count) % (self.num_classes or 1)

    def label_specs(self) -> list[tf.TensorSpec]:
        """`[spec of labels]` for a conditional model, else `[]`."""
        if not self.conditional:
            return []
        return [tf.TensorSpec((None,), "int32", "labels")]
