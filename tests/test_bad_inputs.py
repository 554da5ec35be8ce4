"""What a user does wrong, and what kgen says to it: one table.

Each line is what is done, and a part of the message. The message comes before
any work, names what was wrong and says what would be right.
"""

import functools
import json
import os

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner

import kgen
from kgen import (
    callbacks,
    cli,
    densities,
    extractors,
    layers,
    losses,
    metrics,
    studies,
)
from kgen.models.factory import load_model
from tests.settings import USUAL

_RANDOM = np.random.default_rng(0)
X = _RANDOM.random((20, 4, 4, 1)).astype("float32")
ROWS = X.reshape(20, 16)
Y = np.arange(20) % 2
PICTURES = _RANDOM.random((12, 16, 16, 1)).astype("float32")


def with_nan(x):
    """The same with one number that is none."""
    x = np.array(x)
    x.flat[0] = np.nan
    return x


@functools.cache
def model(name, **options):
    """A small model, compiled; one for all lines."""
    found = build(name, **options)
    found.compile()
    return found


def build(name, input_shape=(4, 4, 1), network="dense", **options):
    """A small model, not yet compiled."""
    if network == "dense" and "density" not in options:
        options.setdefault("hidden_units", (4,))
    options.setdefault("latent_dim", 2)
    return kgen.create_model(
        name, input_shape=input_shape, network=network, **options
    )


def vae():
    return model("vae")


def conditional():
    return model("vae", num_classes=2)


def gan():
    return model("gan")


def autoencoder():
    return model("autoencoder")


def denoiser():
    return model(
        "denoising_autoencoder",
        network="unet",
        filters=2,
        max_filters=2,
        blocks=1,
    )


@functools.cache
def classifier():
    """A fitted one, so that it can say something."""
    found = model("bayes_classifier", num_classes=2, density="naive_gaussian")
    found.fit(X, Y, verbose=0)
    return found


def load(source=X, split="all", **options):
    return kgen.data.load(source, split, **options)


DATA = {
    "no such name": (lambda: load("digitz"), "Did you mean 'digits'?"),
    "no such file": (lambda: load("no/x.npy"), "no file or folder no/x.npy"),
    "an empty name": (lambda: load(""), "a path or a data set's name"),
    "another kind of file": (lambda: load("notes.txt"), "unknown kind"),
    "an empty folder": (lambda: load("empty"), "holds no data"),
    "no such split": (lambda: load(split="tset"), "did you mean 'test'?"),
    "an empty slice": (lambda: load(split="train[5:5]"), "is empty"),
    "half a slice": (lambda: load(split="train[:"), 'such as "train[:1000]"'),
    "batches of 0": (lambda: load(batch_size=0), "Received: batch_size=0"),
    "batches of half": (lambda: load(batch_size=1.5), "a positive integer"),
    "a wrong seed": (lambda: load(seed=-1), "Received: seed=-1"),
    "no labels there": (lambda: load(labels=True), "or --target COLUMN"),
    "too few labels": (lambda: load((X, Y[:3]), labels=True), "20 labels"),
    "labels of text": (lambda: load((X, Y.astype(str))), "integers"),
    "labels of floats": (lambda: load((X, Y + 0.5)), "integers"),
    "labels below 0": (lambda: load((X, Y - 2)), "integers from 0"),
    "whole numbers": (lambda: load((255 * X).astype("int64")), "int64"),
    "pictures to 255": (lambda: load(255 * X), "values in [0, 1]"),
    "NaN": (lambda: load(with_nan(X)), "finite numbers"),
    "truth values as bytes": (
        lambda: load((X > 0.5).astype("uint8")),
        "x.astype(bool)",
    ),
    "pictures of 0 and 1": (lambda: load("masks"), "x.astype(bool)"),
    "numbers that number no classes": (
        lambda: load((X, 10**9 * Y)),
        "return_inverse=True",
    ),
    "no examples": (lambda: load(X[:0]), "at least one example"),
    "one number": (lambda: load(3.0), "an array of shape (n, ...)"),
    "rows of two lengths": (lambda: load([[0.5], [0.5, 0.1]]), "of one shape"),
    "text": (lambda: load(np.array([["a"], ["b"]])), "uint8 pictures"),
    "half an image_shape": (lambda: load(image_shape=(8,)), "image_shape"),
    "an endless side": (
        lambda: load(image_shape=(float("inf"), 8, 1)),
        "at most 32768 pixels",
    ),
    "2 channels": (lambda: load(image_shape=(8, 8, 2)), "1 channel (grey)"),
    "rows as pictures": (
        lambda: load(ROWS, image_shape=(4, 4, 1)),
        "are no pictures",
    ),
    "a file of Python objects": (lambda: load("objects.npy"), "objects.npy"),
    "a damaged .npz": (lambda: load("damaged.npz"), "damaged.npz can't be"),
    "a damaged picture": (
        lambda: load("pictures"),
        "Repair it, or move it away",
    ),
    "damaged IDX": (lambda: load("idx", "train"), "as an IDX file"),
    "one example to split": (lambda: load(X[:1], "train"), "one example"),
}

