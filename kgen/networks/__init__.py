"""Builders of encoders, decoders, generators and discriminators.

A network is any `keras.Model` of the right inputs and outputs; these functions
build kgen's own, in five families: `dense`, `convolutional`, `resnet` and `unet` for
pictures, and `sequences`. Their arguments mean the same in all of them:

    input_shape: Shape of one example, without the batch; `(height, width,
        channels)` in networks for pictures, `(length, channels)` in those for
        sequences. What a decoder or a generator
        returns has this shape.
    latent_dim: Size of z.
    gaussian: Whether an encoder ends in `(mean, log_var)`, or in z alone.
    context_dim: How many numbers the encoder gives to a flow behind the Gaussian;
        0 for no such output.
    hidden_units: Widths of the dense layers; `()` for none. Those of the
        *encoder* or *discriminator*, where a network mirrors it: used in
        reverse.
    filters: Filters of the convolution next to the picture; twice as many at
        each halving of its size.
    max_filters: The most filters that a convolution has.
    blocks: Convolutions at each size of a U-Net; residual blocks for each
        halving or doubling of a residual network.
    attention: Longer side of the maps that get self-attention, such as 16; None
        for no attention.
    minibatch_std: Whether a discriminator sees how much the examples of a batch
        differ.
    activation: Keras activation of the hidden layers, or its name; in dense
        encoders and decoders also `"gated"`, for `GatedDense` layers.
    output_activation: Keras activation of the output, or its name.
    batch_normalization: Whether hidden layers have it, in the place of biases.
    spectral_normalization: Whether every layer has a norm of 1, but for the last
        one of attention, which starts as zeros.
    kernel_regularizer: Keras regularizer of the hidden layers, or its name.
    kernel_constraint: Keras constraint of all kernels or its name, or a limit
        of their weights, such as `"clip:0.01"`.
    num_classes: If given, the network takes labels as its last input:
        `[x, labels]` or `[z, labels]`. They are appended to x or z, one-hot, or
        choose a gain and a shift in residual networks; in a discriminator they
        count by projection.
    pack: How many examples a discriminator sees at once, side by side in the
        last axis.
"""

from kgen.networks import convolutional, dense, resnet, sequences, unet

__all__ = ["convolutional", "dense", "resnet", "sequences", "unet"]
