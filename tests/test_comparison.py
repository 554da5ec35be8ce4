"""`kgen compare`: its figures, against scikit-learn's in the test itself."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from PIL import Image
from sklearn.datasets import load_digits, load_wine
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from kgen import cli, comparison, locks
from kgen.comparison import classifiers, judging
from kgen.comparison import data as comparison_data
from kgen.data import Source
from kgen.data.examples import Examples, StreamedExamples
from kgen.errors import InvalidArgument
from kgen.metrics import calibration_error
from tests.test_cli import refused

SETTINGS = ("--network", "dense", "--epochs", "2", "--latent-dim", "3")
LIMIT = 40
GENERATIVE = {
    *("naive Bayes, Gaussian", "naive Bayes, Bernoulli"),
    *("pPCA-Bayes", "VAE-Bayes"),
}
DISCRIMINATIVE = {"k-NN", "decision tree", "SVM", "logistic regression"}
PIXELS_ONLY = {"naive Bayes, Bernoulli", "VAE-Bayes"}


def digits():
    """200 of the digits to learn from, and 100 to be judged by."""
    found = load_digits()
    x = (found.images / 16).astype("float32")[..., None]
    return x[:200], found.target[:200], x[200:300], found.target[200:300]


def run(folder, *args):
    """Runs `kgen compare`; returns its output and what it judged."""
    judged = []

    def judge(estimator, data):
        figures = original(estimator, data)
        judged.append((estimator, data, figures))
        return figures

    original = judging.judge
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "judge", judge)
        result = CliRunner().invoke(
            cli.main,
            ["compare", *SETTINGS, "--out", str(folder), *map(str, args)],
        )
    assert result.exit_code == 0, result.output
    return result, judged


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A comparison on pictures: the folder, the output, what was judged."""
    folder = tmp_path_factory.mktemp("pictures")
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez(folder / "few.npz", **dict(zip(names, digits())))
    out = folder / "out"
    return out, *run(out, "--data", folder / "few.npz", "--limit", LIMIT)


@pytest.fixture(scope="module")
def found(compared):
    """What a comparison on pictures wrote."""
    return json.loads((compared[0] / "comparison.json").read_text())


def row_of(found, model, on="pixels"):
    (row,) = (
        row
        for row in found["rows"]
        if row["model"] == model and row["on"] == on
    )
    return row


def chosen():
    """What is learnt from, by the documented order."""
    x, y, x_test, y_test = digits()
    first = comparison.nested_order(y, 0)[:LIMIT]
    parts = (x[first].astype("float64"), x_test.astype("float64"))
    rows = (part.reshape(len(part), -1) for part in parts)
    return *rows, y[first], y_test


# The table


def test_every_model_has_a_row(found):
    got = {(row["model"], row["family"], row["on"]) for row in found["rows"]}
    families = {"generative": GENERATIVE, "discriminative": DISCRIMINATIVE}
    assert len(found["rows"]) == len(got)
    assert got == {
        (name, family, on)
        for family, names in families.items()
        for name in names
        for on in ("pixels", "codes")
        if on == "pixels" or name not in PIXELS_ONLY
    }
    assert found["left_out"] == []


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("k-NN", KNeighborsClassifier()),
        ("naive Bayes, Gaussian", GaussianNB(var_smoothing=0.01)),
    ],
)
def test_figures_are_scikit_learn_s(found, name, peer):
    x, x_test, y, y_test = chosen()
    probabilities = peer.fit(x, y).predict_proba(x_test)
    row = row_of(found, name)
    assert row["accuracy"] == peer.score(x_test, y_test)
    expected = {
        "nll": log_loss(y_test, probabilities),
        "calibration_error": calibration_error(probabilities, y_test),
    }
    assert {name: row[name] for name in expected} == pytest.approx(
        expected, rel=1e-4
    )