MODELS = {
    "no such model": (lambda: build("vea"), "did you mean 'vae'?"),
    "no such network": (lambda: build("vae", network="cnn"), "one of 'dense'"),
    "no such option": (lambda: build("vae", kl_wieght=1), "'kl_weight'"),
    "a code of 0": (lambda: build("vae", latent_dim=0), "latent_dim=0"),
    "a code of -1": (lambda: build("gan", latent_dim=-1), "latent_dim=-1"),
    "a code of True": (lambda: build("vae", latent_dim=True), "positive int"),
    "no shape": (lambda: build("vae", input_shape=()), "positive integers"),
    "a shape of 0": (lambda: build("vae", input_shape=(0,)), "input_shape=(0,"),
    "a volume to conv": (
        lambda: build("vae", input_shape=(4, 4, 4, 1), network="conv"),
        'volumes and other shapes need network="dense"',
    ),
    "layers of -3": (lambda: build("vae", hidden_units=[-3]), "hidden_units"),
    "layers by a number": (
        lambda: build("vae", hidden_units=9),
        "such as (400",
    ),
    "no activation": (lambda: build("vae", activation="rleu"), "rleu"),
    "gated convolutions": (
        lambda: build("gan", (8, 8, 1), "conv", activation="gated"),
        "activation=gated",
    ),
    "an activation of pairs in residual blocks": (
        lambda: build("gan", (8, 8, 1), "resnet", activation="glu"),
        "of single numbers",
    ),
    "an activation that is 0": (
        lambda: build("vae", (8, 8, 1), "resnet", activation=lambda x: 0 * x),
        "not 0 everywhere",
    ),
    "a weight below 0": (lambda: build("vae", kl_weight=-1), "kl_weight=-1"),
    "a weight of NaN": (lambda: build("vae", kl_weight=np.nan), "finite"),
    "a weight of text": (lambda: build("vae", kl_weight="x"), "kl_weight=x"),
    "no likelihood": (lambda: build("vae", likelihood="x"), "'bernoulli'"),
    "a deviation of 0": (
        lambda: build("vae", likelihood="gaussian:0"),
        "stddev",
    ),
    "a loss in a VAE": (lambda: build("vae", likelihood="mae"), "likelihood"),
    "a seed of -1": (lambda: build("vae", seed=-1), "seed=-1"),
    "0 classes": (lambda: build("vae", num_classes=0), "num_classes=0"),
    "a classifier without classes": (
        lambda: build("bayes_classifier"),
        "num_classes",
    ),
    "no density": (
        lambda: build("bayes_classifier", num_classes=2, density="ful"),
        "did you mean 'full'?",
    ),
    "a rank above all": (
        lambda: build("bayes_classifier", num_classes=2, density="low_rank:99"),
        "below 16",
    ),
    "a prior of 3": (
        lambda: build("bayes_classifier", num_classes=2, prior=[0.2, 0.3, 0.5]),
        "prior",
    ),
    "noise above 1": (
        lambda: build("denoising_autoencoder", corruption="masking:2"),
        "at most 1",
    ),
    "no noise": (
        lambda: build("denoising_autoencoder", corruption="gausian:1"),
        "did you mean 'gaussian'?",
    ),
    "skip connections": (lambda: build("vae", network="unet"), "lead x past z"),
    "no network at all": (lambda: kgen.VAE(None, None), "keras.Model"),
    "networks that don't fit": (
        lambda: kgen.VAE(vae().encoder, build("vae", latent_dim=3).decoder),
        "decoder",
    ),
    "free bits and samples": (
        lambda: build("vae", free_bits=1, importance_samples=2),
        "importance_samples > 1",
    ),
    "no discriminator": (
        lambda: kgen.GAN(gan().generator, None),
        "keras.Model",
    ),
    "a level of -1": (lambda: layers.GaussianCorruption(-1), "level"),
    "no metric": (
        lambda: callbacks.Evaluation(["psrn"], "digits"),
        "'psnr'",
    ),
    "a warm-up of text": (lambda: callbacks.KLWarmUp("x"), "epochs"),
    "no Keras loss": (lambda: losses.KerasLoss("maee"), "maee"),
    "metrics by a number": (
        lambda: callbacks.Evaluation(7, "digits"),
        "a list of names",
    ),
    "a watch on infinity": (
        lambda: callbacks.GANWatch([[1e300], [10**400]]),
        "finite numbers",
    ),
    "a patience of nothing": (
        lambda: callbacks.KeepBest(patience=-1),
        "at least 0",
    ),
    "a distance by an extractor's name": (
        lambda: callbacks.FrechetWatch([[0.0], [1.0]], extractor="pixels"),
        "an Extractor",
    ),
    "a watch on what overflows": (
        lambda: callbacks.GANWatch([[1e300], [1.0]]),
        "finite numbers",
    ),
    "no folder to draw in": (
        lambda: callbacks.SampleProgress(None, "x.png"),
        "directory=None",
    ),
    "no units": (lambda: layers.GatedDense(None), "units=None"),
    "no path of Inception": (
        lambda: extractors.InceptionExtractor(None),
        "path=None",
    ),
    "a prior without end": (
        lambda: densities.ClassPrior(2, [0, 10**400]),
        "with the sum 1",
    ),
    "classes by True": (
        lambda: densities.ClassPrior(True),
        "num_classes=True",
    ),
    "no extractor": (lambda: extractors.get("pixel"), "pixel"),
}

