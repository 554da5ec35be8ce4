"""Figures that judge models: of pictures, and of codes."""

from kgen.metrics.pictures import psnr
from kgen.metrics.probes import probe

__all__ = ["probe", "psnr"]
