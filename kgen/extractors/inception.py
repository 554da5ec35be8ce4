"""Inception-v3 with the weights of 2015, by which FID is defined."""

import os
import pathlib
import tarfile

import numpy as np
import tensorflow as tf

from kgen.errors import InvalidArgument, invalid
from kgen.extractors.base import Extractor
from kgen.params import Path, checked

_GRAPH = "classify_image_graph_def.pb"
_INPUT = "ExpandDims"  # decoded pictures, 0 to 255, of any size
_FEATURES = "pool_3"
_LOGITS = "softmax/logits/MatMul"  # before the bias
_SIZES = (2048, 1008)


class InceptionExtractor(Extractor):
    """Inception-v3's features, and its 1,008 probabilities.

    Pictures of any size are rounded to 8 bits and resized by the network's own
    graph; grey ones are repeated to three channels. The probabilities are the
    softmax of the logits without their bias, as in the code of the Inception
    score. A Frechet distance is FID with these weights only.

    Args:
        path: The file `classify_image_graph_def.pb`, or the archive
            `inception-2015-12-05.tgz` that holds it.

    Raises:
        FileNotFoundError: If there is no such file.
        InvalidArgument: If it is another file.

    References:
        Szegedy et al. (2015), arXiv 1512.00567; Heusel et al. (2017), arXiv
        1706.08500; Salimans et al. (2016), arXiv 1606.03498, section 4.
    """

    is_inception = True
    # Its feature maps are large: after the first layer alone, 2.8 MB a picture.
    batch_size = 50

    @checked(path=Path())
    def __init__(self, path: str | os.PathLike) -> None:
        self.path = pathlib.Path(path).expanduser()
        graph_def = _read(self.path)
        _modernize(graph_def)

        def network(images):
            features, logits = tf.graph_util.import_graph_def(
                graph_def,
                input_map={f"{_INPUT}:0": images},
                return_elements=[f"{_FEATURES}:0", _LOGITS],
                name="",
            )
            return tf.squeeze(features, (1, 2)), logits.inputs[1]

        spec = tf.TensorSpec((None, None, None, 3), "float32")
        try:
            whole = tf.compat.v1.wrap_function(network, [spec])
        except (ValueError, KeyError) as error:
            raise _other(self.path, error) from error
        # Without the head, which was frozen for a single picture.
        self._network = whole.prune(whole.inputs, whole.outputs)
        features, weights = whole.outputs
        if (features.shape[-1], weights.shape[-1]) != _SIZES:
            raise _other(self.path, "its layers have other sizes")
        name = "Inception-v3 with the weights of 2015"
        super().__init__(name, (None, None, None), *_SIZES)

    def check(self, images: np.ndarray) -> None:
        super().check(images)
        if images.shape[-1] not in (1, 3):
            raise invalid(
                "images",
                "InceptionExtractor",
                "1 channel (grey) or 3",
                f"shape {images.shape}",
            )

    def features_of(self, images: tf.Tensor) -> tf.Tensor:
        features, _ = self._network(_colours(images))
        return features

    def probabilities_of(self, images: tf.Tensor) -> tf.Tensor:
        features, weights = self._network(_colours(images))
        return tf.nn.softmax(features @ weights)


def _colours(images):
    """Three channels of whole numbers from 0 to 255, as in a file."""
    shape = tf.concat([tf.shape(images)[:-1], [3]], axis=0)
    images = tf.ensure_shape(
        tf.broadcast_to(images, shape), (None, None, None, 3)
    )
    return tf.round(tf.clip_by_value(images, 0.0, 1.0) * 255.0)


def _read(path):
    if not path.exists():
        raise FileNotFoundError(
            f"There is no file {path}. Expected Inception's {_GRAPH}, or the "
            "archive inception-2015-12-05.tgz."
        )
    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(_bytes(path))
    except Exception as error:  # protobuf's own kind, and those of archives
        raise _other(path, error) from error
    missing = {_INPUT, _FEATURES, _LOGITS} - {n.name for n in graph_def.node}
    if missing:
        raise _other(path, f"it has no node {', '.join(sorted(missing))}")
    return graph_def


def _bytes(path):
    if path.suffix == ".pb":
        return path.read_bytes()
    with tarfile.open(path) as archive:
        for member in archive:
            if pathlib.PurePath(member.name).name == _GRAPH:
                return archive.extractfile(member).read()
    raise ValueError(f"there is no {_GRAPH} in it")


def _other(path, why):
    return InvalidArgument(
        f"{path} is not Inception-v3 of 2015 ({why}). Expected {_GRAPH}, or the "
        "archive inception-2015-12-05.tgz. For another network, pass a .keras "
        "file or a SavedModel's directory."
    )


def _modernize(graph_def):
    """Replaces the batch normalisation of 2015 with today's.

    TensorFlow still imports the old operation, but no function may run it.
    """
    for node in graph_def.node:
        if node.op != "BatchNormWithGlobalNormalization":
            continue
        x, mean, variance, beta, gamma = node.input
        epsilon = node.attr["variance_epsilon"].f
        if not node.attr["scale_after_normalization"].b:
            gamma = _ones_like(graph_def, gamma)
        node.op = "FusedBatchNorm"
        node.input[:] = [x, gamma, beta, mean, variance]
        for old in ("variance_epsilon", "scale_after_normalization"):
            del node.attr[old]
        node.attr["epsilon"].f = epsilon
        node.attr["is_training"].b = False


def _ones_like(graph_def, name):
    """Adds a node of ones in the shape of another node; returns its name."""
    ones = graph_def.node.add(name=f"{name}/ones", op="OnesLike", input=[name])
    ones.attr["T"].type = tf.float32.as_datatype_enum
    return ones.name