COMPILE = {
    "no optimizer": (lambda: build("vae").compile("adm"), "'adam'"),
    "no rate": (lambda: build("vae").compile("adam:x"), "optimizer"),
    "a beta of 1": (lambda: build("vae").compile("adam:1:1"), "betas below 1"),
    "steps of 0": (
        lambda: build("vae").compile(steps_per_execution=0),
        "steps_per_execution=0",
    ),
    "eager perhaps": (
        lambda: build("vae").compile(run_eagerly="no"),
        "True or False",
    ),
    "no loss": (lambda: gan().compile(loss="hing"), "did you mean 'hinge'?"),
    "no penalty": (lambda: gan().compile(penalty="r3"), "penalty='r3'"),
    "a decay above 1": (lambda: gan().compile(ema_decay=2), "ema_decay"),
    "0 updates": (
        lambda: gan().compile(discriminator_steps=0),
        "discriminator_steps=0",
    ),
}

FIT = {
    "before compile": (lambda: build("vae").fit(X), "call `compile` before"),
    "no data": (lambda: vae().fit(None), "data"),
    "rows to pictures": (lambda: vae().fit(ROWS), "shape (batch, 4, 4, 1)"),
    "bytes": (lambda: vae().fit((255 * X).astype("uint8")), "/ 255"),
    "NaN to fit": (lambda: vae().fit(with_nan(X)), "finite numbers"),
    "masked values to fit": (
        lambda: vae().fit(np.ma.masked_less(X, 0.5)),
        "masked values",
    ),
    "masked values to encode": (
        lambda: vae().encode(np.ma.masked_less(X, 0.5)),
        "masked values",
    ),
    "a count of a part": (
        lambda: classifier().fit(X, Y, batch_size=5, steps_per_epoch=3),
        "None, or the 4 steps",
    ),
    "0 to 255 to fit": (lambda: vae().fit(255 * X), "values in [0, 1]"),
    "none to fit": (lambda: vae().fit(X[:0]), "at least one example"),
    "batches of -1": (lambda: vae().fit(X, batch_size=-1), "batch_size=-1"),
    "weights of examples": (
        lambda: vae().fit(X, sample_weight=np.ones(20)),
        "sample_weight",
    ),
    "weights of classes": (
        lambda: vae().fit(X, class_weight={0: 1.0}),
        "class_weight",
    ),
    "no labels to fit": (lambda: conditional().fit(X), "one for each example"),
    "a class too many": (lambda: conditional().fit(X, Y + 1), "from 0 to 1"),
    "one-hot labels": (lambda: conditional().fit(X, np.eye(2)[Y]), "shape (20"),
    "classes as floats": (lambda: conditional().fit(X, Y * 1.0), "integers"),
    "a batch for no update": (
        lambda: model("gan", pack=8).fit(X, batch_size=4),
        "too small",
    ),
    "wrong validation": (
        lambda: vae().fit(X, validation_data=ROWS),
        "validation_data",
    ),
    "rows to evaluate": (lambda: vae().evaluate(ROWS), "VAE.evaluate"),
    "NaN to evaluate": (lambda: vae().evaluate(with_nan(X)), "finite numbers"),
}

