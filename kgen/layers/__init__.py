"""Layers that models and networks are built from."""

from kgen.layers.augmentation import (
    AdaptiveAugment,
    Augmentation,
    DiffAugment,
)
from kgen.layers.columns import ColumnsOutput
from kgen.layers.conditioning import ConcatenateLabels, GainAndShift
from kgen.layers.corruption import (
    GaussianCorruption,
    MaskingCorruption,
    SaltAndPepperCorruption,
)
from kgen.layers.dense import Dense
from kgen.layers.diversity import MinibatchStdDev
from kgen.layers.gated import GatedDense
from kgen.layers.normalization import BatchNormalization
from kgen.layers.resizing import NoCheckerboard, ResizeConvolution
from kgen.layers.sampling import GaussianSampling
from kgen.layers.spectral import SpectralNormalization, WeightClip

__all__ = [
    "AdaptiveAugment",
    "Augmentation",
    "BatchNormalization",
    "ColumnsOutput",
    "ConcatenateLabels",
    "Dense",
    "DiffAugment",
    "GainAndShift",
    "GatedDense",
    "GaussianCorruption",
    "GaussianSampling",
    "MaskingCorruption",
    "MinibatchStdDev",
    "NoCheckerboard",
    "ResizeConvolution",
    "SaltAndPepperCorruption",
    "SpectralNormalization",
    "WeightClip",
]
