"""Settings of all kinds of wrong types and sizes: built, or refused in words."""

import functools
import inspect
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kgen
from kgen import (
    callbacks,
    cli,
    extractors,
    hypermodels,
    layers,
    losses,
    metrics,
    registry,
    runs,
)
from kgen.data import open_source
from kgen.densities import ClassPrior
from kgen.densities.factory import DENSITIES
from kgen.models import factory
from tests.fuzz.common import examples, mutated, only_invalid, refused
from tests.fuzz.readers import CONFIG, check

pytestmark = [
    pytest.mark.slow,
    # What Keras and kgen say in words, and go on; others are errors.
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

# No number between these: it would be a network that fills the memory.
_NUMBERS = [2**31, 2**63, 2**70, 10**400, -(2**63), 1e-320, 1e308]
_WORDS = ["", " ", ":", "1", "-1", "nan", "inf", "adam", "adam:", "relu"]
_WORDS += ["None", "gaussian:", "gaussian:x", "clip:-1", "clip:nan", "r1:r1"]
_WORDS += ["low_rank:", "low_rank:1e400", "masking:2", "é", "l2", "\0"]
_WRONG = [{"class_name": "Dense"}, {"class_name": 1, "config": {}}]
_WRONG += [{"class_name": "Adam", "config": {"learning_rate": "x"}}]
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.sampled_from(_NUMBERS),
    st.floats(),
    st.sampled_from(_WORDS),
    st.text(max_size=6),
)
VALUES = st.one_of(
    _SCALARS,
    st.sampled_from(_WRONG),
    st.recursive(
        _SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.text(max_size=3), inner, max_size=2),
        ),
        max_leaves=4,
    ),
)
_SMALL = {"hidden_units": [4], "filters": 2, "max_filters": 4}


@st.composite
def _arguments(draw, names, most=2):
    """A dictionary from one or more names to any values."""
    chosen = draw(
        st.lists(st.sampled_from(names), min_size=1, max_size=most, unique=True)
    )
    return {name: draw(VALUES) for name in chosen}


def _parameters(function):
    names = list(inspect.signature(function).parameters)
    return [n for n in names if n not in ("self", "args", "kwargs")]


_MODELS = [
    (name, network)
    for name in registry.MODELS
    for network in ("dense", "conv", "resnet")
]


@pytest.mark.parametrize(("name", "network"), _MODELS)
@examples(40)
@given(data=st.data())
def test_create_model(name, network, data):
    known = factory.options_of(name, network)
    options = {k: v for k, v in _SMALL.items() if k in known}
    options.update(input_shape=(4, 4, 1), latent_dim=2, network=network)
    if name == "bayes_classifier":
        options.update(num_classes=2)
    more = ["input_shape", "latent_dim", "num_classes", "network"]
    options.update(data.draw(_arguments([*known, *more])))
    refused(kgen.create_model, name, **options)


@functools.cache
def _model(name):
    options = {"num_classes": 2} if name == "bayes_classifier" else {}
    return kgen.create_model(
        name,
        input_shape=(4,),
        network="dense",
        latent_dim=2,
        hidden_units=[4],
        **options,
    )


@pytest.mark.parametrize("name", registry.MODELS)
@examples(60)
@given(data=st.data())
def test_compile(name, data):
    model = _model(name)
    arguments = data.draw(_arguments(_parameters(model.compile)))
    refused(model.compile, **arguments)


_X = np.linspace(0.0, 1.0, 24, dtype="float32").reshape(6, 4)
_PICTURES = np.linspace(0.0, 1.0, 6 * 256, dtype="float32")
_PICTURES = _PICTURES.reshape(6, 16, 16, 1)
_CLASSES = np.array([0, 1, 0, 1, 0, 1])
_BOTH = {"probabilities": np.full((6, 2), 0.5), "labels": _CLASSES}
_DENSITY = {"input_shape": (4,), "num_classes": 2}
_HYPERMODEL = {**_DENSITY, "space": {"latent_dim": {"min": 1, "max": 4}}}
_TWO = {"images": _PICTURES, "references": _PICTURES}
# What is called, and arguments that are right.
_PUBLIC = [
    (losses.Gaussian, {}),
    (losses.KerasLoss, {"loss": "mae"}),
    (losses.NonSaturating, {}),
    (losses.GradientPenalty, {}),
    (losses.R1, {}),
    (losses.Dragan, {}),
    (layers.BatchNormalization, {}),
    (layers.ConcatenateLabels, {"num_classes": 2}),
    (layers.GainAndShift, {"num_classes": 2}),
    (layers.GatedDense, {"units": 2}),
    (layers.GaussianSampling, {}),
    (layers.GaussianCorruption, {"level": 0.1}),
    (layers.MaskingCorruption, {"level": 0.1}),
    (layers.MinibatchStdDev, {}),
    (layers.ResizeConvolution, {}),
    (layers.WeightClip, {}),
    *((named.build(), _DENSITY) for named in DENSITIES.values()),
    (ClassPrior, {"num_classes": 2}),
    (callbacks.FrechetWatch, {"x": _PICTURES}),
    (callbacks.GANWatch, {"x": _PICTURES}),
    (callbacks.KLWarmUp, {"epochs": 2}),
    (callbacks.SampleProgress, {"directory": "x", "picture": "x.png"}),
    (metrics.calibration_error, _BOTH),
    (metrics.diversity, {"images": _PICTURES}),
    (metrics.frechet_distance, {"real": _X, "fake": _X}),
    (metrics.kernel_distance, {"real": _X, "fake": _X}),
    (metrics.memorization, {"distances": _X[0], "test_distances": _X[1]}),
    (metrics.mode_coverage, {"samples": _X, "centers": _X, "stddev": 0.1}),
    (metrics.ms_ssim, _TWO),
    (metrics.nearest_neighbors, {"samples": _X, "references": _X}),
    (metrics.precision_recall, {"real": _X, "fake": _X}),
    (metrics.probe, {"z": _X, "y": _CLASSES}),
    (metrics.psnr, _TWO),
    (metrics.sharpness, {"images": _PICTURES}),
    (metrics.ssim, _TWO),
    (extractors.PixelExtractor, {"input_shape": (4,)}),
    (kgen.data.load, {"source": _PICTURES, "split": "all"}),
    *((hypermodels.get(name), _HYPERMODEL) for name in registry.MODELS),
]


