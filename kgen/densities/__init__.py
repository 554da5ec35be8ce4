"""Densities p(x|y) of examples given their class, for Bayes' rule."""

from kgen.densities.base import ClosedForm, Density
from kgen.densities.columns import NaiveColumns
from kgen.densities.factory import get, options
from kgen.densities.gaussian import FullGaussian
from kgen.densities.low_rank import LowRankGaussian
from kgen.densities.naive import NaiveBernoulli, NaiveGaussian
from kgen.densities.prior import ClassPrior

__all__ = [
    "ClassPrior",
    "ClosedForm",
    "Density",
    "FullGaussian",
    "LowRankGaussian",
    "NaiveBernoulli",
    "NaiveColumns",
    "NaiveGaussian",
    "get",
    "options",
]
