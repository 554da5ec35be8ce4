"""Classes and files by their names: in models, runs, their outputs and exports."""

import json
import pathlib
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import kgen
from kgen import cli, plots, runs
from kgen.errors import InvalidArgument
from kgen.plots import figures
from tests import quick
from tests.data.common import save_picture
from tests.models import contract

NAMES = ("Flags", "Sun", "sea")
SMALL = ("--network", "dense", "--set", "hidden_units=[8]", "--epochs", 1)


def build(name="vae", **options):
    options = {"class_names": NAMES, "hidden_units": (8,), **options}
    return kgen.create_model(
        name, input_shape=(8, 8, 1), network="dense", latent_dim=2, **options
    )


# Models


def test_names_are_labels_of_methods():
    vae, gan = build(), build("gan")
    assert vae.num_classes == 3 and vae.class_names == NAMES
    for model in (vae, gan):
        np.testing.assert_array_equal(
            model.sample(3, labels=["sea", "Flags", "sea"], seed=0),
            model.sample(3, labels=[2, 0, 2], seed=0),
        )
    np.testing.assert_array_equal(
        vae.decode(np.ones((2, 2), "float32"), labels="Sun"),
        vae.decode(np.ones((2, 2), "float32"), labels=1),
    )
    np.testing.assert_array_equal(
        vae.encode([contract.X[:3], np.array(NAMES)]),
        vae.encode([contract.X[:3], [0, 1, 2]]),
    )
    np.testing.assert_array_equal(
        gan.interpolate(2, labels="sea", seed=0),
        gan.interpolate(2, labels=2, seed=0),
    )


def test_names_are_labels_of_training_data():
    """Their order is that of `class_names`, and not of the alphabet."""
    numbers = np.arange(len(contract.X)) % 3
    names = np.array(NAMES)[numbers]

    def logs(y, validation):
        keras.utils.set_random_seed(0)
        model = build(seed=0)
        model.compile()
        history = model.fit(
            contract.X, y, validation_data=validation, verbose=0
        )
        return history.history, model.evaluate([contract.X, y], verbose=0)

    expected = logs(numbers, (contract.X, numbers))
    for pair in ((contract.X, list(names)), ([contract.X, names], None)):
        assert logs(names, pair) == expected
    with pytest.raises(InvalidArgument, match="did you mean 'Flags'"):
        logs(np.char.lower(names), None)
    with pytest.raises(InvalidArgument, match="class_names.index"):
        logs(names.astype("S"), None)


def test_names_of_a_classifier():
    model = kgen.create_model(
        "bayes_classifier",
        input_shape=(8, 8, 1),
        density="full",
        class_names=NAMES,
    )
    model.compile()
    model.fit(contract.X, contract.Y, verbose=0)
    np.testing.assert_array_equal(
        model.sample(2, labels=["sea", "Sun"], seed=0),
        model.sample(2, labels=[2, 1], seed=0),
    )


@pytest.mark.parametrize("labels", ["flags", ["Sun", "Flag"]])
def test_an_unknown_name_is_answered_with_the_nearest(labels):
    with pytest.raises(InvalidArgument) as error:
        build().sample(2, labels=labels)
    assert "(did you mean 'Flags'?)" in str(error.value)
    assert "`labels` of `VAE.sample`" in str(error.value)


def test_without_names_labels_are_numbers(tmp_path):
    model = build(class_names=None, num_classes=3)
    assert model.class_names == () and "class_names" not in model.get_config()
    with pytest.raises(
        InvalidArgument, match="names of the classes are not known"
    ):
        model.sample(1, labels="Flags")
    model.class_names = list(NAMES)  # as of a model of an earlier version
    model.save(tmp_path / "model.keras")
    loaded = kgen.load_model(tmp_path / "model.keras")
    assert loaded.class_names == NAMES
    np.testing.assert_array_equal(
        loaded.sample(1, labels="sea", seed=0),
        model.sample(1, labels=2, seed=0),
    )


@pytest.mark.parametrize(
    ("options", "names", "message"),
    [
        ({"num_classes": 3}, ["a", "b"], "3 different names"),
        ({"num_classes": 3}, ["a", "b", "a"], "3 different names"),
        ({"num_classes": 3}, "abc", "a list of the classes' names"),
        ({"num_classes": 3}, [0, 1, 2], "the name of a class"),
        ({}, ["a"], "the model takes no labels"),
    ],
)
def test_names_that_do_not_fit(options, names, message):
    model = build(class_names=None, **options)
    with pytest.raises(InvalidArgument, match=message):
        model.class_names = names


def test_a_table_has_the_names_of_its_target():
    rows = pd.DataFrame({"x": np.sin(np.arange(40.0)), "kind": ["b", "a"] * 20})
    table = kgen.data.Table.infer(rows, target="kind")
    model = kgen.create_model("vae", table=table, hidden_units=(8,))
    assert model.class_names == ("a", "b")
    assert set(model.sample(5, labels="b", seed=0)["kind"]) == {"b"}
    with pytest.raises(InvalidArgument, match="or those of a table"):
        model.class_names = ["a", "b"]