@pytest.mark.parametrize("place", range(len(_PUBLIC)))
@examples(40)
@given(data=st.data())
def test_public(place, data):
    function, right = _PUBLIC[place]
    arguments = data.draw(_arguments(_parameters(function)))
    refused(function, **{**right, **arguments})


_NESTED = st.builds(
    lambda one, count: one * count,
    st.sampled_from(["[", "(", "{", "-", "~", "{1:", "lambda:", "1+", "()"]),
    st.sampled_from([1, 90, 200, 100_000]),
)
_TEXTS = st.one_of(st.text(max_size=12), _NESTED, VALUES.map(repr))


@examples(200)
@given(st.text(max_size=4), _TEXTS)
def test_set_is_parsed(name, text):
    refused(cli.Setting().convert, f"{name}={text}", None, None, allowed=_click)


def _click(error):
    return isinstance(error, cli.click.UsageError)


def _names_of_set(name):
    model = registry.MODELS[name].model_class
    return [*factory.options_of(name, "dense"), *_parameters(model.compile)]


@pytest.mark.parametrize("name", ["vae", "gan"])
@examples(10)
@given(data=st.data())
def test_set(name, data):
    options = data.draw(_arguments(_names_of_set(name)))
    options = json.loads(json.dumps({"hidden_units": [4], **options}))
    config = {**CONFIG, "model": name, "options": options}
    source = open_source("digits")
    dataset = source.dataset("train", batch_size=64)

    def build():
        runs.build(runs.TrainSettings(**config), source, dataset)

    refused(build, allowed=only_invalid)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@examples(50)
@given(changed=_arguments([*CONFIG, "versions"]))
def test_config(folder, changed):
    check(folder, "config", json.dumps({**CONFIG, **changed}).encode())


_STUDY = {
    "model": "autoencoder",
    "objective": "val_mse",
    "tuner": "random",
    "seeds": [0],
    "budget": {"trials": 2, "epochs": 2, "minutes": 1},
    "data": {"train": "train[:50]", "validation": "train[50:80]"},
    "space": {
        "network": "dense",
        "hidden_units": {"values": [[4], [8]]},
        "optimizer": {
            "text": "adam:{rate}",
            "rate": {"min": 1e-4, "max": 1e-2, "log": True},
        },
        "batch_size": {"min": 2, "max": 8, "step": 2},
    },
}
_STUDY_WORDS = ["hyperband", "grid", "bayesian", "test", "all", "train[:"]
_STUDY_WORDS += ["train[-5:5%]", "validation", "val_elbo", "val_loss", "max"]
_SPACES = [
    {"min": 1, "max": 2},
    {"min": 1, "max": 10**9, "step": 1},
    {"min": 0.0, "max": 1.0, "step": 1e-12},
    {"min": 1, "max": 2**70, "log": True},
    {"values": [1, "a", [2]]},
    {"values": [{}, []]},
    {"text": "{x:10000000000}", "x": {"min": 1, "max": 2}},
    {"text": "{x[0]}", "x[0]": {"values": [1, 2]}},
    {"text": "{}", "": {"min": 1, "max": 2}},
]
_STUDY_VALUES = st.one_of(
    VALUES, st.sampled_from(_STUDY_WORDS), st.sampled_from(_SPACES)
)


def _toml(value):
    """A value as TOML writes it."""
    if isinstance(value, dict):
        inner = (
            f"{json.dumps(key)} = {_toml(one)}"
            for key, one in value.items()
            if one is not None
        )
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list):
        return f"[{', '.join(_toml(one) for one in value if one is not None)}]"
    if isinstance(value, (bool, str)):
        return json.dumps(value).replace("\x7f", "\\u007f")
    return repr(value)


def _places(value, before=()):
    """The ways to all that a nested dictionary holds."""
    for key, inner in value.items():
        yield (*before, key)
        if isinstance(inner, dict):
            yield from _places(inner, (*before, key))


def _with(value, place, new):
    """A copy of a nested dictionary with something else at a place."""
    first, *rest = place
    if rest:
        new = _with(value[first], rest, new)
    return {**value, first: new}


def _study_text(said):
    lines = (
        f"{json.dumps(key)} = {_toml(value)}\n"
        for key, value in said.items()
        if value is not None
    )
    return "".join(lines)


_PLACES = [*_places(_STUDY), ("evaluation",), ("direction",)]
_PLACES += [("space", name) for name in ("latent_dim", "activation", "x")]
_PLACES += [("budget", "x"), ("data", "image_shape"), ("data", "conditional")]


@examples(20)
@given(st.sampled_from(_PLACES), _STUDY_VALUES)
def test_study(folder, place, value):
    text = _study_text(_with(_STUDY, place, value))
    check(folder, "study", text.encode("utf-8", "surrogatepass"))


@examples(50)
@given(mutated(_study_text(_STUDY).encode(), header=400))
def test_study_bytes(folder, data):
    check(folder, "study", data)
