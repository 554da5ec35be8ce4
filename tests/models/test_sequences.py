"""Sequences: from an array to models of convolutional networks."""

import numpy as np
import pytest

import kgen
from kgen.data import load, open_source
from kgen.errors import InvalidArgument
from kgen.networks import sequences
from tests.data.common import save_picture
from tests.models.contract import EAGERLY

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 12, 2)).astype("float32")
Y = np.arange(20) % 2
NORMAL = {"likelihood": "gaussian"}
OPTIONS = {
    "autoencoder": {},
    "bayes_classifier": NORMAL,
    "denoising_autoencoder": {},
    "gan": {},
    "vae": NORMAL,
    "vaegan": NORMAL,
}


@pytest.mark.parametrize(("name", "options"), OPTIONS.items())
def test_every_model_learns_sequences(tmp_path, name, options):
    model = kgen.create_model(
        name,
        input_shape=(12, 2),
        network="conv",
        num_classes=2,
        latent_dim=2,
        filters=4,
        hidden_units=(8,),
        **options,
    )
    kernels = [w for w in model.trainable_weights if w.name == "kernel"]
    assert any(w.shape[0] == 5 and len(w.shape) == 3 for w in kernels)
    before = model.get_weights()
    model.compile(**EAGERLY)
    data = load((X, Y), "all", image_shape=(12, 2), batch_size=10, labels=True)
    model.fit(data, epochs=1, verbose=0)
    assert any(np.any(a != b) for a, b in zip(before, model.get_weights()))
    model.save(tmp_path / "model.keras")
    again = kgen.load_model(tmp_path / "model.keras")
    if hasattr(model, "sample"):
        samples = again.sample(3, labels=[0, 1, 1], seed=0)
        assert samples.shape == (3, 12, 2)
        np.testing.assert_array_equal(
            samples, model.sample(3, labels=[0, 1, 1], seed=0)
        )
    if hasattr(model, "reconstruct"):
        assert again.reconstruct([X, Y]).shape == X.shape


def test_an_array_of_three_axes_is_what_image_shape_says():
    for name, shape in (("sequences", (12, 2)), ("grey", (12, 2, 1))):
        images = open_source(X if name == "sequences" else abs(X) % 1, shape)
        assert images.examples("all").shape == shape
    # Also where pictures are the rule.
    square = X[:, :2].copy()
    assert load(square, "all", image_shape=(2, 2)).element_spec.shape[1:] == (
        2,
        2,
    )


@pytest.mark.parametrize("length", [128, 40])
def test_what_could_be_several_things_is_asked(tmp_path, length):
    x = np.zeros((200, length, 2 if length == 128 else 6), "float32")
    np.save(tmp_path / "x.npy", x)
    channels = x.shape[2]
    for source in (x, tmp_path / "x.npy"):
        with pytest.raises(InvalidArgument) as error:
            load(source)
        text = str(error.value)
        assert f"--image-shape {length}x{channels})" in text
        assert f"image_shape=({length}, {channels}, 1)" in text
        with pytest.raises(InvalidArgument, match="could mean"):
            load(source, image_shape=(64, 64, 3))  # it may be one picture
    spec = load(tmp_path / "x.npy", image_shape=(length, channels))
    assert spec.element_spec.shape[1:] == (length, channels)


def test_sequences_keep_their_length():
    with pytest.raises(InvalidArgument, match=r"None or \(12, 2, 1\)"):
        load(abs(X)[..., None] % 1, image_shape=(6, 2))
    with pytest.raises(InvalidArgument, match="None or .8, 8, 1.*sequences"):
        load("digits", image_shape=(8, 8))


def test_a_folder_of_pictures_holds_no_sequences(tmp_path):
    save_picture(tmp_path / "a.png", np.zeros((8, 8), "uint8"))
    with pytest.raises(InvalidArgument, match="channels. for the pictures"):
        load(tmp_path, image_shape=(8, 8))


def test_vectors_get_dense_networks(capsys):
    for network in (None, "conv"):
        vae = kgen.create_model("vae", input_shape=(7,), network=network)
        dense = kgen.create_model("vae", input_shape=(7,), network="dense")
        shapes = [[w.shape for w in model.weights] for model in (vae, dense)]
        assert shapes[0] == shapes[1]
    told = capsys.readouterr().err
    assert told == (
        "kgen: Examples of shape (7,) are vectors: network=dense.\n"
    )
    with pytest.raises(InvalidArgument, match="`filters` of `create_model`"):
        kgen.create_model("vae", input_shape=(7,), filters=4)


def test_volumes_are_refused():
    with pytest.raises(InvalidArgument, match="volumes"):
        kgen.create_model("vae", input_shape=(4, 4, 4, 1))
    with pytest.raises(InvalidArgument, match="height, width, channels"):
        kgen.create_model(
            "denoising_autoencoder", input_shape=(12, 2), network="unet"
        )


def test_the_networks_are_public():
    assert kgen.networks.sequences is sequences
