"""The reparameterised Gaussian, and the KL term that comes with it."""

from collections.abc import Sequence
from typing import Any, Self

import keras
from keras import ops
from tensorflow import Tensor

from kgen.losses.divergences import bound_log_var
from kgen.parallel import replicas
from kgen.params import SEED, Instance, Number, Optional, checked
from kgen.priors import Divergence, Flow, NormalPrior, Posterior, Prior


@keras.saving.register_keras_serializable(package="kgen")
class GaussianSampling(keras.layers.Layer):
    """Draws `z = mean + exp(log_var / 2) * eps`, eps from N(0, I).

    With a flow f, z is f of that. The KL divergence of the distribution of z to
    the prior, averaged over the batch, times `current_kl_weight`, is added with
    `add_loss`, in nats per image. Without a flow and with the prior N(0, I) it has
    a closed form; else it is estimated by the same draw, as
    `log q(z|x) - log p(z)`. It computes in float32 under every dtype policy.

    Args:
        kl_weight: Number >= 0 that multiplies the KL term; 1 gives the evidence
            lower bound, another value a beta-VAE. While training it is the
            variable `current_kl_weight`, to which a callback may assign; a
            model's `fit` begins and ends with `kl_weight`.
        free_bits: Nats per latent dimension that cost nothing: the batch mean
            of each dimension's KL counts as at least this much. Where the KL is
            estimated, its batch mean counts as at least d times as much.
        seed: Integer, or None for one from Keras's global random state.
        prior: A built `Prior`, or None for N(0, I).
        flow: A built `Flow`, or None.
        divergence: What is added with `add_loss` in the place of the KL: a
            `Divergence`, or None.

    Call arguments:
        inputs: `[mean, log_var]`, tensors of shape `(batch, d)`, perhaps with
            the flow's context of shape `(batch, c)`.
        return_kl: Whether to return the KL of each example, too.

    Returns:
        z, of shape `(batch, d)`; with `return_kl`, also a tensor of shape
        `(batch,)`, the KL in nats, without weight and free bits.

    References:
        Kingma & Welling (2014), arXiv 1312.6114, section 2.4 and appendix B;
        Higgins et al. (2017), beta-VAE, equation 4;
        Kingma et al. (2016), arXiv 1606.04934, equation 15 (free bits).
    """

    @checked(
        kl_weight=Number(),
        free_bits=Number(),
        seed=Optional(SEED),
        prior=Optional(Instance(Prior, "a `Prior`")),
        flow=Optional(Instance(Flow, "a `Flow`")),
        divergence=Optional(Instance(Divergence, "a `Divergence`")),
    )
    def __init__(
        self,
        kl_weight: float = 1.0,
        free_bits: float = 0.0,
        seed: int | None = None,
        prior: Prior | None = None,
        flow: Flow | None = None,
        divergence: Divergence | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.kl_weight = kl_weight
        self.free_bits = free_bits
        self.seed = seed
        self.prior = NormalPrior() if prior is None else prior
        self.flow = flow
        self.divergence = divergence
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

    def call(
        self, inputs: Sequence[Tensor], return_kl: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        mean, log_var, *context = inputs
        posterior = Posterior(mean, bound_log_var(log_var), self.flow, *context)
        z, log_q = posterior.draw(self.noise(ops.shape(mean)))
        kl, per_dim = posterior.kl(self.prior, z, log_q)
        if self.divergence is None:
            term = self._counted(kl, per_dim, z.shape[-1])
        else:
            term = self.divergence(
                posterior, z, kl, self.prior, self.seed_generator
            )
        loss = self.current_kl_weight * term
        # Replicas share the layer's list of losses, and may wait for each other in
        # `_counted`. The list may then hold the loss of another replica already.
        self._clear_losses()
        self.add_loss(loss)
        return (z, kl) if return_kl else z

    def noise(self, shape: Sequence[int | Tensor]) -> Tensor:
        """Draws from N(0, I) for a batch.

        Args:
            shape: `(..., batch, d)`; axes before the batch's are of several
                draws.
        """
        return replicas.normal(shape, self.seed_generator, len(shape) - 2)

    def _counted(self, kl, per_dim, size):
        """The batch mean of the KL as it counts, with free bits."""
        if per_dim is None:
            per_dim = kl[:, None]
            free = self.free_bits * size
        else:
            free = self.free_bits
        if not free:
            return ops.sum(ops.mean(per_dim, axis=0))
        return ops.sum(ops.maximum(replicas.mean(per_dim, axis=0), free))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape[0]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "kl_weight": self.kl_weight,
            "free_bits": self.free_bits,
            "seed": self.seed,
            "prior": keras.saving.serialize_keras_object(self.prior),
            "flow": keras.saving.serialize_keras_object(self.flow),
            "divergence": keras.saving.serialize_keras_object(self.divergence),
        }

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Builds the layer that `get_config` described."""
        build = keras.saving.deserialize_keras_object
        parts = {
            name: build(config.get(name))
            for name in ("prior", "flow", "divergence")
        }
        return cls(**{**config, **parts})
