"""The numbers of an example themselves as features."""

import math

import tensorflow as tf

from kgen.extractors.base import Extractor
from kgen.networks.common import check_shape


class PixelExtractor(Extractor):
    """The numbers of each example, flattened.

    Use it for vectors, and for small pictures without labels. Distances between
    pixels tell little of what people see.

    Args:
        input_shape: Shape of an example, without the batch.

    Raises:
        InvalidArgument: If it is no tuple of positive integers.
    """

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        shape = check_shape(input_shape)
        name = "raw pixels" if len(shape) == 3 else "raw numbers"
        super().__init__(name, shape, math.prod(shape))

    def features_of(self, images: tf.Tensor) -> tf.Tensor:
        return tf.reshape(images, (-1, self.num_features))
