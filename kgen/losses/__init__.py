"""Likelihoods and divergences, in nats; what the players of a GAN minimise."""

from kgen.losses import (
    adversarial,
    divergences,
    keras_losses,
    likelihoods,
    penalties,
)
from kgen.losses.adversarial import (
    AdversarialLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Relativistic,
    RelativisticPaired,
    Wasserstein,
)
from kgen.losses.columns import Columns
from kgen.losses.divergences import gaussian_kl, gaussian_log_prob
from kgen.losses.keras_losses import KerasLoss
from kgen.losses.lecam import LeCam
from kgen.losses.likelihoods import (
    Bernoulli,
    ContinuousBernoulli,
    Gaussian,
    Likelihood,
    OptimalGaussian,
)
from kgen.losses.penalties import R1, R2, Dragan, GradientPenalty, Penalty

__all__ = [
    "AdversarialLoss",
    "Bernoulli",
    "Columns",
    "ContinuousBernoulli",
    "Dragan",
    "Gaussian",
    "GradientPenalty",
    "Hinge",
    "KerasLoss",
    "LeCam",
    "LeastSquares",
    "Likelihood",
    "Minimax",
    "NonSaturating",
    "OptimalGaussian",
    "Penalty",
    "R1",
    "R2",
    "Relativistic",
    "RelativisticPaired",
    "Wasserstein",
    "adversarial",
    "divergences",
    "gaussian_kl",
    "gaussian_log_prob",
    "keras_losses",
    "likelihoods",
    "penalties",
]
