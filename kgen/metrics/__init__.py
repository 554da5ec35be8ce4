"""Figures that judge models: of pictures, of codes, and of samples."""

from kgen.metrics.features import frechet_distance, precision_recall
from kgen.metrics.pictures import psnr, sharpness
from kgen.metrics.probes import probe

__all__ = [
    "frechet_distance",
    "precision_recall",
    "probe",
    "psnr",
    "sharpness",
]
