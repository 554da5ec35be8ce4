"""What the two players of a GAN minimise: one object a loss, with both halves.

`r` and `f` are the discriminator's logits of real and generated examples, s the
logistic function, and E the mean over the batch. `softplus(-r) = -log s(r)` and
`softplus(f) = -log(1 - s(f))`.
"""

import math

import keras
from keras import ops
from tensorflow import Tensor

from kgen.errors import invalid
from kgen.parallel import replicas
from kgen.params import Described, Named, Number, checked, resolve

_SMOOTHING = Number(below=1.0)


class AdversarialLoss(Described):
    """Base of the losses.

    A subclass implements `discriminator_loss` and `generator_loss`, both to be
    minimised, in nats where the logits are log-odds.
    """

    # Whether the generator's loss takes the real logits, too.
    needs_real = False

    def level(self, kinds: int) -> float | None:
        """The best logit where real and generated examples look the same.

        Args:
            kinds: How many kinds of generated examples there are.

        Returns:
            The number that minimises `discriminator_loss` where it is the logit of
            all examples; None where only differences of logits count.
        """
        return 0.0

    def discriminator_loss(self, real: Tensor, *fakes: Tensor) -> Tensor:
        """The discriminator's loss.

        Args:
            real: Logits of real examples, of shape `(batch, 1)`.
            *fakes: Logits of generated examples, of the same shape, one tensor
                for each kind of them. Their terms are added, or their mean is
                taken where only differences of logits count.

        Returns:
            Scalar.
        """
        raise NotImplementedError

    def generator_loss(
        self, fake: Tensor, real: Tensor | None = None
    ) -> Tensor:
        """The generator's loss.

        Args:
            fake: Logits of generated examples, of shape `(batch, 1)`.
            real: Logits of real examples, where `needs_real`.

        Returns:
            Scalar.
        """
        raise NotImplementedError


def _total(function, fakes):
    """The sum over kinds of the mean of a function of their logits."""
    return sum(ops.mean(function(fake)) for fake in fakes)


class _Smoothed(AdversarialLoss):
    """Base of the losses whose discriminator has a target for real examples.

    Args:
        label_smoothing: How far that target is below 1, in [0, 1): one-sided
            label smoothing (Salimans et al. 2016, arXiv 1606.03498, 3.4).
    """

    @checked(label_smoothing=_SMOOTHING)
    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def _even_log_odds(self, kinds):
        """The logit of 1 - label_smoothing real ones in 1 + kinds examples."""
        smoothing = self.label_smoothing
        return math.log((1.0 - smoothing) / (kinds + smoothing))

    def _is_real(self, logits):
        """Cross-entropy against the target 1 - label_smoothing."""
        smoothing = self.label_smoothing
        return ops.mean(ops.softplus(-logits) + smoothing * logits)


@keras.saving.register_keras_serializable(package="kgen")
class Minimax(_Smoothed):
    """The saturating loss of the first paper: one value, two signs.

    `V = E[log s(r)] + E[log(1 - s(f))]`; the discriminator minimises -V, and the
    generator the part of V that depends on it, `E[log(1 - s(f))]`. That part has
    hardly a gradient where the discriminator is sure, so this loss is for
    teaching.

    Args:
        label_smoothing: How far the target of real examples is below 1.

    References:
        Goodfellow et al. (2014), arXiv 1406.2661, equation 1.
    """

    def level(self, kinds: int) -> float | None:
        return self._even_log_odds(kinds)

    def discriminator_loss(self, real: Tensor, *fakes: Tensor) -> Tensor:
        return self._is_real(real) + _total(ops.softplus, fakes)

    def generator_loss(
        self, fake: Tensor, real: Tensor | None = None
    ) -> Tensor:
        return -ops.mean(ops.softplus(fake))


@keras.saving.register_keras_serializable(package="kgen")
class NonSaturating(_Smoothed):
    """The discriminator of `Minimax`; the generator maximises `E[log s(f)]`.

    Args:
        label_smoothing: How far the target of real examples is below 1.

    References:
        Goodfellow et al. (2014), arXiv 1406.2661, section 3.
    """

    def level(self, kinds: int) -> float | None:
        return self._even_log_odds(kinds)

    def discriminator_loss(self, real: Tensor, *fakes: Tensor) -> Tensor:
        return self._is_real(real) + _total(ops.softplus, fakes)

    def generator_loss(
        self, fake: Tensor, real: Tensor | None = None
    ) -> Tensor:
        return ops.mean(ops.softplus(-fake))


@keras.saving.register_keras_serializable(package="kgen")
class LeastSquares(_Smoothed):
    """`E[(r - 1)^2] / 2 + E[f^2] / 2` against `E[(f - 1)^2] / 2`.

    Args:
        label_smoothing: How far the target of real examples is below 1.

    References:
        Mao et al. (2017), arXiv 1611.04076, equation 2 and section 3.2.3.
    """

    def level(self, kinds: int) -> float | None:
        return (1.0 - self.label_smoothing) / (1.0 + kinds)

    def discriminator_loss(self, real: Tensor, *fakes: Tensor) -> Tensor:
        target = 1.0 - self.label_smoothing
        by_real = ops.mean(ops.square(real - target))
        return 0.5 * (by_real + _total(ops.square, fakes))

    def generator_loss(
        self, fake: Tensor, real: Tensor | None = None
    ) -> Tensor:
        return 0.5 * ops.mean(ops.square(fake - 1.0))


