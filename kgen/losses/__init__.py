"""Likelihoods and divergences, in nats."""

from kgen.losses import divergences, likelihoods
from kgen.losses.divergences import gaussian_kl, gaussian_log_prob
from kgen.losses.likelihoods import (
    Bernoulli,
    ContinuousBernoulli,
    Gaussian,
    Likelihood,
)

__all__ = [
    "Bernoulli",
    "ContinuousBernoulli",
    "Gaussian",
    "Likelihood",
    "divergences",
    "gaussian_kl",
    "gaussian_log_prob",
    "likelihoods",
]
