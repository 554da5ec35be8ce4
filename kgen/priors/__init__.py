"""What codes are drawn from: priors p(z), posteriors q(z|x), and flows."""

from kgen.priors.base import Prior
from kgen.priors.divergences import (
    DIVERGENCES,
    MMD,
    Divergence,
    TotalCorrelation,
    get_divergence,
)
from kgen.priors.factory import POSTERIORS, PRIORS, get, get_flow
from kgen.priors.flow import FlowPrior
from kgen.priors.flows import Flow
from kgen.priors.hierarchy import HierarchicalPrior, with_levels
from kgen.priors.mixture import MixturePrior
from kgen.priors.normal import NormalPrior
from kgen.priors.posterior import Posterior
from kgen.priors.vamp import VampPrior

__all__ = [
    "DIVERGENCES",
    "MMD",
    "POSTERIORS",
    "PRIORS",
    "Divergence",
    "Flow",
    "FlowPrior",
    "HierarchicalPrior",
    "MixturePrior",
    "NormalPrior",
    "Posterior",
    "Prior",
    "TotalCorrelation",
    "VampPrior",
    "get",
    "get_divergence",
    "get_flow",
    "with_levels",
]
