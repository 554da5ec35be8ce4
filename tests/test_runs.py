"""A run's directory: its files, and what a kill may have left of them."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.decomposition import PCA

import kgen
from kgen import files, locks, plots, runs
from kgen.data.examples import Examples
from kgen.data.sources import Source
from kgen.errors import InvalidArgument
from kgen.runs import drawings, training
from kgen.runs.disk import DirectoryCheck
from tests.eager import train_eagerly
from tests.models import contract
from tests.settings import USUAL

CONFIG = {**USUAL, "epochs": 3}
SETTINGS = runs.TrainSettings(**CONFIG)


@pytest.fixture
def run(tmp_path):
    run = runs.Run(tmp_path / "run")
    run.create(SETTINGS)
    return run


# The settings


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"on_nan": "skp"}, "did you mean 'skip'?"),
        ({"epochs": "3"}, "a positive integer. Received: epochs=3"),
        ({"image_shape": (8,)}, "three positive integers"),
        ({"image_shape": (8, 0, 1)}, "a positive integer"),
        ({"kl_warmup": -1}, "at least 0"),
        ({"strategy": "miror"}, "did you mean 'mirrored'?"),
        ({"devices": 0}, "a positive integer"),
    ],
    ids=str,
)
def test_settings_are_checked_when_they_are_made(change, words):
    with pytest.raises(InvalidArgument) as error:
        runs.TrainSettings(**{**CONFIG, **change})
    assert words in str(error.value)


def test_a_classifier_s_networks_take_labels():
    config = {**CONFIG, "model": "bayes_classifier"}
    assert runs.TrainSettings(**config).conditional


def test_settings_are_those_that_were_written(run):
    settings = dataclasses.replace(SETTINGS, image_shape=[8, 8, 1], seed=5)
    run.create(settings, overwrite=True)
    assert run.settings == settings
    run.extend(9, invented_later=1)
    assert run.settings == dataclasses.replace(settings, epochs=9)
    assert run.config["invented_later"] == 1
    assert list(run.config) == [
        *settings.as_config(),
        "versions",
        "invented_later",
    ]


def test_the_config_comes_back(run):
    assert CONFIG.items() <= run.config.items()
    run.extend(9)
    assert run.config == {**run.config, **CONFIG, "epochs": 9}


def test_an_empty_directory_may_become_a_run(tmp_path):
    runs.Run(tmp_path).create(SETTINGS)
    assert os.listdir(tmp_path) == ["config.json"]


def test_a_run_is_not_made_twice(run):
    with pytest.raises(FileExistsError, match="--resume"):
        run.create(SETTINGS)
    for name in ("model.keras", "encode-12.npz", "mine.txt"):
        (run.path / name).touch()
    (run.path / "checkpoints").mkdir(exist_ok=True)
    (run.path / "checkpoints" / "epoch-1.weights.h5").touch()
    run.create(dataclasses.replace(SETTINGS, epochs=1), overwrite=True)
    assert run.settings.epochs == 1
    assert sorted(os.listdir(run.path)) == ["config.json", "mine.txt"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "name, text",
    [
        ("thesis.txt", "text"),
        ("config.json", json.dumps({"name": "mine"})),
        ("config.json", json.dumps(["mine"])),
        ("config.json", "{"),
    ],
)
def test_what_is_no_run_is_never_deleted(tmp_path, overwrite, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises((FileExistsError, InvalidArgument)):
        runs.Run(tmp_path).create(SETTINGS, overwrite)
    assert (tmp_path / name).read_text() == text


def test_a_command_to_copy_is_one_for_a_shell(tmp_path):
    run = runs.Run(tmp_path / "my run")
    run.create(SETTINGS)
    with pytest.raises(FileNotFoundError) as error:
        run.model()
    line = f"`kgen train vae --resume --out '{run.path}'`"
    assert str(error.value).endswith(f"Go on with {line}.")


def test_new_run_takes_the_next_free_name(tmp_path):
    """Each its own, also before anything is written; empty ones go again."""
    with (
        runs.new_run("vae", tmp_path / "runs") as first,
        runs.new_run("vae", tmp_path / "runs") as second,
    ):
        assert first.path == tmp_path / "runs" / "vae-1"
        assert second.path == tmp_path / "runs" / "vae-2"
        second.create(SETTINGS)
    assert os.listdir(tmp_path / "runs") == ["vae-2"]
    (tmp_path / "runs" / "vae-1").symlink_to("nowhere")
    (tmp_path / "runs" / "vae-3").touch()
    with runs.new_run("vae", tmp_path / "runs") as run:
        assert run.path.name == "vae-4"
    with runs.new_run("vae", tmp_path / "none"):
        pass
    assert os.listdir(tmp_path) == ["runs"]


def test_left_overs_go_unless_another_process_writes(run):
    old, new = (run.path / f".4194305-sample-{n}.png" for n in (1, 2))
    dead = run.path / ".4194305-model.keras"
    for path in (old, new, dead):
        path.touch()
    os.utime(old, (0, 0))
    with locks.directory(run.path):
        run.sweep_if_free()
        assert old.exists() and dead.exists()
    run.sweep_if_free()
    assert not old.exists() and not dead.exists()
    assert new.exists()


def test_a_directory_that_can_not_be_looked_at_is_not_gone(run, monkeypatch):
    """A network's fault is the system's to explain."""
    directory = DirectoryCheck(run)
    directory.check()

    def fail(path):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch, pytest.raises(PermissionError):
        patch.setattr(os, "stat", fail)
        directory.check()


def test_a_run_that_began_before_there_were_checks_goes_on(run, monkeypatch):
    options = {"output_activation": "sigmoid", "likelihood": "bernoulli"}
    run.extend(1, options=options)
    monkeypatch.setattr(training, "_fit", lambda *args: None)
    monkeypatch.setattr(training, "_end", lambda *args: None)
    with pytest.warns(UserWarning, match="Expected logits"):
        runs.train(run, run.settings, resume=True)


def test_the_networks_that_vectors_have_are_told_and_kept(
    tmp_path, monkeypatch
):
    train_eagerly(monkeypatch)
    monkeypatch.setattr(training, "draw", lambda *args: None)
    x = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    np.save(tmp_path / "x.npy", x)
    run, told = runs.Run(tmp_path / "run"), []
    asked = dataclasses.replace(
        SETTINGS, data=str(tmp_path / "x.npy"), network="conv", epochs=1
    )
    runs.train(run, asked, report=told.append)
    assert "Model: vae; dense networks: encoder" in told[0]
    assert run.settings == dataclasses.replace(asked, network="dense")
    more = dataclasses.replace(asked, epochs=2)
    # The same line again, of a run as it is written now and as it was before
    for network in ("dense", "conv"):
        run.extend(1, network=network)
        names = {"network", "epochs"}
        runs.train(run, more, resume=True, typed_names=names)


def test_a_run_that_has_lost_its_checkpoints_is_not_begun_anew(
    tmp_path, monkeypatch
):
    """Which would replace all that is left of it; nor is its place free."""
    train_eagerly(monkeypatch)
    monkeypatch.setattr(training, "draw", lambda *args: None)
    np.save(tmp_path / "x.npy", np.ones((20, 3), "float32"))
    run, data = runs.Run(tmp_path / "run"), str(tmp_path / "x.npy")
    runs.train(run, dataclasses.replace(SETTINGS, data=data, epochs=1))
    shutil.move(run.path / "checkpoints", tmp_path / "elsewhere")
    names = "config.json", "history.csv", "model.keras"
    before = [(run.path / name).read_bytes() for name in names]
    os.rename(data, tmp_path / "y.npy")
    with pytest.raises(FileExistsError, match="holds a run already"):
        runs.train(runs.Run(run.path), run.settings)  # before the data are read
    os.rename(tmp_path / "y.npy", data)
    more = dataclasses.replace(run.settings, epochs=2)
    for _ in range(2):  # without their folder, and with an empty one
        with pytest.raises(InvalidArgument, match="1, but there is no"):
            runs.train(runs.Run(run.path), more, resume=True)
        (run.path / "checkpoints").mkdir(exist_ok=True)
    os.rmdir(run.path / "checkpoints")
    assert [(run.path / name).read_bytes() for name in names] == before
    shutil.move(tmp_path / "elsewhere", run.path / "checkpoints")
    runs.train(runs.Run(run.path), more, resume=True)
    assert run.training_progress()["epochs"] == 2


def test_a_table_is_inferred_once(tmp_path, monkeypatch):
    """Another version may infer another one, by which a run could not go on."""
    train_eagerly(monkeypatch)
    monkeypatch.setattr(training, "draw", lambda *args: None)
    rows = pd.DataFrame({"x": np.arange(40.0) ** 2, "y": list("ab") * 20})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    run = runs.Run(tmp_path / "run")
    data = str(tmp_path / "rows.csv")
    settings = dataclasses.replace(
        SETTINGS, data=data, network="dense", epochs=1, options={}
    )
    runs.train(run, settings)
    monkeypatch.delattr(kgen.data.Table, "infer")
    more = dataclasses.replace(settings, epochs=2)
    model = runs.train(run, more, resume=True, typed_names={"epochs"})
    assert model.table == run.model().table


def test_free_file(run):
    assert run.free_file("sample", ".png") == run.path / "sample-1.png"
    (run.path / "sample-1.png").touch()
    assert run.free_file("sample", ".png") == run.path / "sample-2.png"
    assert run.free_file("sample", ".npz") == run.path / "sample-1.npz"


# Sources


@pytest.mark.parametrize(
    ("names", "while_training", "at_last"),
    [
        (("train", "test"), "test", "test"),
        (("train", "validation", "test"), "validation", "test"),
        (("train", "validation"), "validation", "validation"),
        (("train", "other"), None, "train"),
        (("all",), "test", "test"),
    ],
)
def test_the_test_split_judges_at_last(names, while_training, at_last):
    """Validation may have chosen the model."""
    source = Source("s", dict.fromkeys(names))
    assert runs.validation_split(source) == while_training
    assert runs.held_out_split(source) == at_last
    whole = "all" if names == ("all",) else at_last
    assert runs.held_out_split(source, is_other_source=True) == whole


def test_pca_errors_are_those_of_pca():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 6)) @ rng.normal(size=(6, 6)) + 1.0
    sizes, errors = drawings.pca_errors(x[:60], x[60:], 4)
    assert list(sizes) == [1, 2, 3, 4]
    for size, error in zip(sizes, errors):
        pca = PCA(size).fit(x[:60])
        rebuilt = pca.inverse_transform(pca.transform(x[60:]))
        assert error == pytest.approx(np.mean((x[60:] - rebuilt) ** 2))


class FirstNumbers:
    """A "model" whose codes are its examples."""

    conditional = False
    has_prior = False
    input_shapes = [(2,)]

    def encode(self, dataset):
        return np.concatenate(list(dataset.as_numpy_iterator()))


def test_the_latent_map_is_of_all_classes(tmp_path, monkeypatch):
    """Though data may lie class by class."""
    y = np.repeat(np.arange(10), 500)
    x = np.stack([y, y], axis=1).astype("float32")
    source = Source("rows", {"test": lambda: Examples(x, y)})
    drawn = []
    monkeypatch.setattr(
        plots, "latent", lambda z, path, y, *_, **__: drawn.append((z, y))
    )
    drawings.draw_codes(tmp_path, FirstNumbers(), source, "test")
    ((z, labels),) = drawn
    assert len(z) == 2000
    np.testing.assert_array_equal(z[:, 0], labels)
    assert np.bincount(labels).min() > 150
    assert len(set(labels[:24])) > 5  # of which reconstructions are drawn


# Pictures of codes


@pytest.mark.parametrize("train", [True, False])
def test_pca_learns_from_what_the_model_has_seen(tmp_path, monkeypatch, train):
    """Whatever examples judge both; without them there is no picture."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(6, 6))
    seen, unseen = (rng.normal(size=(80, 6)) @ mix for _ in range(2))
    source = Source(
        "rows", {"test": lambda: Examples(unseen.astype("float32"))}
    )
    model = kgen.create_model(
        "autoencoder", input_shape=(6,), network="dense", latent_dim=2
    )
    drawn = []
    monkeypatch.setattr(
        plots, "errors", lambda curves, path: drawn.append(curves)
    )
    own = Examples(seen.astype("float32")) if train else None
    runs.draw(tmp_path, model, source, {}, own, "test")
    if train:
        ((curves,)) = drawn
        _, expected = drawings.pca_errors(seen, unseen, 8)
        np.testing.assert_allclose(curves["PCA"][1], expected, atol=1e-4)
    assert len(drawn) == train


