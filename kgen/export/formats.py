"""The pictures of signatures: as floats, as bytes, or as PNG files."""

import tensorflow as tf

from kgen import names
from kgen.errors import check_name, invalid
from kgen.export import guards

# TF Serving's REST interface gives base64 where a name ends so.
_BYTES = "images_bytes"
# How a PNG file begins; the header's numbers follow at byte 16.
_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_HEADER = 26
# PNG's names for the colours of pictures with 1 and 3 channels.
_COLOURS = {1: {0: "grey"}, 3: {2: "RGB", 3: "RGB by a palette"}}


def check_format(image_format, shape, owner):
    """Raises unless examples of a shape can be given in a format.

    Args:
        image_format: Name out of `kgen.names.IMAGE_FORMATS`.
        shape: The shape of one example.
        owner: Whose argument it is, for the message.
    """
    check_name("image_format", owner, names.IMAGE_FORMATS, image_format)
    picture = len(shape) == 3 and shape[-1] in _COLOURS
    if image_format != "float" and not picture:
        raise invalid(
            "image_format",
            owner,
            f'"float": examples of shape {tuple(shape)} are no pictures with 1 '
            "or 3 channels",
            repr(image_format),
        )


def converted(endpoints, image_format, shape):
    """Endpoints whose `images`, given and returned, have another format.

    Args:
        endpoints: Dictionary from names to `(function, input_signature)`.
        image_format: `"float"`, in [0, 1]; `"uint8"`, from 0 to 255; or
            `"png"`, strings by the name of `images_bytes`.
        shape: `(height, width, channels)`.

    Returns:
        Dictionary of the same form.
    """
    if image_format == "float":
        return endpoints
    spec, read, write = {
        "uint8": (
            tf.TensorSpec((None, *shape), "uint8", "images"),
            tf.identity,
            tf.identity,
        ),
        "png": (
            tf.TensorSpec((None,), "string", _BYTES),
            lambda strings: from_png(strings, shape),
            to_png,
        ),
    }[image_format]

    def convert(function, specs):
        def outer(*tensors):
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

        return outer, [spec if s.name == "images" else s for s in specs]

    return {name: convert(*each) for name, each in endpoints.items()}


def to_uint8(images):
    """Pictures in [0, 1] as bytes, rounded; what lies outside is clipped."""
    return tf.saturate_cast(tf.round(255.0 * images), "uint8")


def to_png(images):
    """PNG files, as strings of shape `(batch,)`, of uint8 pictures."""
    return tf.map_fn(
        tf.io.encode_png,
        images,
        fn_output_signature=tf.TensorSpec((), "string"),
    )


def from_png(strings, shape):
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
    (headers,) = guards.after([_are_png(headers)], [headers])
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
    (strings,) = guards.after(
        [guards.expect(fits, _BYTES, expected)], [strings]
    )

    def decode(string):
        image = tf.io.decode_png(string, channels)
        return tf.ensure_shape(image, shape)

    return tf.map_fn(
        decode, strings, fn_output_signature=tf.TensorSpec(shape, "uint8")
    )


def _are_png(headers):
    whole = tf.strings.length(headers) == _HEADER
    begins = tf.strings.substr(headers, 0, len(_START)) == _START
    return guards.expect(tf.reduce_all(whole & begins), _BYTES, "PNG files")
