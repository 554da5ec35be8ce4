"""What the two players of a GAN minimise: one object a loss, with both halves.

`r` and `f` are the discriminator's logits of real and generated examples, s the
logistic function, and E the mean over the batch. `softplus(-r) = -log s(r)` and
`softplus(f) = -log(1 - s(f))`.
"""

import keras
from keras import ops

from kgen.errors import check_name, check_number, invalid
from kgen.parallel import replicas


class AdversarialLoss:
    """Base of the losses.

    A subclass implements `discriminator_loss` and `generator_loss`, both to be
    minimised, in nats where the logits are log-odds.
    """

    # Whether the generator's loss looks at the real logits as well.
    needs_real = False

    def discriminator_loss(self, real, *fakes):
        """The discriminator's loss.

        Args:
            real: Logits of real examples, of shape `(batch, 1)`.
            *fakes: Logits of generated ones, of the same shape, for each kind;
                their terms are added.

        Returns:
            Scalar.
        """
        raise NotImplementedError

    def generator_loss(self, fake, real=None):
        """The generator's loss.

        Args:
            fake: Logits of generated examples, of shape `(batch, 1)`.
            real: Logits of real ones, where `needs_real`.

        Returns:
            Scalar.
        """
        raise NotImplementedError

    def get_config(self):
        """The arguments of `__init__`."""
        return {}

    @classmethod
    def from_config(cls, config):
        """Builds the loss that `get_config` described."""
        return cls(**config)


def _total(function, fakes):
    """The sum over kinds of the mean of a function of their logits."""
    return sum(ops.mean(function(fake)) for fake in fakes)


class _Smoothed(AdversarialLoss):
    """Base of those whose discriminator has a target for real examples.

    Args:
        label_smoothing: How far that target is below 1, in [0, 1): one-sided
            label smoothing (Salimans et al. 2016, arXiv 1606.03498, 3.4).
    """

    def __init__(self, label_smoothing=0.0):
        owner = type(self).__name__
        number = check_number("label_smoothing", owner, label_smoothing)
        if number >= 1:
            raise invalid(
                "label_smoothing", owner, "a number in [0, 1)", label_smoothing
            )
        self.label_smoothing = number

    def get_config(self):
        return {"label_smoothing": self.label_smoothing}

    def _is_real(self, logits):
        """Cross-entropy against the target 1 - label_smoothing."""
        smoothing = self.label_smoothing
        return ops.mean(ops.softplus(-logits) + smoothing * logits)


@keras.saving.register_keras_serializable(package="kgen")
class Minimax(_Smoothed):
    """The saturating loss of the first paper: one value, two signs.

    `V = E[log s(r)] + E[log(1 - s(f))]`; the discriminator minimises -V, the
    generator the part of V that it has a hand in, `E[log(1 - s(f))]`. That has
    hardly a gradient where the discriminator is sure; it is here for what it
    teaches.

    Args:
        label_smoothing: How far the target of real examples is below 1.

    References:
        Goodfellow et al. (2014), arXiv 1406.2661, equation 1.
    """

    def discriminator_loss(self, real, *fakes):
        return self._is_real(real) + _total(ops.softplus, fakes)

    def generator_loss(self, fake, real=None):
        return -ops.mean(ops.softplus(fake))


@keras.saving.register_keras_serializable(package="kgen")
class NonSaturating(_Smoothed):
    """The discriminator of `Minimax`; the generator maximises `E[log s(f)]`.

    Args:
        label_smoothing: How far the target of real examples is below 1.

    References:
        Goodfellow et al. (2014), arXiv 1406.2661, section 3.
    """

    def discriminator_loss(self, real, *fakes):
        return self._is_real(real) + _total(ops.softplus, fakes)

    def generator_loss(self, fake, real=None):
        return ops.mean(ops.softplus(-fake))


@keras.saving.register_keras_serializable(package="kgen")
class LeastSquares(_Smoothed):
    """`E[(r - 1)^2] / 2 + E[f^2] / 2` against `E[(f - 1)^2] / 2`.

    Args:
        label_smoothing: How far the target of real examples is below 1.

    References:
        Mao et al. (2017), arXiv 1611.04076, equation 2 and section 3.2.3.
    """

    def discriminator_loss(self, real, *fakes):
        target = 1.0 - self.label_smoothing
        by_real = ops.mean(ops.square(real - target))
        return 0.5 * (by_real + _total(ops.square, fakes))

    def generator_loss(self, fake, real=None):
        return 0.5 * ops.mean(ops.square(fake - 1.0))


@keras.saving.register_keras_serializable(package="kgen")
class Hinge(AdversarialLoss):
    """`E[max(0, 1 - r)] + E[max(0, 1 + f)]` against `-E[f]`.

    References:
        Lim & Ye (2017), arXiv 1705.02894; Miyato et al. (2018), arXiv
        1802.05957, equations 16 and 17.
    """

    def discriminator_loss(self, real, *fakes):
        by_fakes = _total(lambda fake: ops.relu(1.0 + fake), fakes)
        return ops.mean(ops.relu(1.0 - real)) + by_fakes

    def generator_loss(self, fake, real=None):
        return -ops.mean(fake)


@keras.saving.register_keras_serializable(package="kgen")
class Wasserstein(AdversarialLoss):
    """`E[f] - E[r]` against `-E[f]`; the discriminator must be Lipschitz.

    That is what a gradient penalty, `WeightClip` or `SpectralNormalization` are
    for.

    References:
        Arjovsky et al. (2017), arXiv 1701.07875, algorithm 1.
    """

    def discriminator_loss(self, real, *fakes):
        return _total(lambda fake: fake, fakes) - ops.mean(real)

    def generator_loss(self, fake, real=None):
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

    def discriminator_loss(self, real, *fakes):
        level = replicas.mean(real)
        of_fakes = sum(replicas.mean(fake) for fake in fakes)
        relative = real - of_fakes / len(fakes)
        by_fakes = _total(lambda fake: ops.softplus(fake - level), fakes)
        return self._is_real(relative) + by_fakes

    def generator_loss(self, fake, real=None):
        real, fake = real - replicas.mean(fake), fake - replicas.mean(real)
        return ops.mean(ops.softplus(-fake)) + ops.mean(ops.softplus(real))


LOSSES = {
    "minimax": Minimax,
    "non_saturating": NonSaturating,
    "least_squares": LeastSquares,
    "hinge": Hinge,
    "wasserstein": Wasserstein,
    "relativistic": Relativistic,
}


def get(identifier, owner="GAN.compile", label_smoothing=0.0):
    """Turns a name into a loss, once, at the border.

    Args:
        identifier: An `AdversarialLoss` or the name of one.
        owner: Whose argument it is, for the message.
        label_smoothing: For a name: what the loss gets.

    Returns:
        An `AdversarialLoss`.
    """
    label_smoothing = check_number("label_smoothing", owner, label_smoothing)
    if isinstance(identifier, AdversarialLoss):
        if label_smoothing:
            raise invalid(
                "label_smoothing",
                owner,
                "0 with a loss object",
                label_smoothing,
            )
        return identifier
    cls = LOSSES[check_name("loss", owner, LOSSES, identifier)]
    if not label_smoothing:
        return cls()
    if not issubclass(cls, _Smoothed):
        raise invalid(
            "label_smoothing",
            owner,
            f"0: the loss {identifier} has no target to smooth",
            label_smoothing,
        )
    return cls(label_smoothing)
