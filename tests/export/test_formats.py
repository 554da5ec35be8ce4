"""Pictures as bytes and as PNG files, going in and coming out."""

import functools
import io

import keras
import numpy as np
import pytest
from PIL import Image

import kgen
from kgen.errors import InvalidArgument
from tests.export.server import Model
from tests.export.test_conformance import check_warm_up
from tests.models import contract

HEIGHT, WIDTH = 8, 12
ONE = np.zeros((HEIGHT, WIDTH), "uint8")
# The most examples of a request, by the format of pictures.
MOST = {"uint8": 1000, "png": 20}


def png(pixels, mode=None, ending="PNG", **options):
    """A file of a picture of shape (height, width[, channels]), as bytes."""
    grey = pixels.ndim == 3 and pixels.shape[-1] == 1
    image = Image.fromarray(pixels[..., 0] if grey else pixels)
    file = io.BytesIO()
    image.convert(mode or image.mode).save(file, ending, **options)
    return file.getvalue()


def pixels_of(file):
    image = np.asarray(Image.open(io.BytesIO(file)))
    return image if image.ndim == 3 else image[..., None]


def strings(*files):
    """A batch of them, as an array of bytes objects."""
    batch = np.empty(len(files), object)
    batch[:] = files
    return batch


def make(channels, **options):
    """An untrained model of pictures that are wider than high."""
    keras.utils.set_random_seed(0)
    return kgen.create_model(
        "vae",
        input_shape=(HEIGHT, WIDTH, channels),
        network="dense",
        latent_dim=3,
        hidden_units=[8],
        **options,
    )


@pytest.fixture(scope="module")
def exports(server, tmp_path_factory):
    """Function from channels to a model and its exports by their format."""

    @functools.cache
    def exports(channels):
        model = make(channels)
        folder = tmp_path_factory.mktemp("formats")
        found = {}
        for name, most in MOST.items():
            path = folder / name
            model.export(path, image_format=name, max_examples=most)
            found[name] = Model(server, path)
        return model, found

    return exports


@pytest.fixture(scope="module", params=[1, 3], ids=["grey", "RGB"])
def exported(request, exports):
    return exports(request.param)


def expected(model):
    """Bytes, and what Python makes of them, in bytes."""
    x = np.random.default_rng(0).integers(0, 256, (5, *model.input_shapes[0]))
    x = x.astype("uint8")
    floats = x.astype("float32") / 255
    mean, _ = model.posterior(floats)
    return x, mean, np.round(255 * model.reconstruct(floats))


def test_bytes(exported):
    model, served = exported
    x, mean, images = expected(model)
    found = served["uint8"]("serving_default", images=x)["images"]
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, images)
    found = served["uint8"]("encode", images=x)["mean"]
    np.testing.assert_allclose(found, mean, atol=1e-5)


def test_png_files(exported):
    model, served = exported
    x, mean, images = expected(model)
    files = strings(*map(png, x))
    (found,) = served["png"]("serving_default", images_bytes=files).values()
    for file, image in zip(found, images):
        np.testing.assert_array_equal(pixels_of(file), image)
    found = served["png"]("encode", images_bytes=files)["mean"]
    np.testing.assert_allclose(found, mean, atol=1e-5)


def test_samples(exported):
    model, served = exported
    given = {"num_samples": np.int32(4), "seed": np.int32(3)}
    images = np.round(255 * model.sample(4, seed=3))
    found = served["uint8"]("sample", **given)["images"]
    np.testing.assert_array_equal(found, images)
    files = served["png"]("sample", **given)["images_bytes"]
    assert all(file.startswith(b"\x89PNG") for file in files)
    found = [pixels_of(file) for file in files]
    np.testing.assert_array_equal(found, images)


def test_the_signatures_and_the_warm_up(exported):
    model, served = exported
    inputs = served["png"].signatures["serving_default"].inputs
    assert set(inputs) == {"images_bytes"}
    for name, each in served.items():  # which keeps to the limit
        check_warm_up(model, each, sizes=(1, min(32, MOST[name])))


