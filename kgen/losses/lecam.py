"""A regularizer of discriminators for little data."""

from typing import Any

import keras
from keras import ops
from tensorflow import Tensor

from kgen.params import Number, checked


@keras.saving.register_keras_serializable(package="kgen")
class LeCam(keras.layers.Layer):
    """Keeps a discriminator's logits near the mean of the other side's.

    `weight * (E[(r - F)^2] + E[(f - R)^2])` is added to the discriminator's loss,
    where r and f are the logits of real and generated examples, and R and F moving
    averages of theirs, from 0 on, where an untrained discriminator's are. After
    each update of the discriminator, `R = decay * R + (1 - decay) * E[r]`, and so F.

    It is a layer, so that the averages are saved with the model.

    Args:
        weight: lambda, a number >= 0.
        decay: Of the averages, in [0, 1).

    References:
        Tseng et al. (2021), Regularizing generative adversarial networks under
        limited data, arXiv 2104.03310, section 3.
    """

    @checked(weight=Number(), decay=Number(below=1.0))
    def __init__(
        self, weight: float, decay: float = 0.99, **kwargs: Any
    ) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.weight = weight
        self.decay = decay
        self.averages = self.add_weight(
            shape=(2,), initializer="zeros", trainable=False, name="averages"
        )
        self.built = True

    def call(self, real: Tensor, *fakes: Tensor) -> Tensor:
        """The weighted regularizer, by the averages so far.

        Args:
            real: Logits of real examples, of shape `(batch, 1)`.
            *fakes: Logits of generated examples, one tensor for each kind of
                them; their terms are added.

        Returns:
            Scalar.
        """
        of_real, of_fakes = ops.unstack(self.averages.value, 2)
        terms = [ops.mean(ops.square(real - of_fakes))]
        terms += [ops.mean(ops.square(fake - of_real)) for fake in fakes]
        return self.weight * sum(terms)

    def follow(self, real: Tensor, fake: Tensor) -> None:
        """Moves the averages on.

        Args:
            real: The mean logit of the real examples of an update.
            fake: That of the generated ones.
        """
        step = ops.stack([real, fake]) - self.averages.value
        self.averages.assign_add((1.0 - self.decay) * step)

    def load_own_variables(self, store: Any) -> None:
        """Loads the averages; a file that lacks them leaves them as they are."""
        if store.keys():
            super().load_own_variables(store)

    def get_config(self) -> dict:
        config = {"weight": self.weight, "decay": self.decay}
        return {**super().get_config(), **config}
