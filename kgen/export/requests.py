"""Requests that an exported model answers, made from its signatures."""

import base64
import json

import numpy as np

from kgen.export import formats


def inputs(specs, count, images, labels, seed=0):
    """What a signature may be given.

    Args:
        specs: Its `tf.TensorSpec`s.
        count: How many examples or samples.
        images: Array of examples, float32; the first ones are taken, over and
            over where there are too few.
        labels: `count` labels, or None.
        seed: Integer, for draws of z.

    Returns:
        Dictionary from the inputs' names to arrays.
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
        given = {"images": images, "labels": labels, "num_samples": count}
        return given.get(spec.name, np.zeros(shape))

    return {
        spec.name: np.asarray(value(spec), spec.dtype.as_numpy_dtype)
        for spec in specs
    }


def rest_body(arrays, signature="serving_default"):
    """The body of a request to TF Serving's REST interface.

    Args:
        arrays: Dictionary from the inputs' names to arrays.
        signature: The signature's name.

    Returns:
        Text, JSON; numbers with 4 digits, strings in base64.
    """
    named = {name: _plain(array) for name, array in arrays.items()}
    return json.dumps({"signature_name": signature, "inputs": named}) + "\n"


def _plain(array):
    if array.dtype == object:
        return [{"b64": base64.b64encode(x).decode()} for x in array]
    is_float = np.issubdtype(array.dtype, np.floating)
    return (array.astype("float64").round(4) if is_float else array).tolist()
