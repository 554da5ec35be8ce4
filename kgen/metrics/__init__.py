"""Figures that judge models: of pictures, codes, samples, probabilities."""

from kgen.metrics.classification import calibration_error
from kgen.metrics.features import frechet_distance, precision_recall
from kgen.metrics.pictures import psnr, sharpness
from kgen.metrics.probes import probe

__all__ = [
    "calibration_error",
    "frechet_distance",
    "precision_recall",
    "probe",
    "psnr",
    "sharpness",
]