@pytest.mark.parametrize("name", ["naive Bayes, Gaussian", "pPCA-Bayes"])
def test_columns_of_a_table_may_have_any_scale(name):
    x, y = load_wine(return_X_y=True)
    units = np.float32(2.0) ** np.resize([-20, 0, 20], x.shape[1])
    settings = comparison.CompareSettings(
        **{"data": None, "image_shape": None, "data_dir": None, "limit": 178},
        **{"network": "dense", "latent_dim": 3, "epochs": 2},
        **{"batch_size": 64, "seed": 0},
    )
    found = []
    for rows in (x.astype("float32"), x.astype("float32") * units):
        data = comparison_data.Data(
            "wine", "features", rows, y, rows, y, len(y), ["a", "b", "c"]
        )
        made = classifiers.FAMILIES["generative"][name](data, settings)
        found.append(made.fit(rows, y).predict_proba(rows))
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-6)


def test_calibration_leaves_the_svm_s_decisions(found):
    x, x_test, y, y_test = chosen()
    peer = SVC().fit(x, y)
    assert row_of(found, "SVM")["accuracy"] == peer.score(x_test, y_test)


def test_codes_are_those_of_one_vae_without_labels(compared, found):
    _, _, judged = compared
    codes = [data for _, data, _ in judged if data.kind == "codes"]
    assert len(codes) == 6
    for data in codes:
        assert data.x is codes[0].x
        assert data.x.shape == (LIMIT, 3)
        assert data.x_test.shape == (100, 3)
    peer = KNeighborsClassifier().fit(data.x, data.y)
    accuracy = peer.score(data.x_test, data.y_test)
    assert row_of(found, "k-NN", "codes")["accuracy"] == accuracy
    assert found["codes"]["train_seconds"] > 0


def test_the_same_seed_codes_the_same(compared):
    _, _, judged = compared
    pixels, codes = (
        next(data for _, data, _ in judged if data.kind == kind)
        for kind in ("pixels", "codes")
    )
    settings = comparison.CompareSettings(
        **{"data": None, "image_shape": None, "data_dir": None, "limit": LIMIT},
        **{"network": "dense", "latent_dim": 3, "epochs": 2},
        **{"batch_size": 64, "seed": 0},
    )
    vae = classifiers.new_model("vae", pixels.x, settings)
    keras.utils.set_random_seed(7)  # which must not matter
    _, again = judging._encode(vae, pixels, settings, lambda line: None)
    np.testing.assert_array_equal(again.x, codes.x)


def test_the_printed_table(compared, found):
    _, result, _ = compared
    lines = result.stdout.splitlines()
    assert lines[0] == (
        "few: 10 classes, 40 training examples of 200, judged by 100 others"
    )
    header = lines[2]
    assert header.split("  ")[-1].strip() == "prediction s"
    rows = lines[3 : 3 + 2 + len(found["rows"])]
    assert [line for line in rows if line[:2] != "  "] == [
        "generative",
        "discriminative",
    ]
    for title, best in (("accuracy", max), ("-log P(y|x)", min)):
        end = header.index(title) + len(title)
        name = {"-log P(y|x)": "nll"}.get(title, title)
        value = best(row[name] for row in found["rows"])
        stars = [line for line in rows if line[end : end + 1] == "*"]
        assert stars
        for line in stars:  # aligned: figures end where their header does
            assert line[:end].endswith(f" {value:.4f}")
    for place in (title for title in header.split("  ") if title.strip()[2:]):
        end = header.index(place) + len(place)
        assert any(line[end : end + 1] == "*" for line in rows), place
    assert lines[-1] == f"The comparison is in {compared[0]}"


def test_one_line_for_each_model_as_it_is_done(compared, found):
    _, result, _ = compared
    lines = result.stderr.splitlines()
    for row in found["rows"]:
        start = f"{row['model']} on {row['on']}: accuracy {row['accuracy']:.4f}"
        assert sum(line.startswith(start) for line in lines) == 1
    curves = len(GENERATIVE | DISCRIMINATIVE) - 1
    assert len(lines) == len(found["rows"]) + 1 + curves


# The curve


