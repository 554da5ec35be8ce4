"""Keras callbacks."""

from kgen.callbacks.epoch_order import EpochOrder
from kgen.callbacks.evaluation import Evaluation
from kgen.callbacks.frechet_watch import FrechetWatch
from kgen.callbacks.gan_watch import GANWatch
from kgen.callbacks.guard import Diverged, Guard
from kgen.callbacks.keep_best import KeepBest
from kgen.callbacks.kl_warm_up import KLWarmUp
from kgen.callbacks.sample_progress import SampleProgress
from kgen.callbacks.vae_watch import VAEWatch

__all__ = [
    "Diverged",
    "EpochOrder",
    "Evaluation",
    "FrechetWatch",
    "GANWatch",
    "Guard",
    "KLWarmUp",
    "KeepBest",
    "SampleProgress",
    "VAEWatch",
]
