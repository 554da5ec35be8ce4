"""Layers that models and networks are built from."""

from kgen.layers.conditioning import ConcatenateLabels
from kgen.layers.gated import GatedDense
from kgen.layers.sampling import GaussianSampling

__all__ = ["ConcatenateLabels", "GatedDense", "GaussianSampling"]