USE = {
    "rows to encode": (lambda: vae().encode(ROWS), "shape (batch, 4, 4, 1)"),
    "NaN to encode": (lambda: vae().encode(with_nan(X)), "finite"),
    "no labels to encode": (lambda: conditional().encode(X), "labels"),
    "batches of 0 to encode": (lambda: vae().encode(X, 0), "batch_size"),
    "a code of 3": (lambda: vae().decode(np.zeros((2, 3))), "shape (batch, 2)"),
    "a code of NaN": (lambda: vae().decode([[np.nan, 0.0]]), "finite numbers"),
    "a code with skips": (
        lambda: denoiser().decode(np.zeros((1, 2))),
        "takes more than z",
    ),
    "0 samples": (lambda: vae().sample(0), "sample"),
    "1.5 samples": (lambda: gan().sample(1.5), "a positive integer"),
    "a seed of text": (lambda: vae().sample(2, seed="x"), "seed"),
    "labels unasked for": (lambda: vae().sample(2, labels=[0, 1]), "labels"),
    "no class to sample": (lambda: conditional().sample(2), "labels"),
    "a class 7": (lambda: conditional().sample(2, labels=7), "from 0 to 1"),
    "one kind of attribute": (
        lambda: vae().attribute_vector(X, np.zeros(20)),
        "one kind alone",
    ),
    "1 step": (lambda: vae().interpolate(X, X, steps=1), "steps"),
    "no path": (lambda: vae().interpolate(X, X, path="arc"), "'spherical'"),
    "two lengths": (lambda: vae().interpolate(X[:2], X[:3]), "x2"),
    "no draws": (
        lambda: vae().log_likelihood(X, num_samples=0),
        "num_samples",
    ),
    "another mask": (
        lambda: classifier().log_joint(X, mask=ROWS > 0),
        "mask",
    ),
    "rows to classify": (lambda: classifier().log_prob(ROWS), "shape (batch"),
    "no attribute": (
        lambda: vae().attribute_vector(X, np.zeros(20, "int32")),
        "attribute_vector",
    ),
    "two sizes": (lambda: metrics.psnr(PICTURES, PICTURES[:, :8]), "images"),
    "NaN to a metric": (
        lambda: metrics.frechet_distance(with_nan(ROWS), ROWS),
        "finite",
    ),
    "one for a distance": (
        lambda: metrics.frechet_distance(ROWS[:1], ROWS),
        "real",
    ),
    "one number as pictures": (lambda: metrics.psnr(0.5, 0.5), "images"),
    "distances of all kinds": (
        lambda: metrics.memorization([1.0, []], [1.0]),
        "finite numbers of shape (n,)",
    ),
    "pictures of all kinds": (
        lambda: metrics.sharpness([1, []]),
        "sides 3 or more",
    ),
    "labels of all kinds": (
        lambda: metrics.probe(ROWS, [1, []]),
        "20 labels",
    ),
    "probabilities for text": (
        lambda: metrics.calibration_error(np.full((2, 2), 0.5), [1, []]),
        "labels",
    ),
    "no references": (
        lambda: metrics.nearest_neighbors(ROWS, None),
        "an array, or batches",
    ),
    "references of nothing": (
        lambda: metrics.nearest_neighbors(ROWS, [[]]),
        "numbers of shape (n, ...)",
    ),
    "weights without end": (
        lambda: metrics.mode_coverage(
            ROWS, ROWS[:2], 0.1, weights=[1, 10**400]
        ),
        "2 positive numbers",
    ),
    "codes without labels": (lambda: metrics.probe(ROWS, Y[:3]), "probe"),
}

