"""Small models for devices, by LiteRT (TensorFlow Lite), and what they lose."""

import contextlib
import pathlib
import tempfile
import warnings

import keras
import numpy as np
import tensorflow as tf

from kgen import names
from kgen.errors import InvalidArgument, check_name, invalid

# Examples that int8 learns its ranges from, and others that measure the loss.
_EXAMPLES = 256
_EQUAL = 100.0  # dB, for pictures without any difference


def check_kind(model, kind, examples, held_out, owner):
    """Raises unless a model can be made small.

    Args:
        model: A `kgen.models.GenerativeModel`.
        kind: Name out of `kgen.names.PRECISIONS`, or None for none.
        examples: Array of examples, or None.
        held_out: Array of others, or None.
        owner: Whose argument it is, for the message.
    """
    if kind is None:
        return
    check_name("quantize", owner, names.PRECISIONS, kind)
    if not model.lite_endpoints():
        raise InvalidArgument(
            f"`{owner}`: quantize={kind!r} is for encoders, decoders and "
            f"generators; {type(model).__name__} has none that LiteRT could run."
        )
    if examples is None:
        raise invalid(
            "examples",
            owner,
            "examples to find the ranges of numbers by",
            None,
        )
    if held_out is None:
        raise invalid(
            "held_out",
            owner,
            "other examples, to measure the loss of accuracy by",
            None,
        )


def write(model, directory, kind, requests, others):
    """Converts a model's parts, and compares them with the originals.

    Args:
        model: A `kgen.models.GenerativeModel`.
        directory: Where `NAME.tflite` is written, for each of
            `model.lite_endpoints()`.
        kind: `"float16"`: weights of half precision. `"int8"`: weights and
            activations of 8 bits, numbers going in and out float32 still.
        requests: Function from a signature's specs and a count to inputs, by
            which ranges of numbers are found.
        others: The same, by which the loss is measured.

    Returns:
        Dictionary from the files' names to dictionaries of what they lose.
    """
    found, codes = {}, []
    for name, (function, specs) in model.lite_endpoints().items():
        given = [make(specs, _EXAMPLES) for make in (requests, others)]
        # An autoencoder decodes what it encodes, whose range is its own.
        for inputs, z in zip(given, codes):
            inputs.update({"z": z} if "z" in inputs else {})
        expected = [
            function(*map(tf.constant, inputs.values())) for inputs in given
        ]
        codes = [one["z"].numpy() for one in expected if "z" in one]
        content = _converted(function, specs, kind, given[0])
        file = f"{name}.tflite"
        pathlib.Path(directory, file).write_bytes(content)
        found[file] = {
            "quantize": kind,
            "bytes": len(content),
            **_losses(given[1], expected[1], run(content, given[1])),
        }
    return found


def _converted(function, specs, kind, inputs):
    """The file's bytes."""
    with tempfile.TemporaryDirectory() as directory, _quiet():
        archive = keras.export.ExportArchive()
        archive.add_endpoint("serving_default", function, input_signature=specs)
        archive.write_out(directory, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(directory)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "float16":
            converter.target_spec.supported_types = [tf.float16]
        else:
            converter.representative_dataset = lambda: (
                {name: x[at : at + 1] for name, x in inputs.items()}
                for at in range(len(next(iter(inputs.values()))))
            )
        return converter.convert()


def run(content, inputs):
    """What a LiteRT model answers.

    Args:
        content: The file's bytes.
        inputs: Dictionary from names to arrays.

    Returns:
        Dictionary from names to arrays.
    """
    with warnings.catch_warnings():
        # TensorFlow's copy of the interpreter announces its end.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated")
        interpreter = tf.lite.Interpreter(model_content=content)
    return interpreter.get_signature_runner("serving_default")(**inputs)


def _losses(inputs, expected, got):
    """How far off the outputs are, and what that costs pictures."""
    found = {}
    for name, value in expected.items():
        off = np.abs(np.asarray(value, "float64") - got[name])
        found[name] = {
            "max_difference": float(off.max()),
            "mean_difference": float(off.mean()),
        }
        if name == "images" and name in inputs:
            found[name]["psnr"] = _psnr(inputs[name], value)
            found[name]["psnr_lite"] = _psnr(inputs[name], got[name])
    return {"outputs": found}


def _psnr(images, others):
    """Mean over the pictures, in dB, for a range of 1; 100 of equal ones."""
    found = tf.image.psnr(images, others, max_val=1.0)
    return float(tf.reduce_mean(tf.minimum(found, _EQUAL)))


@contextlib.contextmanager
def _quiet():
    """Without the converter's own remarks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
