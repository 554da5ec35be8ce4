"""What may take the place of the KL divergence in a VAE's loss."""

import keras
from keras import ops
from tensorflow import Tensor

from kgen.errors import InvalidArgument
from kgen.losses.divergences import gaussian_log_prob
from kgen.parallel import replicas
from kgen.params import Described, Named, Number, checked, resolve
from kgen.priors.base import Prior
from kgen.priors.posterior import Posterior

# The s of the kernels, as in the Wasserstein autoencoder's own code.
_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Divergence(Described):
    """Base of the divergences between codes and the prior.

    A subclass implements `__call__`, and is registered as serialisable. It sees
    the whole batch, also where several devices share it.
    """

    def check(self, owner: str, flow: keras.layers.Layer | None) -> None:
        """Raises `InvalidArgument` if it can't be used with the posterior's flow.

        Args:
            owner: Name of the model.
            flow: The flow behind the Gaussian, or None.
        """

    def __call__(
        self,
        posterior: Posterior,
        z: Tensor,
        kl: Tensor,
        prior: Prior,
        seed_generator: keras.random.SeedGenerator,
    ) -> Tensor:
        """The divergence of a batch, in nats per example if it is one in nats.

        Args:
            posterior: q(z|x) of the batch.
            z: A draw from it for each example, of shape `(batch, latent_dim)`.
            kl: KL(q(z|x) || p(z)) of each example, of shape `(batch,)`.
            prior: p(z).
            seed_generator: The stream from which it draws, if it does.

        Returns:
            Scalar.
        """
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="kgen")
class MMD(Divergence):
    """The squared maximum mean discrepancy of all codes to the prior.

    It asks that the codes of all examples *together* are distributed as the prior
    is, as in the Wasserstein autoencoder. The kernel is a sum of inverse
    multiquadratic ones, `c / (c + |z - z'|^2)` with c = 2 d s for each s of 0.1, 0.2,
    0.5, 1, 2, 5 and 10; 2 d is the mean squared distance of two draws from N(0, I).
    It has no unit; it is far smaller than the KL, and needs a greater weight.

    References:
        Tolstikhin et al. (2018), arXiv 1711.01558, algorithm 2 and section 4;
        Zhao et al. (2019), arXiv 1706.02262, equation 6 (InfoVAE).
    """

    def __call__(self, posterior, z, kl, prior, seed_generator):
        other = prior.draw(ops.shape(z)[0], seed_generator)
        return mmd(replicas.gathered(z), replicas.gathered(other))


def mmd(one: Tensor, other: Tensor) -> Tensor:
    """The unbiased estimate of the squared maximum mean discrepancy.

    With the kernel k of `MMD`, it is `mean k(x_i, x_j) + mean k(y_i, y_j)`, both over
    i != j, less `2 mean k(x_i, y_j)` over all i and j.

    Args:
        one: Tensor of shape `(n, d)`: the x.
        other: Tensor of shape `(n, d)`: the y.

    Returns:
        Scalar, which may be below 0. Of one example, which makes no pair, it is the
        last part alone.

    References:
        Gretton et al. (2012), A kernel two-sample test, lemma 6.
    """
    count, size = ops.cast(ops.shape(one)[0], "float32"), one.shape[-1]

    def kernel(x, y):
        squares = ops.sum(
            ops.square(ops.expand_dims(x, 1) - ops.expand_dims(y, 0)), axis=-1
        )
        constants = (2.0 * size * scale for scale in _SCALES)
        return sum(c / (c + squares) for c in constants)

    def within(x):
        # A point is no pair with itself, where the kernel is 1 for each s.
        total = ops.sum(kernel(x, x)) - count * len(_SCALES)
        return total / ops.maximum(count * (count - 1.0), 1.0)

    return within(one) + within(other) - 2.0 * ops.mean(kernel(one, other))


@keras.saving.register_keras_serializable(package="kgen")
class TotalCorrelation(Divergence):
    """The KL divergence, in which the total correlation counts beta times.

    `KL(q(z|x) || p(z)) + (beta - 1) KL(q(z) || prod_j q(z_j))`: the dimensions of
    the code are to be independent. q(z) is estimated by the batch's posteriors as
    in beta-TCVAE, as if the batch were all of the data; with the number N of all
    examples, as there, the estimate differs by a constant, which has no gradient.

    Args:
        beta: Number >= 0; with 1 it is the KL divergence alone.

    References:
        Chen et al. (2018), arXiv 1802.04942, equations 2 and 4.
    """

    @checked(beta=Number())
    def __init__(self, beta: float = 6.0):
        self.beta = beta

    def check(self, owner: str, flow: keras.layers.Layer | None) -> None:
        if flow is not None:
            raise InvalidArgument(
                f"`{owner}`: the total correlation is estimated for Gaussian "
                'posteriors alone. Use posterior="gaussian" and levels=1 with it.'
            )

    def __call__(self, posterior, z, kl, prior, seed_generator):
        correlation = total_correlation(
            *(
                replicas.gathered(x)
                for x in (z, posterior.mean, posterior.log_var)
            )
        )
        return ops.mean(kl) + (self.beta - 1.0) * correlation


def total_correlation(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """An estimate of `KL(q(z) || prod_j q(z_j))`, q(z) being a mean of Gaussians.

    Args:
        z: Tensor of shape `(n, d)`: a draw from each Gaussian.
        mean: Tensor of shape `(n, d)`.
        log_var: Tensor of shape `(n, d)`.

    Returns:
        Scalar, in nats.

    References:
        Chen et al. (2018), arXiv 1802.04942, appendix C.1.
    """
    # log q(z_i|x_j) of each dimension, of shape (i, j, d)
    log_q = gaussian_log_prob(ops.expand_dims(z, 1), mean, log_var)
    size = ops.log(ops.cast(ops.shape(mean)[0], log_q.dtype))
    joint = ops.logsumexp(ops.sum(log_q, axis=-1), axis=1) - size
    single = ops.sum(ops.logsumexp(log_q, axis=1) - size, axis=-1)
    return ops.mean(joint - single)


DIVERGENCES = {
    "kl": Named(lambda: None),
    "mmd": Named(MMD),
    "total_correlation": Named(TotalCorrelation, ("BETA",)),
}


def get_divergence(
    identifier: Divergence | str | None, owner: str = "VAE"
) -> Divergence | None:
    """Turns a name into a divergence.

    Args:
        identifier: `"kl"` or None, for the KL divergence itself; `"mmd"`, as in
            Wasserstein autoencoders; `"total_correlation:6"`, as in beta-TCVAE;
            or a `Divergence`.
        owner: Whose argument it is, for the message.

    Returns:
        A `Divergence`; None for the KL divergence.

    Raises:
        InvalidArgument: If the name is unknown or the number can't be used.
    """
    if identifier is None or isinstance(identifier, Divergence):
        return identifier
    return resolve("divergence", owner, DIVERGENCES, identifier)
