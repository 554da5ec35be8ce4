"""Likelihoods and divergences, in nats."""

from kgen.losses import divergences, likelihoods
from kgen.losses.divergences import gaussian_kl, gaussian_log_prob
from kgen.losses.likelihoods import (
    Bernoulli,
    ContinuousBernoulli,
    Gaussian,
    KerasLoss,
    Likelihood,
    OptimalGaussian,
)

__all__ = [
    "Bernoulli",
    "ContinuousBernoulli",
    "Gaussian",
    "KerasLoss",
    "Likelihood",
    "OptimalGaussian",
    "divergences",
    "gaussian_kl",
    "gaussian_log_prob",
    "likelihoods",
]
