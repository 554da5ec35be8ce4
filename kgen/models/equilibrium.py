"""Which players of a VAE-GAN take a step, by how far one is ahead."""

import tensorflow as tf
from keras import ops

from kgen.parallel import replicas

# Cross-entropy at which neither side is ahead: about log 2, from the authors'
# code.
_EQUILIBRIUM = 0.68


def gates(
    real: tf.Tensor, fakes: list[tf.Tensor], margin: float | None
) -> dict[str, tf.Tensor]:
    """Whether the discriminator and the decoder play.

    Args:
        real: Logits of real examples.
        fakes: Those of each kind of generated ones.
        margin: How far a cross-entropy may be from where neither is ahead; None
            where both always play.

    Returns:
        Booleans by the names of their fields in a model's losses; without a margin
        none.

    References:
        The code of Larsen et al. (2016), arXiv 1512.09300.
    """
    if margin is None:
        return {}
    real_cost = replicas.mean(ops.softplus(-real))
    fake_cost = replicas.mean(ops.softplus(ops.concatenate(fakes)))
    lower = ops.minimum(real_cost, fake_cost)
    higher = ops.maximum(real_cost, fake_cost)
    discriminator = lower >= _EQUILIBRIUM - margin
    decoder = higher <= _EQUILIBRIUM + margin
    neither = ops.logical_not(ops.logical_or(discriminator, decoder))
    return {
        "discriminator_plays": ops.logical_or(discriminator, neither),
        "decoder_plays": ops.logical_or(decoder, neither),
    }