def test_the_curve_grows_to_all_that_there_is(found):
    labels = found["curve"]["labels"]
    assert labels[0] == 20
    assert labels[-1] == LIMIT
    steps = np.diff(np.log(labels))
    np.testing.assert_allclose(steps, steps.mean(), atol=0.03)
    for name, values in found["curve"]["accuracy"].items():
        assert values[-1] == row_of(found, name)["accuracy"]
        alone = [None] * (len(labels) - 1) + values[-1:]
        assert (values == alone) == (name == "VAE-Bayes")


def test_the_curve_s_points_are_of_nested_subsets(compared, found):
    _, _, judged = compared
    _, x_test, _, y_test = chosen()
    whole = judged[0][1]
    for number, size in enumerate(found["curve"]["labels"][:-1]):
        parts = [data for _, data, _ in judged if len(data.y) == size]
        assert len(parts) == 7  # all but the VAE
        for part in parts:
            np.testing.assert_array_equal(part.x, whole.x[:size])
            np.testing.assert_array_equal(part.y, whole.y[:size])
        assert np.bincount(part.y, minlength=10).min() >= 2
        peer = DecisionTreeClassifier(random_state=0)
        peer.fit(part.x.reshape(size, -1).astype("float64"), part.y)
        got = found["curve"]["accuracy"]["decision tree"][number]
        assert got == peer.score(x_test, y_test)


@pytest.mark.parametrize("counts", [(50, 50), (300, 30, 3), (2, 1000)])
def test_beginnings_are_nested_and_stratified(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    np.random.default_rng(1).shuffle(labels)
    order = comparison.nested_order(labels, 0)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(labels)))
    for size in range(2 * len(counts), len(labels) + 1):
        got = np.bincount(labels[order[:size]], minlength=len(counts))
        assert got.min() >= 2
        share = size * np.array(counts) / len(labels)
        assert np.all(np.abs(got - share) <= 2 * len(counts) + 1)
    again = comparison.nested_order(labels, 0)
    np.testing.assert_array_equal(order, again)
    assert np.any(order != comparison.nested_order(labels, 1))


# The files


def test_the_json_is_whole(compared, found):
    out, _, _ = compared
    assert {path.name for path in out.iterdir()} == {
        "comparison.json",
        "comparison.png",
    }
    assert found["settings"]["epochs"] == 2
    assert found["settings"]["limit"] == LIMIT
    assert found["versions"]["keras"] == keras.__version__
    assert found["data"] == {
        **{"name": "few", "kind": "pixels", "train": LIMIT},
        **{"available": 200, "test": 100},
        "classes": [str(digit) for digit in range(10)],
    }
    for row in found["rows"]:
        figures = [value for value in row.values() if isinstance(value, float)]
        assert len(figures) == 5
        assert np.isfinite(figures).all()


def test_the_picture_is_drawn(compared):
    with Image.open(compared[0] / "comparison.png") as image:
        assert min(image.size) > 400
        assert np.ptp(np.asarray(image.convert("L"))) > 200


# Other data


def test_rows_of_a_table(tmp_path):
    """Two classes, numbers of any range; what can't be done is left out."""
    random = np.random.default_rng(0)
    y = np.arange(40) % 2
    x = (3 * y[:, None] + random.normal(size=(40, 2))).astype("float32")
    np.savez(tmp_path / "rows.npz", x=x, y=2 * y + 3)
    args = ("--data", tmp_path / "rows.npz", "--latent-dim", 1, "--limit", 4)
    result, _ = run(tmp_path / "out", *args)
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert found["data"]["kind"] == "features"
    assert found["data"]["classes"] == ["3", "5"]
    assert found["curve"]["labels"] == [4]
    models = {row["model"] for row in found["rows"]}
    assert models == (GENERATIVE | DISCRIMINATIVE) - {"naive Bayes, Bernoulli"}
    assert row_of(found, "logistic regression", "features")["accuracy"] > 0.8
    (left,) = found["left_out"]
    assert (left["model"], left["on"]) == ("pPCA-Bayes", "codes")
    assert f"Left out: pPCA-Bayes on codes. {left['why']}" in result.stdout
    assert f"pPCA-Bayes on codes: left out. {left['why']}" in result.stderr


