"""SavedModels with named signatures, written whole or not at all."""

import functools
import pathlib

import keras
import numpy as np

from kgen import files
from kgen.errors import check_int
from kgen.export import card, formats, guards, lite, requests, warmup

# TF Serving passes over what is in here, but for the warm-up requests.
EXTRA = "assets.extra"
REQUEST = "request.json"
_WARM_UP_SIZES = (1, 32)


def write(
    model,
    filepath,
    overwrite=False,
    image_format="float",
    max_examples=1000,
    quantize=None,
    examples=None,
    facts=None,
):
    """Writes a model for TF Serving; `GenerativeModel.export` says how.

    Args:
        model: A `kgen.models.GenerativeModel`.
        filepath: Directory to make.
        overwrite: Whether an existing directory may be replaced.
        image_format: Name out of `kgen.names.IMAGE_FORMATS`.
        max_examples: The most of one request.
        quantize: Name out of `kgen.names.PRECISIONS`, or None.
        examples: Array, pair of arrays with labels, or None.
        facts: Dictionary for model.json, or None.

    Raises:
        FileExistsError: If it exists and `overwrite` is False.
        InvalidArgument: If a value can't be used.
    """
    owner = f"{type(model).__name__}.export"
    shape = model.input_shapes[0]
    formats.check_format(image_format, shape, owner)
    max_examples = check_int("max_examples", owner, max_examples)
    lite.check_kind(model, quantize, examples, owner)
    endpoints = formats.converted(model.endpoints(), image_format, shape)
    limits = guards.Limits(
        max_examples,
        None if model.encodes_any_range else model.support,
        model.num_classes,
    )
    endpoints = guards.guarded(endpoints, limits)
    request = functools.partial(_request, model, examples)
    with files.new_directory(filepath, overwrite) as temporary:
        extra = pathlib.Path(temporary, EXTRA)
        extra.mkdir()
        signatures = _write_signatures(endpoints, temporary)
        _write_requests(endpoints, request, max_examples, extra)
        facts = {"model": type(model).__name__, **(facts or {})}
        if quantize:
            facts["lite"] = lite.write(model, extra, quantize, request)
        card.write(temporary, signatures, facts)


def _write_signatures(endpoints, directory):
    """Writes the SavedModel; returns its signatures' inputs and outputs."""
    archive = keras.export.ExportArchive()
    # Not `track(model)`: that would write each weight a second time.
    functions = {
        name: archive.add_endpoint(name, function, input_signature=specs)
        for name, (function, specs) in endpoints.items()
    }
    archive.write_out(directory, verbose=False)
    return {
        name: (
            {spec.name: spec for spec in endpoints[name][1]},
            function.get_concrete_function().structured_outputs,
        )
        for name, function in functions.items()
    }


def _write_requests(endpoints, request, max_examples, extra):
    """Writes what a server may be asked, for itself and for its users."""
    sizes = {min(size, max_examples) for size in _WARM_UP_SIZES}
    warmup.write(
        extra / warmup.FILE,
        [
            (name, request(specs, size))
            for name, (_, specs) in endpoints.items()
            for size in sorted(sizes)
        ],
    )
    _, specs = endpoints["serving_default"]
    body = requests.rest_body(request(specs, 1))
    (extra / REQUEST).write_text(body)


def _request(model, examples, specs, count):
    """Inputs of a signature, by examples or else by noise."""
    labels = model.labels_in_turn(count)
    if examples is None:
        shape = (count, *model.input_shapes[0])
        examples = np.random.default_rng(0).random(shape, "float32")
    elif isinstance(examples, tuple):
        examples, labels = examples
        labels = np.resize(labels, count)
    return requests.inputs(specs, count, examples, labels)
