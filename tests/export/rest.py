"""What TF Serving's REST interface makes of JSON.

As https://www.tensorflow.org/tfx/serving/api_rest has it: `inputs` by their names
(the columns) or `instances` (the rows); strings as they are or in base64, which is what
outputs have whose names end in `_bytes`; an only output without its name.
"""

import base64

import numpy as np
import tensorflow as tf


def arrays_of(body, served):
    """The signature's name and the arrays of a request.

    Args:
        body: The request, decoded from JSON.
        served: The `tests.export.server.Model`.

    Raises:
        RuntimeError: If there is no such input.
    """
    signature = body.get("signature_name", "serving_default")
    specs = served.signatures[signature].inputs
    inputs = body["inputs"] if "inputs" in body else columns(body["instances"])
    if not isinstance(inputs, dict) or "b64" in inputs:
        (name,) = specs
        inputs = {name: inputs}
    for name in inputs:
        if name not in specs:
            raise RuntimeError(f"There is no input {name}.")
    return signature, {
        name: array_of(value, tf.as_dtype(specs[name].dtype))
        for name, value in inputs.items()
    }


def columns(rows):
    """Rows, each of them named values or an only one, as columns."""
    if isinstance(rows[0], dict) and "b64" not in rows[0]:
        return {name: [row[name] for row in rows] for name in rows[0]}
    return rows


def array_of(value, dtype):
    if dtype != tf.string:
        return np.array(value, dtype.as_numpy_dtype)
    batch = np.empty(len(value), object)
    batch[:] = [
        one.encode() if isinstance(one, str) else base64.b64decode(one["b64"])
        for one in value
    ]
    return batch


def json_of(outputs, rows):
    """The response to a request.

    Args:
        outputs: Dictionary from names to arrays.
        rows: Whether the request was one of rows.
    """
    plain = {name: plain_of(name, array) for name, array in outputs.items()}
    if len(plain) == 1:
        (found,) = plain.values()
    elif rows:
        values = zip(*plain.values())
        found = [dict(zip(plain, row)) for row in values]
    else:
        found = plain
    return {"predictions" if rows else "outputs": found}


def plain_of(name, array):
    if array.dtype != object:
        return array.tolist()
    if not name.endswith("_bytes"):
        return [one.decode() for one in array]
    return [{"b64": base64.b64encode(one).decode()} for one in array]
