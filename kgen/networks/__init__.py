"""Builders of encoders and decoders; a network is any `keras.Model`."""

from kgen.networks import convolutional, dense, unet

__all__ = ["convolutional", "dense", "unet"]
