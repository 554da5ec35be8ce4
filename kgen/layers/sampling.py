"""The reparameterised Gaussian, and the KL term that comes with it."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops
from tensorflow import Tensor

from kgen.losses.divergences import bound_log_var, gaussian_kl
from kgen.parallel import replicas
from kgen.params import SEED, Number, Optional, checked


@keras.saving.register_keras_serializable(package="kgen")
class GaussianSampling(keras.layers.Layer):
    """Draws `z = mean + exp(log_var / 2) * eps`, eps from N(0, I).

    The KL divergence of N(mean, exp(log_var)) to N(0, I), in closed form,
    summed over the dimensions and averaged over the batch, times
    `current_kl_weight`, is added with `add_loss`, in nats per image. It computes
    in float32 under every dtype policy.

    Args:
        kl_weight: Number >= 0 that multiplies the KL term; 1 gives the evidence
            lower bound, another value a beta-VAE. While training it is the
            variable `current_kl_weight`, to which a callback may assign; a
            model's `fit` begins and ends with `kl_weight`.
        free_bits: Nats per latent dimension that cost nothing: the batch mean
            of each dimension's KL counts as at least this much.
        seed: Integer, or None for one from Keras's global random state.

    Call arguments:
        inputs: Pair `(mean, log_var)` of tensors of shape `(batch, d)`.

    Returns:
        z, of shape `(batch, d)`.

    References:
        Kingma & Welling (2014), arXiv 1312.6114, section 2.4 and appendix B;
        Higgins et al. (2017), beta-VAE, equation 4;
        Kingma et al. (2016), arXiv 1606.04934, equation 15 (free bits).
    """

    @checked(kl_weight=Number(), free_bits=Number(), seed=Optional(SEED))
    def __init__(
        self,
        kl_weight: float = 1.0,
        free_bits: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.kl_weight = kl_weight
        self.free_bits = free_bits
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.current_kl_weight = self.add_weight(
            name="kl_weight",
            initializer=keras.initializers.Constant(self.kl_weight),
            trainable=False,
        )
        self.built = True

    def reset(self) -> None:
        """Gives the KL term its full weight."""
        self.current_kl_weight.assign(self.kl_weight)

    def load_own_variables(self, store: dict[str, Any]) -> None:
        """Gives the KL term its full weight, whatever it had when saved.

        A callback sets the weight at each epoch, so a model that was saved
        during a warm-up must not keep the one that it had then.
        """
        self.reset()

    def call(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        mean, log_var = inputs
        log_var = bound_log_var(log_var)
        loss = self.current_kl_weight * self.kl(mean, log_var)
        # Replicas share the layer's list of losses, and may wait for each other
        # in `kl`: then the list has another replica's loss already.
        self._clear_losses()
        self.add_loss(loss)
        return self.draw(mean, log_var)

    def draw(
        self,
        mean: Tensor | float,
        log_var: Tensor,
        shape: Sequence[int | Tensor] | None = None,
    ) -> Tensor:
        """Draws z without the KL term.

        Args:
            mean: Tensor of shape `(batch, d)`.
            log_var: Tensor of shape `(batch, d)`.
            shape: That of z, which may have an axis of several draws before the
                batch's; None for the shape of `mean`.
        """
        axis = 0 if shape is None else len(shape) - len(log_var.shape)
        shape = ops.shape(mean) if shape is None else shape
        eps = replicas.normal(shape, self.seed_generator, axis)
        return mean + ops.exp(0.5 * log_var) * eps

    def kl(self, mean: Tensor, log_var: Tensor) -> Tensor:
        """The KL term with its free bits, unweighted, in nats per image."""
        per_dim = gaussian_kl(mean, log_var)
        if not self.free_bits:
            return ops.sum(ops.mean(per_dim, axis=0))
        per_dim = replicas.mean(per_dim, axis=0)
        return ops.sum(ops.maximum(per_dim, self.free_bits))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape[0]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "kl_weight": self.kl_weight,
            "free_bits": self.free_bits,
            "seed": self.seed,
        }