def png_header(width, height):
    """The start of a file of that size, which would need much memory."""
    start = bytearray(png(ONE))
    start[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return bytes(start)


SIZE = "PNG files of 12 x 8 pixels (width x height), grey"
WRONG = {
    "size": (png(ONE.T.copy()), SIZE),
    "colour": (png(ONE, "RGB"), SIZE),
    "transparent": (png(ONE, "LA"), SIZE),
    "palette": (png(ONE, "P"), SIZE),
    "jpeg": (png(ONE, ending="JPEG"), "expected PNG files"),
    "gif": (png(ONE, ending="GIF"), "expected PNG files"),
    "nothing": (b"", "expected PNG files"),
    "text": (b"not a picture at all, but long enough", "expected PNG files"),
    "cut short": (png(ONE)[:-20], "Invalid PNG"),
    "the header alone": (png(ONE)[:33], "Invalid PNG"),
    "huge": (png_header(2**31 - 1, 2**31 - 1), SIZE),
    "half a gigabyte": (png_header(2**14, 2**15), SIZE),
}


@pytest.fixture(scope="module")
def grey(exports):
    _, served = exports(1)
    return served["png"]


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_gets_an_error(grey, case):
    file, message = WRONG[case]
    with pytest.raises(RuntimeError) as error:
        grey("encode", images_bytes=strings(png(ONE), file))
    assert message in str(error.value)


def test_a_wrong_batch_gets_an_error(grey):
    with pytest.raises(RuntimeError, match="expected the shape batch"):
        grey("encode", images_bytes=np.array(png(ONE), object))
    with pytest.raises(RuntimeError, match="expected 1 to 20 examples"):
        grey("encode", images_bytes=strings(*[png(ONE)] * 21))
    with pytest.raises(RuntimeError, match="expected 1 to 20 examples"):
        grey("encode", images_bytes=strings())


def test_other_depths_are_read(grey):
    """1 and 16 bits a pixel are brought to 8."""
    white = np.full_like(ONE, 255)
    files = [png(white), png(white, "1"), png(white.astype("uint16") * 257)]
    found = grey("encode", images_bytes=strings(*files))["mean"]
    assert np.ptp(found, axis=0).max() < 1e-6


def test_a_palette_of_colours_is_read(exports):
    """Also where one of them is marked as transparent."""
    served = exports(3)[1]["png"]
    x = np.zeros((HEIGHT, WIDTH, 3), "uint8")
    x[2] = (255, 0, 102)
    palette = Image.fromarray(x).quantize(4)
    files = [png(x)]
    for options in ({}, {"transparency": 0}):
        file = io.BytesIO()
        palette.save(file, "PNG", **options)
        files.append(file.getvalue())
    found = served("encode", images_bytes=strings(*files))["mean"]
    assert np.ptp(found, axis=0).max() < 1e-6
    with pytest.raises(RuntimeError, match="RGB or RGB by a palette"):
        served("encode", images_bytes=strings(png(x, "RGBA")))


def test_what_has_no_bytes_is_clipped(server, tmp_path):
    """A decoder may leave [0, 1]."""
    model = make(1, output_activation="linear")
    model.decoder.set_weights([20 * w for w in model.decoder.get_weights()])
    model.export(tmp_path / "1", image_format="uint8")
    z = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
    images = model.decode(z)
    assert images.min() < 0 and images.max() > 1
    found = Model(server, tmp_path / "1")("decode", z=z)["images"]
    off = found - np.clip(np.round(255 * images), 0, 255)
    assert np.abs(off).max() <= 1  # where a half is rounded either way
    assert np.count_nonzero(off) < 10


@pytest.mark.parametrize("image_format", ["uint8", "png"])
@pytest.mark.parametrize("shape", [(5,), (8, 8, 2), (4, 4)])
def test_what_is_no_picture_has_no_format(tmp_path, shape, image_format):
    model = kgen.create_model(
        "vae",
        input_shape=shape,
        network="dense",
        latent_dim=2,
        hidden_units=[4],
    )
    with pytest.raises(InvalidArgument, match="with 1 or 3 channels"):
        model.export(tmp_path / "1", image_format=image_format)
    assert not (tmp_path / "1").exists()


def test_the_nearest_format_is_offered(tmp_path):
    model = contract.small_model("gan")
    with pytest.raises(InvalidArgument, match="did you mean 'png'"):
        model.export(tmp_path / "1", image_format="pgn")