def test_codes_that_are_no_numbers(tmp_path, monkeypatch, found):
    """The VAE went astray: what was found without it is not lost."""
    rows = [row for row in found["rows"] if row["on"] == "pixels"]
    monkeypatch.setattr(judging, "_rows", lambda *args: list(rows))
    monkeypatch.setattr(judging, "_curve", lambda *args: found["curve"])
    monkeypatch.setattr(
        judging, "_encode", lambda *args: judging._finite(np.array(np.nan))
    )
    result, _ = run(tmp_path / "out")
    assert "all models on codes: left out. The loss became" in result.stderr
    assert "Left out: all models on codes. The loss became" in result.stdout
    written = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert (written["rows"], written["codes"]) == (rows, None)


def source(labels, **others):
    """A source whose only picture of each class is as grey as its label."""

    def examples(labels):
        labels = np.asarray(labels)
        shades = np.maximum(labels, 0).astype("uint8")
        return Examples(np.tile(shades[:, None, None, None], (2, 2, 1)), labels)

    splits = {"train": labels, "test": [0, 1], **others}
    return Source(
        "some",
        {
            name: lambda values=values: examples(values)
            for name, values in splits.items()
            if values is not None
        },
    )


def test_reading_keeps_pictures_and_labels_together():
    data = comparison.read(source([5, 0, 1, 5, 0, 0, 1], test=[5, 0]), 100, 0)
    assert data.classes == ["0", "1", "5"]
    classes = np.array([0, 1, 5])
    for x, y in ((data.x, data.y), (data.x_test, data.y_test)):
        shades = np.round(255 * x[:, 0, 0, 0])
        np.testing.assert_array_equal(shades, classes[y])
    assert sorted(data.y) == [0, 0, 0, 1, 1, 2, 2]


