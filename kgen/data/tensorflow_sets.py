"""Any TensorFlow Datasets name as a source."""

import contextlib
import functools
import io
import math
import os
import random
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from kgen.data import conversion, examples
from kgen.data.arrays import check_dtype, from_arrays, read_from
from kgen.data.conversion import WHITE
from kgen.data.digits import Digits  # noqa: F401  registers "digits"
from kgen.data.examples import StreamedExamples
from kgen.errors import InvalidArgument, unknown_name


def find(
    name: str,
    data_dir: str | os.PathLike | None = None,
    image_shape: tuple | None = None,
    background: str = WHITE,
) -> tuple[dict[str, Callable], tuple[str, ...]]:
    """Finds and prepares a data set.

    Args:
        name: Its TFDS name, such as `"mnist"` or `"emnist/letters:3.*.*"`.
        data_dir: Where TFDS keeps its files; None for its own default.
        image_shape: `(height, width, channels)`, or None for the pictures' own.
        background: The colour on which transparent pictures are shown.

    Returns:
        Dictionary from splits to functions that return their examples, and the
        classes' names, `()` if there is no single label of that kind.

    Raises:
        InvalidArgument: If TFDS does not know the name; the nearest is offered.
        OSError: If it can't be downloaded or written.
    """
    builder = _open_builder(name, data_dir)
    readers: dict[str, Callable] = {
        split: functools.partial(
            _read_split, builder, split, image_shape, background
        )
        for split in builder.info.splits
    }
    _, label = _keys(builder)
    names = tuple(builder.info.features[label].names) if label else ()
    return readers, names


def _open_builder(name, data_dir):
    """A TFDS builder that is ready to read."""
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (
        tfds.core.DatasetNotFoundError,
        AssertionError,  # a version that does not exist
        ValueError,
    ) as error:
        known = ["digits", *tfds.list_builders()]
        short = str(name).partition("/")[0].partition(":")[0]
        if short in known:
            raise InvalidArgument(
                f"TensorFlow Datasets can't open {name!r}: {_first_line(error)}"
            ) from error
        raise _unknown(name, known) from None
    try:
        with (
            _same_random_state(),
            _quiet() if name == "digits" else contextlib.nullcontext(),
        ):
            builder.download_and_prepare()
    except Exception as error:  # whatever the data set's own code raises
        fresh = tfds.builder(name, data_dir=data_dir)
        if fresh.is_prepared():  # by another process, meanwhile
            return fresh
        raise OSError(
            f"TensorFlow Datasets could not prepare {name!r} in "
            f"{builder.data_dir}: {_first_line(error)}. Check "
            "the network and that the folder can be written (`data_dir`), or "
            "put the prepared files there."
        ) from error
    return builder


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextlib.contextmanager
def _same_random_state():
    """Keeps the state of the generators that preparing a data set draws from."""
    state, numpy_state = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)


@contextlib.contextmanager
def _quiet():
    """Hides the messages of a download where nothing is downloaded."""
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        tfds.enable_progress_bar()


def _unknown(name, known):
    error = unknown_name("source", "load", known, name)
    # The list of all of TFDS would fill screens.
    hint = str(error).partition("(did you mean")[2].partition("?")[0]
    hint = f" Did you mean{hint}?" if hint else ""
    return InvalidArgument(
        f"Invalid value for argument `source` of `load`. There is no file or "
        f"folder {str(name)!r}, and TensorFlow Datasets has no data set of that "
        f"name.{hint}"
    )


def _read_split(builder, split, image_shape, background):
    """The examples of a split, in memory if they fit, else as a stream."""
    image, label = _keys(builder)
    feature = builder.info.features[image]
    stored_shape = tuple(feature.shape)
    if len(stored_shape) == 2:
        stored_shape += (1,)
    if image_shape is None and stored_shape[-1] == 4:
        image_shape = (*stored_shape[:-1], 3)  # opacity only on request
    shape = image_shape or stored_shape
    if None in shape:
        raise InvalidArgument(
            f"The pictures of {builder.name!r} have shape {feature.shape}: they "
            "differ in size. Pass `image_shape` (--image-shape on the command "
            "line) to bring all to one."
        )
    if image_shape is not None:
        conversion.check_convertible(stored_shape, image_shape)
    look, dtype = (image_shape, background), np.dtype(feature.np_dtype)
    with read_from(builder.name):
        check_dtype(dtype)
    size = builder.info.splits[split].num_examples
    if not size:
        raise InvalidArgument(f"Split {split!r} of {builder.name} is empty.")

    def select(example):
        x = example[image]
        if len(feature.shape) == 2:
            x = x[..., None]
        if image_shape is not None:
            x = tf.numpy_function(
                lambda x: conversion.convert(x[None], *look)[0], [x], dtype
            )
        x = tf.ensure_shape(x, shape)
        return (x, example[label]) if label else x

    dataset = builder.as_dataset(split=split).map(select)
    stream = StreamedExamples(dataset, size)
    if size * math.prod(shape) * dtype.itemsize > examples.IN_MEMORY_BYTES:
        return stream
    read = stream.read()
    # Some data sets mark unknown classes by -1.
    return from_arrays(read.images, read.labels, is_own=True, lowest_label=-1)


def _keys(builder):
    """The names of the image's and of the label's feature (or None)."""
    features = builder.info.features
    supervised = builder.info.supervised_keys or ()
    names = [name for name in ("image", *supervised[:1]) if name in features]
    if not names:
        raise InvalidArgument(
            f"The data set {builder.name!r} has no feature `image`, but "
            f"{', '.join(features)}."
        )
    labels = [
        name
        for name in ("label", *supervised[1:2])
        if name in features
        and isinstance(features[name], tfds.features.ClassLabel)
    ]
    return names[0], labels[0] if labels else None
