"""The pictures of signatures: as floats, as bytes, or as PNG files."""

from collections.abc import Mapping

import tensorflow as tf

from kgen import names
from kgen.errors import invalid
from kgen.export import guards
from kgen.params import Options

# TF Serving's REST interface gives base64 where a name ends so.
_BYTES = "images_bytes"
# How a PNG file begins; the header's numbers follow at byte 16.
_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_HEADER = 26
# PNG's names for the colours of pictures with 1 and 3 channels.
_COLOURS = {1: {0: "grey"}, 3: {2: "RGB", 3: "RGB by a palette"}}


def check_format(image_format: str, shape: tuple[int, ...], owner: str) -> None:
    """Raises unless examples of a shape can be given in a format.

    Args:
        image_format: Name out of `kgen.names.IMAGE_FORMATS`.
        shape: The shape of one example.
        owner: Whose argument it is, for the message.
    """
    Options(names.IMAGE_FORMATS).check("image_format", owner, image_format)
    is_picture = len(shape) == 3 and shape[-1] in _COLOURS
    if image_format != "float" and not is_picture:
        raise invalid(
            "image_format",
            owner,
            f'"float": examples of shape {tuple(shape)} are no pictures with 1 '
            "or 3 channels",
            repr(image_format),
        )


def converted(
    signatures: Mapping, image_format: str, shape: tuple[int, ...]
) -> Mapping:
    """Signatures whose `images`, given and returned, have another format.

    Args:
        signatures: Dictionary from names to `(function, input_signature)`.
        image_format: `"float"`, in [0, 1]; `"uint8"`, from 0 to 255; or
            `"png"`, strings by the name of `images_bytes`.
        shape: `(height, width, channels)`.

    Returns:
        Dictionary of the same form.
    """
    if image_format == "float":
        return signatures
    if image_format == "uint8":
        spec = tf.TensorSpec((None, *shape), "uint8", "images")
        read = write = tf.identity
    else:
        spec = tf.TensorSpec((None,), "string", _BYTES)
        read, write = (lambda strings: from_png(strings, shape)), to_png

    def convert(function, specs):
        def converting(*tensors):
            outputs = function(
                *(
                    tf.cast(read(tensor), "float32") / 255.0
                    if inner.name == "images"
                    else tensor
                    for tensor, inner in zip(tensors, specs)
                )
            )
            if "images" in outputs:
                images = to_uint8(outputs.pop("images"))
                outputs[spec.name] = write(images)
            return outputs

        return converting, [spec if s.name == "images" else s for s in specs]

    return {name: convert(*pair) for name, pair in signatures.items()}


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """Pictures in [0, 1] as bytes, rounded; what lies outside is clipped."""
    return tf.saturate_cast(tf.round(255.0 * images), "uint8")


def to_png(images: tf.Tensor) -> tf.Tensor:
    """PNG files, as strings of shape `(batch,)`, of uint8 pictures."""
    return tf.map_fn(
        tf.io.encode_png,
        images,
        fn_output_signature=tf.TensorSpec((), "string"),
    )


def from_png(strings: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """Pictures as uint8 of PNG files, all of one shape.

    Their headers are looked at first: what a small file decodes to may be large.

    Args:
        strings: String tensor of shape `(batch,)`.
        shape: `(height, width, channels)`.

    Returns:
        Tensor of shape `(batch, *shape)`.
    """
    height, width, channels = shape
    headers = tf.strings.substr(strings, 0, _HEADER)
    whole = tf.strings.length(headers) == _HEADER
    begins = tf.strings.substr(headers, 0, len(_START)) == _START
    is_png = tf.reduce_all(whole & begins)
    check = guards.expect(is_png, _BYTES, "PNG files")
    (headers,) = guards.after([check], [headers])
    colours = _COLOURS[channels]
    size = tf.io.decode_raw(
        tf.strings.substr(headers, 16, 8), "int32", little_endian=False
    )
    colour = tf.io.decode_raw(tf.strings.substr(headers, 25, 1), "uint8")
    known = tf.constant(list(colours), "uint8")
    fits = tf.reduce_all(size == [width, height]) & tf.reduce_all(
        tf.reduce_any(colour == known, axis=1)
    )
    expected = (
        f"PNG files of {width} x {height} pixels (width x height), "
        f"{' or '.join(colours.values())}, without an alpha channel"
    )
    check = guards.expect(fits, _BYTES, expected)
    (strings,) = guards.after([check], [strings])

    def decode(string):
        image = tf.io.decode_png(string, channels)
        return tf.ensure_shape(image, shape)

    return tf.map_fn(
        decode, strings, fn_output_signature=tf.TensorSpec(shape, "uint8")
    )