def test_a_stream_is_read_like_an_array():
    labels = np.random.default_rng(0).integers(0, 3, 50)

    def streamed(name):
        found = given.examples(name)
        pairs = tf.data.Dataset.from_tensor_slices((found.images, found.labels))
        return StreamedExamples(pairs, len(found))

    given = source(labels)
    stream = Source(
        "some",
        {name: lambda name=name: streamed(name) for name in given.splits},
    )
    one, other = (comparison.read(each, 20, 0) for each in (given, stream))
    assert one.available == other.available == 50
    for name in ("x", "y", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_validation_stands_in_for_test():
    given = source([0, 0, 1, 1], test=None, validation=[1])
    assert comparison.read(given, 9, 0).y_test.tolist() == [1]
    both = source([0, 0, 1, 1], validation=[1])
    assert comparison.read(both, 9, 0).y_test.tolist() == [0, 1]


def test_examples_whose_class_is_not_known_are_left_out():
    data = comparison.read(source([0, -1, 0, 1, -1, 1], test=[-1, 1]), 9, 0)
    assert data.available == len(data.x) == 4
    assert data.y_test.tolist() == [1]


@pytest.mark.parametrize(
    ("given", "limit", "words"),
    [
        (source([0, 0, 1, 1], test=None), 9, "Expected train, and test"),
        (source(None), 9, "has the splits test"),
        (source([0, 0], test=[0]), 9, "one class only"),
        (source([0, 0, 1], test=[0]), 9, "1 training examples of the class 1"),
        (source([0, 0, 1, 1], test=[2]), 9, "0 training examples of the class"),
        (source([0, 0, 1, 1]), 3, "Pass 4 or more"),
        (source([-1, -1]), 9, "train of some has no labels"),
        (source([0, 0, 1, 1], test=[-1]), 9, "test of some has no labels"),
    ],
)
def test_data_that_is_refused(given, limit, words):
    with pytest.raises(InvalidArgument, match=words):
        comparison.read(given, limit, 0)


def test_covariances_that_would_not_fit(monkeypatch):
    monkeypatch.setattr(classifiers, "_COVARIANCES", 2 * 4**2 - 1)
    data = comparison.read(source([0, 0, 1, 1]), 4, 0)
    larger = dataclasses.replace(data, x=np.zeros((4, 2, 2, 1)))
    with pytest.raises(InvalidArgument, match="--image-shape"):
        classifiers._ppca(larger, None)


# The command


def test_ctrl_c_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(judging, "judge", interrupt)
    out = tmp_path / "out"
    result = CliRunner().invoke(
        cli.main, ["compare", *SETTINGS, "--out", str(out)]
    )
    assert result.exit_code == 130
    assert "interrupted" in result.output
    assert not out.exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--data", "x.npy"), "no labels"),
        (("--data", "one.npz"), "one class only, 4"),
        (("--limit", 19), "Pass 20 or more"),
        (("--data", "mnits"), "mnits"),
        (("--data", "none.npz"), "There is no file"),
        (("--network", "unet"), "dense or conv"),
        (("--epochs", 0), "--epochs"),
        (("--image-shape", "8"), "HxWxC"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path, monkeypatch, args, words):
    monkeypatch.chdir(tmp_path)
    x = np.zeros((10, 4, 4, 1), "uint8")
    np.save("x.npy", x)
    np.savez("one.npz", x=x, y=np.full(10, 4))
    np.savez("rows.npz", x=np.zeros((10, 5), "float32"), y=np.arange(10) % 2)
    assert words in refused("compare", *args)
    assert not (tmp_path / "comparisons").exists()


def test_what_is_there_is_not_overwritten_by_itself(tmp_path):
    kept, other = tmp_path / "kept", tmp_path / "other"
    for folder, name in ((kept, "comparison.json"), (other, "thesis.tex")):
        folder.mkdir()
        (folder / name).write_text("mine")
    assert "Pass --overwrite" in refused("compare", "--out", kept)
    for options in ((), ("--overwrite",)):
        words = refused("compare", "--out", other, *options)
        assert "not a comparison" in words
    assert "file" in refused("compare", "--out", kept / "comparison.json")
    assert (kept / "comparison.json").read_text() == "mine"


def test_out_is_the_next_free_one(tmp_path, monkeypatch, found):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "comparisons" / "comparison-1").mkdir(parents=True)
    calls = []

    def compare(settings, out, overwrite, report):
        calls.append((dataclasses.asdict(settings), str(out), overwrite))
        return found

    monkeypatch.setattr(comparison, "compare", compare)
    result = CliRunner().invoke(cli.main, ["compare"])
    assert result.exit_code == 0, result.output
    ((config, out, overwrite),) = calls
    assert out == "comparisons/comparison-2"
    assert not overwrite
    assert config == {
        **{"data": "digits", "image_shape": None, "data_dir": None},
        **{"network": "conv", "latent_dim": 8, "epochs": 100},
        **{"batch_size": 64, "seed": 0, "limit": 10_000},
        "background": "white",
    }


def test_a_killed_comparison_can_be_started_again(tmp_path):
    for name in (locks.NAME, ".2147483647-comparison.json"):
        (tmp_path / name).touch()
    judging._check_place(tmp_path, overwrite=False)
    for name in (".2147483647-thesis.tex", "thesis.tex"):
        (tmp_path / name).touch()
        with pytest.raises(FileExistsError, match="not a comparison"):
            judging._check_place(tmp_path, overwrite=False)
        (tmp_path / name).unlink()


def test_overwrite_replaces_both_files(tmp_path, found):
    for name in ("comparison.json", "comparison.png", "notes.txt"):
        (tmp_path / name).write_text("old")
    judging._check_place(tmp_path, overwrite=True)
    judging._write(found, tmp_path)
    assert json.loads((tmp_path / "comparison.json").read_text()) == found
    with Image.open(tmp_path / "comparison.png") as image:
        assert image.format == "PNG"
    assert (tmp_path / "notes.txt").read_text() == "old"