def test_an_export_has_the_names(tmp_path):
    model = build(class_names=("Flags", "a\nb", "sea"))
    model.export(tmp_path / "1")
    card = json.loads((tmp_path / "1" / "model.json").read_text())
    assert card["classes"] == ["Flags", "a\nb", "sea"]
    extra = tmp_path / "1" / "assets.extra"
    assert (extra / "classes.txt").read_text() == "Flags\na b\nsea\n"


# Pictures


def test_samples_stand_in_rows_of_their_classes(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "kgen.plots.pictures.save", lambda figure, path: drawn.append(figure)
    )
    images = np.linspace(0, 1, 12)[:, None, None, None] * np.ones((12, 2, 2, 1))
    labels = np.array([2, 0] * 5 + [2, 2])
    plots.samples(images, tmp_path / "x.png", "", labels, ("$5", "b", "c" * 30))
    (axes,) = drawn[0].axes
    texts = [text.get_text() for text in axes.get_yticklabels()]
    assert texts == [r"\$5", "c" * 21 + "..."]
    (grid,) = (image.get_array() for image in axes.images)
    # 5 of class 0 on a line of 7, and then 7 of class 2.
    shades = grid[1::3, 1::3]
    np.testing.assert_allclose(shades[0], [*images[1:11:2, 0, 0, 0], 1, 1])
    np.testing.assert_allclose(shades[1], images[labels == 2, 0, 0, 0])
    middles = axes.get_yticks()
    np.testing.assert_allclose(middles, [len(grid) / 4, len(grid) * 3 / 4])
    assert figures.class_name(-1, NAMES) == "(unknown)"
    assert figures.class_name(3, NAMES) == "3"


# Runs


def kgen_command(*args):
    result = CliRunner().invoke(cli.main, [str(arg) for arg in args])
    return result.exit_code, result.stdout + result.stderr


def arrays(path):
    with np.load(path) as file:
        return dict(file)


