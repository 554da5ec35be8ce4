"""SavedModels with named signatures, written whole or not at all."""

import dataclasses
import functools
import os
import pathlib
import sys
from collections.abc import Callable, Mapping

import keras
import numpy as np

from kgen import files
from kgen.errors import invalid, one_line
from kgen.export import card, columns, formats, guards, lite, requests
from kgen.export.versions import MODEL
from kgen.params import Integer
from kgen.tables import Table

# A directory that TF Serving passes over, except for the warm-up requests.
EXTRA = "assets.extra"
REQUEST = "request.json"
CLASSES = "classes.txt"
_FORMAT = "tf_saved_model"
_WARM_UP_SIZES = (1, 32)


@dataclasses.dataclass(frozen=True)
class Endpoints:
    """What is exported of a model.

    Args:
        model: Name of the model's class, for the card and for messages.
        signatures: Dictionary from names to pairs: a function of tensors that
            returns a dictionary of tensors, and a list of `tf.TensorSpec`s
            whose names are the inputs'.
        lite_signatures: The parts that may be made small for devices, in the
            same form; `{}` for none. They have no checks of requests and draw
            nothing at random.
        image_shape: Shape of one example.
        support: Bounds of the numbers in requests' examples, or None.
        num_classes: How many classes there are, if known.
        labels: Function from a count to as many labels for requests, or to
            None.
        table: The table whose rows the examples are, or None.
        class_names: The names of the classes, `()` where they are not known.
    """

    model: str
    signatures: Mapping
    lite_signatures: Mapping
    image_shape: tuple[int, ...]
    support: tuple[float, float] | None
    num_classes: int | None
    labels: Callable[[int], np.ndarray | None]
    table: Table | None = None
    class_names: tuple[str, ...] = ()


def write(
    endpoints: Endpoints,
    filepath: str | os.PathLike,
    *,
    format: str,
    verbose: bool,
    overwrite: bool,
    image_format: str,
    max_examples: int,
    quantize: str | None,
    examples: np.ndarray | tuple | None,
    held_out: np.ndarray | tuple | None,
    facts: dict | None,
) -> None:
    """Writes a SavedModel for TF Serving.

    Args:
        endpoints: What is exported.
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
    owner = f"{endpoints.model}.export"
    _check_format(format, owner)
    _check_place(filepath, overwrite)
    formats.check_format(image_format, endpoints.image_shape, owner)
    max_examples = Integer(1).check("max_examples", owner, max_examples)
    lite.check_kind(endpoints, quantize, examples, held_out, owner)
    facts = {"model": endpoints.model, **card.check_facts(facts, owner)}
    if endpoints.class_names:
        facts["classes"] = list(endpoints.class_names)
    may_miss = ()
    if endpoints.table is None:
        signatures = formats.converted(
            endpoints.signatures, image_format, endpoints.image_shape
        )
    else:
        signatures = columns.converted(endpoints.signatures, endpoints.table)
        specs_of_columns = columns.specs_of(endpoints.table).values()
        may_miss = tuple(spec.name for spec in specs_of_columns)
        facts |= {"table": columns.described(endpoints.table)}
    signatures = guards.guarded(
        signatures,
        max_examples,
        endpoints.support,
        endpoints.num_classes,
        may_miss,
    )
    request = functools.partial(_request, endpoints, examples)
    with files.new_directory(filepath, overwrite) as temporary:
        extra = pathlib.Path(temporary, EXTRA)
        extra.mkdir()
        specs = _write_signatures(signatures, temporary)
        _write_requests(signatures, request, max_examples, extra)
        if endpoints.class_names:  # line n is the class of label n
            lines = map(one_line, endpoints.class_names)
            (extra / CLASSES).write_text("\n".join([*lines, ""]), "utf-8")
        if quantize:
            facts["lite"] = lite.write(
                endpoints.lite_signatures,
                extra,
                quantize,
                request,
                functools.partial(_request, endpoints, held_out, seed=1),
            )
        card.write(temporary, specs, facts)
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


def _write_signatures(signatures, directory):
    """Writes the SavedModel; returns its signatures' inputs and outputs."""
    archive = keras.export.ExportArchive()
    # Without `track(model)`, which would write each weight a second time.
    functions = {
        name: archive.add_endpoint(name, function, input_signature=specs)
        for name, (function, specs) in signatures.items()
    }
    archive.write_out(directory, verbose=False)
    return {
        name: (
            {spec.name: spec for spec in signatures[name][1]},
            function.get_concrete_function().structured_outputs,
        )
        for name, function in functions.items()
    }


def _write_requests(signatures, request, max_examples, extra):
    """Writes requests for the server's warm-up, and one for its users."""
    sizes = sorted({min(size, max_examples) for size in _WARM_UP_SIZES})
    requests.write_warm_up(
        extra,
        [
            (name, request(specs, size))
            for name, (_, specs) in signatures.items()
            for size in sizes
        ],
    )
    _, specs = signatures["serving_default"]
    body = requests.rest_body(request(specs, 1))
    (extra / REQUEST).write_text(body)


def _request(endpoints, examples, specs, count, seed=0):
    """Inputs of a signature, by examples or else by noise; z by the seed."""
    labels = endpoints.labels(count)
    if examples is None:
        shape = (count, *endpoints.image_shape)
        examples = np.random.default_rng(seed).random(shape, "float32")
    elif isinstance(examples, tuple):
        examples, labels = examples
        labels = np.resize(labels, count)
    rows = {}
    if endpoints.table is not None:
        few = np.resize(examples, (count, *examples.shape[1:]))
        rows = columns.request(endpoints.table, few)
    return requests.inputs(specs, count, examples, labels, seed, rows)
