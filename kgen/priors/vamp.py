"""The VampPrior: a mixture of posteriors of learned pseudo-inputs."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops
from tensorflow import Tensor

from kgen.errors import InvalidArgument, invalid
from kgen.params import Count, checked
from kgen.priors.base import Prior
from kgen.priors.mixture import chosen


@keras.saving.register_keras_serializable(package="kgen")
class _Within(keras.constraints.Constraint):
    """Keeps weights between two bounds."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def __call__(self, w):
        return ops.clip(w, self.low, self.high)

    def get_config(self):
        return {"low": self.low, "high": self.high}


@keras.saving.register_keras_serializable(package="kgen")
class VampPrior(Prior):
    """`p(z) = 1/K sum_k q(z|u_k)`: a mixture of the posteriors of pseudo-inputs.

    The pseudo-inputs u are learned with the model. `fit` begins with training
    examples in their place. Where the encoder takes labels they have labels, too,
    which are not learned; p(z) is still one and the same for all labels. The
    encoder sees them as it does once trained: without dropout, and with the moving
    statistics of batch normalisation.

    Args:
        num_components: K, the number of pseudo-inputs.

    References:
        Tomczak & Welling (2018), arXiv 1705.07120, equation 9.
    """

    needs_uniform = True
    _get_model: Callable | None = None

    @checked(num_components=Count())
    def __init__(self, num_components: int = 500, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_components = num_components

    @property
    def num_start_examples(self) -> int:
        return 0 if self.started.numpy() else self.num_components

    def _prepare(self, model, size, serving):
        if self.built:
            raise invalid(
                "prior",
                type(model).__name__,
                "a VampPrior of its own: this one is of another model's encoder",
                self,
            )
        # In a function: a model that is an attribute would be saved, too.
        self._get_model = lambda: model
        self._serving = serving

    def _model(self):
        """The model whose encoder is used."""
        if self._get_model is None:
            raise InvalidArgument(
                "`VampPrior`: its density is made by a model's encoder. Give it to the "
                "model, which builds it."
            )
        return self._get_model()

    def build(self, input_shape: tuple) -> None:
        model = self._model()
        count = self.num_components
        low, high = model.support or (0.0, 1.0)
        self.pseudo_inputs = self.add_weight(
            shape=(count, *model.input_shapes[0]),
            initializer=keras.initializers.RandomUniform(low, high),
            constraint=model.support and _Within(low, high),
            name="pseudo_inputs",
        )
        self.labels = None
        if model.conditional:
            labels = model.labels_in_turn(count)
            self.labels = self.add_weight(
                shape=(count,),
                initializer=lambda shape, dtype: ops.cast(labels, dtype),
                dtype="int32",
                trainable=False,
                name="labels",
            )
        # Whether the pseudo-inputs have been set. A second training keeps them, also
        # after another `compile`.
        self.started = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="started"
        )
        super().build(input_shape)

    def get_build_config(self) -> None:
        """Returns None: the model that loads the prior builds it."""

    def start_from(self, x: np.ndarray, labels: np.ndarray | None) -> None:
        """Puts training examples in the pseudo-inputs' place, unless this was done.

        Args:
            x: Array of shape `(n, *input_shape)`.
            labels: Array of shape `(n,)`, or None.

        Raises:
            InvalidArgument: If there are fewer examples than pseudo-inputs.
        """
        if self.started.numpy():
            return
        count = self.num_components
        check_start_examples(count, len(x), type(self._model()).__name__)
        self.started.assign(1)
        self.pseudo_inputs.assign(x[:count])
        if labels is not None and self.labels is not None:
            self.labels.assign(labels[:count])

    def _posteriors(self):
        """q(z|u) of all pseudo-inputs; of two levels, that of z2, as p(z2) is this."""
        inputs = ops.convert_to_tensor(self.pseudo_inputs)
        if self.labels is not None:
            inputs = [inputs, ops.convert_to_tensor(self.labels)]
        posteriors = self._model().posterior_of(inputs, self._serving)
        return posteriors.of_first(self.latent_dim)

    def log_prob(self, z: Tensor) -> Tensor:
        log_density = self._posteriors().log_prob_of_all(z)
        return ops.logsumexp(log_density, axis=-1) - math.log(
            self.num_components
        )

    def transform(self, normal: Tensor, uniform: Tensor) -> Tensor:
        posteriors = self._posteriors()
        count = self.num_components
        weights = ops.full((count,), 1.0 / count)
        z, _ = posteriors.of_rows(chosen(weights, uniform)).draw(normal)
        return z

    def get_config(self) -> dict:
        return {**super().get_config(), "num_components": self.num_components}


def check_start_examples(wanted: int, count: int, owner: str) -> None:
    """Raises if there are fewer training examples than pseudo-inputs.

    Args:
        wanted: The number of pseudo-inputs, or of examples for several priors.
        count: The number of training examples.
        owner: Whose prior it is, for the message.

    Raises:
        InvalidArgument: If there are fewer.
    """
    if count < wanted:
        raise invalid(
            "prior",
            owner,
            f"at most as many pseudo-inputs as training examples, {count}",
            f"vamp:{wanted}",
        )
