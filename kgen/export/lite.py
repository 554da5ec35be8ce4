"""Small models for devices, by LiteRT (TensorFlow Lite), and what they lose.

In int8, LiteRT gives tensors that come out of one split one range, and is wrong
about `one_hot`: neither bounds nor one-hot encodings may be in lite signatures.
"""

import os
import pathlib
import tempfile
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgen import names
from kgen.errors import InvalidArgument, invalid
from kgen.params import Optional, Options

# How many examples int8 learns its ranges from, and others measure the loss.
_EXAMPLES = 256
_EQUAL = 100.0  # dB, for pictures without any difference


def check_kind(
    endpoints: Any, kind: str | None, examples: Any, held_out: Any, owner: str
) -> None:
    """Raises unless a model can be made small.

    Args:
        endpoints: A `kgen.export.savedmodel.Endpoints`.
        kind: Name out of `kgen.names.PRECISIONS`, or None for none.
        examples: Array of examples, or None.
        held_out: Array of others, or None.
        owner: Whose argument it is, for the message.
    """
    Optional(Options(names.PRECISIONS)).check("quantize", owner, kind)
    if kind is None:
        return
    if not endpoints.lite_signatures:
        raise InvalidArgument(
            f"`{owner}`: quantize={kind!r} is for encoders, decoders and "
            f"generators; {endpoints.model} has none that LiteRT could run."
        )
    if examples is None:
        expected = "examples to find the ranges of numbers by"
        raise invalid("examples", owner, expected, None)
    if held_out is None:
        expected = "other examples, to measure the loss of accuracy by"
        raise invalid("held_out", owner, expected, None)


def write(
    signatures: Mapping,
    directory: str | os.PathLike,
    kind: str,
    requests: Callable,
    others: Callable,
) -> dict[str, dict]:
    """Converts a model's parts, and compares them with the originals.

    Args:
        signatures: Dictionary from names to `(function, input_signature)`.
        directory: Where `NAME.tflite` is written, for each of them.
        kind: `"float16"`: weights of half precision. `"int8"`: weights and
            activations of 8 bits, numbers going in and out float32 still.
        requests: Function from a signature's specs and a count to inputs, by
            which ranges of numbers are found.
        others: The same, by which the loss is measured.

    Returns:
        Dictionary from the files' names to dictionaries of what they lose.
    """
    entries, codes = {}, []
    for name, (function, specs) in signatures.items():
        given = [make(specs, _EXAMPLES) for make in (requests, others)]
        # The decoder is tried with codes of the encoder, whose range can be any.
        for inputs, z in zip(given, codes):
            inputs.update({"z": z} if "z" in inputs else {})
        expected = [
            function(*map(tf.constant, inputs.values())) for inputs in given
        ]
        codes = [output["z"].numpy() for output in expected if "z" in output]
        content = _converted(function, specs, kind, given[0])
        file = f"{name}.tflite"
        pathlib.Path(directory, file).write_bytes(content)
        entries[file] = {
            "quantize": kind,
            "bytes": len(content),
            **_losses(given[1], expected[1], run(content, given[1])),
        }
    return entries


def _converted(function, specs, kind, inputs):
    """The bytes of a signature's LiteRT file."""
    with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter's own remarks
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


def run(content: bytes, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
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


def _losses(inputs, expected, outputs):
    """How far off the outputs are, and what that costs pictures."""
    losses = {}
    for name, value in expected.items():
        off = np.abs(np.asarray(value, "float64") - outputs[name])
        losses[name] = {
            "max_difference": float(off.max()),
            "mean_difference": float(off.mean()),
        }
        if name == "images" and name in inputs:
            losses[name]["psnr"] = _psnr(inputs[name], value)
            losses[name]["psnr_lite"] = _psnr(inputs[name], outputs[name])
    return {"outputs": losses}


def _psnr(images, others):
    """Mean over the pictures, in dB, for a range of 1; 100 of equal ones."""
    decibels = tf.image.psnr(images, others, max_val=1.0)
    return float(tf.reduce_mean(tf.minimum(decibels, _EQUAL)))
