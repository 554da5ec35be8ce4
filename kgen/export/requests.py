"""Requests that an exported model answers, made from its signatures."""

import base64
import json
import os
import pathlib
from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf

from kgen.export import formats

# The name that TF Serving looks for.
_WARM_UP = "tf_serving_warmup_requests"


def inputs(
    specs: Iterable[tf.TensorSpec],
    count: int,
    images: np.ndarray,
    labels: np.ndarray | None,
    seed: int = 0,
    columns: Mapping[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Arrays that a signature may be given, by the names of its inputs.

    Args:
        specs: Its `tf.TensorSpec`s.
        count: How many examples or samples.
        images: Array of examples, float32; the first ones are taken, over and
            over where there are too few.
        labels: `count` labels, or None.
        seed: Integer, for draws of z.
        columns: Of a table: `count` values for each column's input, by its name.
    """
    images = np.resize(images, (count, *images.shape[1:]))

    def value(spec):
        if spec.name == "images_bytes":
            return formats.to_png(formats.to_uint8(images)).numpy()
        if spec.name == "images" and spec.dtype == "uint8":
            return formats.to_uint8(images).numpy()
        shape = [count if size is None else size for size in spec.shape]
        if spec.name == "z":
            return np.random.default_rng(seed).normal(size=shape)
        if columns and spec.name in columns:
            return columns[spec.name]
        given = {"images": images, "labels": labels, "num_samples": count}
        return given.get(spec.name, np.zeros(shape))

    return {
        spec.name: np.asarray(value(spec), spec.dtype.as_numpy_dtype)
        for spec in specs
    }


def rest_body(
    arrays: dict[str, np.ndarray], signature: str = "serving_default"
) -> str:
    """The body of a request to TF Serving's REST interface.

    Args:
        arrays: Dictionary from the inputs' names to arrays.
        signature: The signature's name.

    Returns:
        Text, JSON; numbers with 4 digits, strings in base64.
    """
    plain = {}
    for name, array in arrays.items():
        if array.dtype == object and not name.endswith("_bytes"):
            plain[name] = [string.decode() for string in array]
            continue
        if array.dtype == object:
            encoded = [base64.b64encode(string).decode() for string in array]
            plain[name] = [{"b64": text} for text in encoded]
            continue
        if np.issubdtype(array.dtype, np.floating):
            array = array.astype("float64").round(4)
        plain[name] = array.tolist()
    return json.dumps({"signature_name": signature, "inputs": plain}) + "\n"


def write_warm_up(
    directory: str | os.PathLike,
    requests: Iterable[tuple[str, dict[str, np.ndarray]]],
) -> None:
    """Writes requests that a server sends to itself before it answers others'.

    Args:
        directory: The SavedModel's `assets.extra`.
        requests: Pairs of a signature's name and a dictionary from its inputs'
            names to arrays; at most 1000.

    References:
        https://www.tensorflow.org/tfx/serving/saved_model_warmup
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    path = pathlib.Path(directory, _WARM_UP)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, arrays in requests:
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = signature
            for name, array in arrays.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
            log = prediction_log_pb2.PredictLog(request=request)
            record = prediction_log_pb2.PredictionLog(predict_log=log)
            writer.write(record.SerializeToString())
