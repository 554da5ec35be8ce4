"""What counting needs of the data of `fit`: all of it, and sometimes twice."""

import math
import types
from typing import Any

import keras

from kgen.errors import InvalidArgument, invalid
from kgen.models.steps import batches_in


def check_whole_epochs(
    data: Any, size: int, validation_split: float, steps: int | None
) -> None:
    """Raises if the steps of an epoch leave out, or repeat, a part of the data.

    Generators and endless datasets have no number of batches to compare with.

    Args:
        data: What `BayesClassifier.fit` takes as x.
        size: How many examples of an array are a batch.
        validation_split: The share of an array that is not trained on.
        steps: The number of steps of an epoch, or None.
    """
    if isinstance(data, tuple):  # a table's rows and their labels
        data = data[0]
    whole = batches_in(data)
    if isinstance(data, keras.utils.PyDataset):
        whole = data.num_batches
    elif hasattr(data, "shape"):
        count = math.floor(len(data) * (1.0 - validation_split))
        whole = math.ceil(count / size)
    if steps and whole and steps != whole:
        raise invalid(
            "steps_per_epoch",
            "BayesClassifier.fit",
            f"None, or the {whole} steps that all of the data take: P(y), and a "
            "density in closed form, are counted over an epoch",
            steps,
        )


def check_can_be_read_twice(data: Any) -> None:
    """Raises if data can be read only once, although it is counted first.

    Args:
        data: What `BayesClassifier.fit` takes as x.
    """
    if isinstance(data, types.GeneratorType):
        raise invalid(
            "x",
            "BayesClassifier.fit",
            "data that can be read twice, such as a tf.data.Dataset: it "
            "is counted first",
            "a generator",
        )


def check_one_batch_is_enough(model: keras.Model) -> None:
    """Raises if a model would have to count all of the data.

    Args:
        model: A compiled `BayesClassifier`, which is about to be trained on a
            single batch.
    """
    owner = f"{type(model).__name__}.train_on_batch"
    if model.counts:
        raise InvalidArgument(
            f"`{owner}`: a {type(model.density).__name__} is fitted by "
            "counting all examples, not one batch. Call `fit`: one epoch is "
            "enough, and data may be a tf.data.Dataset or a generator."
        )
    needs_counts = model.density.closed_form or model.prior is None
    if needs_counts and not model.fitted.numpy():
        raise InvalidArgument(
            f"`{owner}`: P(y), or the density to start from, is not counted "
            "yet. Call `fit` first; or, of a density that is trained by "
            'gradient, pass P(y) as `prior`, such as "uniform".'
        )
