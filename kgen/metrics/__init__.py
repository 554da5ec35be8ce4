"""Figures that judge models: of pictures, codes, samples, probabilities."""

from kgen.metrics import tables
from kgen.metrics.classification import calibration_error, inception_score
from kgen.metrics.codes import active_units, probe
from kgen.metrics.frechet import FeatureStatistics, frechet_distance
from kgen.metrics.kernels import kernel_distance
from kgen.metrics.likelihood import bounds
from kgen.metrics.manifolds import precision_recall
from kgen.metrics.modes import mode_coverage
from kgen.metrics.neighbors import memorization, nearest_neighbors
from kgen.metrics.pictures import psnr, sharpness
from kgen.metrics.similarity import diversity, ms_ssim, ssim
from kgen.metrics.streaming import PSNR, SSIM, FrechetDistance, SharpnessRatio

__all__ = [
    "PSNR",
    "SSIM",
    "FeatureStatistics",
    "FrechetDistance",
    "SharpnessRatio",
    "active_units",
    "bounds",
    "calibration_error",
    "diversity",
    "frechet_distance",
    "inception_score",
    "kernel_distance",
    "memorization",
    "mode_coverage",
    "ms_ssim",
    "nearest_neighbors",
    "precision_recall",
    "probe",
    "psnr",
    "sharpness",
    "ssim",
    "tables",
]
