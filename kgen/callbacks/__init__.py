"""Keras callbacks."""

from kgen.callbacks.epoch_order import EpochOrder
from kgen.callbacks.kl_warm_up import KLWarmUp

__all__ = ["EpochOrder", "KLWarmUp"]
