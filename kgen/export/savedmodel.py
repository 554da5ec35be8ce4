"""SavedModels with named signatures, written whole or not at all."""

import functools
import os
import pathlib
import sys

import keras
import numpy as np

from kgen import files
from kgen.errors import check_int, invalid
from kgen.export import card, formats, guards, lite, requests, warmup
from kgen.export.versions import MODEL

# TF Serving passes over what is in here, but for the warm-up requests.
EXTRA = "assets.extra"
REQUEST = "request.json"
_FORMAT = "tf_saved_model"
_WARM_UP_SIZES = (1, 32)
_MOST = 2**31 - 1  # sizes of tensors are int32 in the graph


def write(
    model,
    filepath,
    *,
    format,
    verbose,
    overwrite,
    image_format,
    max_examples,
    quantize,
    examples,
    held_out,
    facts,
):
    """Writes a model for TF Serving.

    Args:
        model: A `kgen.models.GenerativeModel`.
        filepath: Directory to make.
        format: As in `GenerativeModel.export`, as all that follow.
        verbose: Whether to tell where the model is.
        overwrite: Whether an existing export may be replaced.
        image_format: Name out of `kgen.names.IMAGE_FORMATS`.
        max_examples: The most of one request.
        quantize: Name out of `kgen.names.PRECISIONS`, or None.
        examples: Array, pair of arrays with labels, or None.
        held_out: Others, in the same form, or None.
        facts: Dictionary for model.json, or None.

    Raises:
        FileExistsError: If it exists and `overwrite` is False, or is no export.
        InvalidArgument: If a value can't be used.
    """
    owner = f"{type(model).__name__}.export"
    _check_format(format, owner)
    _check_place(filepath, overwrite)
    shape = model.input_shapes[0]
    formats.check_format(image_format, shape, owner)
    max_examples = check_int("max_examples", owner, max_examples, 1, _MOST)
    lite.check_kind(model, quantize, examples, held_out, owner)
    facts = {"model": type(model).__name__, **card.check_facts(facts, owner)}
    endpoints = formats.converted(model.endpoints(), image_format, shape)
    limits = guards.Limits(
        max_examples,
        None if model.encodes_any_range else model.support,
        model.num_classes,
    )
    endpoints = guards.guarded(endpoints, limits)
    request = functools.partial(_request, model, examples)
    others = functools.partial(_request, model, held_out, seed=1)
    with files.new_directory(filepath, overwrite) as temporary:
        extra = pathlib.Path(temporary, EXTRA)
        extra.mkdir()
        signatures = _write_signatures(endpoints, temporary)
        _write_requests(endpoints, request, max_examples, extra)
        if quantize:
            facts["lite"] = lite.write(model, extra, quantize, request, others)
        card.write(temporary, signatures, facts)
    if verbose:
        names = ", ".join(signatures)
        sys.stdout.write(f"Exported {filepath}, with the signatures {names}.\n")


def _check_format(format, owner):
    if format != _FORMAT:
        raise invalid(
            "format",
            owner,
            f"{_FORMAT!r}. For LiteRT files pass `quantize`; Keras exports "
            f'networks alone, such as `model.decoder.export(path, format="onnx")`',
            repr(format),
        )


def _check_place(path, overwrite):
    """Raises if `overwrite` would delete what is no export."""
    path = pathlib.Path(path)
    if overwrite and os.path.lexists(path) and not (path / MODEL).is_file():
        raise FileExistsError(
            f"{path} is no export: there is no {MODEL} in it, and so it is not "
            "overwritten. Choose another place."
        )


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


def _request(model, examples, specs, count, seed=0):
    """Inputs of a signature, by examples or else by noise; z by the seed."""
    labels = model.labels_in_turn(count)
    if examples is None:
        shape = (count, *model.input_shapes[0])
        examples = np.random.default_rng(seed).random(shape, "float32")
    elif isinstance(examples, tuple):
        examples, labels = examples
        labels = np.resize(labels, count)
    return requests.inputs(specs, count, examples, labels, seed)