@pytest.mark.parametrize(
    ("classes", "pairs"),
    [
        ([0, 0, 0, 0, 0], [(0, 1), (2, 3)]),
        ([1, 0, 1, 1, 0, 2, 1, 0], [(1, 4), (0, 2), (3, 6)]),
        ([0, 1, 2], []),
    ],
)
def test_pairs_of_one_class(classes, pairs):
    assert drawings.pairs_by_class(np.array(classes)) == pairs


def test_ways_between_classes_have_the_classes_names(tmp_path):
    """As a figure writes them, and without examples of an unknown class."""
    model, path = contract.small_model("vae"), tmp_path / "x.png"
    labels = np.resize([-1, 0, 1], len(contract.X))
    drawn = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "pairs", lambda rows, *_, **__: drawn.append(rows))
        examples = Examples(contract.X, labels)
        drawings.draw_attributes(model, examples, ["$a", "b" * 30], path)
    (rows,) = drawn
    assert list(rows) == [rf"\$a to {'b' * 21}..."]


@pytest.mark.parametrize("conditional", [True, False])
def test_interpolations_of_a_conditional_encoder_keep_the_class(
    tmp_path, monkeypatch, conditional
):
    model = contract.small_model("vae", conditional=conditional)
    given = []
    monkeypatch.setattr(
        model, "interpolate", lambda *ends, steps: given.append(ends) or []
    )
    monkeypatch.setattr(drawings, "_draw_ways", lambda *args: None)
    pairs = Examples(contract.X, contract.Y)
    dataset = pairs.batches(labels=conditional, batch_size=16)
    drawings.draw_interpolations(model, dataset, tmp_path / "x.png", count=4)
    ((one, other),) = given
    if not conditional:
        np.testing.assert_array_equal(one, contract.X[:8:2])
        np.testing.assert_array_equal(other, contract.X[1:8:2])
        return
    np.testing.assert_array_equal(one[1], other[1])
    assert len(one[1]) == 4 and len(set(one[1])) == contract.CLASSES
    for x, labels in (one, other):
        for image, label in zip(x, labels):
            place = np.flatnonzero((image == contract.X).all(axis=(1, 2, 3)))
            assert contract.Y[place[0]] == label
    assert not np.array_equal(one[0], other[0])


# Data


@pytest.mark.parametrize(
    ("settings", "seen"), [({}, 1.0), ({"background": "black"}, 0.0)]
)
def test_a_run_remembers_the_background(tmp_path, settings, seen):
    """One from before there was a choice has a white one."""
    (tmp_path / "data").mkdir()
    Image.new("RGBA", (2, 2)).save(tmp_path / "data" / "a.png")
    run = runs.Run(tmp_path / "run")
    # As it is written, without what earlier versions did not have.
    data = {"data": str(tmp_path / "data")}
    files.write_json(run.config_file, {**CONFIG, **data, **settings})
    assert (run.settings.source().examples("all").images == seen * 255).all()
    run.extend(4)
    assert (run.settings.source().examples("all").images == seen * 255).all()