@keras.saving.register_keras_serializable(package="kgen")
class Hinge(AdversarialLoss):
    """`E[max(0, 1 - r)] + E[max(0, 1 + f)]` against `-E[f]`.

    References:
        Lim & Ye (2017), arXiv 1705.02894; Miyato et al. (2018), arXiv
        1802.05957, equations 16 and 17.
    """

    def level(self, kinds: int) -> float | None:
        # With one kind, any logit from -1 to 1 is as good.
        return 0.0 if kinds == 1 else -1.0

    def discriminator_loss(self, real: Tensor, *fakes: Tensor) -> Tensor:
        by_fakes = _total(lambda fake: ops.relu(1.0 + fake), fakes)
        return ops.mean(ops.relu(1.0 - real)) + by_fakes

    def generator_loss(
        self, fake: Tensor, real: Tensor | None = None
    ) -> Tensor:
        return -ops.mean(fake)


@keras.saving.register_keras_serializable(package="kgen")
class Wasserstein(AdversarialLoss):
    """`E[f] - E[r]` against `-E[f]`; the discriminator must be Lipschitz.

    Where there are several kinds of generated examples, `E[f]` is the mean over all.
    A gradient penalty, `WeightClip` or `SpectralNormalization` make it so.

    References:
        Arjovsky et al. (2017), arXiv 1701.07875, algorithm 1.
    """

    def level(self, kinds: int) -> float | None:
        return None

    def discriminator_loss(self, real: Tensor, *fakes: Tensor) -> Tensor:
        # The mean of the kinds: with their sum, the loss would fall without end as
        # all logits do.
        by_fakes = _total(lambda fake: fake, fakes) / len(fakes)
        return by_fakes - ops.mean(real)

    def generator_loss(
        self, fake: Tensor, real: Tensor | None = None
    ) -> Tensor:
        return -ops.mean(fake)


@keras.saving.register_keras_serializable(package="kgen")
class Relativistic(_Smoothed):
    """Whether real examples look more real than the mean generated one.

    With `r' = r - E[f]` and `f' = f - E[r]` the discriminator minimises
    `-E[log s(r')] - E[log(1 - s(f'))]`, and the generator the same with the
    parts of the two exchanged.

    Args:
        label_smoothing: How far the target of real examples is below 1.

    References:
        Jolicoeur-Martineau (2019), arXiv 1807.00734, equations 13 and 14.
    """

    needs_real = True

    def level(self, kinds: int) -> float | None:
        return None

    def discriminator_loss(self, real: Tensor, *fakes: Tensor) -> Tensor:
        level = replicas.mean(real)
        of_fakes = sum(replicas.mean(fake) for fake in fakes)
        relative = real - of_fakes / len(fakes)
        by_fakes = _total(lambda fake: ops.softplus(fake - level), fakes)
        return self._is_real(relative) + by_fakes

    def generator_loss(
        self, fake: Tensor, real: Tensor | None = None
    ) -> Tensor:
        real, fake = real - replicas.mean(fake), fake - replicas.mean(real)
        return ops.mean(ops.softplus(-fake)) + ops.mean(ops.softplus(real))


@keras.saving.register_keras_serializable(package="kgen")
class RelativisticPaired(_Smoothed):
    """Whether each real example looks more real than a generated one beside it.

    The discriminator minimises `-E[log s(r - f)]` and the generator
    `-E[log s(f - r)]`, over pairs of a real and a generated example, of one class
    where there are labels. With the penalties R1 and R2 it is the objective of
    R3GAN.

    Args:
        label_smoothing: How far the target of `r - f` is below 1.

    References:
        Jolicoeur-Martineau (2019), arXiv 1807.00734 (RSGAN);
        Huang et al. (2024), arXiv 2501.05441, equation 2.
    """

    needs_real = True

    def level(self, kinds: int) -> float | None:
        return None

    def discriminator_loss(self, real: Tensor, *fakes: Tensor) -> Tensor:
        return sum(self._is_real(real - fake) for fake in fakes)

    def generator_loss(
        self, fake: Tensor, real: Tensor | None = None
    ) -> Tensor:
        return ops.mean(ops.softplus(real - fake))


LOSSES = {
    "minimax": Named(Minimax),
    "non_saturating": Named(NonSaturating),
    "least_squares": Named(LeastSquares),
    "hinge": Named(Hinge),
    "wasserstein": Named(Wasserstein),
    "relativistic": Named(Relativistic),
    "relativistic_paired": Named(RelativisticPaired),
}


def get(
    identifier: AdversarialLoss | str,
    owner: str = "GAN.compile",
    label_smoothing: float = 0.0,
) -> AdversarialLoss:
    """Turns a name into a loss.

    Args:
        identifier: An `AdversarialLoss` or the name of one.
        owner: Whose argument it is, for the message.
        label_smoothing: In [0, 1); for a name of a loss that smooths labels.

    Returns:
        An `AdversarialLoss`.

    Raises:
        InvalidArgument: If the name is unknown, or the loss can't be smoothed.
    """
    smoothing = _SMOOTHING.check("label_smoothing", owner, label_smoothing)
    if isinstance(identifier, AdversarialLoss):
        loss, expected = identifier, "0 with a loss object"
    else:
        loss = resolve("loss", owner, LOSSES, identifier)
        if smoothing and isinstance(loss, _Smoothed):
            return type(loss)(smoothing)
        expected = f"0: the loss {identifier} has no target to smooth"
    if smoothing:
        raise invalid("label_smoothing", owner, expected, smoothing)
    return loss