FILES = {
    "no model there": (lambda: load_model("no.keras"), "There is no file no"),
    "text as a model": (
        lambda: load_model("notes.txt"),
        "only supports V3 `.keras`",
    ),
    "a damaged model": (lambda: load_model("damaged.keras"), "it is damaged ("),
    "save to nowhere": (lambda: vae().save("x.txt"), ".keras"),
    "export over it": (lambda: vae().export("empty"), "exists already"),
    "another format": (lambda: vae().export("m", format="onnx"), "quantize"),
    "no image format": (
        lambda: vae().export("m", image_format="jpg"),
        "'uint8'",
    ),
    "no precision": (lambda: vae().export("m", quantize="int4"), "'float16'"),
    "0 of a request": (lambda: vae().export("m", max_examples=0), "max_exampl"),
    "no study": (lambda: studies.read("no.toml"), "no.toml"),
    "a study of noise": (lambda: studies.read("notes.txt"), "can't be read"),
}


def study(**changes):
    """Reads a study that would be right but for the changes."""
    said = {
        "model": "autoencoder",
        "objective": "val_mse",
        "tuner": "random",
        "budget": {"trials": 2, "epochs": 1},
        "space": {"network": "dense", "latent_dim": {"values": [1, 2]}},
        **changes,
    }
    lines = []
    for key, value in said.items():
        if isinstance(value, dict):
            inner = (
                f"{name} = {json.dumps(one).replace(': ', ' = ')}"
                for name, one in value.items()
            )
            lines.append(f"{key} = {{{', '.join(inner)}}}")
        elif value is not None:
            lines.append(f"{key} = {json.dumps(value)}")
    with open("study.toml", "w") as file:
        file.write("\n".join(lines))
    return studies.read("study.toml")


STUDIES = {
    "no tuner": (lambda: study(tuner="randm"), "did you mean 'random'?"),
    "no key": (lambda: study(objectiv="x"), "did you mean 'objective'?"),
    "a key left out": (lambda: study(tuner=None), "lacks `tuner`"),
    "no budget": (lambda: study(budget={"trials": 2}), "budget.epochs"),
    "text as trials": (
        lambda: study(budget={"trials": "2", "epochs": 1}),
        "budget.trials",
    ),
    "no objective": (lambda: study(objective="val_mes"), "'val_mse'"),
    "the wrong way": (lambda: study(direction="max"), '"min" for val_mse'),
    "seeds twice": (lambda: study(seeds=[1, 1]), "seeds that differ"),
    "nothing searched": (
        lambda: study(space={"latent_dim": 2}),
        "nothing in it is searched",
    ),
    "no name to search": (
        lambda: study(space={"latent_dm": {"values": [1, 2]}}),
        "'latent_dim'",
    ),
    "min above max": (
        lambda: study(space={"latent_dim": {"min": 3, "max": 2}}),
        "min below max",
    ),
    "a value that can't be": (
        lambda: study(space={"latent_dim": {"values": [1, 0]}}),
        "latent_dim=0 can't be built",
    ),
    "too few for Bayes": (
        lambda: study(tuner="bayesian"),
        "draws its first 3 trials at random",
    ),
    "the test split": (
        lambda: study(data={"train": "train", "validation": "test"}),
        "last judgement",
    ),
}

PYTHON = {**DATA, **MODELS, **COMPILE, **FIT, **USE, **FILES, **STUDIES}