def done(*args):
    status, text = kgen_command(*args)
    assert status == 0, text
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs of a folder of pictures in three classes: a VAE, a classifier."""
    root = tmp_path_factory.mktemp("named")
    rng = np.random.default_rng(0)
    for number, name in enumerate(NAMES):
        for count in range(40):
            pixels = rng.integers(60 * number, 60 * number + 90, (8, 8))
            path = root / "pictures" / name / f"{count}.png"
            save_picture(path, pixels.astype("uint8"))
    options = ("--data", root / "pictures", *SMALL)
    with quick.pictures():
        done("train", "vae", "--conditional", *options, "--out", root / "vae")
        options = ("--data", root / "pictures", "--epochs", 1)
        density = ("--set", "density=naive_gaussian", "--out", root / "bayes")
        done("train", "bayes_classifier", *options, *density)
    return root


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_run_knows_its_classes(folder):
    for run in (runs.Run(folder / "vae"), runs.Run(folder / "bayes")):
        assert run.config["classes"] == list(NAMES)
        assert run.model().class_names == NAMES
    assert "3: Flags, Sun, sea" in done("show", folder / "vae")


def test_samples_of_a_class_by_its_name(folder):
    done(
        "sample", folder / "vae", "--label", "sea", "--num", 4, "--out", "x.npz"
    )
    found = arrays("x.npz")
    model = runs.Run(folder / "vae").model()
    np.testing.assert_array_equal(
        found["images"], model.sample(4, labels=2, seed=0)
    )
    assert found["labels"].tolist() == [2] * 4
    assert tuple(found["class_names"]) == NAMES
    done("sample", folder / "vae", "--num", 6, "--out", "turns.npz")
    assert arrays("turns.npz")["labels"].tolist() == [0, 1, 2] * 2
    status, text = kgen_command("sample", folder / "vae", "--label", "flags")
    assert status == 2 and "did you mean 'Flags'" in text


def test_a_name_comes_before_a_number(folder, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(folder / "vae", run)
    model = runs.Run(run).model()
    model.class_names = ["1", "2", "three"]
    model.save(run / "model.keras")
    for label, number in (("1", 0), ("three", 2), ("0", 0)):
        out = f"{label}.npz"
        text = done("sample", run, "--label", label, "--num", 1, "--out", out)
        assert arrays(out)["labels"].tolist() == [number]
        told = "--label 1 is the class of this name, with the number 0."
        assert (told in text) == (label == "1")
    model.class_names = []  # as a run of an earlier version
    model.save(run / "model.keras")
    done("sample", run, "--label", 2, "--num", 1, "--out", "old.npz")
    assert set(arrays("old.npz")) == {"images", "labels"}
    status, text = kgen_command("sample", run, "--label", "three")
    assert status == 2 and "names of the classes are not known" in text


def files_of(folder):
    """The held-out pictures, as the source has them, and their classes."""
    source = kgen.data.open_source(folder / "pictures")
    test = source.examples("test")
    for path, label in zip(test.files, test.labels):
        assert pathlib.Path(path).parent.name == NAMES[label]
    assert len(test.files) == 24
    return list(test.files), [NAMES[label] for label in test.labels]


def test_codes_have_the_names_of_classes_and_files(folder):
    done("encode", folder / "vae", "--out", "codes.npz")
    files, names = files_of(folder)
    codes = arrays("codes.npz")
    assert codes["files"].tolist() == files
    assert codes["class_names"][codes["labels"]].tolist() == names


def test_probabilities_have_the_names_of_classes_and_files(folder):
    done("classify", folder / "bayes", "--out", "found.csv")
    done("classify", folder / "bayes", "--out", "found.npz")
    table, found = pd.read_csv("found.csv"), arrays("found.npz")
    files, names = files_of(folder)
    assert list(table.columns[:4]) == ["file", "label", "predicted", "log_prob"]
    assert table["file"].tolist() == files == found["files"].tolist()
    assert table["label"].tolist() == names
    assert (table["predicted"] == table["label"]).all()  # by their brightness
    probabilities = table[[f"P({name})" for name in NAMES]].to_numpy()
    np.testing.assert_allclose(
        probabilities, np.exp(found["log_probabilities"]), atol=1e-7
    )
    predicted = found["class_names"][found["predicted"]]
    assert table["predicted"].tolist() == predicted.tolist()


def test_outliers_have_the_names_of_their_files(folder, tmp_path):
    others = tmp_path / "others"
    save_picture(others / "b.png", np.full((8, 8), 255, "uint8"))
    save_picture(others / "a.png", np.full((8, 8), 40, "uint8"))
    done("detect", folder / "bayes", "--data", others, "--out", "found.csv")
    table = pd.read_csv("found.csv")
    assert list(table.columns) == ["file", "outlier_score", "is_outlier"]
    assert table["file"].tolist() == [
        str(others / n) for n in ("a.png", "b.png")
    ]


def test_labels_of_other_data_are_numbered_as_the_model_does(folder, tmp_path):
    part, strange = tmp_path / "part", tmp_path / "strange"
    for name in ("sea", "Sun"):
        shutil.copytree(folder / "pictures" / name, part / name)
        shutil.copytree(folder / "pictures" / name, strange / f"{name}!")
    done("encode", folder / "vae", "--data", part, "--out", "part.npz")
    found = arrays("part.npz")
    assert found["labels"].tolist() == [1] * 40 + [2] * 40
    assert tuple(found["class_names"]) == NAMES
    model = runs.Run(folder / "vae").model()
    source = kgen.data.open_source(part).examples("all")
    x = next(iter(source.batches(batch_size=80))).numpy()
    mean, _ = model.posterior([x, found["labels"]])
    np.testing.assert_allclose(found["mean"], mean, atol=1e-5)
    status, text = kgen_command("encode", folder / "vae", "--data", strange)
    assert status == 2 and "the classes of strange (Sun!, sea!)" in text
    text = done(
        "classify", folder / "bayes", "--data", strange, "--out", "s.csv"
    )
    assert "its labels are ignored" in text
    assert "label" not in pd.read_csv("s.csv")


def test_the_nearest_examples_are_named(folder):
    metrics = ("--metrics", "memorization", "--num-samples", 20)
    done("evaluate", folder / "vae", *metrics, "--out", "judged")
    (entry,) = json.loads(pathlib.Path("judged/metrics.json").read_text())
    train = kgen.data.open_source(folder / "pictures").examples("train")
    assert len(entry["nearest"]) == 12
    for nearest in entry["nearest"]:
        assert nearest["file"] == train.files[nearest["example"]]
        assert nearest["class"] == NAMES[train.labels[nearest["example"]]]
        assert nearest["distance"] > 0
    first = entry["nearest"][0]
    name = pathlib.Path(first["file"]).name
    page = pathlib.Path("judged/report.html").read_text()
    assert f"From the left: {first['class']} ({name}), " in page


def test_a_run_that_goes_on_takes_new_names(folder, tmp_path):
    run, pictures = tmp_path / "run", tmp_path / "pictures"
    shutil.copytree(folder / "vae", run)
    shutil.copytree(folder / "pictures", pictures)
    config = json.loads((run / "config.json").read_text())
    del config["classes"]  # as an earlier version has left it
    config["data"] = str(pictures)
    (run / "config.json").write_text(json.dumps(config))
    (pictures / "Sun").rename(pictures / "Suns")
    resume = ("train", "vae", "--resume", "--epochs", 2, "--out", run)
    with quick.pictures():
        done(*resume)
    assert runs.Run(run).config["classes"] == ["Flags", "Suns", "sea"]
    assert runs.Run(run).model().class_names == ("Flags", "Suns", "sea")
