"""The same latent points at each epoch, kept and drawn."""

import numpy as np
import pytest
from PIL import Image

import kgen
from kgen.callbacks import SampleProgress
from kgen.errors import InvalidArgument
from tests import quick
from tests.models import contract

MODELS = quick.Models()


def small_gan(conditional=False):
    """A GAN as it is before training, traced once for all tests."""
    return MODELS.get(
        conditional, lambda: contract.small_model("gan", conditional)
    )


def files(path):
    return sorted(file.name for file in path.iterdir())


@pytest.mark.parametrize("conditional", [False, True])
def test_each_epoch_is_kept_and_drawn(tmp_path, monkeypatch, conditional):
    column_labels = []

    def note(frames, path, **options):
        column_labels.append(options["column_labels"])
        draw(frames, path, **options)

    draw = kgen.plots.progress
    monkeypatch.setattr(kgen.plots, "progress", note)
    gan = small_gan(conditional)
    progress = SampleProgress(tmp_path / "progress", tmp_path / "p.png", 5)
    data = contract.dataset(conditional)
    gan.fit(data, epochs=3, verbose=0, callbacks=[progress])
    assert files(tmp_path) == ["p.png", "progress"]
    assert files(tmp_path / "progress") == [
        f"epoch-{number:05d}.npy" for number in (1, 2, 3)
    ]
    labels = np.arange(5) % contract.CLASSES if conditional else None
    assert column_labels[-1] == (
        [str(y) for y in labels] if conditional else []
    )
    np.testing.assert_allclose(
        np.load(tmp_path / "progress" / "epoch-00003.npy"),
        gan.sample(5, labels=labels, seed=0),
        atol=1e-3,
    )


def test_a_resumed_training_goes_on_with_its_picture(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        kgen.plots,
        "progress",
        lambda frames, path, column_labels: drawn.append(list(frames)),
    )
    gan = small_gan()
    for start, end in ((0, 2), (2, 30)):
        progress = SampleProgress(tmp_path, tmp_path / "p.png", 2, seconds=1e9)
        gan.fit(
            contract.X[:8],
            initial_epoch=start,
            epochs=end,
            verbose=0,
            callbacks=[progress],
        )
    assert drawn[0] == ["epoch 1", "epoch 2"]
    assert drawn[-1][0] == "epoch 1" and drawn[-1][-1] == "epoch 30"
    assert len(drawn[-1]) == 10


def test_points_in_the_plane(tmp_path):
    gan = kgen.create_model(
        "gan", input_shape=(2,), network="dense", hidden_units=(8,)
    )
    gan.compile()
    progress = SampleProgress(tmp_path / "progress", tmp_path / "p.png")
    x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    gan.fit(x, epochs=2, verbose=0, callbacks=[progress])
    assert np.load(tmp_path / "progress" / "epoch-00002.npy").shape == (1000, 2)
    with Image.open(tmp_path / "p.png") as image:
        assert image.width > image.height


def test_bad_arguments(tmp_path):
    with pytest.raises(InvalidArgument, match="count"):
        SampleProgress(tmp_path, tmp_path / "p.png", count=0)
    gan = kgen.create_model("gan", input_shape=(5,), network="dense")
    gan.compile()
    progress = SampleProgress(tmp_path, tmp_path / "p.png")
    with pytest.raises(InvalidArgument, match="points in the plane"):
        gan.fit(np.ones((9, 5), "float32"), callbacks=[progress])