_SMALL = "train vae --data x.npy --network dense"
COMMANDS = {
    "trian vae": "Did you mean 'train'?",
    "train vea": "Did you mean 'vae'?",
    "train vae --data digitz": "Did you mean 'digits'?",
    "train vae --epochs many": "'many' is not a valid integer",
    "train vae --image-shape 8": "expected HxWxC",
    "train vae --set kl_weight": "expected NAME=VALUE",
    f"{_SMALL} --set kl_weigth=2": "did you mean 'kl_weight'?",
    f"{_SMALL} --set latent_dim=3": "--latent-dim",
    f"{_SMALL} --set optimizer=adm": "adm",
    "train vae --resume": "--resume needs --out",
    f"{_SMALL} --kl-warmup -2": "of at least 0",
    f"{_SMALL} --fit-prior mixtures": "did you mean 'mixture'",
    f"{_SMALL} --set levels=two": "argument `levels`",
    "fit-prior empty": "holds no run",
    "fit-prior run --prior vamp:3": "Expected one of",
    "fit-prior run --prior mixture:21": "at least 21 examples",
    "train vae --strategy miror": "Did you mean 'mirrored'?",
    "train vae --from-study no.toml": "no.",
    "sample empty": "holds no run",
    "sample run --num 0": "not in the range",
    "sample run --out x.jpg": "ends in .png or .npz",
    "sample run --label 3": "not conditional",
    "denoise run": "can't denoise",
    "classify run": "can't classify",
    "detect run": "Missing option '--data'",
    "detect run --data rows.npy": "shape (batch, 4, 4, 1)",
    "detect run --data x.npy --quantile 2": "not in the range",
    "detect run --data x.npy --out x.npz": "ends in .csv",
    "encode run --data rows.npy": "shape (batch, 4, 4, 1)",
    "evaluate run --metrics psrn": "did you mean 'psnr'?",
    "evaluate run --metrics accuracy": "no accuracy",
    "evaluate run --extractor no.keras": "no.keras",
    "evaluate run --num-samples 1": "not in the range",
    "export run --name a/b": "name",
    "export run --version 0": "not in the range",
    "export run --quantize int4": "Known: float16, int8",
    "compare --data empty": "holds no data",
    "compare --data xy.npz --limit 3": "--limit 3 is too low",
    "tune no.toml": "no.toml",
    "tune notes.txt": "can't be read",
    "tune notes.txt --resume --overwrite": "exclude each other",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of what can't be used, and a run."""
    place = tmp_path_factory.mktemp("place")
    (place / "empty").mkdir()
    (place / "notes.txt").write_text("This is no study, and no model either.")
    objects = np.array([[{}], [1]], dtype=object)
    np.save(place / "objects.npy", objects, allow_pickle=True)
    for name in ("damaged.npz", "damaged.keras"):
        (place / name).write_bytes(b"PK\3\4" + bytes(40))
    (place / "masks").mkdir()
    for number in range(2):
        mask = PIL.Image.fromarray(np.eye(4, dtype="uint8"))
        mask.save(place / "masks" / f"{number}.png")
    (place / "pictures").mkdir()
    (place / "pictures" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(9))
    (place / "idx").mkdir()
    file = place / "idx" / "train-images-idx3-ubyte"
    file.write_bytes(b"\0\0\x08\x03" + bytes(9))
    np.save(place / "x.npy", X)
    np.save(place / "rows.npy", ROWS)
    np.savez(place / "xy.npz", x=X, y=Y)
    config = {
        **USUAL,
        "data": str(place / "x.npy"),
        "batch_size": 4,
        "options": {"hidden_units": [4]},
    }
    (place / "run").mkdir()
    (place / "run" / "config.json").write_text(json.dumps(config))
    vae().save(place / "run" / "model.keras")
    return place


@pytest.mark.parametrize("line", PYTHON)
def test_in_python(place, monkeypatch, line):
    monkeypatch.chdir(place)
    do, words = PYTHON[line]
    # Keras's own words are a ValueError, as kgen's are.
    with pytest.raises((OSError, ValueError)) as told:
        do()
    assert words in str(told.value), told.value


@pytest.mark.parametrize("line", COMMANDS)
def test_on_the_command_line(place, monkeypatch, line):
    monkeypatch.chdir(place)
    before = sorted(os.listdir(place))
    result = CliRunner().invoke(cli.main, line.split())
    assert isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code == 2
    assert result.stderr.startswith("kgen: ")
    assert result.stderr.count("\n") == 1
    assert COMMANDS[line] in result.stderr
    assert sorted(os.listdir(place)) == before


def test_there_are_lines_enough():
    assert len(PYTHON) + len(COMMANDS) >= 80
    parts = (DATA, MODELS, COMPILE, FIT, USE, FILES, STUDIES)
    assert len(PYTHON) == sum(map(len, parts))  # no name twice
